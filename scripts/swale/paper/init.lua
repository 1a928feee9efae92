--- A paper as a folder of experiments: paper.lua says what is run at which size and which figures
--- are drawn. `swale reproduce` does that, and judges what claims.lua claims.
local class = require "swale.class"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.PaperWork
---@field [1] string              the script
---@field [2] table<string, any>? its parameters; a list of values means every combination
---@field seeds integer|string    10, or "3..7"
---@field quick swale.PaperWork|false   what replaces parameters and seeds at the quick size; false:
---not run there
---@field pilot? swale.PaperWork  the same for the pilot, whose seeds are counted from 1000; all
---parameters and 3 seeds, unless given

---@class swale.PaperFigure
---@field [1] string              the file
---@field [2] string              what it shows, in one sentence
---@field [3] fun(runs: swale.PaperRuns, file: string): string|nil   draws it; or returns why
---there is nothing to draw

---@class swale.Paper
---@field title string
---@field citation string
---@field work swale.PaperWork[]
---@field figures swale.PaperFigure[]
local Paper = class.new("paper", { fields = { "title", "citation", "work", "figures" } })

local SPEC = { title = "string", citation = "string", work = "list", figures = { "list", {} } }

local VALUES = { number = true, string = true, boolean = true }

local function check_params(where, params)
  for name, value in pairs(params) do
    local list = type(value) == "table" and value or { value }
    if type(name) ~= "string" then
      errors.misuse("%s: parameters have names, as in { lr = 0.1 }; %s is not one", where,
        errors.shown(name))
    elseif #list == 0 then
      errors.misuse("%s: %s has no value", where, name)
    end
    for _, each in ipairs(list) do
      if not VALUES[type(each)] then
        errors.misuse("%s: %s must be a number, a string, a boolean or a list of these, not %s",
          where, name, errors.shown(each))
      end
    end
  end
end

local function check_seeds(where, seeds)
  if math.type(seeds) == "integer" and seeds > 0 then return end
  local ranges, problem = nil, "must be a number of seeds or a text such as \"3..7\""
  if type(seeds) == "string" then ranges, problem = require("swale.batch.seeds").parse(seeds) end
  if not ranges then errors.misuse("%s: seeds: %s", where, problem) end
end

--- quick = { { epochs = 1 }, seeds = 2 }: what replaces the full size's.
local function check_size(where, o)
  options.value(where, "it", o, "table")
  for key in pairs(o) do
    if key ~= 1 and key ~= "seeds" then
      errors.misuse("%s: takes { { parameters }, seeds = N }, not %s", where, errors.shown(key))
    end
  end
  check_params(where, options.value(where, "[1]", o[1] or {}, "table"))
  if o.seeds ~= nil then check_seeds(where, o.seeds) end
end

local ENTRY = { [1] = true, [2] = true, seeds = true, quick = true, pilot = true }

local function check_work(i, o)
  local where = ("paper: work[%d]"):format(i)
  options.value("paper", ("work[%d]"):format(i), o, "table")
  for key in pairs(o) do
    if not ENTRY[key] then
      errors.misuse('%s: takes { "script.lua", { parameters }, seeds =, quick =, pilot = }, not %s',
        where, errors.shown(key))
    end
  end
  options.value(where, "[1], the script,", o[1], "string")
  check_params(where, options.value(where, "[2]", o[2] or {}, "table"))
  check_seeds(where, o.seeds)
  if o.quick == nil then
    errors.misuse("%s: say what the quick size runs: quick = { { epochs = 1 }, seeds = 2 }, or"
      .. " quick = false", where)
  end
  if o.quick then check_size(where .. ": quick", o.quick) end
  if o.pilot ~= nil then check_size(where .. ": pilot", o.pilot) end
end

local function check_figure(i, o, seen)
  local where = ("paper: figures[%d]"):format(i)
  options.value("paper", ("figures[%d]"):format(i), o, "table")
  options.value(where, "[1], the file,", o[1], "string")
  options.value(where, "[2], what it shows,", o[2], "string")
  options.value(where, "[3]", o[3], "function")
  if not o[1]:find "^[%w_%-]+%.svg$" then
    errors.misuse('%s: the file must be a name such as "line.svg", not %s', where,
      errors.shown(o[1]))
  elseif seen[o[1]] then
    errors.misuse("%s: %s is drawn twice", where, o[1])
  end
  seen[o[1]] = true
end

---Declares the work and the figures of a paper; paper.lua returns it: docs/commands.md,
---"Papers".
---@param o { title: string, citation: string, work: swale.PaperWork[],
---figures: swale.PaperFigure[]? }
---@return swale.Paper
function M.paper(o)
  o = options.check("paper", o, SPEC)
  if #o.work == 0 then errors.misuse "paper: work is empty" end
  local seen = {}
  for i, entry in ipairs(o.work) do check_work(i, entry) end
  for i, figure in ipairs(o.figures) do check_figure(i, figure, seen) end
  return setmetatable(o, Paper)
end

---@param value any
---@return boolean
function M.is_paper(value) return getmetatable(value) == Paper end

return M
