--- Weights that are used in several places of a network.
local errors = require "swale.errors"
local layer = require "swale.nn.layer"
local options = require "swale.options"
local ties = require "swale.nn.ties"

local M = {}

---A layer that may be in several places of a network, with the same weights:
---
---    local tied = nn.shared(nn.Linear(64, 64))
---    local net = nn.Sequential { tied, nn.ReLU(), tied, nn.ReLU(), nn.Linear(64, 10) }
---
---The weights are one segment of the vector, drawn once, under the path of the first place; their
---gradient is the sum over the places. Two calls with the same layer share the weights, too. Batch
---norm with running statistics inside, and per-example gradient norms, are refused.
---@param l swale.Layer
---@param o? { name?: string }    its part of the path here; by default the layer's name
---@return swale.Layer
function M.shared(l, o)
  if not layer.is_layer(l) then
    errors.misuse("nn.shared: the first argument must be a layer, not %s", errors.shown(l))
  end
  o = options.check("nn.shared", o, { name = "string?" })
  local new = ties.shared(l)
  new.name = layer.check_name("nn.shared", o.name) or l.name
  return new
end

return M
