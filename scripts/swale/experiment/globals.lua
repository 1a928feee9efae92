--- The globals of Lua that are replaced while an experiment runs: math.random draws from the stream
--- "script" of the run's seed, print also writes the log, and os.exit ends the run's record first.
local core = require "swale.core"

local M = {}

--- The stream that math.random draws from while it is replaced, its seed and its name. A script may
--- have taken the function before: `local random = math.random`. So there is one function for all
--- streams.
local current

local function whole(low, high)
  if low > high then error("bad argument to 'random' (interval is empty)", 3) end
  local span = high - low + 1
  if span > 0 and span < 2 ^ 31 then return low + current.stream:integer(span) - 1 end
  return low + math.floor(current.stream:uniform() * ((high - low) + 1.0))
end

--- With Lua's meaning of the arguments.
local function random(low, high)
  local stream = current.stream
  if not low then return stream:uniform() end
  if low == 0 and not high then return stream:integer(1 << 30) << 34 ~ stream:integer(1 << 30) end
  if not high then low, high = 1, low end
  return whole(math.tointeger(low) or math.floor(low), math.tointeger(high) or math.floor(high))
end

local function randomseed(n)
  current.stream = core.random(current.seed, current.name, math.tointeger(n) or 1)
end

---@class swale.Borrowed
---@field print function
---@field before_exit fun(code?: boolean|integer): boolean|integer|nil   the exit status

local function set_random(f, seed)
  rawset(math, "random", f)
  rawset(math, "randomseed", seed)
end

local function set(print_, exit)
  rawset(_G, "print", print_)
  rawset(os, "exit", exit)
end

---Makes math.random draw from stream n of a seed and name until give_back is called.
---@param seed integer
---@param name string
---@param n integer
---@return fun() give_back
function M.borrow_random(seed, name, n)
  local before, random_before, randomseed_before = current, math.random, math.randomseed
  current = { stream = core.random(seed, name, n), seed = seed, name = name }
  set_random(random, randomseed)
  return function()
    current = before or current -- a function that was taken draws on from the last stream
    set_random(random_before, randomseed_before)
  end
end

---The stream that math.random draws from; nil: Lua's own.
---@return swale.Random|nil
function M.stream() return current and current.stream end

---@param seed integer
---@param replaced swale.Borrowed
---@return fun() give_back
function M.borrow(seed, replaced)
  local print_, exit = print, os.exit
  local give_back_random = M.borrow_random(seed, "script", 1) -- 0 is sw.rand's
  set(replaced.print, function(code, close) exit(replaced.before_exit(code), close) end)
  return function()
    give_back_random()
    set(print_, exit)
  end
end

return M
