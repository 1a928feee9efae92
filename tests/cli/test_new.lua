--- swale new: a script to start from, which runs as it is.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

TestNew = command.in_a_folder()

function TestNew:swale(...) return command.swale(self.dir, { ... }) end

function TestNew:test_the_script_runs_as_it_is()
  local result = self:swale("new", "my idea.lua")
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(command.read(self.dir .. "/my idea.lua"), 'name = "my idea"')
  result = self:swale("run", "my idea.lua")
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "SWA of 10 captures")
  local info = runs.read_info(command.only_run(self.dir))
  lu.assert_equals(info.status, "done")
  lu.assert_true(info.summary.swa > 0.9)
  lu.assert_true(info.wall_seconds < 20)
end

function TestNew:test_the_script_can_be_checked()
  self:swale("new", "a")
  local result = self:swale("check", "a.lua")
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  lu.assert_str_contains(result.out, "nn.Linear(64 -> 32)")
  lu.assert_str_contains(result.out, "if the batch stays at 16")
end

function TestNew:test_a_file_that_is_there_stays()
  command.write(self.dir .. "/a.lua", "mine")
  local result = self:swale("new", "a.lua")
  lu.assert_equals({ result.code, result.err },
    { 1, "swale: a.lua exists already and was not changed\n" })
  lu.assert_equals(command.read(self.dir .. "/a.lua"), "mine")
end

function TestNew:test_places_that_cannot_be()
  lu.assert_str_contains(self:swale("new", "no/where/a.lua").err, "cannot be written")
  lu.assert_equals(self:swale("new").code, 2)
  lu.assert_equals(self:swale("new", "folder/.lua").code, 2)
  lu.assert_equals(folders.entries(self.dir), {})
end
