--- The commands of a picture as they are collected for gnuplot. Texts become variables, which
--- swale.gnuplot writes in octal; data become blocks of numbers.
local M = {}

local LARGEST <const> = 1e300 -- what gnuplot's arithmetic has room for

---@class swale.Canvas
---@field lines string[]
---@field texts table<string, string>
---@field blocks integer
---@field named integer
local Canvas = {}
Canvas.__index = Canvas

---@return swale.Canvas
function M.new() return setmetatable({ lines = {}, texts = {}, blocks = 0, named = 0 }, Canvas) end

---Whether gnuplot can place a number.
---@param v any
---@return boolean
function M.is_finite(v) return type(v) == "number" and v >= -LARGEST and v <= LARGEST end

---Adds a command. Only numbers and what text and block return may be formatted into it.
---@param fmt string
---@param ... number|string
function Canvas:add(fmt, ...) self.lines[#self.lines + 1] = fmt:format(...) end

---Returns the name of a variable that holds the text.
---@param text any
---@return string
function Canvas:text(text)
  self.named = self.named + 1
  local name = "T" .. self.named
  self.texts[name] = tostring(text)
  return name
end

---Adds a block of data; an empty row is a blank line, which breaks a line or ends a row of a grid.
---@param rows number[][]    of equal lengths
---@return string name
function Canvas:block(rows)
  self.blocks = self.blocks + 1
  local name, fmt = "$d" .. self.blocks, {}
  self:add("%s << EOD", name)
  for _, row in ipairs(rows) do
    local n = #row
    fmt[n] = fmt[n] or ("%.7g "):rep(n):sub(1, -2)
    self.lines[#self.lines + 1] = n == 0 and "" or fmt[n]:format(table.unpack(row))
  end
  self:add "EOD"
  return name
end

---@return string
function Canvas:commands() return table.concat(self.lines, "\n") .. "\n" end

return M
