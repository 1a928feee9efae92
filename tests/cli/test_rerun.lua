--- What a run stores of its source, and `swale rerun`.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"

TestRerun = command.in_a_folder()

function TestRerun:setUp()
  self.dir = command.folder()
  folders.make_folder(self.dir .. "/lib")
  command.write(self.dir .. "/lib/twice.lua", "return function(x) return 2 * x end")
  command.write(self.dir .. "/late.lua", "return 3")
  command.write(self.dir .. "/a.lua", [[
    local sw, twice = require "swale", require "lib.twice"
    return sw.experiment { name = "quick", params = { x = 0.5, word = "a" }, run = function(run, p)
      run:record { kind = "epoch", step = 1, loss = twice(p.x) }
      run:summary { value = twice(p.x) + require "late", word = p.word }
    end }]])
end

function TestRerun:swale(...)
  local result = command.swale(self.dir, { ... })
  lu.assert_equals(result.code, 0, result.err)
  return result
end

--- The directory and run.json of the only run that is none of `others`.
function TestRerun:run_besides(...)
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = self.dir .. "/runs/" .. name
    local known = false
    for _, other in ipairs { ... } do known = known or other == dir end
    if not known then return dir, runs.read_info(dir) end
  end
end

function TestRerun:test_the_stored_source_gives_the_same_run()
  self:swale("run", "a.lua", "x=1.25", "word=b, c", "--seed", "4")
  local first, before = self:run_besides()
  command.write(self.dir .. "/lib/twice.lua", "return function(x) return 20 * x end")
  command.write(self.dir .. "/late.lua", "return 30")
  os.remove(self.dir .. "/a.lua")
  local result = self:swale("rerun", "last")
  lu.assert_str_contains(result.err, "all 1 records and the summary are equal")
  local _, info = self:run_besides(first)
  lu.assert_equals({ info.seed, info.summary, info.key, info.rerun_of, info.script },
    { 4, { value = 5.5, word = "b, c" }, before.key, before.id, "a.lua" })
  lu.assert_equals(before.given, { x = 1.25, word = "b, c" })
end

function TestRerun:test_here_takes_the_script_as_it_is()
  self:swale("run", "a.lua", "x=1.25")
  local first = self:run_besides()
  command.write(self.dir .. "/late.lua", "return 30")
  local result = self:swale("rerun", "last", "--here")
  lu.assert_str_contains(result.err, "the records are equal, but not the summaries: value")
  local _, info = self:run_besides(first)
  lu.assert_equals(info.summary.value, 32.5)
end

function TestRerun:test_a_stored_source_that_was_changed_is_refused()
  self:swale("run", "a.lua")
  local dir = self:run_besides()
  command.write(dir .. "/source/modules/lib.twice.lua", "return print")
  local result = command.swale(self.dir, { "rerun", "last" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "modules/lib.twice.lua is not what the run executed")
end

function TestRerun:test_a_fork_is_not_repeated_from_its_beginning()
  self:swale("run", "a.lua")
  local dir, info = self:run_besides()
  info.parent = { run = "2026-01-01_quick_abcd", step = 40 }
  command.write(dir .. "/run.json", require("swale.core").json_encode(info))
  local result = command.swale(self.dir, { "rerun", "last" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "`swale fork 2026-01-01_quick_abcd --at 40`")
end

function TestRerun:test_what_differs_today_is_said()
  self:swale("run", "a.lua")
  local dir, info = self:run_besides()
  info.instruction_set, info.versions.swale = "vax", "0.0.1"
  command.write(dir .. "/run.json", require("swale.core").json_encode(info))
  local result = self:swale("rerun", "last")
  for _, words in ipairs { "instruction set: vax then", "release of Swale: 0.0.1 then" } do
    lu.assert_str_contains(result.err, words)
  end
end

function TestRerun:test_the_difference_of_the_work_tree_is_stored()
  local function git(...)
    local result = assert(process.run({ "git", "-C", self.dir, "-c", "user.name=a", "-c",
      "user.email=a@b", ... }, {}))
    lu.assert_equals(result.code, 0, result.err)
  end
  git("init", "-q")
  git("add", "a.lua", "late.lua")
  git("commit", "-qm", "first")
  self:swale("run", "a.lua")
  local clean = self:run_besides()
  lu.assert_false(folders.exists(clean .. "/source/changes.diff"))
  command.write(self.dir .. "/late.lua", "return 4")
  self:swale("batch", "a.lua", "--seeds", "2,3")
  local count = 0
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local text = folders.read(("%s/runs/%s/source/changes.diff"):format(self.dir, name))
    if text then
      lu.assert_str_contains(text, "-return 3\n")
      lu.assert_str_contains(text, "+return 4\n")
      count = count + 1
    end
  end
  lu.assert_equals(count, 2)
end
