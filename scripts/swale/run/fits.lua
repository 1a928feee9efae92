--- The fits of a run, numbered in the order in which they begin. The end of each is kept in
--- checkpoints/fit-0001.safetensors …, so that a run which goes on need not train them again.
local function points() return require "swale.run.point" end -- a run that trains nothing needs none

local M = {}

---@class swale.FitOfRun
---@field number integer       from 1; 0: it is inside of another one
---@field trainer integer      number of its trainer, in the order of their first fits
---@field terms swale.Terms

---@class swale.RunFits
---@field begun integer        fits so far
---@field trainers table<swale.Engine, integer>
---@field count integer        trainers so far
---@field open swale.FitOfRun[]  fits that are not over: one, unless a hook trains, too

---@return swale.RunFits
function M.new()
  return { begun = 0, count = 0, trainers = setmetatable({}, { __mode = "k" }), open = {} }
end

--- A fit inside of another one, as in a hook, has no number: hooks of restored fits are not called
--- again.
local function numbered(fits, engine)
  if #fits.open > 0 then return { number = 0, trainer = 0 } end
  fits.begun = fits.begun + 1
  if not fits.trainers[engine] then
    fits.count = fits.count + 1
    fits.trainers[engine] = fits.count
  end
  return { number = fits.begun, trainer = fits.trainers[engine] }
end

---Begins a fit. Returns the point to restore instead of training up to it; nil: there is none.
---@param run swale.Run
---@param engine swale.Engine
---@param length swale.Duration
---@return swale.FitOfRun fit, swale.Point|nil restored
function M.begin(run, engine, length)
  local fit = numbered(run.fits, engine)
  fit.terms = require("swale.trainer.terms").of(engine, length)
  local restored = run.replay and fit.number > 0 and run.replay:restored(fit, engine) or nil
  table.insert(run.fits.open, fit)
  return fit, restored
end

---Ends a fit, whatever its end was.
---@param run swale.Run
---@param fit swale.FitOfRun
function M.leave(run, fit)
  for i, one in ipairs(run.fits.open) do
    if one == fit then table.remove(run.fits.open, i) return end
  end
end

---Returns the point of the run for a checkpoint; nil where a run cannot go on from it.
---@param run swale.Run
---@param step integer
---@param ended boolean     the fit is over
---@param fired { step: integer, examples: integer }
---@return swale.Point|nil
function M.point(run, step, ended, fired)
  local open = run.fits.open
  if #open ~= 1 or run.replay then return nil end
  return points().of(run, { fit = open[1], step = step, ended = ended, fired = fired })
end

---Returns the name of a checkpoint: those of a fit inside of another one have names of their own.
---@param run swale.Run
---@param step integer
---@return string
function M.step_name(run, step)
  return (#run.fits.open > 1 and "inner-%08d" or "step-%08d"):format(step)
end

---Keeps a checkpoint as that of the best weights.
---@param run swale.Run
---@param path string
function M.keep_best(run, path)
  require("swale.run.links").make(path, points().best_path(run.dir))
end

---Keeps the checkpoint of the end of a fit, unless the fit is repeated on the way to a point.
---@param run swale.Run
---@param fit swale.FitOfRun
---@param path string       of the checkpoint
function M.keep(run, fit, path)
  if fit.number == 0 or run.replay then return end
  require("swale.run.links").make(path, points().fit_path(run.dir, fit.number))
end

return M
