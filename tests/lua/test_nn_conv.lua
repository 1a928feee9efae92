-- Layers over images: values against sums in plain Lua, shapes, gradients, and training on images.
local harness = require "trainer_harness"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestConvLayer = {}

-- Pixel (i, j), from 1, of channel k; reflected or 0 outside.
local function pixel(image, i, j, k, mode)
  local h, w = #image, #image[1]
  if mode == "reflect" then
    i = i < 1 and 2 - i or i > h and 2 * h - i or i
    j = j < 1 and 2 - j or j > w and 2 * w - j or j
  end
  return image[i] and image[i][j] and image[i][j][k] or 0
end

-- Output (i, j, o) by the definition; top and left: padding before.
local function convolved(image, weight, at, c)
  local sum, o = 0, at[3]
  local inputs = #weight[1][1][1]
  local first = (o - 1) // (#weight // c.groups) * inputs
  for a = 1, #weight[o] do
    for b = 1, #weight[o][1] do
      for k = 1, inputs do
        local i = (at[1] - 1) * c.stride + 1 - c.top + (a - 1) * c.dilation
        local j = (at[2] - 1) * c.stride + 1 - c.left + (b - 1) * c.dilation
        sum = sum + weight[o][a][b][k] * pixel(image, i, j, first + k, c.mode)
      end
    end
  end
  return sum
end

local function check(layer, c)
  for name, value in pairs { stride = 1, dilation = 1, groups = 1, top = 0, left = 0 } do
    c[name] = c[name] or value
  end
  local m = layer:build { seed = 1 }
  m:parameter("bias"):copy(sw.rand { layer.outputs })
  local x = sw.randn { 2, 7, 6, 4 }
  local y, image = m:forward(x), x:table()[2]
  lu.assert_equals(y:shape(), { 2, c.height, c.width, layer.outputs })
  local weight, bias = m:parameter("weight"):table(), m:parameter("bias"):table()
  for i = 1, c.height do
    for o = 1, layer.outputs do
      local j = (i * 3 + o) % c.width + 1
      lu.assert_almost_equals(y:get(2, i, j, o),
        convolved(image, weight, { i, j, o }, c) + bias[o], 5e-6) -- float32
    end
  end
end

function TestConvLayer:test_options()
  check(nn.Conv2d(4, 3, 3), { height = 5, width = 4 })
  check(nn.Conv2d(4, 3, { 3, 2 }, { stride = 2, padding = { 1, 0 } }),
    { height = 4, width = 3, stride = 2, top = 1 })
  check(nn.Conv2d(4, 6, 3, { groups = 2, dilation = 2, padding = 2 }),
    { height = 7, width = 6, groups = 2, dilation = 2, top = 2, left = 2 })
  check(nn.Conv2d(4, 8, 3, { groups = 4 }), { height = 5, width = 4, groups = 4 })
end

function TestConvLayer:test_same_keeps_the_size()
  check(nn.Conv2d(4, 2, 5, { padding = "same" }), { height = 7, width = 6, top = 2, left = 2 })
  check(nn.Conv2d(4, 2, { 4, 2 }, { padding = "same" }), { height = 7, width = 6, top = 1 })
end

function TestConvLayer:test_reflection()
  check(nn.Conv2d(4, 2, 3, { padding = 1, padding_mode = "reflect" }),
    { height = 7, width = 6, top = 1, left = 1, mode = "reflect" })
end

function TestConvLayer:test_weights_begin_as_pytorchs()
  local m = nn.Conv2d(16, 64, { 3, 5 }, { groups = 4 }):build { seed = 1 }
  lu.assert_equals(m:parameter("weight"):shape(), { 64, 3, 5, 4 })
  local bound = 1 / math.sqrt(3 * 5 * 4)
  for _, path in ipairs { "weight", "bias" } do
    local largest = m:parameter(path):abs():max():item()
    lu.assert_true(largest <= bound and largest > 0.9 * bound)
  end
  local normal = nn.Conv2d(16, 64, 3, { init = { "xavier_normal" }, bias = false }):build {}
  local deviation = normal:weights():norm() / math.sqrt(normal:weights():numel())
  lu.assert_almost_equals(deviation / math.sqrt(2 / (9 * (16 + 64))), 1, 0.04) -- 9216 draws
end

