--- Commands on recorded runs: list, show, compare, query, export, rm, index.
package.path = debug.getinfo(1, "S").source:match "^@(.-)cli/[^/]*$" .. "lua/?.lua;" .. package.path
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local harness = require "store_harness"
local lu = require "luaunit"

TestRuns = command.in_a_folder()

function TestRuns:setUp()
  self.dir = command.folder()
  self.root = self.dir .. "/runs"
  assert(folders.make_folder(self.root))
end

function TestRuns:made(id, info, records) return harness.run(self.root, id, info, records) end

--- Three seeds of two rates, and a run that diverged.
function TestRuns:sweep()
  for i, lr in ipairs { 0.1, 0.3 } do
    for seed = 1, 3 do
      local loss = i + seed / 100 + (i - 1) * seed / 1000
      self:made(("lr%d_seed%d"):format(i, seed), { params = { lr = lr, epochs = 2 }, seed = seed,
        summary = { loss = loss }, collection = "c", wall_seconds = 61.5,
        started = ("2026-11-28T10:%02d:%02dZ"):format(i, seed),
        objective = { name = "loss", goal = "min" } },
        { { kind = "epoch", step = 10, valid_loss = loss + 1 },
          { kind = "epoch", step = 20, valid_loss = loss } })
    end
  end
  self:made("bad", { params = { lr = 0.3, epochs = 2 }, seed = 4, status = "diverged",
    collection = "c", started = "2026-11-28T11:00:00Z" })
  command.write(self:made("x", {}):gsub("x$", "x/run.json"), "{")
  assert(folders.make_folder(self.root .. "/c"))
  command.write(self.root .. "/c/collection.json", '{"format":1,"kind":"sweep","status":"done"}')
end

function TestRuns:swale(...) return command.swale(self.dir, { ... }) end

local function has(result, code, ...)
  local text = result.out .. result.err
  lu.assert_equals(result.code, code, text)
  for _, words in ipairs { ... } do lu.assert_str_contains(text, words) end
  return text
end

local function without(text, words) lu.assert_not_str_contains(text, words) end

-- ------------------------------------------------------------------ list, show, query

function TestRuns:test_list()
  has(self:swale "list", 0, "there are no runs below " .. self.root)
  has(self:swale("list", "--where", "lr > 1"), 0, "there are no runs")
  self:sweep()
  has(self:swale "list", 0, "run        status    started           time", "lr   loss\n",
    "lr1_seed1  done      2026-11-28 10:01  1 min 2 s     1  0.1   1.01\n", "diverged",
    "x is left out: " .. self.root .. "/x/run.json: ")
  local text = has(self:swale("list", "--where", "lr > 0.1 and status = 'done'", "--limit", "2"), 0,
    "lr2_seed1", "lr2_seed2")
  without(text, "lr2_seed3")
  without(text, "lr1_seed1")
  lu.assert_equals(self:swale("list", "-q", "--sort", "loss", "--reverse", "--limit", "2").out,
    "lr2_seed3\nlr2_seed2\n")
  lu.assert_equals(self:swale("list", "-q", "--collection", "c", "-w", "loss = null").out, "bad\n")
  has(self:swale("list", "--where", "lr > 7"), 0, "no run meets the condition")
end

--- An objective that no summary has is in run.json.
function TestRuns:test_list_has_the_objective()
  for seed = 1, 2 do
    self:made("r" .. seed, { seed = seed, summary = { accuracy = 0.5 },
      objective = { name = "valid_loss", goal = "min", value = seed / 4 } })
  end
  has(self:swale "list", 0, "seed  valid_loss  accuracy\n", "1        0.25       0.5\n")
end

function TestRuns:test_list_in_columns_and_json()
  self:sweep()
  lu.assert_equals(self:swale("list", "--columns", "id,lr,valid_loss.max", "-w", "seed = 2").out,
    "id          lr  valid_loss.max\nlr1_seed2  0.1            2.02\n"
    .. "lr2_seed2  0.3           3.022\n")
  local list = core.json_decode(self:swale("list", "--json", "--where", "seed=3").out)
  lu.assert_equals({ list[1].id, list[1].summary.loss, list[2].params.lr },
    { "lr1_seed3", 1 + 3 / 100, 0.3 })
  list = core.json_decode(self:swale("list", "--json", "--columns", "loss", "-w", "seed=1").out)
  lu.assert_equals(list[1], { loss = 1 + 1 / 100 })
  lu.assert_equals(core.json_decode(self:swale("list", "--json", "-w", "seed=99").out), {})
end

