--- The repl: reads and runs lines of Lua, prints the values of expressions.
local core = require "swale.core"
local show = require "swale.repl.show"

local M = {}

local PROMPT, CONTINUED = "> ", ">> "

local function is_incomplete(message) return message:find "<eof>'?$" ~= nil end

--- Loads an expression, else a statement. nil, true: it continues in the next line. The nil in
--- front prevents a tail call, whose line an error could not name.
local function compile(text)
  local chunk, first = load("return nil, " .. text, "=repl", "t")
  if chunk then return chunk end
  local message
  chunk, message = load(text, "=repl", "t")
  if chunk then return chunk end
  return nil, is_incomplete(first) or is_incomplete(message), message
end

local function print_values(values)
  local texts = {}
  for i = 3, values.n do texts[#texts + 1] = show.text(values[i]) end
  if #texts > 0 then print(table.concat(texts, "\t")) end
end

local function catch(value)
  if value == core.INTERRUPTED or core.interrupted() then return core.INTERRUPTED end
  return require("swale.errors").failure(value)
end

local function complain(self, text)
  io.stdout:flush()
  io.stderr:write(text, "\n")
  self.failed = true
end

--- Removes the position from a message: the input is one line.
local function without_first_line(message) return (message:gsub("^repl:1: ", "")) end

local function run(self, chunk)
  local values = table.pack(xpcall(chunk, catch))
  if values[1] and not core.interrupted() then
    local ok, problem = pcall(print_values, values)
    if not ok then complain(self, tostring(problem)) end
  elseif values[2] == core.INTERRUPTED or core.interrupted() then
    complain(self, "interrupted")
  else
    complain(self, without_first_line(values[2]))
  end
  core.clear_interrupt()
end

--- Reads a line. Ctrl-C may arrive at any time, also between the prompt and the wait.
local function read_line(self, prompt)
  local ok, line, why = pcall(self.input.line, self.input, prompt)
  if ok then return line, why end
  if line ~= core.INTERRUPTED then error(line, 0) end
  core.clear_interrupt()
  io.stdout:write "\n"
  return nil, "interrupted"
end

--- Reads a chunk: lines up to the one that completes it. nil: the end of the input.
local function read_chunk(self)
  local text = nil
  while true do
    local line, why = read_line(self, text and CONTINUED or PROMPT)
    if why then
      text = nil
    elseif not line then
      return nil, text and select(3, compile(text))
    else
      text = text and text .. "\n" .. line or line
      local chunk, incomplete, message = compile(text)
      if chunk or not incomplete then return chunk, message end
    end
  end
end

local function converse(self)
  while true do
    local chunk, message = read_chunk(self)
    if chunk then
      run(self, chunk)
    elseif message then
      complain(self, without_first_line(message))
    else
      return
    end
  end
end

---Reads and runs chunks until the input ends.
---@param input swale.ReplInput
---@return boolean failed   something went wrong on the way
function M.run(input)
  rawset(_G, "sw", require "swale")
  rawset(_G, "help", require("swale.repl.help").new())
  core.catch_signals(true)
  local self = { input = input, failed = false }
  converse(self)
  input:close()
  return self.failed
end

return M
