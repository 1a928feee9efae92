--- swale plot METRIC… RUNS…: metrics of many runs in one picture.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local store_harness = require "store_harness"

TestPlotSets = command.in_a_folder()

function TestPlotSets:setUp()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  self.dir = command.folder()
  for lr = 1, 2 do
    for seed = 1, 3 do
      local list = {}
      for i = 1, 20 do
        list[i] = { kind = "step", step = i, examples = 32 * i, epoch = i / 10, seconds = i,
          loss = lr / i + seed / 100 }
      end
      store_harness.run(self.dir .. "/runs", ("loss_%d_%d"):format(lr, seed), { seed = seed,
        params = { lr = lr }, status = seed == 3 and lr == 2 and "failed" or "done" }, list)
    end
  end
end

function TestPlotSets:plot(...) return command.swale(self.dir, { "plot", ... }) end

--- The words in an SVG.
local function words_of(path)
  return (command.read(path):gsub("<[^>]*>", " "):gsub("%s+", " "))
end

function TestPlotSets:test_a_line_for_each_run()
  local result = self:plot("loss", "loss_1_1", "loss_2_3", "--against", "epochs")
  lu.assert_equals({ result.code, result.out, result.err }, { 0, "plot.svg\n", "" })
  local words = words_of(self.dir .. "/plot.svg")
  for _, part in ipairs { "lr = 1, seed 1", "lr = 2, seed 3, failed", "epochs" } do
    lu.assert_str_contains(words, part)
  end
end

function TestPlotSets:test_groups_are_means_of_runs_that_are_done()
  local ids = folders.entries(self.dir .. "/runs")
  local result = self:plot("loss", "--group", "--out", "a.svg", "--log", table.unpack(ids))
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  local words = words_of(self.dir .. "/a.svg")
  lu.assert_str_contains(words, "lr = 1 (3 seeds)")
  lu.assert_str_contains(words, "lr = 2 (2 seeds)")
end

function TestPlotSets:test_writes_pdf()
  lu.assert_equals(self:plot("loss", "loss_1_1", "-o", "a.pdf").code, 0)
  lu.assert_equals(command.read(self.dir .. "/a.pdf"):sub(1, 5), "%PDF-")
end

function TestPlotSets:test_refuses_what_it_cannot_draw()
  for _, case in ipairs {
    { { "los", "loss_1_1" }, 'these runs have no metric "los"; did you mean "loss"?' },
    { { "loss", "nothing" }, 'there is no run "nothing"' },
    { { "loss", "loss_1_1", "-o", "a.txt" }, "file ends in .svg, .png or .pdf" },
    { { "loss", "loss_2_3", "--group" }, "no run that is done has loss" } } do
    local result = self:plot(table.unpack(case[1]))
    lu.assert_equals(result.code, 1)
    lu.assert_str_contains(result.err, case[2])
  end
end