function TestRuns:test_what_list_does_not_understand()
  self:sweep()
  local text = has(self:swale("list", "--where", "lrr > 1"), 1,
    'swale: no run has "lrr"; did you mean "lr"?')
  without(text, ".lua")
  has(self:swale("list", "--where", "lr >"), 1, "a name or a value is missing, at character 5")
  has(self:swale("list", "--columns", "id,lrr"), 1, 'no run has "lrr"')
  has(self:swale("list", "--sort", "lrr"), 1, 'no run has "lrr"')
  has(self:swale("list", "--collection", "nope"), 1, 'there is no collection "nope"')
  has(self:swale("list", "--limit", "0"), 2, "'0' is not a whole number of at least 1")
end

function TestRuns:test_show()
  has(self:swale "show", 1, "there is no run below")
  self:sweep()
  has(self:swale("show", "lr2_seed2"), 0, "lr2_seed2\n  status      done\n", "  seed        2\n",
    "  time        1 min 2 s\n", "parameters\n  epochs  2\n  lr      0.3\n",
    "results\n  loss  2.022\n", "epoch  valid_loss       2  2.022  2.022 at 20  3.022 at 10")
  has(self:swale "show", 0, "bad\n  status      diverged")
  has(self:swale("show", "seed2"), 1, '"seed2" is a part of the names of 2 runs: lr1_seed2, lr2_s')
  local info = core.json_decode(self:swale("show", "lr1_seed1", "--json").out)
  lu.assert_equals({ info.id, info.summary.loss }, { "lr1_seed1", 1 + 1 / 100 })
end

