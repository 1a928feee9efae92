--- The output shape and the number of weights of each layer of a model.
local core = require "swale.core"
local entry = require "swale.entry"
local listen = require("swale.nn.listen").listen
local segments = require "swale.segments"
local ties = require "swale.nn.ties"

local M = {}

---@class swale.LayerRow
---@field path string
---@field layer swale.Layer
---@field output (integer|string)[]   sizes of its output, the first one "batch"; empty: no tensor
---@field shape string                the same as text
---@field weights integer

local function text_of(sizes)
  return #sizes > 0 and "(" .. table.concat(sizes, ", ") .. ")" or ""
end

local function weights_of(layer)
  local n = 0
  for _, parameter in ipairs(layer:parameters()) do
    local size = 1
    for _, length in ipairs(parameter.shape) do size = size * length end
    n = n + size
  end
  return n
end

---@param layer swale.Layer
---@param example swale.Example
---@return swale.LayerRow[]    in the order in which they are called
function M.rows(layer, example)
  local graph, rows = core.graph(), {}
  local bound = segments.nodes(graph, layer)
  local counted = {} -- weights of a shared layer count at its first place
  local function note(l, path, _, y)
    local weights, id = weights_of(l), ties.identity(l)
    if #l:children() > 0 and weights == 0 then return end
    if counted[id] then weights = 0 end
    counted[id] = true
    local output = core.type(y) == "node" and y:shape() or {}
    rows[#rows + 1] = { path = path, layer = l, output = output, shape = text_of(output),
      weights = weights }
  end
  listen(layer, note, function() layer:call(entry.input(graph, example), bound) end)
  return rows
end

return M
