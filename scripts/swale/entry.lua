--- The shape of a network's input. A data set has rows of numbers or images. A network whose first
--- layer takes images gets them as (B, height, width, channels), whatever their shape in the data
--- set, and one that takes rows as (B, n).
local M = {}

---Returns the shape of an example as the layer takes it.
---@param layer swale.Layer
---@param rows integer[]            its shape in the batch
---@param shape integer[]|nil       of an example, where it is known to be an image
---@return integer[]
function M.features(layer, rows, shape)
  local takes = layer:takes()
  if #rows == 1 and shape and #shape == 3 and takes == "images" then return shape end
  if #rows == 3 and takes == "rows" then return { rows[1] * rows[2] * rows[3] } end
  return rows
end

---Returns the input of a graph, in the shape that the layer takes.
---@param graph swale.Graph
---@param example swale.Example
---@return swale.Node
function M.input(graph, example)
  local rows = example.rows or example.features
  local x = graph:input(1, example.index and "index" or "real",
    { "batch", table.unpack(rows) })
  if #rows == #example.features then return x end
  return x:reshape { "batch", table.unpack(example.features) }
end

---Returns a batch in the shape that the layer takes.
---@param layer swale.Layer
---@param x swale.Tensor            (N, …)
---@param shape integer[]|nil
---@return swale.Tensor
function M.rows(layer, x, shape)
  local rows = table.move(x:shape(), 2, x:ndim(), 1, {})
  local features = M.features(layer, rows, shape)
  return #features == #rows and x or x:reshape { #x, table.unpack(features) }
end

return M
