--- A program that answers lines with lines of JSON, until its input ends. One that does not answer
--- in time is ended.
local core = require "swale.core"
local process = require "swale.process"

local M = {}

local function uv() return require "luv" end

local KEPT <const> = 4096  -- bytes of its messages
local TO_END <const> = 5   -- seconds that it may take to end, until it is killed

---@class swale.BenchPeer
---@field text string        what it printed and nobody has read
---@field complaint string   the end of its messages
---@field limit number       seconds that an answer may take
---@field ended? boolean     its output has
---@field code? integer      its exit status, and the signal that ended it or 0
---@field signal? integer
local Peer = {}
Peer.__index = Peer

function Peer:__close() self:close() end

---Starts a program.
---@param argv string[]
---@param limit number   seconds
---@return swale.BenchPeer|nil peer
---@return string? message
function M.start(argv, limit)
  local self = setmetatable({ text = "", complaint = "", limit = limit }, Peer)
  local output, messages = uv().new_pipe(false), uv().new_pipe(false)
  self.input, self.output, self.messages = uv().new_pipe(false), output, messages
  local problem
  self.handle, problem = uv().spawn(argv[1], { args = table.move(argv, 2, #argv, 1, {}),
    stdio = { self.input, output, messages } }, function(code, signal)
    self.code, self.signal = code, signal
    self.handle:close()
  end)
  if not self.handle then
    for _, pipe in ipairs { self.input, output, messages } do pipe:close() end
    uv().run "nowait"
    return nil, ("%s: %s"):format(argv[1], problem)
  end
  output:read_start(function(_, data)
    if data then self.text = self.text .. data else self.ended = true end
  end)
  messages:read_start(function(_, data)
    if data then self.complaint = (self.complaint .. data):sub(-KEPT) end
  end)
  return self
end

--- Ends the program after some seconds, or when Ctrl-C reached this process alone: it is asked to
--- end, and killed if it does not.
local function guard(handle, seconds)
  local watch, timer, begun, asked = { late = false }, uv().new_timer(), uv().hrtime(), nil
  timer:start(100, 100, function()
    local now = uv().hrtime()
    watch.late = watch.late or now - begun > seconds * 1e9
    if handle:is_closing() or not (watch.late or core.interrupted()) then return end
    asked = asked or now
    handle:kill(now - asked > TO_END * 1e9 and "sigkill" or "sigterm")
  end)
  return setmetatable(watch, { __close = function() timer:close() end })
end

--- Why there is no answer, once the program has ended.
function Peer:reason(late)
  if late then return ("no answer in %g seconds"):format(self.limit) end
  uv().run "nowait" -- reads the messages it wrote before its end
  local last = self.complaint:match "([^\n]+)%s*$"
  if self.signal ~= 0 then
    return ("signal %d ended it%s"):format(self.signal, last and ": " .. last or "")
  end
  return last or ("it ended with status %d"):format(self.code)
end

---Waits for the next line that is a JSON object.
---@return table|nil record   nil: it has ended, or did not answer in time and was ended
---@return string? why
function Peer:read()
  local _ <close> = process.deferred_interrupt()
  local watch <close> = guard(self.handle, self.limit)
  while true do
    local line, rest = self.text:match "^(.-)\n(.*)$"
    if line then
      self.text = rest
      local record = core.json_decode(line)
      if type(record) == "table" then return record end
    elseif self.handle:is_closing() and (self.ended or watch.late) then
      return nil, self:reason(watch.late)
    else
      uv().run "once"
    end
  end
end

---@param line string
---@return table|nil record, string? why
function Peer:ask(line)
  if not self.ended then self.input:write(line .. "\n") end
  return self:read()
end

---Ends its input, and it with that.
function Peer:close()
  local _ <close> = process.deferred_interrupt()
  if not self.input:is_closing() then self.input:close() end
  do
    local _ <close> = guard(self.handle, TO_END)
    while not self.handle:is_closing() do uv().run "once" end
  end
  for _, pipe in ipairs { self.output, self.messages } do
    if not pipe:is_closing() then pipe:close() end
  end
  uv().run "nowait" -- else luv crashes at the exit, as handles are not wholly closed
end

return M
