--- What comes out of each layer of a model, and how many weights are in it.
local core = require "swale.core"
local entry = require "swale.entry"
local segments = require "swale.segments"

local M = {}

---@class swale.LayerRow
---@field path string
---@field layer swale.Layer
---@field shape string        of its output
---@field weights integer

local function shape_text(node)
  if core.type(node) ~= "node" then return "" end
  local sizes = {}
  for i, size in ipairs(node:shape()) do sizes[i] = tostring(size) end
  return "(" .. table.concat(sizes, ", ") .. ")"
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

local function visit(layer, path, f)
  f(layer, path)
  for _, child in ipairs(layer:children()) do
    visit(child.layer, (path == "" and "" or path .. ".") .. child.key, f)
  end
end

--- Each layer's call notes its output, for as long as f lasts.
local function listening(layer, rows, f)
  local all = {}
  visit(layer, "", function(l, path)
    if rawget(l, "call") then return end -- one that is there twice
    all[#all + 1] = l
    local call = l.call
    rawset(l, "call", function(self, ...)
      local y = call(self, ...)
      if #self:children() == 0 or weights_of(self) > 0 then
        rows[#rows + 1] = { path = path, layer = self, shape = shape_text(y),
          weights = weights_of(self) }
      end
      return y
    end)
  end)
  local ok, problem = pcall(f)
  for _, l in ipairs(all) do rawset(l, "call", nil) end
  if not ok then error(problem, 0) end
end

---@param layer swale.Layer
---@param example swale.Example
---@return swale.LayerRow[]    in the order in which they are called
function M.rows(layer, example)
  local graph, rows = core.graph(), {}
  local bound = segments.nodes(graph, layer)
  listening(layer, rows, function() layer:call(entry.input(graph, example), bound) end)
  return rows
end

return M
