--- Runs gnuplot: commands go to its stdin, the picture comes from its stdout.
---
--- A text from a user or a file is never part of the commands. It is the value of a gnuplot
--- variable, written in octal, so that no byte of it can end a string or be substituted.
local core = require "swale.core"
local process = require "swale.process"

local M = {}

--- The beginning of all pictures: frame, grid behind the curves, key at the top right.
M.HEAD = [[
set encoding utf8
set border 3 lc rgb "#444444"
set tics nomirror out textcolor rgb "#222222"
set grid xtics ytics lt 1 lw 0.5 lc rgb "#e4e4e4"
set key top right reverse Left samplen 2]]

local TERMINALS = {
  svg = 'set terminal svg noenhanced size %d,%d dynamic font "Helvetica,14"'
    .. ' background rgb "white"',
  png = 'set terminal pngcairo noenhanced size %d,%d font "Sans,11"',
  pdf = 'set terminal pdfcairo noenhanced size %gin,%gin font "Sans,11"',
}

--- The kinds of files that draw writes, by their endings.
M.KINDS = { svg = true, png = true, pdf = true }

local WIDTH <const> = 900
local DOTS <const> = 96 -- an inch, in PDF

---The range of a linear axis with room beside the values, which are finite. It is never empty:
---gnuplot draws nothing then.
---@param low number
---@param high number
---@param share number    of their range: the room on each side
---@return number low
---@return number high
function M.widened(low, high, share)
  local size = math.max(math.abs(low), math.abs(high))
  local margin = high > low and (high - low) * share or size / 10
  margin = math.max(margin, size * 1e-5, 1e-9)
  return low - margin, high + margin
end

---The command for such a range.
---@param low number
---@param high number
---@param share number
---@return string
function M.y_range(low, high, share)
  return ("set yrange [%.7g:%.7g]"):format(M.widened(low, high, share))
end

local REPLACEMENT = "\u{FFFD}"
local LONGEST = 80 -- characters of a text: a key that is wider than the picture is left out

--- The length of the printable character at i, in valid UTF-8; nil for other bytes.
local function printable_length(text, i)
  if not utf8.len(text, i, i) then return nil end
  local code = utf8.codepoint(text, i)
  if code < 0x20 or code >= 0x7F and code < 0xA0 or code & 0xFFFE == 0xFFFE then return nil end
  return #utf8.char(code)
end

---Makes a text printable: line ends and tabs become spaces, other control characters and bytes that
---are not UTF-8 become U+FFFD, which SVG (XML) can hold. A long text is cut.
---@param text string
---@return string
function M.printable(text)
  text = text:gsub("[\n\r\t]", " ")
  local parts, i = {}, 1
  while i <= #text do
    if #parts == LONGEST then
      parts[LONGEST] = "…"
      break
    end
    local n = printable_length(text, i)
    parts[#parts + 1] = n and text:sub(i, i + n - 1) or REPLACEMENT
    i = i + (n or 1)
  end
  return table.concat(parts)
end

--- gnuplot reads up to four octal digits, so digits are escaped as well.
local function octal(text)
  return '"' .. text:gsub("[^A-Za-z ]", function(c) return ("\\%03o"):format(c:byte()) end) .. '"'
end

local function definitions(texts)
  local lines = {}
  for name, text in pairs(texts) do
    assert(name:find "^[A-Z][A-Z0-9_]*$", name)
    lines[#lines + 1] = ("%s = %s\n"):format(name, octal(M.printable(text)))
  end
  table.sort(lines)
  return table.concat(lines)
end

--- Coordinates to a tenth of a pixel.
local function rounded(points) return (points:gsub("(%.%d)%d+", "%1")) end

--- Removes what is invisible in gnuplot's SVG: attributes with SVG's defaults, empty
--- texts and groups, digits far below a pixel, and titles that browsers show under the pointer; and
--- widens the white box behind a text.
local function without_debris(svg)
  local n
  svg = svg:gsub("%s*<title>[Gg]nuplot[^<]*</title>", "")
    :gsub(' stroke%-linecap="butt"', ""):gsub(' stroke%-linejoin="miter"', "")
    :gsub("(id='textbox' filterUnits='objectBoundingBox') x='0' y='0' height='1' width='1'",
      "%1 x='-0.2' y='-0.2' height='1.4' width='1.4'") -- a box as tight as that cuts its text
    :gsub("<text></text>%s*", ""):gsub(" d='[^']*'", rounded):gsub(" points = '[^']*'", rounded)
  repeat svg, n = svg:gsub("<g [^>]*>%s*</g>%s*", "") until n == 0
  return svg
end

local function terminal(picture, kind)
  local width, height = picture.width or WIDTH, picture.height
  if kind == "pdf" then width, height = width / DOTS, height / DOTS end
  return TERMINALS[kind]:format(width, height)
end

---@class swale.Picture
---@field commands string                without terminal and output; made of constants and numbers
---@field texts table<string, string>    variables that commands may name: capitals
---@field height integer                 pixels
---@field width? integer                 900

---Draws a picture. The file at path is always complete.
---@param picture swale.Picture
---@param kind "svg"|"png"|"pdf"
---@param path string
---@return true|nil ok, string? message
function M.draw(picture, kind, path)
  if not process.find "gnuplot" then return nil, "there is no gnuplot (package gnuplot-nox)" end
  local input = ("%s\n%s%s"):format(terminal(picture, kind), definitions(picture.texts),
    picture.commands)
  local result, message = process.run({ "gnuplot", "-d" }, { input = input, timeout = 60 })
  if not result then return nil, "gnuplot cannot be started: " .. message end
  if result.code == 0 and result.out ~= "" then
    return core.write_file(path, kind == "svg" and without_debris(result.out) or result.out)
  end
  return nil, "gnuplot: " .. (result.err:match "[^\n]*line %d+: [^\n]*" or
    result.err:match "%S[^\n]*" or "failed with " .. result.code)
end

return M
