--- The layout of flat vectors. A network has two: its weights, which are trained, and its buffers,
--- which layers update themselves (running statistics). There is no padding; segments have the
--- order in which the layers list them.
local core = require "swale.core"
local ties = require "swale.nn.ties"

local M = {}

---@class swale.Segment
---@field path string            "0.weight"
---@field offset integer         of its first element, from 1
---@field size integer
---@field shape integer[]
---@field parameter swale.Parameter

---Elements of a shape.
---@param shape integer[]
---@return integer
function M.elements(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

local function add(list, prefix, parameter)
  local last = list[#list]
  list[#list + 1] = { path = prefix .. parameter.name, parameter = parameter,
    shape = parameter.shape, size = M.elements(parameter.shape),
    offset = last and last.offset + last.size or 1 }
end

---@class swale.Tie               a parameter's path in a further place of a shared layer
---@field path string
---@field first string              where its segment is

--- firsts: the prefix of each layer's first place. Further places add no segments.
local function collect(layer, prefix, all, firsts)
  local id = ties.identity(layer)
  local first = firsts[id]
  firsts[id] = first or prefix
  for _, parameter in ipairs(layer:parameters()) do
    if not first then
      add(all.weights, prefix, parameter)
    else
      local path, at = prefix .. parameter.name, first .. parameter.name
      all.ties[#all.ties + 1] = { path = path, first = at }
    end
  end
  for _, buffer in ipairs(first and {} or layer:buffers()) do add(all.buffers, prefix, buffer) end
  for _, child in ipairs(layer:children()) do
    collect(child.layer, prefix .. child.key .. ".", all, firsts)
  end
end

---Returns the segments of a description's two vectors.
---@param layer swale.Layer
---@return swale.Segment[] weights
---@return swale.Segment[] buffers
---@return swale.Tie[] ties
function M.of(layer)
  local all = { weights = {}, buffers = {}, ties = {} }
  collect(layer, "", all, {})
  return all.weights, all.buffers, all.ties
end

---@param list swale.Segment[]
---@return integer   elements of the vector
function M.size(list)
  local last = list[#list]
  return last and last.offset + last.size - 1 or 0
end

---Returns views of the segments, by path.
---@param flat swale.Tensor|nil   nil where there are no segments
---@param list swale.Segment[]
---@return table<string, swale.Tensor>
function M.views(flat, list)
  local views = {}
  for _, s in ipairs(list) do
    views[s.path] = flat:narrow(1, s.offset, s.size):reshape(s.shape)
  end
  return views
end

--- firsts: the prefix of each layer's first place, where its segments are.
local function bind(layer, get, prefix, firsts)
  local id, p = ties.identity(layer), {}
  local first = firsts[id] or prefix
  firsts[id] = first
  for _, parameter in ipairs(layer:parameters()) do
    p[parameter.name] = get(first .. parameter.name)
  end
  for _, buffer in ipairs(layer:buffers()) do p[buffer.name] = get(first .. buffer.name) end
  for i, child in ipairs(layer:children()) do
    p[i] = bind(child.layer, get, prefix .. child.key .. ".", firsts)
  end
  return p
end

---Returns the table that a layer's forward takes: parameters and buffers by name, as get returns
---them for each path.
---@param layer swale.Layer
---@param get fun(path: string): swale.Value
---@return table
function M.bind(layer, get) return bind(layer, get, "", {}) end

local function add_nodes(graph, list, vector, by_path)
  for _, s in ipairs(list) do by_path[s.path] = graph:param(s.offset, s.shape, vector) end
end

---Adds the params of a layer to a graph: vector 1 has the weights, 2 the buffers.
---@param graph swale.Graph
---@param layer swale.Layer
---@return table bound                        as the layer's forward takes them
---@return table<string, swale.Node> by_path
function M.nodes(graph, layer)
  local weights, buffers = M.of(layer)
  local by_path = {}
  add_nodes(graph, weights, 1, by_path)
  add_nodes(graph, buffers, 2, by_path)
  return M.bind(layer, function(path) return by_path[path] end), by_path
end

---Returns the layout of a vector for checkpoints, in JSON: [{"path":, "offset":, "shape":}]. The
---shape of a scalar is [], which JSON's encoder would write as an object.
---@param list swale.Segment[]
---@return string
function M.json(list)
  local map = {}
  for i, s in ipairs(list) do map[i] = { path = s.path, offset = s.offset, shape = s.shape } end
  return (core.json_encode(map):gsub('"shape":{}', '"shape":[]'))
end

return M
