-- `swale reproduce` on a folder of one small experiment.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"

TestReproduce = command.in_a_folder()

local SCRIPT = [[
local sw = require "swale"
return sw.experiment {
  name = "tiny", params = { rate = 0.1, rounds = 2 },
  run = function(run, p)
    run:summary { valid = { loss = 1 / (p.rate * p.rounds) + 0.01 * (run.seed % 3) } }
  end,
}
]]

local PAPER = [[
local sw = require "swale"
return sw.paper {
  title = "A toy", citation = "Nobody 2020",
  work = { { "tiny.lua", { rate = { 0.05, 0.1, 0.2 } }, seeds = 5,
    quick = { { rounds = 1 }, seeds = 3 } } },
  figures = {},
}
]]

local CLAIMS = [[
local sw = require "swale"
local function losses(runs, rate) return runs:values("tiny", { rate = rate }, "valid.loss") end
return sw.claims {
  { id = "larger", section = "1", text = "a larger rate has the lower loss", paper = "4 times",
    here = "a formula", kind = "greater", ratio = true, margin = 1, smallest = 1.2, seeds = 5,
    data = function(runs) return losses(runs, 0.05), losses(runs, 0.2) end },
  { id = "smaller", section = "1", text = "a smaller rate has the lower loss", paper = "yes",
    here = "a formula", kind = "greater", margin = 0, smallest = 1, seeds = 5,
    data = function(runs) return losses(runs, 0.2), losses(runs, 0.05) end },
  { id = "falls", section = "2", text = "the loss falls with the rate", paper = "yes",
    here = "a formula", kind = "monotone", direction = "decreasing", seeds = 5,
    data = function(runs) return (runs:rows("tiny", nil, "rate", nil, "valid.loss")) end },
}
]]

function TestReproduce:write(name, text) command.write(self.dir .. "/toy/" .. name, text) end

function TestReproduce:make()
  folders.make_folder(self.dir .. "/toy")
  self:write("tiny.lua", SCRIPT)
  self:write("paper.lua", PAPER)
  self:write("claims.lua", CLAIMS)
  self:write("README.md", "# A toy\n\n<!-- measured -->\n<!-- /measured -->\n")
end

function TestReproduce:reproduce(...)
  return command.swale(self.dir, { "reproduce", "toy", ... })
end

function TestReproduce:test_it_runs_judges_and_skips()
  self:make()
  local first = self:reproduce()
  lu.assert_equals(first.code, 0, first.err)
  lu.assert_str_contains(first.out, "ran 15, skipped 0, failed 0")
  lu.assert_str_contains(first.out, "2 held, 1 did not hold")
  local again = self:reproduce()
  lu.assert_str_contains(again.out, "ran 0, skipped 15, failed 0")
  lu.assert_str_contains(again.out, "2 held, 1 did not hold")
end

function TestReproduce:test_notes_that_are_the_same_stand_once()
  self:make()
  self:write("claims.lua", (CLAIMS:gsub('paper = "yes"', 'paper = "yes", unconfirmed = "a size"')))
  local out = self:reproduce().out
  lu.assert_str_contains(out, "The test of the interval, for a against b:\n"
    .. "  claim 1: a / b above 1;")
  lu.assert_str_contains(out, "Here:\n  claims 1 to 3: a formula\n")
  lu.assert_str_contains(out, "Not confirmed by any source:\n  claims 2, 3: a size\n")
end

function TestReproduce:test_seeds_that_one_side_was_not_to_have_are_not_missing()
  self:make()
  self:write("paper.lua", (PAPER:gsub("{ 0%.05, 0%.1, 0%.2 } }, seeds = 5,", [[{ 0.1, 0.2 } },
      seeds = 5, quick = false },
    { "tiny.lua", { rate = 0.05 }, seeds = 9,]])))
  local result = self:reproduce()
  lu.assert_str_contains(result.out, "ran 19, skipped 0, failed 0")
  lu.assert_not_str_contains(result.out, " of 9")
  lu.assert_str_contains(result.out, "2 held, 1 did not hold")
end

function TestReproduce:test_a_claim_that_was_changed_is_marked()
  self:make()
  lu.assert_equals(self:reproduce().code, 0)
  self:write("claims.lua", (CLAIMS:gsub("smallest = 1%.2", "smallest = 1.1")))
  local out = self:reproduce().out
  lu.assert_str_contains(out, "ran 0, skipped 15, failed 0")
  lu.assert_str_contains(out, "(amended)")
  lu.assert_str_contains(out, "claim 1: changed after 10 of 10 runs")
end

