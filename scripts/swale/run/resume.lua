--- Goes on with a run that did not end: its script is executed again in the same directory, up to
--- its last checkpoint without training (swale.run.replay), and on from there.
local core = require "swale.core"
local description = require "swale.run.description"
local folders = require "swale.folders"
local forks = require "swale.run.fork"
local inputs = require "swale.run.inputs"
local keys = require "swale.run.key"
local machine = require "swale.machine"
local place = require "swale.run.place"
local points = require "swale.run.point"
local records = require "swale.run.record"
local replay = require "swale.run.replay"
local runs = require "swale.run"
local scripts = require "swale.run.script"
local standing = require "swale.run.status"

local M = {}

---@class swale.ResumeOptions: swale.AgainOptions   overrides: parameters that are durations
---@field dir string                            of the run
---@field rescale boolean                       schedules may change with them
---@field changed boolean                       the script may have changed
---@field traceback? boolean
---@field checkpoint? number                    at most so many seconds between two checkpoints

-- ------------------------------------------------------------------ whether it can go on

local function has_overrides(o) return next(o.overrides or {}) ~= nil end

--- Why a run of a status cannot be resumed; nil: it can.
local function refusal(info, dir, o)
  local status = info.status
  if status == "running" then
    return ("%s is running: another process writes it"):format(dir)
  elseif status:find "^running" then
    return ("%s is %s: whether it still runs is known there"):format(dir, status)
  elseif status == "diverged" then
    return ("%s diverged: %s\nIt would do so again. `swale fork %s --at STEP lr=…` goes on from a"
      .. " checkpoint with other settings"):format(dir, tostring(info.error), dir)
  elseif status == "done" and not has_overrides(o) then
    return ("%s is done. A longer duration, such as epochs=20, goes on with it; `swale fork` makes"
      .. " a new run of a checkpoint"):format(dir)
  end
  return nil
end

--- Why the script or what it reads is not what it was; nil: it is.
local function changed(info)
  local why = keys.changed(info)
  if why or info.files then return why end
  local digest = info.script_sha256 and core.file_sha256(info.script)
  return digest ~= info.script_sha256 and info.script .. " has changed" or nil
end

