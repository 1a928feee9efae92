--- A program that answers lines with lines of JSON, until its input ends.
local core = require "swale.core"
local process = require "swale.process"

local M = {}

local function uv() return require "luv" end

local KEPT <const> = 4096 -- bytes of its messages

---@class swale.BenchPeer
---@field text string        what it printed and nobody has read
---@field complaint string   the end of its messages
---@field ended? boolean
local Peer = {}
Peer.__index = Peer

function Peer:__close() self:close() end

---Starts a program.
---@param argv string[]
---@return swale.BenchPeer|nil peer
---@return string? message
function M.start(argv)
  local self = setmetatable({ text = "", complaint = "" }, Peer)
  local output, messages = uv().new_pipe(false), uv().new_pipe(false)
  self.input = uv().new_pipe(false)
  local problem
  self.handle, problem = uv().spawn(argv[1], { args = table.move(argv, 2, #argv, 1, {}),
    stdio = { self.input, output, messages } }, function() self.handle:close() end)
  if not self.handle then
    for _, pipe in ipairs { self.input, output, messages } do pipe:close() end
    uv().run "nowait"
    return nil, ("%s: %s"):format(argv[1], problem)
  end
  output:read_start(function(_, data)
    if data then self.text = self.text .. data else self.ended = true end
    if not data then output:close() end
  end)
  messages:read_start(function(_, data)
    if data then self.complaint = (self.complaint .. data):sub(-KEPT) else messages:close() end
  end)
  return self
end

--- Ends the program when Ctrl-C reached this process alone.
local function guard(handle)
  local timer = uv().new_timer()
  timer:start(100, 100, function()
    if core.interrupted() and not handle:is_closing() then handle:kill "sigterm" end
  end)
  return setmetatable({}, { __close = function() timer:close() end })
end

---Waits for the next line that is a JSON object.
---@return table|nil record   nil: it has ended
---@return string? why        its last message
function Peer:read()
  local _ <close> = process.deferred_interrupt()
  local _ <close> = guard(self.handle)
  while true do
    local line, rest = self.text:match "^(.-)\n(.*)$"
    if line then
      self.text = rest
      local record = core.json_decode(line)
      if type(record) == "table" then return record end
    elseif self.ended then
      return nil, self.complaint:match "([^\n]+)%s*$" or "it ended without a message"
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
  while not self.handle:is_closing() do uv().run "once" end
  uv().run "nowait"
end

return M
