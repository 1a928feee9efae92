--- Checks every kind of layer in scripts/swale/nn on the instance and input of its sample(): what
--- its methods return agrees with what it computes, and nn/init.lua and docs/reference.md list it.
local contexts = require "swale.nn.context"
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local kinds = require("swale.nn.layer").kinds
local layers = require "swale.nn.layer"
local lu = require "luaunit"
local nn = require "swale.nn"
local ops = require "swale.ops"
local segments = require "swale.segments"
local sw = require "swale"

TestLayers = {}

local FOLDER = debug.getinfo(nn.Linear, "S").source:match "^@(.*)/[^/]*$"
for _, file in ipairs(folders.entries(FOLDER)) do
  if file ~= "init.lua" then require("swale.nn." .. file:gsub("%.lua$", "")) end
end

local NAMES = errors.sorted_keys(kinds)

local function filled(t, name) return core.random(1, name):fill_normal(t, 0, 1) or t end

--- A model with all values different.
local function built(layer)
  local m = layer:build { seed = 1 }
  filled(m:weights(), "weights")
  if m:buffers() then
    filled(m:buffers(), "buffers")
    m:buffers():copy(ops.abs(m:buffers()) + 0.5) -- variances
  end
  return m
end

--- The parameters and buffers that the layer's forward takes.
local function bound(layer) return #segments.of(layer) > 0 and built(layer):named() or {} end

local function rest(x) return table.move(x:shape(), 2, x:ndim(), 1, {}) end

--- The output of a layer in evaluation.
local function eager(layer, x)
  if #segments.of(layer) > 0 then return built(layer):forward(x) end
  return layer:call(x, segments.bind(layer, error))
end

--- Calls f(layer, x, kind) for each kind.
local function each(f)
  for _, kind in ipairs(NAMES) do
    local layer, x = kinds[kind].sample()
    local ok, why = pcall(f, layer, x, kind)
    if not ok then error(type(why) == "string" and ("nn.%s: %s"):format(kind, why) or why, 0) end
  end
end

function TestLayers:test_the_list_is_the_folder()
  for _, kind in ipairs(NAMES) do
    lu.assert_is_function(rawget(nn, kind),
      ("nn/init.lua lacks %s, which a file of nn/ defines"):format(kind))
    local layer = kinds[kind].sample()
    lu.assert_equals(layer.kind, kind, "what sample() makes")
  end
  for name in pairs(nn) do
    local other = name:find "^%l" ~= nil or name == "GhostBatchNorm" -- makes BatchNorm
    lu.assert_true(other or kinds[name] ~= nil, ("nn.%s is a layer of no file in nn/"):format(name))
  end
end

function TestLayers:test_each_kind_has_a_line_of_docs()
  local page = assert(folders.read(FOLDER .. "/../../../docs/reference.md"))
  for _, kind in ipairs(NAMES) do
    local fault = "docs/reference.md names no " .. kind .. ": "
    lu.assert_str_contains(page, "`" .. kind .. "`", false, fault)
  end
end

function TestLayers:test_output_is_the_shape_that_comes()
  each(function(layer, x)
    local shape = layer:output(rest(x))
    if shape then lu.assert_equals(shape, rest(eager(layer, x)), "output") end
  end)
end

-- ------------------------------------------------------------------ coupling