function TestReproduce:test_a_claim_that_fails_leaves_the_others()
  self:make()
  local broken = CLAIMS:gsub("losses%(runs, 0%.05%), losses", "error 'no such', losses")
  self:write("claims.lua", broken)
  local result = self:reproduce "--quick"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.out, "no such")
  lu.assert_str_contains(result.out, "the loss falls with the rate")
end

function TestReproduce:test_the_pilot_has_seeds_of_its_own_and_no_verdicts()
  self:make()
  local result = self:reproduce "--pilot"
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "seed 1000")
  lu.assert_nil(result.out:find "held")
end

-- To change claims is what a pilot is for.
function TestReproduce:test_claims_that_changed_after_a_pilot_are_not_amended()
  self:make()
  for _, size in ipairs { "--pilot", "--quick" } do
    self:write("claims.lua", CLAIMS)
    lu.assert_equals(self:reproduce(size).code, 0)
    self:write("claims.lua", (CLAIMS:gsub("smallest = 1%.2", "smallest = 1.1")
      :gsub('{ id = "smaller".-end },\n', "")))
    local out = self:reproduce(size).out
    lu.assert_str_contains(out, "ran 0, ")
    lu.assert_nil(out:find "[Aa]mended", size)
    lu.assert_nil(out:find "Left out", size)
  end
end

function TestReproduce:readme() return (folders.read(self.dir .. "/toy/README.md")) end

function TestReproduce:test_publishing_twice_gives_one_table()
  self:make()
  self:write("claims.lua", (CLAIMS:gsub('"4 times"', '"4 | <b> `times`"')))
  local result = self:reproduce "--publish"
  lu.assert_equals(result.code, 0, result.err)
  local first = self:readme()
  lu.assert_str_contains(first, "| **held** |")
  lu.assert_str_contains(first, "4 \\| &lt;b&gt; \\`times\\`")
  lu.assert_str_contains(first, "<!-- /measured -->")
  lu.assert_equals(self:reproduce("--publish").code, 0)
  local function timeless(text) return (text:gsub("Measured on [^\n]*", "")) end
  lu.assert_equals(timeless(self:readme()), timeless(first))
end

--- Changes run.json of each run of the script.
function TestReproduce:edit_runs(f)
  local run, core = require "swale.run", require "swale.core"
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = self.dir .. "/runs/" .. name
    local info = folders.exists(dir .. "/run.json") and run.read_info(dir)
    if info and info.experiment == "tiny" then
      f(info)
      command.write(dir .. "/run.json", core.json_encode(info, 2))
    end
  end
end

-- Runs that are skipped may be of another day, machine and commit than their judgement.
function TestReproduce:test_the_day_and_the_machine_are_those_of_the_runs()
  self:make()
  lu.assert_equals(self:reproduce().code, 0)
  self:edit_runs(function(info)
    info.started = info.seed == 1 and "2020-02-29T23:59:59Z" or "2020-03-01T00:00:00Z"
    info.machine.cores, info.machine.cpu = 3, info.seed == 1 and "an abacus" or "a loom"
    info.commit, info.dirty = ("c0ffee"):rep(7):sub(1, 40), nil
  end)
  local result = self:reproduce "--publish"
  lu.assert_str_contains(result.out, "ran 0, skipped 15, failed 0")
  local measured = "Measured from 2020-02-29 to 2020-03-01 on 3 cores of a loom (12 runs), 3 cores"
    .. " of an abacus (3 runs): "
  lu.assert_str_contains(result.out, measured)
  lu.assert_str_contains(self:readme(), measured)
  lu.assert_str_contains(self:readme(), " in 15 runs, at commit c0ffeec0ff (15 runs). Judged on "
    .. os.date "!%Y-%m-%d")
end

function TestReproduce:test_the_commit_of_the_judgement()
  local text = require "swale.paper.text"
  local a, b = ("a"):rep(40), ("b"):rep(40)
  lu.assert_equals(text.judged_at({ commits = { [a] = 2 } }, { commit = a }), "")
  lu.assert_equals(text.judged_at({ commits = { [a] = 2 } }, { commit = b }),
    " at commit bbbbbbbbbb")
  lu.assert_equals(text.judged_at({ commits = { [a] = 2, [b] = 1 } }, { commit = b }),
    " at commit bbbbbbbbbb")
  lu.assert_equals(text.judged_at({ commits = {} }, {}), "")
end

