--- A method of models: outputs for many rows. The network is compiled for evaluation and run a
--- batch at a time.
local contexts = require "swale.nn.context"
local core = require "swale.core"
local entry = require "swale.entry"
local errors = require "swale.errors"
local options = require "swale.options"
local segments = require "swale.segments"

local M = {}

--- rows(first, n), how many there are, and the shape of one if it is known to be an image.
local function rows_of(layer, x)
  local image
  if type(x) == "table" and not getmetatable(x) and core.type(x.x) == "tensor" then
    x, image = x.x, x.shape -- a batch
  end
  options.value("model:predict", "x", x, "Split|tensor")
  if core.type(x) == "tensor" then
    if x:ndim() == 0 then errors.misuse "model:predict: a scalar has no rows" end
    local indices = layer:takes() == "indices" and x:dtype() == "int32"
    return #x, function(first, n)
      local part = x:narrow(1, first, n):contiguous()
      return indices and part or part:to "float32"
    end, image
  end
  return #x, function(first, n)
    local index = {}
    for i = 1, n do index[i] = first + i - 1 end
    return (x:gather(index))
  end, x.shape
end

local function program_for(model, x, shape)
  local graph = core.graph()
  local rows = table.move(x:shape(), 2, x:ndim(), 1, {})
  local input = entry.input(graph, { rows = rows, index = x:dtype() == "int32",
    features = entry.features(model.layer, rows, shape) })
  local y = model.layer:call(input, (segments.nodes(graph, model.layer)),
    contexts.new("eval", { fold = true }))
  return core.program(graph, { y })
end

local PREDICT = { batch = { "count", 1000 } }

---Returns the outputs for many rows. The rows of a split are normalised, as in training; those of a
---tensor or a batch are used as they are. Batch norms use the running statistics.
---@param self swale.Model
---@param x swale.Split|swale.Batch|swale.Tensor     (N, …)
---@param o? { batch?: integer }         1000
---@return swale.Tensor outputs          (N, …)
---@return swale.Tensor|nil labels       int32 (N): the place of the largest, from 0, of several
function M.predict(self, x, o)
  o = options.check("model:predict", o, PREDICT)
  local total, rows, image = rows_of(self.layer, x)
  local outputs, program
  for first = 1, total, o.batch do
    local part = rows(first, math.min(o.batch, total - first + 1))
    program = program or program_for(self, part, image)
    local y = errors.check(program:run { inputs = { part }, batch = #part,
      vectors = { self:weights(), self:buffers() } })
    local shape = y:shape()
    shape[1] = total
    outputs = outputs or core.zeros(shape)
    outputs:narrow(1, first, #y):copy(y)
  end
  if not outputs then errors.misuse "model:predict: there are no rows" end
  local shape = outputs:shape()
  local several = #shape == 2 and shape[2] > 1
  return outputs, several and require("swale.ops").argmax(outputs) or nil
end

return M
