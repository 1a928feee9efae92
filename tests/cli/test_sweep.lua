--- swale sweep: settings, the closing lines, and the same command again.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

TestSweep = command.in_a_folder()

function TestSweep:setUp()
  self.dir = command.folder()
  self:script [[run:summary { loss = (p.lr - 1) ^ 2 / p.epochs + run.seed / 100 }]]
end

function TestSweep:script(body)
  command.write(self.dir .. "/a.lua", ([[
    local sw = require "swale"
    return sw.experiment { name = "quick", objective = { "loss", "min" },
      params = { lr = 0.5, epochs = 1, word = "a" },
      run = function(run, p) %s end }]]):format(body))
end

function TestSweep:sweep(...) return command.swale(self.dir, { "sweep", "a.lua", ... }) end

local function last_line(text) return text:match "([^\n]*)\n$" end

local function ends(result, code, line)
  lu.assert_equals({ result.code, last_line(result.out) }, { code, line }, result.err)
end

--- collection.json of the only sweep that is none of `others`: two may begin in the same second.
function TestSweep:collection(...)
  local core, found = require "swale.core", nil
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local text = folders.read(("%s/runs/%s/collection.json"):format(self.dir, name))
    local info = text and core.json_decode(text)
    local known = info == nil
    for _, other in ipairs { ... } do known = known or info.id == other.id end
    if not known then found = info end
  end
  return found
end

function TestSweep:test_the_end_has_means_and_the_best_setting()
  local result = self:sweep("lr=0.5,1.25,1", "--seeds", "3", "--jobs", "2")
  ends(result, 0, "ran 9, skipped 0, failed 0")
  for _, part in ipairs { "lr = 0.5   3 done  0.27 (0.2452 to 0.2948)",
    "best by loss (least): lr = 1, mean 0.02 (95 %: -0.004841 to 0.04484) over 3 seeds",
    "next: lr = 1.25, worse by 0.0625" } do
    lu.assert_str_contains(result.out, part)
  end
  local info = self:collection()
  lu.assert_equals({ info.kind, info.settings, info.strategy, info.status },
    { "sweep", { "lr" }, { kind = "grid" }, "done" })
end

--- The name that the end gives is what show, compare and report take; so is "last".
function TestSweep:test_the_end_names_the_record()
  local ended = self:sweep("lr=0.5,1", "--seeds", "2")
  local id = ended.err:match "swale report ([%w_-]+)"
  lu.assert_equals(id, self:collection().id)
  local shown = command.swale(self.dir, { "show", id })
  lu.assert_str_contains(shown.out, "  command     swale sweep a.lua lr=0.5,1 --seeds 2\n")
  lu.assert_str_contains(shown.out, "  outcome     ran 4, skipped 0, failed 0\n")
  lu.assert_str_contains(shown.out, "best by loss (least): lr = 1,")
  lu.assert_str_contains(command.swale(self.dir, { "compare", "last" }).out, "the best")
  command.swale(self.dir, { "run", "a.lua" })
  local one = command.swale(self.dir, { "compare", "last" })
  lu.assert_str_contains(one.err, "two runs or more; found 1")
end

function TestSweep:test_the_same_command_does_what_is_missing()
  self:script [[
    local ready = p.lr < 2 or io.open "ready"
    if not ready then error "not yet" end
    run:summary { loss = p.lr }]]
  ends(self:sweep("lr=1,2", "--seeds", "2"), 1, "ran 4, skipped 0, failed 2")
  command.write(self.dir .. "/ready", "")
  ends(self:sweep("lr=1,2", "--seeds", "2"), 0, "ran 2, skipped 2, failed 0")
  ends(self:sweep("lr=1,2,3", "--seeds", "3"), 0, "ran 5, skipped 4, failed 0")
  ends(self:sweep("lr=1..3", "--seeds", "3", "--force"), 0, "ran 9, skipped 0, failed 0")
end

--- Seeds are outermost: what was done when the parent died is whole for the first seed.
function TestSweep:test_a_killed_sweep_is_finished_by_the_same_command()
  self:script [[
    if run.seed == 2 and not io.open "ready" then
      io.open("here", "w"):close()
      while true do end
    end
    run:summary { loss = p.lr }]]
  local result = command.shell(self.dir, [[
    "$@" >out 2>&1 & pid=$!
    until [ -e here ]; do sleep 0.05; done
    kill -KILL $pid; wait $pid; true]],
    { "sweep", "a.lua", "lr=1,2,3", "--seeds", "2", "--jobs", "1" })
  lu.assert_equals(result.code, 0, result.err)
  command.write(self.dir .. "/ready", "")
  ends(self:sweep("lr=1,2,3", "--seeds", "2"), 0, "ran 3, skipped 3, failed 0")
end

