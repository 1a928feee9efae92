--- The settings of a sweep: what its command line fixes, lists and leaves to be drawn.
local core = require "swale.core"
local errors = require "swale.errors"
local parameters = require "swale.experiment.parameters"
local words = require "swale.sweep.words"

local M = {}

M.MOST = 1000000 -- settings of a grid

local REPEATS = 1000 -- draws in a row that are no new settings, after which there are no more

---A setting: values of the parameters that a command line names, by name.
---@alias swale.Setting table<string, string|number|boolean>

---@class swale.SweepSpace
---@field script string
---@field declaration table<string, any>    the script's parameters and their defaults
---@field objective swale.Objective|nil     of its experiment
---@field seeds integer[]
---@field axes swale.SweepAxis[]            that vary, in the order given
---@field fixed swale.Setting               that have one value
---@field names string[]                    all of these, in the order given
---@field seed integer                      of the draws
---@field values table<string, any[]>       the lists of the axes, by name
local Space = {}
Space.__index = Space

---@class swale.SpaceOptions
---@field script string
---@field declaration table<string, any>
---@field words string[]            "lr=0.1,0.2"
---@field seeds integer[]
---@field seed? integer             of the draws; 1
---@field objective? swale.Objective

local function declared(o)
  local names = errors.sorted_keys(o.declaration)
  return #names == 0 and "It declares none." or "It declares: " .. table.concat(names, ", ") .. "."
end

--- A word of the command line as an axis.
local function read(o, word, taken)
  local name, text = word:match "^([%a_][%w_]*)=(.*)$"
  if not name then
    return nil, ('"%s" is not of the form key=values, such as lr=0.1,0.2'):format(word)
  elseif taken[name] then
    return nil, name .. " is given twice"
  elseif o.declaration[name] == nil then
    return nil, ('%s has no parameter "%s"%s %s'):format(o.script, name,
      errors.suggestion(name, o.declaration), declared(o))
  end
  taken[name] = true
  return words.read(name, text, o.declaration[name])
end

---@param o swale.SpaceOptions
---@return swale.SweepSpace|nil space, string? message
function M.new(o)
  local self = setmetatable({ script = o.script, declaration = o.declaration,
    objective = o.objective, seeds = o.seeds, seed = o.seed or 1, axes = {}, fixed = {},
    names = {}, values = {} }, Space)
  local taken = {}
  for _, word in ipairs(o.words) do
    local axis, message = read(o, word, taken)
    if not axis then return nil, message end
    table.insert(self.names, axis.name)
    if axis.values and #axis.values == 1 then
      self.fixed[axis.name] = axis.values[1]
    else
      table.insert(self.axes, axis)
      self.values[axis.name] = axis.values
    end
  end
  return self
end

---The names of the parameters that vary.
---@return string[]
function Space:varied()
  local names = {}
  for i, axis in ipairs(self.axes) do names[i] = axis.name end
  return names
end

---The first axis that is drawn; nil if all are lists.
---@return swale.SweepAxis|nil
function Space:drawn()
  for _, axis in ipairs(self.axes) do if axis.draw then return axis end end
  return nil
end

---The number of settings of the lists.
---@return integer|nil n    nil: a parameter is drawn, or there are too many
---@return string? message
function Space:count()
  local drawn = self:drawn()
  if drawn then return nil, drawn.name .. " is drawn, so its values have no number" end
  local n = 1
  for _, axis in ipairs(self.axes) do
    n = n * #axis.values
    if n > M.MOST then
      return nil, ("these are more than %d settings; --random 100 draws 100 of them"):format(M.MOST)
    end
  end
  return n
end

local function copy(setting)
  local other = {}
  for name, value in pairs(setting) do other[name] = value end
  return other
end

---Setting i of the grid; the last parameter changes fastest.
---@param i integer   from 1
---@return swale.Setting
function Space:at(i)
  local setting, rest = copy(self.fixed), i - 1
  for k = #self.axes, 1, -1 do
    local axis = self.axes[k]
    setting[axis.name] = axis.values[rest % #axis.values + 1]
    rest = rest // #axis.values
  end
  return setting
end

--- A value for each parameter, from a stream of its own: it does not depend on other parameters.
local function draw(self, i)
  local setting = copy(self.fixed)
  for _, axis in ipairs(self.axes) do
    local stream = core.random(self.seed, "sweep/" .. axis.name, i)
    setting[axis.name] = axis.draw and axis.draw(stream) or axis.values
      and axis.values[stream:integer(#axis.values)]
  end
  return setting
end

---Draws different settings. The first ones are the same for any n.
---@param n integer
---@return swale.Setting[]   fewer where there are not so many
function Space:draws(n)
  local list, seen, i, last = {}, {}, 0, 0
  while #list < n and i - last < REPEATS do
    i = i + 1
    local setting = draw(self, i)
    local text = self:text(setting)
    if not seen[text] then
      seen[text], list[#list + 1], last = true, setting, i
    end
  end
  return list
end

---The words of a setting for a command line: first those that the sweep's has, in its order.
---@param setting swale.Setting
---@return string[]
function Space:overrides(setting)
  local list, done = {}, {}
  for _, name in ipairs(self.names) do
    if setting[name] ~= nil then
      list[#list + 1] = ("%s=%s"):format(name, words.text(setting[name]))
      done[name] = true
    end
  end
  for _, name in ipairs(errors.sorted_keys(setting)) do
    if not done[name] then list[#list + 1] = ("%s=%s"):format(name, words.text(setting[name])) end
  end
  return list
end

---A setting as one text.
---@param setting swale.Setting
---@return string
function Space:text(setting) return table.concat(self:overrides(setting), " ") end

---Checks a setting that a strategy asks for, and adds what the command line fixes.
---@param setting any
---@return swale.Setting|nil complete
---@return string? message
function Space:complete(setting)
  if type(setting) ~= "table" then
    return nil, ("a setting is a table such as { lr = 0.1 }, not %s"):format(errors.shown(setting))
  end
  local all = copy(self.fixed)
  for name, value in pairs(setting) do all[name] = value end
  local params, message = parameters.resolve(self.declaration, all, self.script)
  if not params then return nil, message end
  for name in pairs(all) do all[name] = params[name] end
  return all, params
end

---All parameters of a setting.
---@param setting swale.Setting
---@return table<string, any>
function Space:params(setting)
  return assert(parameters.resolve(self.declaration, setting, self.script))
end

return M
