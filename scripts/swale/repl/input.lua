--- Lines for the repl: from a terminal, with readline's editing and history if lua-readline is
--- installed, or from a pipe or file. Ctrl-C drops the line.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

---@class swale.ReplInput
---@field terminal boolean
local Input = {}
Input.__index = Input

local function uv() return require "luv" end

local function history_file()
  local state = os.getenv "XDG_STATE_HOME"
  if not (state or ""):match "^/" then state = folders.home() .. "/.local/state" end
  if not folders.make_folder(state .. "/swale") then return nil end
  return state .. "/swale/repl_history"
end

--- lua-readline with our history; nil if it is not installed.
local function readline()
  local ok, library = pcall(require, "readline")
  if not ok then return nil end
  local file = history_file()
  if file then library.set_options { histfile = file, keeplines = 1000 } end
  library.set_readline_name "swale"
  return library
end

---@return swale.ReplInput
function M.new()
  local kind = uv().guess_handle(0)
  local terminal = kind == "tty"
  return setmetatable({ terminal = terminal, waits = kind ~= "file" and kind ~= "unknown",
    readline = terminal and os.getenv "TERM" ~= "dumb" and readline() or nil, rest = "" }, Input)
end

--- Waits for input; false: Ctrl-C came first. libuv handles the signal while it waits, the core
--- afterwards.
local function wait(self)
  if not self.waits then return true end
  local ready, pressed = false, false
  local signal = uv().new_signal()
  signal:start("sigint", function() pressed = true end)
  local early = core.interrupted() -- between the prompt and now
  local poll = uv().new_poll(0)
  poll:start("r", function() ready = true end)
  while not ready and not pressed and not early do uv().run "once" end
  poll:close()
  signal:close()
  uv().run "nowait"
  core.clear_interrupt()
  return not pressed and not early
end

--- Reads one line from a pipe or file, which is read in pieces.
local function plain_line(self, prompt)
  if self.terminal then
    io.stdout:write(prompt)
    io.stdout:flush()
  end
  while true do
    local line, rest = self.rest:match "^([^\n]*)\n(.*)$"
    if line then
      self.rest = rest
      return line
    end
    if not wait(self) then return nil, "interrupted" end
    local piece = uv().fs_read(0, 65536)
    if not piece or piece == "" then
      line, self.rest = self.rest, ""
      return line ~= "" and line or nil
    end
    self.rest = self.rest .. piece
  end
end

local function edited_line(self, prompt)
  local library, line, over = self.readline, nil, false
  library.handler_install(prompt, function(text)
    line, over = text, true
    library.handler_remove()
  end)
  while not over do
    if not wait(self) then
      library.handler_remove()
      return nil, "interrupted"
    end
    library.read_char()
  end
  if line and line:find "%S" then library.add_history(line) end
  return line
end

---Reads the next line, without its end. nil: there is none; nil, "interrupted": Ctrl-C.
---@param prompt string   shown on a terminal
---@return string|nil line, string? why
function Input:line(prompt)
  local read = self.readline and edited_line or plain_line
  local line, why = read(self, prompt)
  if not line and self.terminal then io.stdout:write "\n" end
  if why then self.rest = "" end
  return line, why
end

---Saves the history.
function Input:close()
  if self.readline then pcall(self.readline.save_history) end
end

return M