function TestSweep:test_draws_can_be_extended()
  local function dry(n)
    local result = self:sweep("lr=loguniform:0.1..10", "--random", n, "--dry-run")
    lu.assert_equals(result.code, 0, result.err)
    return result.out
  end
  local few, many = dry "2", dry "3"
  lu.assert_equals(many:sub(1, #few:match "^(.*\n)would"), few:match "^(.*\n)would")
  lu.assert_str_contains(many, "would run 3, skip 0")
  lu.assert_false(folders.exists(self.dir .. "/runs"))
  ends(self:sweep("lr=loguniform:0.1..10", "--random", "2"), 0, "ran 2, skipped 0, failed 0")
  ends(self:sweep("lr=loguniform:0.1..10", "--random", "3"), 0, "ran 1, skipped 2, failed 0")
end

function TestSweep:test_halving_runs_the_better_ones_longer()
  local result = self:sweep("lr=0,0.5,1,3", "--halving", "epochs=1,2,4", "--seeds", "2")
  ends(result, 0, "ran 14, skipped 0, failed 0")
  lu.assert_str_contains(result.out, "best by loss (least): epochs = 4, lr = 1")
  lu.assert_equals(self:collection().strategy.sizes, { 4, 2, 1 })
  ends(self:sweep("lr=0,0.5,1,3", "--halving", "epochs=1,2,4", "--seeds", "2"), 0,
    "ran 0, skipped 14, failed 0")
end

--- What was done before counts with its result when only failures are run again.
function TestSweep:test_halving_of_what_failed()
  self:script [[
    if p.lr == 3 and not io.open "ready" then error "not yet" end
    run:summary { loss = (p.lr - 1) ^ 2 / p.epochs }]]
  ends(self:sweep("lr=0.5,1,3", "--halving", "epochs=1,3"), 1, "ran 4, skipped 0, failed 1")
  command.write(self.dir .. "/ready", "")
  local result = self:sweep("lr=0.5,1,3", "--halving", "epochs=1,3", "--failed")
  ends(result, 0, "ran 1, skipped 3, failed 0")
  lu.assert_str_contains(result.out, "best by loss (least): epochs = 3, lr = 1")
end

--- The script calls its result otherwise than its objective.
function TestSweep:test_an_objective_that_nothing_records()
  self:script [[run:summary { lose = p.lr }]]
  lu.assert_str_contains(self:sweep("lr=1,2").out, "no setting has a value of loss: nothing is"
    .. ' recorded as "loss"; did you mean "lose"? There are: lose.\n')
end

function TestSweep:test_a_strategy_in_a_file()
  command.write(self.dir .. "/s.lua", [[
    return function(space, ask)
      local first = ask { { lr = 0 }, { lr = 2.5 } }
      local better = first[1].value < first[2].value and 1 or 2
      ask { lr = first[better].setting.lr + 0.5 }
    end]])
  local result = self:sweep("--strategy", "s.lua", "--seeds", "2", "word=a, b")
  ends(result, 0, "ran 6, skipped 0, failed 0")
  lu.assert_str_contains(result.out, "best by loss (least): lr = 0.5")
  local first = self:collection()
  lu.assert_equals({ first.status, first.strategy.kind }, { "done", "file" })
  command.write(self.dir .. "/s.lua", "return function(_, ask) ask { lr = 4 } error 'mine' end")
  result = self:sweep("--strategy", "s.lua", "--seeds", "2")
  ends(result, 1, "ran 2, skipped 0, failed 0")
  lu.assert_str_contains(result.err, "s.lua:1: mine")
  lu.assert_equals(self:collection(first).status, "failed")
end

function TestSweep:test_texts_and_values_arrive_exactly()
  ends(self:sweep([[word=a\,b,c d]], "lr=-1,0.30000000000000004"), 0, "ran 4, skipped 0, failed 0")
  local seen = {}
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = self.dir .. "/runs/" .. name
    local info = folders.exists(dir .. "/run.json") and runs.read_info(dir)
    if info then seen[("%s %.17g"):format(info.params.word, info.params.lr)] = true end
  end
  for _, word in ipairs { "a,b", "c d" } do
    lu.assert_true(seen[word .. " -1"] and seen[word .. " 0.30000000000000004"], word)
  end
end

--- Texts of parameters and results do not reach the terminal as they are.
function TestSweep:test_control_characters()
  self:script [[run:summary { loss = run.seed, ["na\27me"] = "t\27[2J\nx", nan = 0 / 0 }]]
  local result = self:sweep("word=a\n\27[31mb\xC2\x9B,c", "--seeds", "2")
  local compared = command.swale(self.dir, { "compare", self:collection().id })
  for _, text in ipairs { result.out, result.err, compared.out } do
    lu.assert_nil(text:find "\27" or text:find "\xC2\x9B", text)
  end
  lu.assert_str_contains(result.out, "\nword = a  [31mb")
  lu.assert_nil(result.out:find "-nan")
end

function TestSweep:test_a_command_line_that_is_wrong_says_what_to_write()
  for part, args in pairs {
    ["nothing varies"] = { "lr=1" },
    ['no parameter "rl"; did you mean "lr"'] = { "rl=1,2" },
    ["say how many settings with --random"] = { "lr=uniform:0..1" },
    ["more than 1000000 settings"] = { "lr=1..9999", "epochs=1..9999" },
    ["write epochs=1,3,9"] = { "lr=1,2", "--halving", "3" },
    ["lengths are positive and ascend"] = { "lr=1,2", "--halving", "epochs=3,1" },
    ["given twice: by --halving"] = { "lr=1,2", "epochs=2", "--halving", "epochs=1,3" },
    ["without --random and --halving"] = { "--strategy", "s.lua", "--random", "2" },
  } do
    local result = self:sweep(table.unpack(args))
    lu.assert_equals(result.code, 2, result.err)
    lu.assert_str_contains(result.err, part)
  end
  self:script "" -- and without an objective:
  command.write(self.dir .. "/a.lua", command.read(self.dir .. "/a.lua")
    :gsub("objective = {.-},", ""))
  local result = self:sweep("lr=1,2", "--halving", "epochs=1,3")
  lu.assert_equals(result.code, 2)
  lu.assert_str_contains(result.err, 'objective = { "valid_loss", "min" }')
end
