--- Tensors in files: safetensors.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---Reads a safetensors file, a run's checkpoint for instance.
---@param path string
---@param o? { mapped?: boolean }   mapped: views of the file, read only
---@return table<string, swale.Tensor> tensors, table<string, string> metadata
function M.load(path, o)
  o = require("swale.options").check("load", o, { mapped = { "boolean", false } })
  local tensors, metadata = errors.check(core.safetensors_read(path, o.mapped))
  return tensors, metadata
end

---Writes a safetensors file; whatever was there stays until the new one is whole.
---@param path string
---@param tensors table<string, swale.Tensor>
---@param metadata? table<string, string>
function M.save(path, tensors, metadata)
  errors.check(core.safetensors_write(path, tensors, metadata))
end

return M