-- A run that diverges would do so again; what failed may not.
function TestReproduce:test_runs_that_diverged_are_counted_and_published()
  self:make()
  self:write("tiny.lua", (SCRIPT:gsub("run:summary", [[
    if run.seed == 2 and p.rate == 0.2 then
      error(require("swale.errors").diverged "the loss is nan")
    end
    %0]])))
  local result = self:reproduce "--publish"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(self:readme(),
    "1 run diverged or failed; claims that read it leave its seed out.")
  lu.assert_str_contains(self:readme(), "| 4 of 5 |")
  self:make()
  self:write("tiny.lua", (SCRIPT:gsub("run:summary", 'if run.seed == 2 then error "no" end %0')))
  result = self:reproduce "--publish"
  lu.assert_str_contains(result.err, "nothing is published, because something failed")
  lu.assert_nil(self:readme():find "held")
end

function TestReproduce:test_a_claim_that_was_left_out_is_named()
  self:make()
  lu.assert_equals(self:reproduce().code, 0)
  self:write("claims.lua", (CLAIMS:gsub('{ id = "smaller".-end },\n', "")))
  local result = self:reproduce "--publish"
  lu.assert_str_contains(result.out, "Left out of claims.lua after the runs: smaller.")
  lu.assert_str_contains(self:readme(), "Left out of claims.lua after the runs: smaller.")
end

--- A script whose validation loss is least at rate 0.1, where seed 2 fails; 0.4 lacks seeds 3 to 5.
local CHOICE = [[
local sw = require "swale"
return sw.experiment {
  name = "choice", params = { rate = 0.1, other = 1 },
  run = function(run, p)
    if run.seed == 2 and p.rate == 0.1 then error "no" end
    local distance = math.abs(math.log(p.rate / 0.1))
    run:summary { valid = distance + 0.01 * run.seed, test = { acc = 0.9 - 0.1 * distance } }
  end,
}
]]

local OF_CHOICE = [[
local sw = require "swale"
local function best(runs, result, goal) return (runs:best("choice", nil, "rate", result, goal)) end
local function all(o)
  o.section, o.paper, o.here, o.kind = "1", "a number", "a formula", o.kind or "shown"
  return o
end
return sw.claims {
  all { id = "least", text = "the level with all seeds is taken",
    data = function(runs) return ("%g, %g"):format(best(runs, "valid", "min"),
      best(runs, function(run) return -run:value "valid" end, "max")) end },
  all { id = "joined", text = "a joint row", kind = "monotone",
    data = function(runs)
      local function of(rate) return runs:values("choice", { rate = rate }, "test.acc") end
      return runs:join(of(0.4), of(0.2), of(0.1))
    end,
    beside = function(runs)
      return "loss " .. runs:values("choice", { rate = 0.2 }, "valid")[5]
    end },
  all { id = "beside", text = "broken beside", kind = "greater",
    data = function(runs) return runs:values("choice", { rate = 0.2 }, "valid"), 0 end,
    beside = function() error "no loss" end },
  all { id = "name", text = "no such result",
    data = function(runs) return runs:values("choice", { rate = 0.2 }, "test.accuracy") end },
}
]]

function TestReproduce:test_what_claims_read()
  self:make()
  self:write("choice.lua", CHOICE)
  self:write("paper.lua", (PAPER:gsub("work = %b{}", [[work = {
    { "choice.lua", { rate = { 0.1, 0.2 } }, seeds = 5, quick = false },
    { "choice.lua", { rate = 0.4 }, seeds = 2, quick = false } }]])))
  self:write("claims.lua", OF_CHOICE)
  local result = self:reproduce()
  lu.assert_equals(result.code, 1)
  local claims = self:judgement().summary.claims
  lu.assert_equals(claims[1].ours, "0.2, 0.2")
  lu.assert_equals({ claims[2].value, claims[2].n, claims[2].seeds }, { 1, 1, "1 of 2" })
  lu.assert_equals(claims[2].beside, "loss 0.74314718055995")
  lu.assert_equals(claims[3].verdict, "broken")
  lu.assert_str_contains(claims[3].why, "no loss")
  lu.assert_str_contains(claims[4].why, 'no run has the result "test.accuracy"')
end

function TestReproduce:judgement()
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = self.dir .. "/runs/" .. name
    local info = folders.exists(dir .. "/run.json") and require("swale.run").read_info(dir)
    if info and info.experiment == "toy" then return info end
  end
  lu.fail "there is no judgement"
end

function TestReproduce:test_the_quick_size_is_not_published()
  self:make()
  local result = self:reproduce("--quick", "--publish")
  lu.assert_equals(result.code, 2)
  lu.assert_str_contains(result.err, "--publish is for the full size")
  lu.assert_nil(self:readme():find "held")
end

