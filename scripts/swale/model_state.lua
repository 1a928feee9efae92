--- Methods of models: parameters and buffers by path, as PyTorch's state_dict.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---Copies of the parameters and buffers by path.
---@param self swale.Model
---@return table<string, swale.Tensor>
function M.state_dict(self)
  local copy = {}
  for path, t in pairs(self.views) do copy[path] = t:clone() end
  for path, t in pairs(self.buffer_views) do copy[path] = t:clone() end
  return copy
end

local function check_known(self, tensors)
  for path in pairs(tensors) do
    if not self.buffer_views[path] then self:parameter(path) end
  end
end

local function check_all(list, tensors)
  for _, s in ipairs(list) do
    local t = tensors[s.path]
    if core.type(t) ~= "tensor" then
      errors.misuse('load_state_dict: "%s" is %s', s.path, t and "not a tensor" or "missing")
    end
    local shape, wanted = errors.shape_text(t:shape()), errors.shape_text(s.shape)
    if shape ~= wanted then
      errors.misuse('load_state_dict: "%s" has shape %s, the model needs %s', s.path, shape, wanted)
    end
  end
end

---Sets parameters and buffers by path: all of them, of the right shapes, or none.
---@param self swale.Model
---@param tensors table<string, swale.Tensor>
---@return swale.Model self
function M.load_state_dict(self, tensors)
  options.value("load_state_dict", "tensors", tensors, "table")
  check_known(self, tensors)
  check_all(self.segments, tensors)
  check_all(self.buffer_segments, tensors)
  for path, t in pairs(tensors) do
    (self.views[path] or self.buffer_views[path]):copy(t:to "float32")
  end
  return self
end

return M
