--- Measures times in the same way as other tools' benchmarks of this work.
local M = {}

local clocks = { -- nanoseconds
  wall = function() return require("luv").hrtime() end,
  cpu = function() return os.clock() * 1e9 end,
}
local clock = clocks.wall

---Chooses the clock of all times that follow: the CPU time of this process, of all its threads,
---hardly depends on what else runs on the machine.
---@param name "wall"|"cpu"
function M.use_clock(name) clock = clocks[name] end

---@param sorted number[]
---@return number
function M.median(sorted)
  local n = #sorted
  if n % 2 == 1 then return sorted[n // 2 + 1] end
  return (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end

---@class swale.Measured
---@field median_ms number
---@field min_ms number
---@field reps integer

---@param times number[]   milliseconds
---@return swale.Measured
function M.summary(times)
  table.sort(times)
  return { median_ms = M.median(times), min_ms = times[1], reps = #times }
end

local function milliseconds(f, calls)
  local begun = clock()
  for _ = 1, calls or 1 do f() end
  return (clock() - begun) / 1e6 / (calls or 1)
end

local WARM <const> = 0.3 -- seconds of calls before, unless min_time is less

--- Returns the time of the last call.
local function warm_up(f, least, min_time)
  local begun, calls, last = clock(), 0, 0
  while calls < least or (clock() - begun < math.min(WARM, min_time) * 1e9 and calls < 200) do
    last = milliseconds(f)
    calls = calls + 1
  end
  return last
end

local SHORTEST <const> = 0.1 -- milliseconds that are measured at once; the CPU clock counts 0.001

---Times of f() in milliseconds: after a warm-up, as many calls as take min_time seconds, but at
---least o.reps (5) and at most 5000. Short calls are timed several at once.
---@param f fun()
---@param min_time number
---@param o? { reps?: integer, warm?: integer }   warm: calls before, 2
---@return swale.Measured
function M.calls(f, min_time, o)
  o = o or {}
  local last = warm_up(f, o.warm or 2, min_time)
  local at_once = math.max(1, math.ceil(SHORTEST / math.max(last, 1e-3)))
  local times, total = {}, 0
  while (total < min_time * 1e3 or #times < (o.reps or 5)) and #times < 5000 do
    times[#times + 1] = milliseconds(f, at_once)
    total = total + times[#times] * at_once
  end
  return M.summary(times)
end

---Times functions in turn, so that load on the machine affects all of them alike.
---@param functions (fun())[]
---@param min_time number   seconds for each
---@return swale.Measured ...
function M.turns(functions, min_time)
  local times, total, rounds = {}, 0, 0
  for i, f in ipairs(functions) do
    warm_up(f, 2, min_time)
    times[i] = {}
  end
  while (total < #functions * min_time * 1e3 or rounds < 5) and rounds < 5000 do
    rounds = rounds + 1
    for i, f in ipairs(functions) do
      times[i][rounds] = milliseconds(f)
      total = total + times[i][rounds]
    end
  end
  for i, list in ipairs(times) do times[i] = M.summary(list) end
  return table.unpack(times)
end

---Seconds that f() takes, once.
---@param f fun()
---@return number
function M.once(f)
  local begun = clock()
  f()
  return (clock() - begun) / 1e9
end

return M
