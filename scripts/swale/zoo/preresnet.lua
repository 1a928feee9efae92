--- Residual networks whose norm and ReLU come before the convolutions (He et al. 2016b), and their
--- wide form (Zagoruyko and Komodakis 2016).
local errors = require "swale.errors"
local nn = require "swale.nn"
local parts = require "swale.zoo.parts"

local M = {}

--- Normal with deviation sqrt(2 / (k k outputs)); a bias only if there is no norm.
local function conv(o, from, to, kernel, stride)
  return nn.Conv2d(from, to, kernel, { stride = stride, padding = kernel // 2, bias = o.norm == nil,
    init = { "normal", std = (2 / (kernel * kernel * to)) ^ 0.5 } })
end

--- Norm, ReLU, convolution, once for each { to, kernel, stride }; dropout before the last of them.
--- bare: without the first norm and ReLU.
local function body(o, from, convolutions, bare)
  local list = parts.list { norm = o.norm }
  for i, c in ipairs(convolutions) do
    if i > 1 or not bare then list:norm("norm" .. i, from):add(nil, nn.ReLU()) end
    if i == #convolutions then list:dropout(o.dropout) end
    list:add("conv" .. i, conv(o, from, c[1], c[2], c[3]))
    from = c[1]
  end
  return list:done()
end

--- 1 x 1, 3 x 3 and 1 x 1; a convolution in the shortcut takes the block's input.
local function bottleneck(o, from, width, stride)
  local to = 4 * width
  local shortcut
  if stride > 1 or from ~= to then shortcut = conv(o, from, to, 1, stride) end
  local convolutions = { { width, 1, 1 }, { width, 3, stride }, { to, 1, 1 } }
  return nn.Residual { body = body(o, from, convolutions), shortcut = shortcut }, to
end

--- Two of 3 x 3, the first with the stride; a convolution in the shortcut takes the output of the
--- first norm and ReLU.
local function basic(o, from, to, stride)
  local convolutions = { { to, 3, stride }, { to, 3, 1 } }
  if from == to and stride == 1 then return nn.Residual { body(o, from, convolutions) }, to end
  local residual = nn.Residual { body = body(o, from, convolutions, true),
    shortcut = conv(o, from, to, 1, stride), name = "residual" }
  return parts.list({ norm = o.norm }):norm("norm1", from):add(nil, nn.ReLU()):add(nil, residual)
    :done(), to
end

--- widths: of the first convolution and of the three stages.
local function network(o, blocks, widths)
  local last = parts.width(o, widths[1])
  local list = parts.list(o):add("conv1", conv(o, o.input[3], last, 3, 1))
  for stage = 1, 3 do
    for i = 1, blocks do
      local residual
      residual, last = o.block(o, last, parts.width(o, widths[stage + 1]),
        stage > 1 and i == 1 and 2 or 1)
      list:add(("stage%d_%d"):format(stage, i), residual)
    end
  end
  return list:norm("norm", last):add(nil, nn.ReLU()):add(nil, nn.GlobalAvgPool())
    :add("fc", nn.Linear(last, o.classes)):done()
end

--- Of bottlenecks (1 x 1, 3 x 3, 1 x 1 with four times as many outputs), as in Izmailov's code.
local function preresnet(name, o, depth)
  o = parts.check("zoo." .. name, o)
  o.block, o.dropout = bottleneck, 0
  return network(o, (depth - 2) // 9, { 16, 16, 32, 64 })
end

---PreResNet-110 as in Izmailov et al. 2018 (their code takes bottlenecks from 44 layers on):
---1,146,842 parameters.
---@param o? swale.ZooOptions
---@return swale.Layer
function M.preresnet110(o) return preresnet("preresnet110", o, 110) end

---PreResNet-164: 1,703,258 parameters (1.7M).
---@param o? swale.ZooOptions
---@return swale.Layer
function M.preresnet164(o) return preresnet("preresnet164", o, 164) end

-- ------------------------------------------------------------------ wide

---@class swale.WrnOptions: swale.ZooOptions
---@field depth? integer      6 n + 4 (16; wrn_28_10: 28)
---@field width? number       k: channels of a stage are k times 16, 32, 64 (4; wrn_28_10: 10)
---@field dropout? number     between the convolutions of a block (0)

local function wide(name, o, depth, width)
  o = parts.check("zoo." .. name, o, { depth = { "count", depth }, width = { "positive", width },
    dropout = { "nonnegative", 0 } })
  if o.depth < 10 or o.depth % 6 ~= 4 then
    errors.misuse("zoo.%s: depth must be 6 n + 4 (10, 16, 22, 28, …), not %d", name, o.depth)
  end
  local k = o.width
  o.block = basic
  return network(o, (o.depth - 4) // 6, { 16, 16 * k, 32 * k, 64 * k })
end

---WRN-depth-width, a wide residual network, as in its authors' code.
---@param o? swale.WrnOptions
---@return swale.Layer
function M.wrn(o) return wide("wrn", o, 16, 4) end

---WRN-16-4, the network of Smith et al. 2018: 2,748,890 parameters. Theirs has ghost batch norm,
---which keeps its noise fixed as the batch grows: norm = nn.GhostBatchNorm(128).
---@param o? swale.WrnOptions
---@return swale.Layer
function M.wrn_16_4(o) return wide("wrn_16_4", o, 16, 4) end

---WRN-28-10: 36,479,194 parameters.
---@param o? swale.WrnOptions
---@return swale.Layer
function M.wrn_28_10(o) return wide("wrn_28_10", o, 28, 10) end

return M