-- The title, the claims with their verdicts, the figures with their captions, then the runs.
function TestReproduce:test_the_report_begins_with_the_paper()
  self:make()
  self:write("paper.lua", (PAPER:gsub("figures = {}", [[figures = {
    { "losses.svg", "Losses over the seeds", function(runs, file)
      local losses = runs:values("tiny", { rate = 0.1 }, "valid.loss")
      sw.plot { file = file, { x = losses.seeds, y = losses } }
    end },
    { "none.svg", "A figure without data", function() return "no run has it" end } }]])))
  self:write("claims.lua", (CLAIMS:gsub('id = "larger"', '%0, unconfirmed = "the rate"')))
  local result = self:reproduce()
  lu.assert_equals(result.code, 0, result.out .. result.err)
  lu.assert_equals(self:reproduce().code, 0)
  result = command.swale(self.dir, { "report", "--curves", "plain" })
  lu.assert_equals(result.code, 0, result.err)
  local page, at = folders.read(self.dir .. "/report.html"), 1
  for _, text in ipairs { "<h1>A toy</h1>", "<p>Nobody 2020</p>", "swale reproduce toy",
    "2 held, 1 did not hold", "Not shown here:",
    'not confirmed by any source: the rate">unconfirmed</span>', "<b>held</b>",
    "<b>did not hold</b>", "<figcaption>Losses over the seeds</figcaption>",
    "A figure without data: nothing is drawn: no run has it", ">tiny</h2>" } do
    local from, to = page:find(text, at, true)
    lu.assert_not_nil(from, text)
    at = to
  end
end

-- The recipe of docs/architecture.md: a script, paper.lua, claims.lua.
function TestReproduce:test_the_recipe()
  local page = folders.read(os.getenv "SWALE_HOME" .. "/docs/architecture.md")
  local blocks = {}
  for block in page:match("\n### A paper\n(.-)\n## "):gmatch "```lua\n(.-)```" do
    blocks[#blocks + 1] = block
  end
  self:make()
  for i, name in ipairs { "rate.lua", "paper.lua", "claims.lua" } do self:write(name, blocks[i]) end
  lu.assert_str_contains(self:reproduce("--pilot").out, "ratio 111")
  local result = self:reproduce "--publish"
  lu.assert_equals(result.code, 0, result.out .. result.err)
  lu.assert_str_contains(self:readme(), "| **held** |")
  lu.assert_str_contains(self:readme(), "(loss.svg)")
  lu.assert_equals(self:reproduce("--quick").code, 0)
end

function TestReproduce:test_the_report_takes_the_papers_name()
  self:make()
  lu.assert_equals(self:reproduce().code, 0)
  lu.assert_equals(command.swale(self.dir, { "run", "toy/tiny.lua", "--seed", "40" }).code, 0)
  local result = command.swale(self.dir, { "report", "toy", "--out", "toy.html" })
  lu.assert_equals(result.code, 0, result.err)
  local page = folders.read(self.dir .. "/toy.html")
  lu.assert_not_nil(page:find("<h1>A toy</h1>", 1, true))
  lu.assert_not_nil(page:find(">tiny</h2>", 1, true), "with the runs")
  lu.assert_nil(page:find("--seed 40", 1, true), "without other runs of the script")
end

-- Whatever came later, the page shows the full size.
function TestReproduce:test_a_quick_run_does_not_hide_the_full_one()
  self:make()
  lu.assert_equals(self:reproduce().code, 0)
  lu.assert_equals(self:reproduce("--quick").code, 0)
  for _, words in ipairs { { "report" }, { "report", "toy" } } do
    local result = command.swale(self.dir, words)
    lu.assert_equals(result.code, 0, result.err)
    local page = folders.read(self.dir .. "/report.html")
    lu.assert_not_nil(page:find("2 held, 1 did not hold", 1, true), words[2])
    lu.assert_nil(page:find("This is the quick size", 1, true), words[2])
  end
end

-- A table as a key has another address in each process.
function TestReproduce:test_a_claim_has_one_digest_in_all_processes()
  self:make()
  self:write("claims.lua", (CLAIMS:gsub("local function losses", [[
local LEVELS = { 1, 2 }
local NAMES = { [LEVELS] = "levels", [function() return LEVELS end] = "f", [true] = 1, [3] = 2 }
%0]]):gsub("return losses%(runs, 0%.05%)", "return losses(runs, NAMES[LEVELS] and 0.05)")))
  lu.assert_equals(self:reproduce().code, 0)
  for _ = 1, 3 do
    local out = self:reproduce().out
    lu.assert_str_contains(out, "2 held, 1 did not hold")
    lu.assert_not_str_contains(out, "amended")
  end
end

function TestReproduce:test_an_unknown_paper()
  local result = command.swale(self.dir, { "reproduce", "keskar2071" })
  lu.assert_equals(result.code, 2)
  lu.assert_str_contains(result.err, 'there is no paper "keskar2071"')
end