function TestConvLayer:test_refusals()
  lu.assert_error_msg_contains("kernel must be a whole number from 1 on, or two", nn.Conv2d, 1, 1,
    0)
  lu.assert_error_msg_contains("padding must be a whole number from 0 on", nn.Conv2d, 1, 1, 3,
    { padding = { 1, 2, 3 } })
  lu.assert_error_msg_contains("2 groups do not divide the 3 inputs", nn.Conv2d, 3, 4, 3,
    { groups = 2 })
  lu.assert_error_msg_contains('or two, { rows, columns }, or "same", not "valid"', nn.Conv2d, 3, 4,
    3, { padding = "valid" })
  lu.assert_error_msg_contains("go without names: nn.Conv2d(inputs, outputs, kernel", nn.Conv2d,
    { inputs = 3, outputs = 4, kernel = 3 })
  lu.assert_error_msg_contains("go without names: nn.Dropout(0.5)", nn.Dropout, { p = 0.1 })
  lu.assert_error_msg_contains('"same" needs a stride of 1, not 2', nn.Conv2d, 3, 4, 3,
    { padding = "same", stride = 2 })
  lu.assert_error_msg_contains("padding 2 is more than half the kernel, 3", nn.MaxPool2d, 3,
    { padding = 2 })
  local line = debug.getinfo(1, "l").currentline + 1
  local conv = nn.Conv2d(3, 8, 3, { name = "conv1" })
  local ok, message = pcall(function() conv:build():forward(sw.zeros { 2, 8, 8, 1 }) end)
  lu.assert_false(ok)
  lu.assert_str_contains(message, "takes images of 3 channels, not (2, 8, 8, 1)")
  lu.assert_error_msg_contains("channels come last", function()
    conv:build():forward(sw.zeros { 2, 3, 8, 8 })
  end)
  lu.assert_str_contains(message,
    ('test_nn_conv.lua:%d: in nn.Conv2d "conv1" (declared 3 -> 8, kernel 3x3)'):format(line))
  lu.assert_error_msg_contains("takes images (batch, height, width, channels), not (2, 64); rows"
    .. " become images by x:reshape", function() conv:build():forward(sw.zeros { 2, 64 }) end)
  lu.assert_error_msg_contains("entry 1: nn.Conv2d makes a layer when it is called:"
    .. " nn.Conv2d(inputs, outputs, kernel)", nn.Sequential, { nn.Conv2d })
end

TestImageLayers = {}

local RAMP = { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 }, { 13, 14, 15, 16 } }

local function on_ramp(layer)
  local y = layer:call(sw.tensor(RAMP):reshape { 1, 4, 4, 1 }, {})
  local shape = y:shape()
  return #shape == 2 and y:table()[1] or y:reshape({ shape[2], shape[3] * shape[4] }):table()
end

function TestImageLayers:test_values()
  lu.assert_equals(on_ramp(nn.MaxPool2d(2)), { { 6, 8 }, { 14, 16 } })
  lu.assert_equals(on_ramp(nn.MaxPool2d(2, { stride = 2, padding = 1 })),
    { { 1, 3, 4 }, { 9, 11, 12 }, { 13, 15, 16 } })
  lu.assert_equals(on_ramp(nn.AvgPool2d(2)), { { 3.5, 5.5 }, { 11.5, 13.5 } })
  lu.assert_equals(on_ramp(nn.GlobalAvgPool()), { 8.5 })
  lu.assert_equals(on_ramp(nn.ZeroPad2d { 0, 1 })[2], { 0, 5, 6, 7, 8, 0 })
  lu.assert_equals(on_ramp(nn.ReflectionPad2d { 1, 2 })[1], { 7, 6, 5, 6, 7, 8, 7, 6 })
  lu.assert_equals(on_ramp(nn.Upsample { 1, 2 })[1], { 1, 1, 2, 2, 3, 3, 4, 4 })
  lu.assert_equals(on_ramp(nn.Upsample(2))[8], { 13, 13, 14, 14, 15, 15, 16, 16 })
  lu.assert_equals(on_ramp(nn.ShortcutA(1, 3, 2)), { { 1, 0, 0, 3, 0, 0 }, { 9, 0, 0, 11, 0, 0 } })
end

function TestImageLayers:test_residual_connections()
  local double = function(x) return x * 2 end
  lu.assert_equals(on_ramp(nn.Residual { double })[1], { 3, 6, 9, 12 })
  lu.assert_equals(on_ramp(nn.Residual { double, "identity" })[1], { 3, 6, 9, 12 })
  local net = nn.Residual { body = nn.Conv2d(1, 2, 3, { padding = 1 }),
    shortcut = nn.Conv2d(1, 2, 1, { bias = false }) }
  lu.assert_equals(net:build():state_paths(), { "body.weight", "body.bias", "shortcut.weight" })
  lu.assert_equals(net:takes(), "images")
  lu.assert_error_msg_contains("the body gives (1, 2, 2, 1), the shortcut (1, 4, 4, 1)", on_ramp,
    nn.Residual { nn.MaxPool2d(2) })
  lu.assert_error_msg_contains('unknown option "shortcuts"', nn.Residual,
    { nn.ReLU(), shortcuts = 1 })
  lu.assert_error_msg_contains("the body must be a layer or a function, not 3", nn.Residual, { 3 })
  lu.assert_error_msg_contains("1 outputs are fewer than the 2 inputs", nn.ShortcutA, 2, 1)
end

