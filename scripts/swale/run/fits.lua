--- The fits of a run, numbered in the order in which they begin. The end of each is kept in
--- checkpoints/fit-0001.safetensors …, so that a run which goes on need not train them again.
local function points() return require "swale.run.point" end -- a run that trains nothing needs none

local M = {}

---@class swale.FitOfRun
---@field number integer
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

---Begins a fit. Returns the point to restore instead of training up to it; nil: there is none.
---@param run swale.Run
---@param engine swale.Engine
---@param length swale.Duration
---@return swale.FitOfRun fit, swale.Point|nil restored
function M.begin(run, engine, length)
  local fits = run.fits
  fits.begun = fits.begun + 1
  if not fits.trainers[engine] then
    fits.count = fits.count + 1
    fits.trainers[engine] = fits.count
  end
  local fit = { number = fits.begun, trainer = fits.trainers[engine],
    terms = require("swale.trainer.terms").of(engine, length) }
  fits.open[#fits.open + 1] = fit
  return fit, run.replay and run.replay:restored(fit, engine) or nil
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

---Keeps the checkpoint of the end of a fit.
---@param run swale.Run
---@param fit swale.FitOfRun
---@param path string       of the checkpoint
function M.keep(run, fit, path)
  require("swale.run.links").make(path, points().fit_path(run.dir, fit.number))
end

return M
