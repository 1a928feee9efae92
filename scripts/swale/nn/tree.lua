--- The layers inside a layer, with their paths.
local M = {}

local function join(path, key) return path == "" and key or path .. "." .. key end

---The first layer, itself included, of which `has` is true, in the order of the network.
---@param layer swale.Layer
---@param has fun(layer: swale.Layer): any
---@param path? string      of the layer, "" unless told
---@return swale.Layer|nil found, string|nil path
function M.find(layer, has, path)
  path = path or ""
  if has(layer) then return layer, path end
  for _, child in ipairs(layer:children()) do
    local found, at = M.find(child.layer, has, join(path, child.key))
    if found then return found, at end
  end
  return nil
end

---Calls f for the layer and all that are inside, in the order of the network.
---@param layer swale.Layer
---@param f fun(layer: swale.Layer, path: string)
function M.each(layer, f)
  local function visit(l, path)
    f(l, path)
    for _, child in ipairs(l:children()) do visit(child.layer, join(path, child.key)) end
  end
  visit(layer, "")
end

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

---How many examples batch norms in training mode normalise together: "batch", all of a batch; with
---ghosts of several sizes the smallest number that all of them divide; nil, examples are apart.
---@param layer swale.Layer
---@return integer|"batch"|nil
function M.coupled(layer)
  local size
  M.each(layer, function(one)
    local own = one:couples()
    if own == "batch" or size == "batch" then
      size = "batch"
    elseif own then
      size = size and size // gcd(size, own) * own or own
    end
  end)
  return size
end

return M