local function small(norm)
  return nn.Sequential { nn.ReflectionPad2d(1), nn.Conv2d(2, 4, 3), norm(4), nn.Tanh(),
    nn.Residual { nn.Sequential { nn.Conv2d(4, 6, 3, { padding = "same", stride = 1 }), norm(6) },
      nn.ShortcutA(4, 6) },
    nn.MaxPool2d(2), nn.Upsample(2), nn.ZeroPad2d(1), nn.AvgPool2d(2), nn.GroupNorm(3, 6),
    nn.GlobalAvgPool(), nn.LayerNorm(6), nn.Linear(6, 3) }
end

function TestImageLayers:test_gradients()
  local batch = { x = sw.randn { 5, 4, 4, 2 }, y = sw.tensor({ 0, 1, 2, 1, 0 }, "int32") }
  for _, norm in ipairs { nn.BatchNorm, nn.GhostBatchNorm(2) } do
    local m = small(norm):build { seed = 2 }
    for _, mode in ipairs { "train", "eval" } do
      local worst, _, path = sw.check_gradient(m, batch, { mode = mode })
      lu.assert_true(worst < 1e-5, mode .. " " .. path)
    end
  end
end

TestImages = {}

local function lenet()
  return nn.Sequential { nn.Conv2d(1, 6, 3, { padding = 1 }), nn.BatchNorm(6), nn.ReLU(),
    nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, { padding = 1 }), nn.BatchNorm(8), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 10) }
end

function TestImages:test_a_network_of_images_takes_rows_of_a_data_set()
  local t = harness.new { model = lenet(), average = sw.average.SWA {} }:fit { epochs = 4 }
  lu.assert_true(t:evaluate("last").accuracy > 0.95)
  lu.assert_true(t:evaluate("swa").accuracy > 0.95)
  local valid = t.data.valid
  local _, found = t.model:predict(valid)
  local hits = sw.ops.eq(sw.ops.cast(found), sw.ops.cast(valid.y:to "int32")):sum():item()
  lu.assert_almost_equals(t:evaluate("last").accuracy, hits / #valid, 1e-6)
  local batch = valid:batches { size = 7 }() -- rows as they come, their shape beside them
  local images = batch.x:reshape { 7, table.unpack(batch.shape) }
  lu.assert_true((t.model:predict(batch) - t.model:forward(images)):norm() < 1e-4)
  local loss = t.model:loss_on(valid:sample(300))
  lu.assert_almost_equals(loss(t:weights()), t:evaluate("last").loss, 1e-5)
end

function TestImages:test_it_learns_in_a_loop_of_ones_own()
  local m, first, last = lenet():build { seed = 1 }, nil, nil
  local f = sw.compile(sw.loss.cross_entropy, m, { update_buffers = true })
  for batch in sw.data.load("digits").train:batches { size = 64, epochs = 2 } do
    local value, g = f:value_and_gradient(m:weights(), batch)
    first, last = first or value, value
    m:weights():add(-0.1, g)
  end
  lu.assert_true(last < 0.3 * first)
end

-- In evaluation a norm goes into the weights of the layer before it.
function TestImages:test_folded_norms_give_the_same()
  local m = nn.Sequential { nn.Conv2d(1, 6, 3, { bias = false }), nn.BatchNorm(6), nn.ReLU(),
    nn.Flatten(), nn.Linear(216, 10), nn.BatchNorm(10, { affine = false }) }:build { seed = 1 }
  m:buffers():copy(sw.rand { m:buffers():numel() } + 0.5)
  local graph = require("swale.compile").graph
  local example = { rows = { 64 }, features = { 8, 8, 1 }, labels = true }
  local x, y = sw.data.load("digits").train:gather { 1, 2, 3 }
  local found = {}
  for i, fold in ipairs { false, true } do
    local program = graph(m.layer, sw.loss.hinge, example, "eval", fold):evaluation()
    found[i] = program:run { inputs = { x, y }, vectors = { m:weights(), m:buffers() } }:table()
    local over_images = select(2, program:dump():gsub("%(batch, 6, 6, 6%)", ""))
    lu.assert_equals(over_images, fold and 1 or 5)
  end
  for i, loss in ipairs(found[1]) do lu.assert_almost_equals(found[2][i], loss, 1e-5) end
end

function TestImages:test_plans_and_checks_look_at_images()
  local plan = harness.new { model = lenet() }:plan { epochs = 1 }
  lu.assert_true(plan.bytes.workspace > 0)
  local rows = require("swale.check.layers").rows(lenet(), { rows = { 64 },
    features = { 8, 8, 1 } })
  lu.assert_equals({ rows[1].shape, rows[9].shape }, { "(batch, 8, 8, 6)", "(batch, 32)" })
end

function TestImages:test_the_same_bits_for_any_number_of_threads()
  local threads, found = sw.threads(), {}
  for n = 1, 2 do
    sw.set_threads(n)
    local t = harness.new { model = lenet() }:fit { steps = 20 }
    found[n] = { t:weights():table(), t.model:buffers():table(), t:evaluate("last").loss }
  end
  sw.set_threads(threads)
  lu.assert_equals(found[1], found[2])
end