--- A function of x: the output in a mode.
local function in_mode(mode, layer, x)
  local graph = core.graph()
  local node = graph:input(1, x:dtype() == "int32" and "index" or "real",
    { "batch", table.unpack(rest(x)) })
  local y = layer:call(node, (segments.nodes(graph, layer)), contexts.new(mode))
  local program, vectors = core.program(graph, { y }), nil
  if #segments.of(layer) > 0 then
    local m = built(layer)
    vectors = { m:weights(), m:buffers() }
  end
  return function(values)
    return errors.check(program:run { inputs = { values }, vectors = vectors, batch = #values })
  end
end

--- Which of the other examples change with the first one: nil, "batch", or 1 … n do.
local function coupling(layer, x)
  local f, other = in_mode("train", layer, x), x:clone()
  other:select(1, 1):copy(x:select(1, 2):clone())
  local a, b, last = f(x), f(other), 1
  for i = 2, #x do
    local difference = a:select(1, i):clone() - b:select(1, i)
    if difference:norm() > 0 then last = i end
  end
  if last == 1 then return nil end
  return last == #x and "batch" or last
end

function TestLayers:test_couples_is_what_the_numbers_say()
  each(function(layer, x)
    lu.assert_true(#x >= 4, "sample: a batch of 4")
    lu.assert_equals(layer:couples(), coupling(layer, x), "couples")
  end)
  local _, x = kinds.BatchNorm.sample()
  local ghosts = nn.GhostBatchNorm(2)(x:shape()[2])
  lu.assert_equals(ghosts:couples(), 2)
  lu.assert_equals(coupling(ghosts, x), 2)
end

-- ------------------------------------------------------------------ modes

function TestLayers:test_has_modes_is_what_the_numbers_say()
  each(function(layer, x)
    local trained, evaluated = in_mode("train", layer, x)(x), in_mode("eval", layer, x)(x)
    lu.assert_equals(layer:has_modes(), (trained - evaluated):norm() > 0, "has_modes")
  end)
end

-- ------------------------------------------------------------------ running statistics

--- The mean and the biased variance of each value of the last axis.
local function moments_of(x)
  local rows = x:to("float64"):reshape { -1, x:shape()[x:ndim()] }
  local mean = ops.mean(rows, 1)
  return mean, ops.mean(ops.square(rows - mean), 1)
end

local function assert_buffer(p, buffer, what)
  for _, value in pairs(p) do if value == buffer then return end end
  lu.fail("statistics: " .. what .. " is no buffer")
end

function TestLayers:test_statistics_are_those_of_the_input()
  each(function(layer, x)
    local p = bound(layer)
    local found = layer:statistics(x, p)
    if not found then return end
    local mean, var = moments_of(x)
    lu.assert_true((found.moments:select(1, 1):to "float64" - mean):norm() < 1e-6, "mean")
    lu.assert_true((found.moments:select(1, 2):to "float64" - var):norm() < 1e-6, "variance")
    lu.assert_equals(found.positions * #x * x:shape()[x:ndim()], x:numel(), "positions")
    for _, name in ipairs { "mean", "var", "count" } do assert_buffer(p, found[name], name) end
  end)
end

-- ------------------------------------------------------------------ what it computes in evaluation

--- Whether two tensors are equal but for roundings.
local function same(a, b)
  return table.concat(a:shape(), " ") == table.concat(b:shape(), " ")
    and (a - b):norm() <= 1e-5 * b:norm()
end

--- The layer's map for a layer with parameters that keeps the shape: scale, shift, or nil.
local function channel_map(layer, x)
  if #layer:parameters() == 0 or x:dtype() == "int32" then return nil end
  local zero = eager(layer, x * 0)
  if not same(zero * 0, x * 0) then return nil end
  local scale = eager(layer, x * 0 + 1) - zero
  for _, t in ipairs { x, x * 3 } do
    if not same(eager(layer, t), scale * t + zero) then return nil end
  end
  return scale, zero
end

function TestLayers:test_maps_channels_is_what_the_numbers_say()
  each(function(layer, x, kind)
    local channels = layer:maps_channels()
    -- a Lambda is any function; a layer without buffers is no norm that could be folded
    if channels or #layer:buffers() > 0 and kind ~= "Lambda" then
      lu.assert_equals(channels, channel_map(layer, x) and x:shape()[x:ndim()], "maps_channels")
    end
    if not channels then return end
    local scale, shift = layer:affine_map(bound(layer), nil)
    lu.assert_true(same(eager(layer, x), scale * x + shift), "affine_map: is not the output")
    local before = filled(core.zeros { channels }, "before")
    scale, shift = layer:affine_map(bound(layer), before)
    lu.assert_true(same(eager(layer, x + before), scale * x + shift), "affine_map: before")
  end)
end

function TestLayers:test_folded_parameters_compute_the_scaled_output()
  each(function(layer, x)
    local outputs = layer:folds()
    if not outputs then return end
    local p = bound(layer)
    local scale, shift = filled(core.zeros { outputs }, "scale"), core.zeros { outputs }
    filled(shift, "shift")
    local y = layer:call(x, layer:folded(p, scale, shift))
    local plain = layer:call(x, p) - (p.bias or 0)
    lu.assert_true(same(y, scale * plain + shift), "folded: is not scale y + shift")
  end)
end

function TestLayers:test_rectifies_is_what_the_numbers_say()
  each(function(layer, x)
    local y = eager(layer, x):to "float64"
    local least = ops.min(y):item()
    local zeros = ops.sum(ops.eq(y, 0)):item()
    lu.assert_equals(layer:rectifies(), least == 0 and zeros > 0, "rectifies")
  end)
end

-- With equal weights an output is their sum over its part of the row.
function TestLayers:test_rows_are_what_the_weight_multiplies()
  each(function(layer, x)
    local p, is_product = bound(layer), false
    if #layer:children() == 0 and p.weight and p.weight:ndim() == 2 and x:ndim() == 2
      and x:dtype() == "float32" and x:shape()[2] == p.weight:shape()[2] then
      is_product = same(eager(layer, x), x:matmul(p.weight:t()) + (p.bias or 0))
    end
    local rows, groups = layer:rows(x)
    if not rows then return lu.assert_false(is_product, "rows") end
    p.weight:fill(0.5)
    if p.bias then p.bias:fill(0) end
    local y = layer:call(x, p):contiguous()
    local shape, parts = y:shape(), groups or 1
    local n = y:numel() // shape[#shape]
    local sums = ops.sum(rows:reshape { n, parts, -1 }, 3) * 0.5
    local outputs = ops.broadcast(sums:reshape { n, parts, 1 },
      { n, parts, shape[#shape] // parts })
    lu.assert_true(same(y:reshape { n, -1 }, outputs:reshape { n, -1 }), "rows")
  end)
end

--- Standardised values do not depend on the scale of the input.
function TestLayers:test_normalises_is_what_the_numbers_say()
  each(function(layer, x)
    if #layer:children() > 0 or not layer:parameters()[1] or x:dtype() ~= "float32" then
      return lu.assert_false(layer:normalises(), "normalises")
    end
    local p = bound(layer)
    local function output(scale)
      return layer:call(x * scale, p, contexts.new("train", { on_set = function() end }))
    end
    local y, scaled = output(1000), output(3000)
    local standardised = (y - scaled):norm() < 1e-3 * y:norm()
    lu.assert_equals(layer:normalises(), standardised, "normalises")
  end)
end

--- Other values in the first channel change no other channel.
function TestLayers:test_keeps_channels_is_what_the_numbers_say()
  each(function(layer, x)
    if not layer:keeps_channels() then return end
    local axis = x:ndim()
    local other, n = x:clone(), x:shape()[axis]
    other:narrow(axis, 1, 1):fill(0.125)
    local y, z = eager(layer, x), eager(layer, other)
    lu.assert_equals({ #layer:parameters(), y:shape()[y:ndim()] }, { 0, n })
    lu.assert_true(same(y:narrow(y:ndim(), 2, n - 1):contiguous(),
      z:narrow(y:ndim(), 2, n - 1):contiguous()), "keeps_channels: other channels change")
  end)
end

--- The sample of Conv2d has groups, which are not widened.
function TestLayers:test_widened_computes_the_outputs_of_each()
  local function check(layer, x)
    local wide, p = layer:widened(2), bound(layer)
    if not wide then return end
    local double, y = {}, layer:call(x, p)
    for name, t in pairs(p) do
      local shape = t:shape()
      shape[1] = 2 * shape[1]
      double[name] = core.zeros(shape)
      double[name]:narrow(1, 1, #t):copy(t)
      double[name]:narrow(1, #t + 1, #t):copy(t * 2)
    end
    local z, axis = wide:call(x, double), y:ndim()
    local n = y:shape()[axis]
    lu.assert_true(same(z:narrow(axis, 1, n):contiguous(), y), "widened: first outputs")
    lu.assert_true(same(z:narrow(axis, n + 1, n):contiguous(), y * 2), "widened: second outputs")
  end
  each(check)
  local conv = nn.Conv2d(2, 3, { 2, 3 }, { padding = 1 })
  local x = core.zeros { 4, 5, 6, 2 }
  lu.assert_not_nil(conv:widened(2))
  check(conv, filled(x, "x"))
end

--- A layer with others inside is a chain if calling one after another computes the same.
function TestLayers:test_chain_is_what_the_numbers_say()
  each(function(layer, x)
    local children = layer:children()
    if #children == 0 then return lu.assert_nil(layer:chain(), "chain") end
    local p = bound(layer)
    local ok, y = pcall(function()
      local value = x
      for i, child in ipairs(children) do value = child.layer:call(value, p[i]) end
      return value
    end)
    lu.assert_equals(layer:chain() ~= nil, ok and same(layer:call(x, p), y), "chain")
  end)
end

--- A layer that refuses rows takes images, if its sample is of images, or says nothing.
function TestLayers:test_takes_is_the_input_of_the_sample()
  each(function(layer, x)
    local takes = layer:takes()
    if x:dtype() == "int32" then return lu.assert_equals(takes, "indices", "takes") end
    if x:ndim() == 4 then
      local refuses_rows = not pcall(eager, layer, x:reshape { #x, -1 })
      lu.assert_equals(takes == "images", refuses_rows, "takes: images")
    end
    lu.assert_true(takes ~= "indices", "takes: the sample has no indices")
  end)
end

function TestLayers:test_messages_have_the_sizes()
  each(function(layer)
    if #layer:parameters() > 0 and layer.kind ~= "Lambda" then
      lu.assert_not_equals(layer:declared(), "", "declared")
    end
  end)
end

-- ------------------------------------------------------------------ files of PyTorch's

local folder

function TestLayers:setUp() folder = require("temporary").folder() end
function TestLayers:tearDown() folders.remove(folder) end

--- Images as PyTorch flattens them, other values as they lie.
local function flattened(y)
  if y:ndim() == 4 then y = y:transpose(2, 4):transpose(3, 4) end
  return y:contiguous():reshape { #y, -1 }
end

local function assert_near(a, b, what)
  lu.assert_equals(a:shape(), b:shape(), what)
  lu.assert_true((a - b):norm() <= 1e-4 * b:norm(), what .. ": other values than PyTorch's")
end

--- A model of the network and the tensors of its file, which another one reads back.
local function saved(net, input)
  local m, o = built(net), { layout = "pytorch", input = input }
  local path, other = folder .. "/w.safetensors", net:build { seed = 2 }
  m:save(path, o)
  other:load(path, o)
  lu.assert_equals(other:weights():table(), m:weights():table())
  if m:buffers() then lu.assert_equals(other:buffers():table(), m:buffers():table()) end
  return m, sw.load(path)
end

--- Behind the layer, the inputs of a linear layer are in PyTorch's order.
function TestLayers:test_pytorch_tells_the_order_behind_a_layer()
  each(function(layer, x, kind)
    local shape = layer:output(rest(x))
    if not shape or kind == "Flatten" then return end -- refused; flattens otherwise in PyTorch
    local net = nn.Sequential { layer, nn.Flatten(), nn.Linear(segments.elements(shape), 3) }
    local m, file = saved(net, rest(x))
    local between = layer:call(x, m:named()[1])
    local y = flattened(between):matmul(file["2.weight"]:t()) + file["2.bias"]
    assert_near(m:forward(x), y, "pytorch")
  end)
end

--- Behind a flattened image: the weights of the file compute the same of the image as PyTorch
--- flattens it; or the file is refused.
function TestLayers:test_pytorch_behind_a_flattened_image()
  each(function(layer, x)
    if x:ndim() ~= 2 or x:dtype() == "int32" then return end
    local n, outputs = x:shape()[2], rest(eager(layer, x))[1]
    lu.assert_true(n > 2 and n % 2 == 0, "sample: an even number of features")
    local net = nn.Sequential { nn.Flatten(), layer, nn.Linear(outputs, 3) }
    local input = { height = n // 2, width = 1, channels = 2 }
    local ok, m, file = pcall(saved, net, input)
    if not ok then return lu.assert_str_contains(m, "layout: ") end
    local image = x:reshape { #x, n // 2, 1, 2 }
    local theirs = net:build { seed = 3 }:load_state_dict(file)
    assert_near(theirs:forward(flattened(image)), m:forward(image), "pytorch")
  end)
end

-- ------------------------------------------------------------------ derivatives

function TestLayers:test_gradients()
  each(function(layer, x)
    local y = filled(core.zeros(eager(layer, x):shape()), "target")
    local list = { layer }
    if x:dtype() ~= "int32" then -- the derivative in x is that in the shift
      list = { nn.Lambda(function(v, p) return v + p.shift end, { shift = sw.zeros(rest(x)) }),
        layer }
    end
    local worst = sw.check_gradient(nn.Sequential(list):build { seed = 1 }, { x = x, y = y },
      { loss = sw.loss.mse })
    lu.assert_true(worst < 1e-5, ("gradient: off by %g"):format(worst))
  end)
end

-- ------------------------------------------------------------------ what is left out

function TestLayers:test_a_layer_that_says_too_little_is_named()
  local class = layers.kind "Bare"
  kinds.Bare = nil
  function class:parameters() return { { name = "weight", shape = { 2 }, init = "ones" } } end
  local bare = layers.new(class, {})
  lu.assert_error_msg_contains("nn.Bare does not define output(shape)", bare.output, bare, { 2 })
  lu.assert_error_msg_contains("nn.Bare does not define couples()", bare.couples, bare)
  lu.assert_error_msg_contains("nn.Bare does not define pytorch(shape, order, walk)",
    function() nn.Sequential({ bare }):build():save("/none", { layout = "pytorch" }) end)
  lu.assert_error_msg_contains("nn.Bare does not define sample()", class.sample)
  lu.assert_false(bare:has_modes())
  function class:buffers() return { { name = "mean", shape = { 2 }, init = "zeros" } } end
  lu.assert_error_msg_contains("nn.Bare does not define has_modes()", bare.has_modes, bare)
  lu.assert_error_msg_contains("nn.Bare does not define statistics(x, p)", bare.statistics, bare,
    sw.ones { 4, 2 }, {})
end
