--- Ends the process groups of a pool that is killed. It is a process of its own, which reads their
--- numbers from a pipe; the pipe ends when the pool ends, however it does. Children of the pool get
--- SIGTERM at that moment (die_with_parent) and have time to save what they have.
local M = {}

local PATIENCE = 15 -- seconds until SIGKILL
local STEP = 50     -- ms between two looks

local CHILD = 'require("swale.batch.guard").main()'

local function uv() return require "luv" end

---@class swale.PoolGuard
local Guard = {}
Guard.__index = Guard

---Starts a guard. Without one (no more processes may be started) the pool works, too.
---@return swale.PoolGuard
function M.start()
  local ends = uv().pipe()
  if not ends then return setmetatable({}, Guard) end
  local self = setmetatable({ fd = ends.write }, Guard)
  self.handle = uv().spawn(require("swale.process").interpreter(), { args = { "-e", CHILD },
    stdio = { ends.read, nil, nil }, detached = true }, function() self.handle:close() end)
  uv().fs_close(ends.read)
  if not self.handle then self:close() end
  return self
end

local function tell(self, text)
  if self.fd then uv().fs_write(self.fd, text, -1) end
end

---@param group integer
function Guard:add(group) tell(self, ("+%d\n"):format(group)) end

---@param group integer
function Guard:remove(group) tell(self, ("-%d\n"):format(group)) end

---Ends the guard; there are no groups left.
function Guard:close()
  if not self.fd then return end
  tell(self, "end\n")
  uv().fs_close(self.fd)
  self.fd = nil
  while self.handle and not self.handle:is_closing() do uv().run "once" end
end

-- ------------------------------------------------------------------ the guard's process

--- The groups that are left when the pipe ends.
local function read_groups()
  local groups = {}
  for line in io.lines() do
    if line == "end" then return {} end
    local sign, number = line:match "^([+-])(%d+)$"
    if sign then groups[math.tointeger(tonumber(number))] = sign == "+" or nil end
  end
  return groups
end

--- Kills a group whose leader has ended, or any if it is late. Returns whether it is to be looked
--- at again.
local function look_at(group, late)
  if late or not uv().kill(group, 0) then uv().kill(-group, "sigkill") end
  return not late and uv().kill(-group, 0) ~= nil
end

function M.main()
  local groups = read_groups()
  local begun = uv().hrtime()
  while next(groups) do
    local late = (uv().hrtime() - begun) / 1e9 > PATIENCE
    for group in pairs(groups) do
      if not look_at(group, late) then groups[group] = nil end
    end
    if next(groups) then uv().sleep(STEP) end
  end
end

return M
