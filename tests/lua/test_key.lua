--- What a run reads, and the key of the work that it does.
local core = require "swale.core"
local folders = require "swale.folders"
local inputs = require "swale.run.inputs"
local keys = require "swale.run.key"
local lu = require "luaunit"
local objective = require "swale.run.objective"
local sw = require "swale"
local temporary = require "temporary"

TestKey = {}

function TestKey:setUp()
  self.dir = temporary.folder()
  inputs.script("a.lua", "return 1")
end

function TestKey:tearDown()
  inputs.script("none", "")
  keys.forget()
  folders.remove(self.dir)
end

function TestKey:write(name, text)
  local path = self.dir .. "/" .. name
  assert(core.write_file(path, text))
  return path
end

local function of(changes)
  local o = { script_sha256 = "ab", params = { lr = 0.1, n = 1 }, seed = 1 }
  for name, value in pairs(changes) do o[name] = value end
  return keys.of(o)
end

function TestKey:test_each_part_of_the_work_changes_it()
  local seen = { [of {}] = true }
  lu.assert_equals(of {}, of {})
  for _, changes in ipairs { { seed = 2 }, { script_sha256 = "ac" }, { params = {} },
    { params = { lr = 0.1, n = 1.0 } }, { params = { lr = 0.1 + 1e-17 * 2, n = 1 } } } do
    local key = of(changes)
    lu.assert_equals(#key, 64)
    seen[key] = true
  end
  local count = 0
  for _ in pairs(seen) do count = count + 1 end
  lu.assert_equals(count, 6)
end

-- ------------------------------------------------------------------ inputs

local function kinds()
  local list = {}
  for i, entry in ipairs(inputs.list()) do
    list[i] = entry.kind .. " " .. entry.path:match "[^/]*$"
  end
  return list
end

function TestKey:test_files_that_are_read_are_inputs_once()
  local path = self:write("a.csv", "x,y\n1,0\n2,1\n")
  sw.load(path)
  sw.load(path)
  sw.data.text(self:write("t.txt", ("abc\n"):rep(400)))
  sw.data.load "digits"
  lu.assert_equals(kinds(), { "script a.lua", "load a.csv", "data t.txt", "data digits" })
  lu.assert_equals(inputs.list()[2].sha256, core.file_sha256(path))
end

function TestKey:test_what_the_process_or_its_run_wrote_is_no_input()
  sw.save(self.dir .. "/a.npy", sw.tensor { 1 })
  sw.load(self.dir .. "/a.npy")
  local given = self:write("given.csv", "1\n2\n")
  sw.load(given)
  sw.save(given, sw.tensor { { 1 } }) -- it was an input before
  folders.make_folder(self.dir .. "/run")
  self:write("run/b.csv", "1\n2\n")
  inputs.follow(self.dir .. "/run")
  sw.load(self.dir .. "/run/b.csv")
  inputs.follow(nil)
  lu.assert_equals(kinds(), { "script a.lua", "load given.csv" })
end

function TestKey:test_modules_of_swale_are_no_inputs()
  inputs.module("swale.nn", package.searchpath("swale.nn", package.path), "")
  inputs.module("mine", "lib/mine.lua", "return 2")
  lu.assert_equals(kinds(), { "script a.lua", "module mine.lua" })
  lu.assert_equals(inputs.texts().modules, { mine = "return 2" })
end

-- ------------------------------------------------------------------ finished runs

function TestKey:run(name, info)
  folders.make_folder(self.dir .. "/" .. name)
  self:write(name .. "/run.json", core.json_encode(info, 2) .. "\n")
end

function TestKey:find(key)
  keys.forget()
  local place = require "swale.run.place"
  local root = place.root
  place.root = function() return self.dir end
  local ok, dir, why = pcall(keys.find, key)
  place.root = root
  assert(ok, dir)
  return dir and dir:match "[^/]*$", why
end

function TestKey:test_only_a_finished_run_of_the_same_key_counts()
  self:run("failed", { key = "aa", status = "failed" })
  self:run("other", { key = "bb", status = "done" })
  lu.assert_nil(self:find "aa")
  self:run("done", { key = "aa", status = "done" })
  lu.assert_equals(self:find "aa", "done")
  self:write("done/run.json", "{ torn")
  lu.assert_nil(self:find "aa")
end

function TestKey:test_a_changed_input_counts_as_other_work()
  local path = self:write("data.csv", "1\n2\n")
  self:run("r", { key = "aa", status = "done",
    files = { { path = path, kind = "data", sha256 = core.file_sha256(path) } } })
  lu.assert_equals(self:find "aa", "r")
  self:write("data.csv", "1\n3\n")
  lu.assert_equals({ self:find "aa" }, { nil, path .. " has changed since r" })
  os.remove(path)
  lu.assert_equals({ self:find "aa" }, { nil, path .. " is not there any more since r" })
end

function TestKey:test_relative_inputs_are_found_where_the_run_began()
  local digest = core.file_sha256(self:write("data.csv", "1\n2\n"))
  local entry = { path = "data.csv", kind = "data", sha256 = digest }
  self:run("r", { key = "aa", status = "done", cwd = self.dir, files = { entry } })
  lu.assert_equals(self:find "aa", "r")
end

function TestKey:test_data_sets_are_known_by_their_manifest()
  local cache, state = require "swale.data.cache", require("swale.data.cache").state
  local entry = { path = "digits", set = true, kind = "data", sha256 = cache.digest "digits" }
  local info = { key = "aa", status = "done", files = { entry } }
  lu.assert_nil(keys.changed(info))
  entry.sha256 = "ff"
  lu.assert_equals(keys.changed(info), "the data set digits has changed")
  entry.sha256 = "missing"
  lu.assert_equals(keys.changed(info), "the data set digits is here now")
  cache.state = function() return "missing" end
  local changed = keys.changed(info)
  cache.state = state
  lu.assert_nil(changed)
end

-- ------------------------------------------------------------------ the objective

function TestKey:test_an_objective_is_a_name_and_a_goal()
  local function declare(given)
    return sw.experiment { name = "x", run = print, objective = given }.objective
  end
  lu.assert_equals(declare { "loss", "min" }, { name = "loss", goal = "min" })
  lu.assert_nil(declare(nil))
  for _, wrong in ipairs { {}, { "loss" }, { "loss", "least" }, { 1, "min" } } do
    lu.assert_error_msg_contains('objective must be a name and "min" or "max"', declare, wrong)
  end
end

function TestKey:test_its_value_is_the_summarys_or_the_last_epochs()
  local epoch = { kind = "epoch", valid_loss = 0.5, valid_accuracy = 0.9 }
  lu.assert_equals(objective.value("valid_loss", { valid_loss = 0.4 }, epoch), 0.4)
  lu.assert_equals(objective.value("valid_loss", {}, epoch), 0.5)
  lu.assert_equals(objective.value("x", { x = "inf" }, nil), math.huge)
  local value, why = objective.value("valid_los", { note = "text" }, epoch)
  lu.assert_nil(value)
  lu.assert_equals(why, 'nothing is recorded as "valid_los"; did you mean "valid_loss"?'
    .. " There are: valid_accuracy, valid_loss.")
  lu.assert_equals({ objective.value("x", nil, nil) }, { nil, "nothing has recorded x" })
end

function TestKey:test_what_is_no_number_is_worse()
  local nan = 0 / 0
  lu.assert_equals({ objective.better("min", 1, 2), objective.better("max", 1, 2),
    objective.better("min", 1, nan), objective.better("min", nan, 1),
    objective.better("min", nan, nan), objective.better("max", 1, nil) },
    { true, false, true, false, false, true })
end
