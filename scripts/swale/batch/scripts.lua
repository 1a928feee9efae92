--- The scripts of a batch, and the parameters that each gets.
local describe = require "swale.batch.describe"
local errors = require "swale.errors"
local folders = require "swale.folders"
local parameters = require "swale.experiment.parameters"

local M = {}

---@class swale.BatchScript
---@field path string
---@field overrides string[]     "lr=0.2", those that it declares
---@field params table<string, any>|nil   that it declares, with the defaults; nil: it cannot be
---loaded, and will say so when it runs
---@field resolved table<string, any>|nil  its parameters under the overrides

---@alias swale.Say fun(fmt: string, ...: any)

--- Only scripts of a folder that mention experiments are loaded: others might train while they are.
local function mentions_experiment(path)
  return ((folders.read(path)) or ""):find("experiment", 1, true) ~= nil
end

local function in_folder(folder, say)
  local list, skipped = {}, {}
  for _, name in ipairs(folders.entries(folder)) do
    if name:match "%.lua$" then
      local path = folder:gsub("/+$", "") .. "/" .. name
      if mentions_experiment(path) then
        list[#list + 1] = path
      else
        skipped[#skipped + 1] = name
      end
    end
  end
  if #skipped > 0 then
    say("%s: skipped, because they return no experiment: %s", folder, table.concat(skipped, ", "))
  end
  return list
end

local function add(found, path, given)
  if found[path] then return end
  found[path] = true
  table.insert(found, { path = path, given = given })
end

--- The paths of scripts: files, and the scripts in folders, each once.
local function gather(words, say)
  local found = {}
  for _, word in ipairs(words) do
    if folders.is_folder(word) then
      for _, path in ipairs(in_folder(word, say)) do add(found, path, false) end
    elseif folders.exists(word) then
      add(found, word, true)
    else
      return nil, ("%s: no such file or folder"):format(word)
    end
  end
  return found
end

--- Describes a script. nil, message: the batch cannot run; nil alone: this script is left out.
local function look(found, overrides, say)
  local d = describe.script(found.path, overrides)
  if d.refused then return nil, d.refused end
  if d.none and found.given then
    return nil, found.path .. " does not return an experiment"
  elseif d.none then
    say("%s: skipped, because it returns no experiment", found.path)
    return nil
  end
  return { path = found.path, params = d.params, overrides = {} }
end

local function all_params(scripts)
  local all = {}
  for _, script in ipairs(scripts) do
    for name in pairs(script.params or {}) do all[name] = true end
  end
  return errors.sorted_keys(all)
end

local function names_of(scripts)
  local names = {}
  for i, script in ipairs(scripts) do names[i] = script.path end
  if #names > 4 then names = { names[1], names[2], ("%d others"):format(#names - 2) } end
  return table.concat(names, ", ")
end

--- Gives a parameter to the scripts that declare it. A script that cannot be loaded declares
--- nothing.
local function hand_out(scripts, name, value, say)
  local takers, others = {}, {}
  for _, script in ipairs(scripts) do
    if script.params then
      table.insert(script.params[name] ~= nil and takers or others, script)
    end
  end
  if #takers == 0 then
    local all = all_params(scripts)
    return nil, ('no script declares "%s"%s Declared are: %s.'):format(name,
      errors.suggestion(name, all), #all > 0 and table.concat(all, ", ") or "none")
  end
  if #others > 0 then
    say("%s goes to %s; not declared by %s", name, names_of(takers), names_of(others))
  end
  for _, script in ipairs(takers) do table.insert(script.overrides, name .. "=" .. value) end
  return true
end

local function resolve(script, overrides)
  if not script.params then return end
  local taken = {}
  for name, value in pairs(overrides) do
    if script.params[name] ~= nil then taken[name] = value end
  end
  script.resolved = parameters.resolve(script.params, taken, script.path)
end

---@param words string[]                     files and folders
---@param overrides table<string, string>
---@param say swale.Say                      for notes
---@return swale.BatchScript[]|nil scripts, string? message
function M.find(words, overrides, say)
  local found, problem = gather(words, say)
  if not found then return nil, problem end
  local scripts = {}
  for _, file in ipairs(found) do
    local script, message = look(file, overrides, say)
    if message then return nil, message end
    scripts[#scripts + 1] = script
  end
  if #scripts == 0 then
    return nil, ("no script in %s returns an experiment"):format(table.concat(words, ", "))
  end
  for _, name in ipairs(errors.sorted_keys(overrides)) do
    local ok, message = hand_out(scripts, name, overrides[name], say)
    if not ok then return nil, message end
  end
  for _, script in ipairs(scripts) do resolve(script, overrides) end
  return scripts
end

return M
