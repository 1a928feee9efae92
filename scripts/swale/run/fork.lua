--- Forks of runs: a new run of the same script, whose training goes on from a checkpoint of another
--- one under other settings. The batches and random numbers from there on are those that the other
--- run had, unless it is given a seed of its own.
local folders = require "swale.folders"
local links = require "swale.run.links"
local place = require "swale.run.place"
local points = require "swale.run.point"
local replay = require "swale.run.replay"
local runs = require "swale.run"
local scripts = require "swale.run.script"

local M = {}

---@class swale.ForkRunOptions: swale.AgainOptions
---@field dir string                            of the run that is forked
---@field at string                             "last", "best" or a step
---@field seed integer|nil                      nil: that of the run
---@field argv? string[]
---@field checkpoint? number      at most so many seconds between two checkpoints
---@field traceback? boolean

--- The checkpoint that a fork starts from, in the fork's own directory: it can go on without the
--- run it came from.
local function start_path(dir) return dir .. "/checkpoints/start.safetensors" end

local function steps_of(list)
  local words, seen = {}, {}
  for i = #list, 1, -1 do
    local word = tostring(list[i].step)
    if not seen[word] then words[#words + 1] = word end
    seen[word] = true
  end
  return table.concat(words, ", ")
end

---Returns the point of a run that "last", "best" or a step names; of several fits the last one's.
---@param dir string
---@param at string
---@return swale.Point|nil point, string? message
function M.find(dir, at)
  local list = points.list(dir)
  if #list == 0 then return nil, ("%s has no checkpoint that a fork can start from"):format(dir) end
  if at == "last" then return list[1] end
  if at == "best" then
    local point, why = points.read(points.best_path(dir))
    return point, why or ("%s has no checkpoint of its best weights"):format(dir)
  end
  for _, point in ipairs(list) do if point.step == tonumber(at) then return point end end
  return nil, ("%s has no checkpoint of step %s; there are %s"):format(dir, at, steps_of(list))
end

--- Keeps the checkpoints that the fork needs in its own directory.
local function take_checkpoints(run, dir, point)
  local folder = run.dir .. "/checkpoints"
  require("swale.errors").check(folders.make_folder(folder))
  for number = 1, point.fit - 1 do
    local path = points.fit_path(dir, number)
    if folders.exists(path) then links.make(path, points.fit_path(run.dir, number)) end
  end
  links.make(point.path, start_path(run.dir))
end

---Makes a run restore the fits before a checkpoint, and start from that.
---@param run swale.Run
---@param dir string         that has the checkpoint
---@param point swale.Point
---@param o { reseeded: boolean, say: fun(fmt: string, ...) }
function M.start(run, dir, point, o)
  run.replay = replay.new { dir = dir, point = point, fork = true, rescale = true, changed = true,
    reseeded = o.reseeded, say = o.say, started = function() end }
end

---Returns the point that a fork started from.
---@param dir string     of the fork
---@return swale.Point|nil point, string? message
function M.start_of(dir) return points.read(start_path(dir)) end

local function create(experiment, params, info, point, o)
  local seed, given, other = o.seed or info.seed, {}, {}
  for name in pairs(scripts.params_with({ params = info.given }, o.overrides)) do
    given[name] = params[name]
  end
  for name, value in pairs(info.params) do
    if params[name] ~= value then other[name] = value end
  end
  local run = runs.create { experiment = experiment.name, params = params, seed = seed,
    script = info.script, argv = o.argv, objective = experiment.objective, given = given,
    parent = { run = folders.name(o.dir), step = point.step, fit = point.fit,
      params = next(other) ~= nil and other or nil, reseeded = seed ~= info.seed or nil } }
  local ok, fault = pcall(take_checkpoints, run, o.dir, point)
  if not ok then
    runs.remove(run)
    error(fault, 0)
  end
  M.start(run, o.dir, point, { reseeded = seed ~= info.seed, say = o.say })
  return run
end

---Makes a fork and trains it. Returns the exit status.
---@param o swale.ForkRunOptions
---@return integer code
function M.run(o)
  local info = runs.read_whole(o.dir)
  o.dir = place.enter(o.dir, info)
  local point, why = M.find(o.dir, o.at)
  if not point then
    o.say("%s", why)
    return 1
  end
  local experiment, params = scripts.load(info, o)
  if not experiment then return params end
  o.say("fork of %s at step %d of fit %d", o.dir, point.step, point.fit)
  return (experiment:continue(params, { traceback = o.traceback, checkpoint = o.checkpoint,
    open = function() return create(experiment, params, info, point, o) end }))
end

return M
