--- When checkpoints are written, besides the ends of epochs and fits, and which of them stay.
local core = require "swale.core"
local duration = require "swale.duration"
local errors = require "swale.errors"
local marks = require "swale.trainer.marks"
local options = require "swale.options"

local M = {}

local SECONDS <const> = 600

---@class swale.CheckpointOptions
---@field seconds? number       at most so many pass between two, and what is being made then; 600
---@field keep? "log"|integer[]|swale.Duration   that stay, besides the last two and the best:
---"log": after 1, 2, 4, 8, … updates; after those of a list; at the marks of sw.every

local OPTIONS <const> = { seconds = "nonnegative?", keep = "any?" }

local function check_steps(where, list)
  for i, step in ipairs(list) do
    options.value(where, ("checkpoints.keep[%d]"):format(i), step, "count")
  end
  return list
end

local function kept(where, keep)
  if keep == nil or keep == "log" then
    return keep and duration.marks({ steps = 1, factor = 2 }, where)
  elseif type(keep) == "table" and getmetatable(keep) == nil and #keep > 0 then
    return check_steps(where, keep)
  elseif type(keep) == "table" then
    return duration.marks(keep, where .. ": checkpoints.keep")
  end
  errors.misuse('%s: checkpoints.keep is "log", a list of steps or sw.every { … }, not %s', where,
    errors.shown(keep))
end

---Checks the option `checkpoints` of a fit.
---@param where string
---@param o swale.CheckpointOptions|nil
---@return swale.CheckpointOptions
function M.check(where, o)
  o = options.check(where .. ": checkpoints", o or {}, OPTIONS)
  return { seconds = o.seconds, keep = kept(where, o.keep) }
end

local function now() return require("luv").hrtime() / 1e9 end

---@class swale.Saving
---@field seconds number
---@field last number      when the last one was written, or the fit began
local Saving = {}
Saving.__index = Saving

---@param o swale.CheckpointOptions   checked
---@param run table      swale run --checkpoint SECONDS
---@return swale.Saving
function M.new(o, run)
  return setmetatable({ seconds = run.checkpoint_seconds or o.seconds or SECONDS, last = now() },
    Saving)
end

---Notes that one was written.
function Saving:written() self.last = now() end

---Whether the time has come, or SIGUSR1.
---@return boolean
function Saving:is_due()
  return now() - self.last >= self.seconds or core.checkpoint_asked()
end

---Returns the marks of those that stay.
---@param o swale.CheckpointOptions|nil   checked
---@param epoch_examples integer
---@param from { step: integer, examples: integer }   marks up to there have fired
---@param fire fun()
---@return swale.Mark[]
function M.marks(o, epoch_examples, from, fire)
  local keep, list = o and o.keep, {}
  if not keep then return list end
  if getmetatable(keep) then return { marks.repeating(keep, epoch_examples, from, fire) } end
  for _, step in ipairs(keep) do
    if step > from.step then list[#list + 1] = marks.once("step", step, fire) end
  end
  return list
end

return M
