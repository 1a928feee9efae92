--- The fits of a run, numbered in the order in which they begin. The end of each is kept in
--- checkpoints/fit-0001.safetensors …, so that a run which goes on need not train them again.
local function points() return require "swale.run.point" end -- a run that trains nothing needs none

local links = require "swale.run.links"

local M = {}

---@class swale.FitOfRun
---@field number integer       from 1; 0: it is inside of another one
---@field trainer integer      number of its trainer, in the order of their first fits
---@field terms swale.Terms

---@class swale.RunFits      of a run; the trainer calls its methods
---@field run swale.Run
---@field begun integer        fits so far
---@field trainers table<swale.Engine, integer>
---@field count integer        trainers so far
---@field open swale.FitOfRun[]  fits that are not over: one, unless a hook trains, too

local Fits = {}
Fits.__index = Fits

---@param run swale.Run
---@return swale.RunFits
function M.new(run)
  return setmetatable({ run = run, begun = 0, count = 0, open = {},
    trainers = setmetatable({}, { __mode = "k" }) }, Fits)
end

--- A fit inside of another one, as in a hook, has no number: hooks of restored fits are not called
--- again.
local function numbered(self, engine)
  if #self.open > 0 then return { number = 0, trainer = 0 } end
  self.begun = self.begun + 1
  if not self.trainers[engine] then
    self.count = self.count + 1
    self.trainers[engine] = self.count
  end
  return { number = self.begun, trainer = self.trainers[engine] }
end

---Begins a fit. Returns the point to restore instead of training up to it; nil: there is none.
---@param engine swale.Engine
---@param length swale.Duration
---@return swale.FitOfRun fit, swale.Point|nil restored
function Fits:begin(engine, length)
  local fit, replay = numbered(self, engine), self.run.replay
  fit.terms = require("swale.trainer.terms").of(engine, length)
  local restored = replay and fit.number > 0 and replay:restored(fit, engine) or nil
  table.insert(self.open, fit)
  return fit, restored
end

---Ends a fit, whatever its end was.
---@param fit swale.FitOfRun|nil   nil: it did not begin
function Fits:leave(fit)
  for i, one in ipairs(self.open) do
    if one == fit then table.remove(self.open, i) return end
  end
end

---Restores the training of a point.
---@param engine swale.Engine
---@param fit swale.Fit
---@param point swale.Point
function Fits:restore(engine, fit, point) self.run.replay:restore(engine, fit, point) end

---Goes on from a point that was restored.
---@param point swale.Point
function Fits:arrive(point) self.run.replay:arrive(self.run, point) end

-- ------------------------------------------------------------------ checkpoints

---Returns the point of the run for a checkpoint; nil where a run cannot go on from it.
---@param step integer
---@param ended boolean     the fit is over
---@param fired { step: integer, examples: integer }   where its events happened last
---@return swale.Point|nil
function Fits:point(step, ended, fired)
  if #self.open ~= 1 or self.run.replay then return nil end
  return points().of(self.run, { fit = self.open[1], step = step, ended = ended, fired = fired })
end

---Returns how long the files of the run are; nil while it writes nothing.
---@return { metrics: integer, log: integer }|nil
function Fits:offsets()
  local run = self.run
  return not run.resuming and { metrics = run.metrics.bytes, log = run.log.bytes } or nil
end

---Returns the name of a checkpoint: those of a fit inside of another one have names of their own.
---@param step integer
---@return string
function Fits:step_name(step)
  return (#self.open > 1 and "inner-%08d" or "step-%08d"):format(step)
end

---Keeps a checkpoint as that of the best weights.
---@param path string
function Fits:keep_best(path)
  if not self.run.resuming then links.make(path, points().best_path(self.run.dir)) end
end

---Keeps the checkpoint of the end of a fit, unless the fit is repeated on the way to a point.
---@param fit swale.FitOfRun
---@param path string       of the checkpoint
function Fits:keep(fit, path)
  if fit.number == 0 or self.run.replay then return end
  links.make(path, points().fit_path(self.run.dir, fit.number))
end

return M
