--- Runs other programs, without a shell: arguments need no quoting. Uses libuv (lua-luv), which is
--- loaded when the first program starts.
local M = {}

local function uv() return require "luv" end

---@class swale.ProcessOptions
---@field cwd? string
---@field env? table<string, string|false>   added to this process's; false takes one away
---@field input? string                      what it reads
---@field output? string                     the file that gets what it prints; else it is returned
---@field limit? integer                      bytes; more output than that ends it
---@field inherit? boolean                   it has this process's terminal; nothing is returned
---@field timeout? number                    seconds, then it is killed

---@class swale.ProcessResult
---@field code integer     exit status; 128 + signal where one ended it
---@field too_long boolean? more came than the limit: what came before it is kept
---@field out string
---@field err string

---Finds a program on the path.
---@param program string
---@return string|nil
function M.find(program)
  if program:find "/" then return uv().fs_access(program, "X") and program or nil end
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    local path = folder .. "/" .. program
    if uv().fs_access(path, "X") then return path end
  end
  return nil
end

---Returns the path of the running Lua interpreter.
---@return string
function M.interpreter()
  local i = 0
  while arg and arg[i - 1] do i = i - 1 end
  return arg and i < 0 and arg[i] or "lua5.4"
end

---Returns the words of a command that starts this `swale` with the same Lua.
---@return string[]
function M.swale()
  local main = arg and arg[0] and arg[0]:match "bin/swale%.lua$" and arg[0]
  local home = os.getenv "SWALE_HOME" or "."
  for _, path in ipairs { home .. "/scripts/bin/swale.lua", home .. "/bin/swale.lua" } do
    main = main or require("swale.folders").exists(path) and path
  end
  return { M.interpreter(), main or "swale" }
end

---Returns the environment of a child process, in libuv's form.
---@param changes? table<string, string|false>   to this process's; false takes one away
---@return string[]|nil   nil: this process's
function M.environment(changes)
  if not changes then return nil end
  local merged, list = uv().os_environ(), {}
  for name, value in pairs(changes) do merged[name] = value or nil end
  for name, value in pairs(merged) do list[#list + 1] = name .. "=" .. value end
  return list
end

--- Reads a pipe into a list of chunks, or into the file fd. It is closed at the first byte that is
--- beyond the limit or cannot be written.
local function collector(limit, fd)
  local self = { pipe = uv().new_pipe(false), size = 0 }
  local pipe, chunks = self.pipe, {}
  local function take(data)
    self.size = self.size + #data
    self.too_long = limit ~= nil and self.size > limit
    if self.too_long then return false end
    if not fd then
      chunks[#chunks + 1] = data
      return true
    end
    local written, problem, code = uv().fs_write(fd, data, -1)
    if written == #data then return true end
    self.problem = problem or "ENOSPC: no space left on device"
    self.code = problem and code or "ENOSPC"
    return false
  end
  function self.start(_, stop)
    pipe:read_start(function(_, data)
      if data and take(data) then return end
      if data then stop() end
      if not pipe:is_closing() then pipe:close() end
    end)
  end
  function self.text() return table.concat(chunks) end
  return self
end

--- Ends a program that runs longer than its timeout, or that continues after Ctrl-C reached this
--- process alone.
local function guard(handle, timeout)
  local core = package.loaded["swale.core"]
  local timer, start = uv().new_timer(), uv().hrtime()
  timer:start(100, 100, function()
    local late = timeout and (uv().hrtime() - start) / 1e9 > timeout
    if late or core and core.interrupted() then handle:kill "sigterm" end
  end)
  return timer
end

local function stdio_of(o, out, err, input)
  if o.inherit then return { 0, 1, 2 } end
  return { input and input or 0, o.fd and not o.limit and o.fd or out.pipe, err.pipe }
end

local function feed(pipe, text)
  pipe:write(text, function() if not pipe:is_closing() then pipe:close() end end)
end

local function close_all(...)
  for _, handle in ipairs { ... } do if not handle:is_closing() then handle:close() end end
end

--- Runs libuv's loop until our handles are closed; a script may have handles of its own in it.
local function run_until_closed(...)
  for _, handle in ipairs { ... } do
    while not handle:is_closing() do uv().run "once" end
  end
  uv().run "nowait"
end

---Defers the error of Ctrl-C until the result is closed, where it is raised: an error in a callback
---of libuv would end the process.
---@return table to_close
function M.deferred_interrupt()
  local core = package.loaded["swale.core"]
  local before = core and core.defer_interrupt(true)
  return setmetatable({}, { __close = function()
    if core then core.defer_interrupt(before) end
  end })
end

local function spawn(argv, o)
  local _ <close> = M.deferred_interrupt()
  local out, err = collector(o.limit, o.fd), collector()
  local input = o.input and uv().new_pipe(false)
  local code, signal, timer, handle
  local problem, fault
  handle, problem, fault = uv().spawn(argv[1], {
    args = table.move(argv, 2, #argv, 1, {}), cwd = o.cwd, env = M.environment(o.env),
    stdio = stdio_of(o, out, err, input),
  }, function(c, s)
    code, signal = c, s
    close_all(timer, handle)
  end)
  if not handle then
    close_all(out.pipe, err.pipe, input or nil)
    uv().run "nowait"
    return nil, ("%s: %s"):format(argv[1], problem), fault
  end
  timer = guard(handle, o.timeout)
  if input then feed(input, o.input) end
  local function stop() handle:kill "sigkill" end
  if o.inherit then close_all(out.pipe, err.pipe) else err:start(stop) end
  if o.fd and not o.limit then
    close_all(out.pipe)
  elseif not o.inherit then
    out:start(stop)
  end
  run_until_closed(handle, out.pipe, err.pipe, input or nil)
  if out.problem then return nil, out.problem, out.code end
  return { code = signal ~= 0 and 128 + signal or code, out = out.text(), err = err.text(),
    too_long = out.too_long }
end

---Runs a program and waits for its end.
---@param argv string[]   the program and its arguments
---@param o? swale.ProcessOptions
---@return swale.ProcessResult|nil result   nil: it could not be started
---@return string? message
---@return string? code
function M.run(argv, o)
  o = setmetatable({}, { __index = o or {} })
  if o.output then
    local fd, problem, code = uv().fs_open(o.output, "w", 420) -- rw-r--r--
    if not fd then return nil, problem, code end
    o.fd = fd
  end
  local result, message, code = spawn(argv, o)
  if o.fd then uv().fs_close(o.fd) end
  return result, message, code
end

return M
