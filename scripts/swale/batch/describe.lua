--- What a script declares, found without running its experiment: a process of its own loads the
--- script, so that it cannot affect the batch.
local core = require "swale.core"
local parameters = require "swale.experiment.parameters"
local process = require "swale.process"

local M = {}

local TIMEOUT = 30 -- seconds for a script to return

---@class swale.ScriptDescription
---@field name? string                 of its experiment
---@field params? table<string, any>   that it declares, with the defaults
---@field objective? swale.Objective    of its experiment
---@field refused? string              why it does not take the overrides
---@field none? boolean                it returns something else
---@field fault? string                it cannot be loaded

local CHILD = [[
require("swale.core").die_with_parent(math.tointeger(tonumber(arg[3])))
require("swale.batch.describe").print(arg[1], arg[2])]]

--- Values as texts that keep type and bits: JSON has no infinity.
local function encoded(value)
  if parameters.is_choice(value) then
    local list = {}
    for i, choice in ipairs(value) do list[i] = encoded(choice) end
    return list
  end
  if math.type(value) == "float" then return { float = ("%.17g"):format(value) } end
  return { value = value }
end

local function decoded(text)
  if text.float then
    local special = { inf = math.huge, ["-inf"] = -math.huge, nan = 0 / 0, ["-nan"] = 0 / 0 }
    return special[text.float] or tonumber(text.float) + 0.0
  end
  if text.value ~= nil then return text.value end
  local list = {}
  for i, choice in ipairs(text) do list[i] = decoded(choice) end
  return parameters.choice(list)
end

local function map(f, values)
  local mapped = {}
  for name, value in pairs(values) do mapped[name] = f(value) end
  return mapped
end

---@param path string
---@param overrides table<string, string>   those that it does not declare are left out
local function describe(path, overrides)
  local chunk, message = require("swale.cli").load_script(path)
  if not chunk then return { fault = message } end
  local ok, experiment = pcall(chunk, path)
  if not ok then return { fault = tostring(experiment) } end
  if not require("swale.experiment").is_experiment(experiment) then return { none = true } end
  local taken = {}
  for name, value in pairs(overrides) do
    if experiment.params[name] ~= nil then taken[name] = value end
  end
  local _, refused = experiment:resolve(taken, path)
  return { name = experiment.name, refused = refused, objective = experiment.objective,
    params = map(encoded, experiment.params) }
end

---Runs in the child process: prints the description as the last line.
---@param path string
---@param overrides string   JSON
function M.print(path, overrides)
  local found = describe(path, core.json_decode(overrides) or {})
  io.stdout:write("\n", core.json_encode(found), "\n")
end

local function last_line(text) return text:match "([^\n]+)\n*$" or "" end

---@param path string
---@param overrides table<string, string>
---@return swale.ScriptDescription
function M.script(path, overrides)
  local result, message = process.run({ process.interpreter(), "-e", CHILD, "/dev/null", path,
    core.json_encode(overrides), ("%d"):format(require "luv".os_getpid()) },
    { timeout = TIMEOUT, input = "" })
  if not result then return { fault = message } end
  local found = result.code == 0 and core.json_decode(last_line(result.out))
  if type(found) == "table" then
    found.params = found.params and map(decoded, found.params)
    return found
  end
  if result.code == 143 then
    return { fault = ("%s: no experiment returned within %d s"):format(path, TIMEOUT) }
  end
  return { fault = ("%s: loading it ended with status %d"):format(path, result.code) }
end

return M
