--- Colours, dashes and marks of curves.
local errors = require "swale.errors"

local M = {}

--- Those of Okabe and Ito, which are distinct for the colour-blind, in the order of use.
local NAMED = { blue = "#0072B2", vermilion = "#D55E00", green = "#009E73", purple = "#CC79A7",
  orange = "#E69F00", sky = "#56B4E9", black = "#000000", grey = "#999999", yellow = "#F0E442" }
local ORDER = { "blue", "vermilion", "green", "purple", "orange", "sky", "black", "grey" }

M.DASHES = { solid = 1, dashed = 2, dotted = 3 }     -- gnuplot's dt
local SHAPES = { 7, 9, 5, 13, 11, 6, 8, 4 }          -- gnuplot's pt: disc, triangle, square, …

---The colour of a series: "#rrggbb".
---@param where string
---@param colour string|integer|nil   a name, "#rrggbb" or a place in the order; nil: i
---@param i integer                   the number of the series
---@return string
function M.colour(where, colour, i)
  colour = colour or i
  if math.type(colour) == "integer" then return NAMED[ORDER[(colour - 1) % #ORDER + 1]] end
  if type(colour) == "string" and colour:find "^#%x%x%x%x%x%x$" then return colour end
  return NAMED[colour] or errors.misuse("%s: colour is a name, a number from 1 or \"#rrggbb\","
    .. " not %s%s There are: %s.", where, errors.shown(colour), errors.suggestion(colour, NAMED),
    table.concat(errors.sorted(NAMED), ", "))
end

---@param i integer
---@return integer   gnuplot's number of a point
function M.shape(i) return SHAPES[(i - 1) % #SHAPES + 1] end

return M