function TestRuns:test_query()
  self:sweep()
  lu.assert_equals(self:swale("query", "SELECT count(*) AS n, max(seed) AS most FROM runs "
    .. "WHERE status = 'done'").out, "n  most\n6     3\n")
  lu.assert_equals(self:swale("query", "--json",
    "SELECT run, min FROM metrics WHERE name = 'valid_loss' ORDER BY min LIMIT 1").out,
    '[{"min":1.01,"run":"lr1_seed1"}]\n')
  has(self:swale "query", 0, "runs: id ", "params: run name value type", "metrics: run kind name")
  has(self:swale("query", "DELETE FROM runs"), 1, "query: it reads only: a SELECT")
  has(self:swale("query", ("ATTACH '%s/y' AS y"):format(self.dir)), 1, "it reads only")
  has(self:swale("query", "SELECT 1; DROP TABLE runs"), 1, "one statement at a time")
  has(self:swale("query", "SELECT nope FROM runs"), 1, "no such column: nope")
  lu.assert_equals(#self:swale("list", "-q").out, #"lr1_seed1\n" * 6 + #"bad\n")
end

-- ------------------------------------------------------------------ compare, export

--- What is best of a gradient norm, nobody knows.
function TestRuns:test_compare_says_best_only_where_the_name_tells()
  for seed = 1, 2 do
    self:made("r" .. seed, { seed = seed }, {
      { kind = "epoch", step = 1, valid_loss = 1, grad_norm = 1, margin_low = 3 },
      { kind = "epoch", step = 2, valid_loss = 2, grad_norm = 2, margin_low = 2 } })
  end
  has(self:swale("compare", "r1", "r2"), 0, "grad_norm    2           2\n",
    "margin_low   2 (3 at 1)", "valid_loss   2 (1 at 1)")
end

function TestRuns:test_compare_two_runs()
  self:sweep()
  local text = has(self:swale("compare", "lr1_seed1", "lr2_seed1"), 0,
    "difference  lr1_seed1  lr2_seed1\nlr                0.1        0.3\n",
    "last (best)  lr1_seed1  lr2_seed1\nloss              1.01      2.011\n",
    "valid_loss        1.01      2.011\n")
  without(text, "epochs")
  has(self:swale("compare", "lr1_seed1"), 2, "two runs or more; found 1")
  has(self:swale("compare", "lr1_seed1", "nope"), 1, 'there is no run "nope"')
end

--- The interval of the difference is that of sw.stats.paired over the seeds that both have.
function TestRuns:test_compare_a_sweep()
  self:sweep()
  local stats = require("swale.stats").paired({ 2.011, 2.022, 2.033 }, { 1.01, 1.02, 1.03 })
  has(self:swale("compare", "c"), 0, "loss (min)  seeds", "lr = 0.1        3   1.02", "the best",
    ("lr = 0.3        3  2.022  1.99467 to 2.04933   1.002          %.6g to %.6g  worse (3)")
      :format(stats.low, stats.high), "1 diverged")
  has(self:swale("compare", "c", "--metric", "valid_loss", "--goal", "max"), 0,
    "valid_loss (max)", "lr = 0.3              3  2.022  1.99467 to 2.04933   the best")
  has(self:swale("compare", "c", "--metric", "nothing"), 0,
    "no run that is done has a finite value of nothing")
end

function TestRuns:test_export()
  local params = { lr = 0.1 + 0.2, text = 'a "b",\nc', n = math.maxinteger }
  self:made("a", { params = params, summary = { loss = "nan", best = "-inf" } },
    { { kind = "step", step = 1, loss = 1 / 3 }, { kind = "capture", name = "swa", step = 2 } })
  local lines = self:swale("export", "csv").out
  lu.assert_str_contains(lines, 'id,experiment,script,seed,status,')
  lu.assert_str_contains(lines, '"a ""b"",\nc"')
  lu.assert_str_contains(lines, "0.30000000000000004,9223372036854775807,")
  lu.assert_str_contains(lines, ",-inf,nan\n")
  lu.assert_equals(self:swale("export", "csv", "a", "--metrics").out,
    "run,kind,name,loss,step\na,step,,0.3333333333333333,1\na,capture,swa,,2\n")
  lu.assert_equals(self:swale("export", "jsonl", "--metrics").out,
    '{"kind":"step","loss":0.3333333333333333,"run":"a","step":1}\n'
    .. '{"kind":"capture","name":"swa","run":"a","step":2}\n')
  local record = core.json_decode(self:swale("export", "jsonl").out)
  lu.assert_equals({ record.params, record.summary.loss }, { params, "nan" })
  has(self:swale("export", "csv", "--out", "x.csv"), 0, "x.csv: 1 runs")
  lu.assert_equals(command.read(self.dir .. "/x.csv"), lines)
  has(self:swale("export", "csv", "--out", "none/x.csv"), 1, "none/x.csv")
  has(self:swale("export", "csv", "nope"), 1, 'there is no run "nope"')
  lu.assert_equals(folders.entries(self.dir), { "runs", "x.csv" })
end

-- ------------------------------------------------------------------ rm, index

function TestRuns:left() return table.concat(folders.entries(self.root), " ") end

function TestRuns:test_rm()
  self:sweep()
  has(self:swale("rm", "bad"), 2, "1 to remove, ", ": bad; nothing is removed without --yes")
  lu.assert_true(folders.exists(self.root .. "/bad"))
  has(self:swale("rm", "bad", "lr1_seed1", "--yes"), 0, "removed 2: bad, lr1_seed1\n")
  has(self:swale("rm", "bad", "--yes"), 1, 'there is no run "bad"')
  has(self:swale("rm", "c", "--members", "--yes"), 0, "removed 6")
  lu.assert_equals(self:left(), ".index.lock index.sqlite x")
  lu.assert_equals(self:swale("list", "-q").out, "")
end

function TestRuns:test_rm_of_a_collection_keeps_its_runs()
  self:sweep()
  has(self:swale("rm", "c", "--yes"), 0, "removed 1")
  lu.assert_true(folders.exists(self.root .. "/lr1_seed1/run.json"))
end

function TestRuns:test_what_rm_refuses()
  local writer = require("swale.run.status").writer()
  local alive = self:made("alive", { status = "running", pid = writer.pid, host = writer.host })
  self:made("done", {})
  local lock <const> = assert(core.hold(alive .. "/.lock"))
  has(self:swale("rm", "done", "alive", "--yes"), 1, "alive: it is running; nothing was removed")
  lock:release()
  local resumed <const> = assert(core.hold(self.root .. "/done/.lock"))
  has(self:swale("rm", "done", "--yes"), 1, "done: a process is about to write it")
  resumed:release()
  local outside = harness.run(self.dir, "outside", {})
  has(self:swale("rm", outside, "--yes"), 1, "it is not in " .. self.root)
  assert(require("luv").fs_symlink(outside, self.root .. "/link"))
  has(self:swale("rm", "link", "--yes"), 1, "not a directory but a link")
  has(self:swale("rm", "done/..", "--yes"), 1)
  lu.assert_true(folders.exists(self.root .. "/done/run.json"))
  lu.assert_true(folders.exists(outside .. "/run.json"))
  has(self:swale("rm", "alive", "--yes"), 0, "removed 1") -- killed by now
end

function TestRuns:test_rm_ends_what_a_kill_left()
  self:made(".removed_old", {})
  self:made("a", {})
  lu.assert_equals(self:swale("list", "-q").out, "a\n")
  has(self:swale("rm", "a", "--yes"), 0, "removed 1")
  without(self:left(), "removed")
end

function TestRuns:test_index()
  self:sweep()
  command.write(self.root .. "/index.sqlite", ("x"):rep(4096))
  has(self:swale("list", "-q"), 0, "the index was damaged", "rebuilt", "lr1_seed1")
  has(self:swale "index", 1, ": 8 runs, 1 batches and sweeps", "x is left out")
end
