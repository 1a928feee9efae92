--- The papers' folders as they are: what is run at each size can be, claims ask for runs that there
--- will be, and README.md names what is there.
local claims_of = require "swale.paper.claims"
local describe = require "swale.batch.describe"
local folder_of = require "swale.paper.folder"
local folders = require "swale.folders"
local judge = require "swale.paper.judge"
local lu = require "luaunit"
local plans = require "swale.paper.plan"
local runs_of = require "swale.paper.runs"

TestPapers = {}

local EXPERIMENTS = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$" .. "experiments/"
local SIZES = { "full", "quick", "pilot" }
local FIRST_PILOT_SEED = 1000

--- Calls f with the modules of one folder alone: several folders have a setting.lua.
local function apart(f, ...)
  local loaded, path = {}, package.path
  for name in pairs(package.loaded) do loaded[name] = true end
  local result = table.pack(pcall(f, ...))
  for name in pairs(package.loaded) do
    if not loaded[name] and not name:find "^swale" then package.loaded[name] = nil end
  end
  package.path = path
  if not result[1] then error(result[2], 0) end
  return table.unpack(result, 2, result.n)
end

--- Each script is described once: it takes a process.
function TestPapers:setUp()
  self.describe, self.known = describe.script, {}
  describe.script = function(path, overrides)
    self.known[path] = self.known[path] or self.describe(path, overrides)
    return self.known[path]
  end
end

function TestPapers:tearDown() describe.script = self.describe end

local function each(f)
  local names = folder_of.names()
  lu.assert_true(#names >= 1)
  for _, name in ipairs(names) do
    apart(function() f(EXPERIMENTS .. name, folder_of.load(EXPERIMENTS .. name), name) end)
  end
end

local function entries_of(path, kind)
  local list = {}
  for _, file in ipairs(folders.entries(path)) do
    if file:match("%." .. kind .. "$") then list[#list + 1] = file end
  end
  return list
end

-- What functions of claims say where there are no values; all else is a fault of theirs.
local WITHOUT_VALUES = { "needs %d+ values or more, got 0", "no row has the target nil",
  "attempt to index a nil value %(field '[^']*index'%)" }

local function is_without_values(why)
  for _, pattern in ipairs(WITHOUT_VALUES) do if why:find(pattern) then return true end end
  return false
end

--- Without a run each claim is missing, unless it names a script, a setting or a parameter that is
--- not run, or is broken in another way.
function TestPapers:test_each_size_can_be_run_and_has_what_claims_ask_for()
  each(function(_, folder, name)
    for _, size in ipairs(SIZES) do
      local plan, message = plans.new(folder, size)
      lu.assert_nil(message, ("%s, %s"):format(name, size))
      for _, work in ipairs(plan.works) do
        lu.assert_equals(work.seed >= FIRST_PILOT_SEED, size == "pilot",
          ("%s, %s: seed %d"):format(name, size, work.seed))
      end
      for _, row in ipairs(judge.judge(folder, runs_of.new(plan))) do
        lu.assert_true(row.verdict ~= "broken" or is_without_values(row.why),
          ("%s, %s, claim %s: %s"):format(name, size, row.id, row.why))
      end
    end
  end)
end

--- A claim counts as decided on the seeds that it declares.
function TestPapers:test_claims_declare_their_seeds()
  each(function(_, folder, name)
    lu.assert_true(claims_of.family(folder.claims) >= 1, name)
    for _, claim in ipairs(folder.claims.list) do
      if claim.kind ~= "shown" then
        lu.assert_not_nil(claim.seeds, ("%s: seeds of claim %s"):format(name, claim.id))
      end
    end
  end)
end

function TestPapers:test_readme_has_the_place_of_the_table_and_names_what_is_there()
  each(function(path, folder, name)
    local text = folders.read(path .. "/README.md")
    lu.assert_not_nil(text, name .. ": README.md")
    lu.assert_not_nil(text:find "<!%-%- measured %-%->.*<!%-%- /measured %-%->", name)
    local named = {}
    for _, entry in ipairs(folder.paper.work) do named[entry[1]] = true end
    for _, file in ipairs(entries_of(path, "lua")) do
      local is_script = folders.read(path .. "/" .. file):find "sw%.experiment"
      if is_script and not named[file] then lu.assert_str_contains(text, file, nil, name) end
    end
    for _, file in ipairs(entries_of(path, "svg")) do
      lu.assert_str_contains(text, "(" .. file .. ")", nil, name)
    end
  end)
end
