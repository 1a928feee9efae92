--- gnuplot, as a process of its own that gets its commands by stdin.
local folders = require "swale.folders"
local process = require "swale.process"

local M = {}

--- How all pictures begin: a quiet frame, a grid behind the curves, the key at the top right.
M.HEAD = [[
set encoding utf8
set border 3 lc rgb "#444444"
set tics nomirror out textcolor rgb "#222222"
set grid xtics ytics lt 1 lw 0.5 lc rgb "#e4e4e4"
set key top right reverse Left noenhanced samplen 2]]

local TERMINALS = {
  svg = 'set terminal svg size 900,%d dynamic font "Helvetica,14" background rgb "white"',
  png = 'set terminal pngcairo size 900,%d font "Sans,11"',
}

---A text in gnuplot's quotation marks.
---@param text string
---@return string
function M.quoted(text) return '"' .. text:gsub('[\\"`]', "\\%0") .. '"' end

---Draws to a temporary name; what is under path is whole.
---@param commands string   without terminal and output
---@param kind "svg"|"png"
---@param path string
---@param height integer    pixels; 900 wide
---@return true|nil ok, string? message
function M.draw(commands, kind, path, height)
  if not process.find "gnuplot" then return nil, "there is no gnuplot (package gnuplot-nox)" end
  local temporary = path .. ".tmp"
  local input = ("%s\nset output %s\n%sset output\n"):format(TERMINALS[kind]:format(height),
    M.quoted(temporary), commands)
  local result, message = process.run({ "gnuplot" }, { input = input, timeout = 60 })
  if not result then return nil, "gnuplot cannot be started: " .. message end
  if result.code == 0 and (folders.size(temporary) or 0) > 0 then
    return folders.rename(temporary, path)
  end
  folders.remove(temporary)
  return nil, "gnuplot: " .. (result.err:match "[^\n]*line %d+: [^\n]*" or
    result.err:match "%S[^\n]*" or "failed with " .. result.code)
end

return M
