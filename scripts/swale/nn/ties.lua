--- One layer in several places of a network. A layer is a description: each place would get its own
--- weights, where PyTorch would tie them. So a layer with weights may be in one place only; for
--- others there are layer:copy(), with its own weights, and nn.shared(layer), with the same.
local errors = require "swale.errors"
local tree = require "swale.nn.tree"

local M = {}

---The layer that nn.shared was given, else the layer itself: equal for places with shared weights.
---@param layer swale.Layer
---@return swale.Layer
function M.identity(layer) return rawget(layer, "original") or layer end

---@param layer swale.Layer
---@return boolean
function M.is_shared(layer) return rawget(layer, "original") ~= nil end

local function has_parameters(layer) return #layer:parameters() > 0 end
local function has_buffers(layer) return #layer:buffers() > 0 end

local function refuse_two(self, layer, first, second)
  errors.misuse('nn.%s: %s is in two places, "%s" and "%s". Two layers with weights of their own:'
    .. " layer:copy(). One, whose weights are used twice, as PyTorch would: nn.shared(layer)",
    self.kind, tostring(layer), first, second)
end

local function refuse_buffers(layer, path)
  errors.misuse('nn.shared: %s at "%s" keeps running statistics, which two places would both set:'
    .. " nn.GroupNorm and nn.LayerNorm keep none; layer:copy() has weights and statistics of its"
    .. " own", tostring(layer), path)
end

local function check_again(self, layer, path, before, shared)
  if not tree.find(layer, has_parameters) and not tree.find(layer, has_buffers) then return end
  if not shared and not before.shared then refuse_two(self, layer, before.path, path) end
  before.shared = before.shared and shared -- one place may have the layer itself
  local norm, at = tree.find(layer, has_buffers, path)
  if norm then refuse_buffers(norm, at) end
end

---Refuses a layer that contains another one in two places, unless it is shared.
---@param layer swale.Layer
function M.check(layer)
  local places = {}
  local function visit(parent, prefix, shared)
    for _, child in ipairs(parent:children()) do
      local path, id = prefix .. child.key, M.identity(child.layer)
      local own = shared or M.is_shared(child.layer)
      if places[id] then
        check_again(layer, child.layer, path, places[id], own)
      else
        places[id] = { path = path, shared = own }
        visit(child.layer, path .. ".", own)
      end
    end
  end
  visit(layer, "", false)
end

-- ------------------------------------------------------------------ the two remedies

--- Layers and plain tables are copied, once each; tensors, functions and other objects are not.
local function copied(value, is_layer, done)
  local plain = type(value) == "table" and getmetatable(value) == nil
  if not plain and not is_layer(value) then return value end
  if not done[value] then
    local new = {}
    done[value] = new
    for key, field in pairs(value) do new[key] = copied(field, is_layer, done) end
    setmetatable(new, getmetatable(value))
  end
  return done[value]
end

---A copy of the layer with all layers inside, for another place, with its own weights.
---@param layer swale.Layer
---@param is_layer fun(value: any): boolean
---@return swale.Layer
function M.copy(layer, is_layer) return copied(layer, is_layer, {}) end

---The same layer, which may be in several places.
---@param layer swale.Layer
---@return swale.Layer
function M.shared(layer)
  local new = {}
  for key, field in pairs(layer) do new[key] = field end
  new.original = M.identity(layer)
  return setmetatable(new, getmetatable(layer))
end

return M