--- What differs from the machine that wrote the run; the bits of what follows may differ, too.
local function differences(info)
  local list = {}
  if info.instruction_set ~= core.variant() then
    list[#list + 1] = ("the instruction set is %s, was %s"):format(core.variant(),
      tostring(info.instruction_set))
  end
  local before = type(info.versions) == "table" and info.versions.swale
  if before ~= core._VERSION then
    list[#list + 1] = ("Swale is %s, was %s"):format(core._VERSION, tostring(before))
  end
  return list
end

-- ------------------------------------------------------------------ parameters

local function shown(value) return type(value) == "string" and value or core.json_encode(value) end

--- Says which parameters change.
local function tell_changes(before, now, say)
  for _, name in ipairs(require("swale.errors").sorted_keys(now)) do
    if before[name] ~= now[name] then
      say("parameter %s: %s, was %s", name, shown(now[name]), shown(before[name]))
    end
  end
end

-- ------------------------------------------------------------------ the point

local function position_words(point, dir)
  local name = point.path:sub(#dir + 2)
  if point.ended then
    return ("from the end of fit %d (step %d, %s)"):format(point.fit, point.step, name)
  end
  return ("from step %d of fit %d (%s)"):format(point.step, point.fit, name)
end

--- The first fit that a run has trained itself.
local function first_fit(info) return info.parent and info.parent.fit or 1 end

--- Removes checkpoints that are not of the past of a point: they are written again.
local function forget_later(dir, point, first)
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    local path = dir .. "/checkpoints/" .. name
    if points.is_checkpoint(name) then
      local other = points.read(path)
      local past = other and (other.fit < first or point and not points.is_after(other, point))
      if not past then folders.remove(path) end
    end
  end
end

--- Notes in run.json that the run goes on.
local function note(run, point, o, facts)
  local info = run.info
  description.mark_running(info)
  info.params, info.given = facts.params, info.given or {}
  for name in pairs(o.overrides or {}) do info.given[name] = facts.params[name] end
  info.resumed = info.resumed or {}
  local entry = { at = records.now(), step = point and point.step or 0,
    fit = point and point.fit or nil, params = has_overrides(o) and o.overrides or nil,
    changed = facts.changed,
    differs = #facts.differs > 0 and facts.differs or nil }
  table.insert(info.resumed, entry)
  local attempt = require("swale.run.origin").get().attempt
  if attempt > 1 then info.attempt = attempt end
  if entry.params or entry.changed then info.key = nil end -- the work of no other run
  info.instruction_set, info.threads = core.variant(), core.threads()
  info.machine, info.blas = machine.describe(), core.blas()
end

--- Cuts the record to the point and goes on writing it. run.json says before that the run is not
--- over: a process that is killed here leaves a run that can be resumed.
local function go_on(run, Run, point, o, facts)
  local from = point or { metrics = 0, log = 0, fields = {}, saved = {}, wall = 0, step = 0 }
  local repeated = replay.repeated_steps(run.dir, from.metrics, from.step)
  points.restore_fields(run, from)
  run.begun = run.begun + run:seconds() - from.wall -- its seconds go on from those of the point
  run.begun_cpu = -(from.cpu or 0) -- of its processes before this one
  note(run, point, o, facts)
  inputs.follow(run.dir)
  runs.write_info(run)
  replay.speak(run, Run, from.metrics, from.log)
  if run.info.tensorboard then runs.open_board(run) end
  standing.clear_unfinished(run.dir)
  forget_later(run.dir, point, first_fit(run.info))
  if point then points.restore_checkpoints(run, point) end
  run.info.repeated_steps = (run.info.repeated_steps or 0) + repeated
  runs.write_info(run)
  o.say("%s goes on %s%s", run.dir, point and position_words(point, run.dir)
    or "from its beginning: it had no checkpoint yet", repeated > 0
    and (", %d steps are repeated"):format(repeated) or "")
end

--- The run, which writes nothing until it is at the point.
local function reopened(dir, info, lock, point, o, facts)
  local run = runs.reopen(dir, info, lock)
  local Run = getmetatable(run)
  if point then
    replay.silence(run)
    run.replay = replay.new { dir = dir, point = point, fork = false, rescale = o.rescale,
      changed = facts.changed ~= nil, inherited = first_fit(info), say = o.say,
      started = function() go_on(run, Run, point, o, facts) end }
    return run
  end
  go_on(run, Run, nil, o, facts)
  local start = info.parent and forks.start_of(dir)
  if start then forks.start(run, dir, start, { reseeded = info.parent.reseeded, say = o.say }) end
  return run
end

-- ------------------------------------------------------------------ the whole

--- Locks the run's directory. Returns what run.json holds, and the lock; nil and why it cannot be
--- resumed.
local function take(dir, o)
  local why = refusal(runs.read_whole(dir), dir, o)
  if why then return nil, nil, why end
  local lock = standing.hold(dir)
  if not lock and standing.of(dir, { status = "running" }) == "running" then
    return nil, nil, ("%s is running: another process writes it"):format(dir)
  end
  local info = runs.read_whole(dir) -- it may have ended meanwhile
  if info.status == "running" then info.status = "killed" end -- the lock is ours
  why = refusal(info, dir, o)
  if not why then return info, lock end
  standing.release(dir, lock)
  return nil, nil, why
end

--- Finds the point to go on from; nil: the run's beginning. Returns false, and says why, where
--- there is neither.
local function point_of(info, o)
  local point, problems = points.newest(o.dir, first_fit(info))
  for _, text in ipairs(problems) do o.say("not used: %s", text) end
  if point then return true, point end
  if info.parent and not forks.start_of(o.dir) then
    o.say("%s: the checkpoint that the fork starts from is missing; `swale fork %s --at %s` makes"
      .. " another fork", o.dir, tostring(info.parent.run), tostring(info.parent.step))
    return false
  elseif #problems > 0 then
    o.say("%s: no checkpoint can be used; nothing was changed. `swale fork` makes a new run from"
      .. " one that can be read, `swale rerun` repeats the whole run", o.dir)
    return false
  end
  return true
end

--- Executes the script of a run that is locked. Returns the exit status.
local function continue(info, lock, o)
  local why = changed(info)
  if why and not o.changed then
    o.say("%s since %s began; --changed goes on all the same, and records it", why, o.dir)
    return 1
  end
  local experiment, params = scripts.load(info, o)
  if not experiment then return params end
  tell_changes(info.params or {}, params, o.say)
  local differs = differences(info)
  for _, text in ipairs(differs) do o.say("%s: what follows may have other bits", text) end
  local found, point = point_of(info, o)
  if not found then return 1 end
  return experiment:continue(params, { traceback = o.traceback, checkpoint = o.checkpoint,
    open = function()
      return reopened(o.dir, info, lock, point, o, { params = params, changed = why,
        differs = differs })
    end })
end

---Goes on with a run. Returns the exit status.
---@param o swale.ResumeOptions
---@return integer code
function M.run(o)
  o.dir = place.enter(o.dir, runs.read_whole(o.dir))
  local info, lock, why = take(o.dir, o)
  if not info then
    o.say("%s", why)
    return 1
  end
  local code, run = continue(info, lock, o)
  if not (run and run.ended) then standing.release(o.dir, lock) end
  return code
end

return M
