--- The script of a recorded run, to be executed again: with the parameters that the run had, but
--- for those that are given.
local M = {}

---@class swale.AgainOptions
---@field overrides? table<string, string>
---@field load fun(path: string): swale.Experiment|nil, integer?   loads a script, or says why not
---@field say fun(fmt: string, ...)

---Returns the parameters of a run, and in place of some the overrides.
---@param info table
---@param overrides? table<string, any>
---@return table<string, any>
function M.params_with(info, overrides)
  local all = {}
  for name, value in pairs(info.params or {}) do all[name] = value end
  for name, value in pairs(overrides or {}) do all[name] = value end
  return all
end

---Loads the script and resolves its parameters; says why not.
---@param info table      run.json
---@param o swale.AgainOptions
---@return swale.Experiment|nil experiment, table<string, any>|integer params   or the exit status
function M.load(info, o)
  if not info.script then
    o.say("the record of the run names no script")
    return nil, 1
  end
  local experiment, code = o.load(info.script)
  if not experiment then return nil, code or 1 end
  local params, message = experiment:resolve(M.params_with(info, o.overrides), info.script)
  if params then return experiment, params end
  o.say("%s", message)
  return nil, 2
end

return M
