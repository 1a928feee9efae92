--- Weights in files: written and read, what does not fit, and PyTorch where it is installed.
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local nn = require "swale.nn"
local process = require "swale.process"
local sw = require "swale"

local function plain()
  return nn.Sequential { nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3) }
end

-- Of images (3, 4, 2): height, width, channels.
local IMAGE = { 3, 4, 2 }
local function image()
  return nn.Sequential { nn.Flatten(), nn.Linear(24, 6), nn.Tanh(), nn.Linear(6, 2) }
end

-- Of images (6, 8, 2).
local PHOTO = { 6, 8, 2 }
local function conv()
  local body = nn.Sequential {
    nn.Conv2d(4, 4, 3, { padding = 2, dilation = 2, groups = 2, bias = false }),
    nn.BatchNorm(4), nn.ReLU(), nn.Conv2d(4, 6, { 2, 4 }, { padding = "same" }) }
  return nn.Sequential { nn.Conv2d(2, 4, 3, { padding = 1 }), nn.BatchNorm(4, { momentum = false }),
    nn.ReLU(), nn.MaxPool2d(2), nn.Residual { body, nn.Conv2d(4, 6, 1) },
    nn.AvgPool2d(3, { stride = 2, padding = 1 }), nn.GroupNorm(2, 6), nn.Upsample { 1, 2 },
    nn.ReflectionPad2d { 0, 1 }, nn.Flatten(), nn.Linear(6 * 2 * 6, 5), nn.LayerNorm(5) }
end

TestModelFiles = {}

function TestModelFiles:setUp()
  self.folder = require("temporary").folder()
  self.path = self.folder .. "/w.safetensors"
end

function TestModelFiles:tearDown() folders.remove(self.folder) end

function TestModelFiles:test_there_and_back()
  local a, b = plain():build { seed = 1 }, plain():build { seed = 2 }
  a:save(self.path, { metadata = { note = "mine" } })
  lu.assert_is(b:load(self.path), b)
  lu.assert_equals(b:weights():table(), a:weights():table())
  local tensors, metadata = sw.load(self.path)
  lu.assert_equals(tensors["0.weight"]:shape(), { 7, 5 })
  lu.assert_equals(metadata, { note = "mine" })
end

function TestModelFiles:misfit()
  local state = plain():build { seed = 1 }:state_dict()
  state["2.bias"], state["0.weight"] = nil, sw.zeros { 5, 7 }
  state["fc.bias"] = sw.zeros { 3 }
  sw.save(self.path, state)
end

function TestModelFiles:test_what_does_not_fit_is_told_by_name()
  self:misfit()
  local m = plain():build { seed = 2 }
  local before = m:weights():table()
  local result, message, code = sw.try(m.load, m, self.path)
  lu.assert_nil(result)
  lu.assert_equals(message, self.path .. ': does not fit the model\n  missing: "2.bias"\n'
    .. '  unexpected: "fc.bias"\n  of another shape: "0.weight" is (5, 7), the model needs (7, 5)')
  lu.assert_equals(code, "ECORRUPT")
  lu.assert_equals(m:weights():table(), before)
end

function TestModelFiles:test_what_fits_is_taken_if_asked_for()
  self:misfit()
  local m = plain():build { seed = 2 }
  local before = m:state_dict()
  local _, report = m:load(self.path, { strict = false })
  lu.assert_equals(report, { missing = { "2.bias" }, unexpected = { "fc.bias" },
    misshapen = { "0.weight" } })
  local given = plain():build { seed = 1 }
  lu.assert_equals(m:parameter("2.weight"):table(), given:parameter("2.weight"):table())
  lu.assert_equals(m:parameter("0.weight"):table(), before["0.weight"]:table())
end

function TestModelFiles:test_a_checkpoint_of_a_run()
  local m = plain():build { seed = 1 }
  local average = m:weights():clone():fill(3)
  local run = { { path = "0.weight", offset = 1, shape = { 7, 5 } },
    { path = "0.bias", offset = 36, shape = { 7 } },
    { path = "2.weight", offset = 43, shape = { 3, 7 } },
    { path = "2.bias", offset = 64, shape = { 3 } } }
  sw.save(self.path, { weights = m:weights(), average = average },
    { segments = core.json_encode(run) })
  local n = plain():build { seed = 2 }
  lu.assert_equals(n:load(self.path):weights():table(), m:weights():table())
  lu.assert_equals(n:load(self.path, { which = "average" }):weights():table(), average:table())
  sw.save(self.path, { weights = m:weights() }, { segments = '[{"path": "a", "offset": 99}]' })
  lu.assert_error_msg_contains("its segments are not those of a checkpoint", n.load, n, self.path)
end

--- The first local header of a zip archive: version 0, flags 0x0808.
function TestModelFiles:test_a_file_of_torch_save_is_named()
  local file = assert(io.open(self.path, "wb"))
  file:write("PK\3\4\0\0\8\8", ("\0"):rep(100))
  file:close()
  lu.assert_error_msg_contains("a zip archive, as torch.save writes; safetensors.torch.save_file",
    function() plain():build():load(self.path) end)
end

function TestModelFiles:test_wrong_arguments()
  local m = image():build {}
  lu.assert_error_msg_contains('"pytorch" needs input', m.save, m, self.path,
    { layout = "pytorch" })
  lu.assert_error_msg_contains('must be one of "swale", "pytorch"', m.save, m, self.path,
    { layout = "torch" })
  lu.assert_error_msg_contains("no checkpoint of a run", m.save(m, self.path).load, m, self.path,
    { which = "average" })
  lu.assert_error_msg_contains("x must be a split or a tensor, not 3", m.predict, m, 3)
end

-- Element (o, ((c H) + y) W + x) of PyTorch's is our (o, ((y W) + x) C + c).
function TestModelFiles:test_inputs_behind_an_image_are_rearranged()
  local m = image():build { seed = 1 }
  m:save(self.path, { layout = "pytorch", input = IMAGE })
  local theirs, ours = sw.load(self.path)["1.weight"], m:parameter "1.weight"
  local h, w, c = table.unpack(IMAGE)
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      for k = 0, c - 1 do
        local there, here = (k * h + y) * w + x + 1, (y * w + x) * c + k + 1
        lu.assert_equals(theirs:get(5, there), ours:get(5, here))
      end
    end
  end
  local n = image():build { seed = 2 }:load(self.path, { layout = "pytorch", input = IMAGE })
  lu.assert_equals(n:weights():table(), m:weights():table())
end

function TestModelFiles:test_so_are_norms_behind_it()
  local net = nn.Sequential { nn.Flatten(), nn.BatchNorm(24), nn.Linear(24, 2) }
  local m = net:build { seed = 1 }
  m:parameter "1.weight":copy(sw.rand { 24 })
  m:buffer "1.running_mean":copy(sw.rand { 24 })
  m:save(self.path, { layout = "pytorch", input = IMAGE })
  local file, h, w, c = sw.load(self.path), table.unpack(IMAGE)
  lu.assert_equals(h * w * c, 24)
  for at = 0, 23 do
    local there = (at % c * h + at // (w * c)) * w + at // c % w
    lu.assert_equals(file["1.weight"]:get(there + 1), m:parameter "1.weight":get(at + 1))
    lu.assert_equals(file["1.running_mean"]:get(there + 1), m:buffer "1.running_mean":get(at + 1))
  end
  local n = net:build { seed = 2 }:load(self.path, { layout = "pytorch", input = IMAGE })
  lu.assert_equals(n:buffers():table(), m:buffers():table())
end

function TestModelFiles:test_kernels_of_pytorch_are_told_from_others()
  local m = nn.Conv2d(3, 4, 5):build()
  m:save(self.path, { layout = "pytorch" })
  lu.assert_error_msg_contains("these kernels lie as PyTorch's: layout = \"pytorch\"", m.load, m,
    self.path)
  nn.Conv2d(3, 4, 6):build():save(self.path)
  local ok, message = pcall(m.load, m, self.path)
  lu.assert_false(ok)
  lu.assert_not_str_contains(message, "PyTorch")
end

function TestModelFiles:test_a_function_between_hides_the_image()
  local m = nn.Sequential { function(x) return x * 2 end, nn.Linear(24, 2) }:build {}
  lu.assert_error_msg_contains("stands between the image and a linear layer", m.save, m, self.path,
    { layout = "pytorch", input = IMAGE })
end

local function small_conv()
  return nn.Sequential { nn.Conv2d(1, 2, 3, { padding = 1 }), nn.Flatten(), nn.Linear(32, 2) }
end

function TestModelFiles:test_another_shape_than_the_network_takes_is_refused()
  local a, b = small_conv():build { seed = 1 }, small_conv():build { seed = 2 }
  a:save(self.path, { layout = "pytorch", input = { 4, 4, 1 } })
  local before = b:weights():table()
  for _, case in ipairs { { { 1, 4, 4 }, "{ height, width, channels }: { 4, 4, 1 }?" },
    { { 16 }, "takes images (batch, height, width, channels), not (batch, 16)" },
    { { 8, 4, 1 }, "takes 32 inputs, the last axis, but the input is (batch, 64)" },
    { {}, "input is the shape of one example" }, { { 4, 4, 0 }, "input is the shape" },
    { { 4, 4, "1" }, "input is the shape" }, { { height = 4, width = 4 }, "input is the shape" },
    { { 4, 4, 1, height = 4 }, "input is the shape" }, { { [0] = 4, 4, 1 }, "input is the shape" },
  } do
    for _, method in ipairs { "load", "save" } do
      lu.assert_error_msg_contains(case[2], b[method], b, self.path,
        { layout = "pytorch", input = case[1] })
    end
  end
  lu.assert_equals(b:weights():table(), before)
  b:load(self.path, { layout = "pytorch", input = { height = 4, width = 4, channels = 1 } })
  lu.assert_equals(b:weights():table(), a:weights():table())
end

--- x (1, h, w, c) as PyTorch flattens it.
local function as_pytorchs(x, h, w, c)
  return x:reshape { h * w, c }:t():contiguous():reshape { 1, h * w * c }
end

function TestModelFiles:test_channels_that_no_layer_tells_are_named()
  local m = nn.Sequential { nn.Flatten(), nn.Linear(16, 2) }:build { seed = 1 }
  lu.assert_error_msg_contains("no layer tells which of them are the channels; name them:\n"
    .. "  input = { height = 4, width = 4, channels = 1 }\n"
    .. "  input = { height = 1, width = 4, channels = 4 }", m.save, m, self.path,
    { layout = "pytorch", input = { 1, 4, 4 } })
  m:save(self.path, { layout = "pytorch", input = { height = 1, width = 4, channels = 4 } })
  local x, file = sw.rand { 1, 1, 4, 4 }, sw.load(self.path)
  local y = as_pytorchs(x, 1, 4, 4):matmul(file["1.weight"]:t()) + file["1.bias"]
  for i, v in ipairs(m:predict(x):table()[1]) do -- 17 roundings of values below 2
    lu.assert_almost_equals(y:get(1, i), v, 17 * 2 ^ -23)
  end
  for _, input in ipairs { { 16 }, { 4, 4 }, { 4, 4, 1 } } do -- nothing to rearrange
    m:save(self.path, { layout = "pytorch", input = input })
    lu.assert_equals(sw.load(self.path)["1.weight"]:table(), m:parameter "1.weight":table())
  end
end

function TestModelFiles:test_norms_of_flattened_images()
  local ghost = nn.Sequential { nn.Flatten(), nn.GhostBatchNorm(2)(24), nn.LayerNorm(24),
    nn.GroupNorm(1, 24), nn.Linear(24, 2) }
  local m = ghost:build { seed = 1 }
  for i = 1, 3 do m:parameter(i .. ".weight"):copy(sw.rand { 24 }) end
  m:buffer "1.running_mean":copy(sw.rand { 24 })
  m:save(self.path, { layout = "pytorch", input = IMAGE })
  local other = ghost:build { seed = 2 }
  local function on_rows(path) other:load(path) return other end
  local x = sw.rand { 1, 3, 4, 2 }
  local state = sw.load(self.path)
  sw.save(self.path, state) -- the network on rows as PyTorch flattens them
  local y = on_rows(self.path):predict(as_pytorchs(x, 3, 4, 2))
  for i, v in ipairs(m:predict(x):table()[1]) do
    lu.assert_almost_equals(y:get(1, i), v, 1e-5) -- sums of 24, in another order, four times
  end
  local groups = nn.Sequential { nn.Flatten(), nn.GroupNorm(2, 24), nn.Linear(24, 2) }:build()
  lu.assert_error_msg_contains("nn.GroupNorm(2 groups of 24 channels) has other groups",
    groups.save, groups, self.path, { layout = "pytorch", input = IMAGE })
end

function TestModelFiles:test_what_mixes_orders_is_refused()
  local flat = nn.Sequential { nn.Flatten(), nn.Residual { nn.Linear(24, 24) }, nn.Linear(24, 2) }
  local rows = nn.Sequential { nn.Conv2d(2, 2, 1), nn.Linear(2, 3), nn.Flatten(),
    nn.Linear(36, 2) }
  for _, case in ipairs { { flat, "adds a flattened image to values that are none" },
    { rows, "nn.Linear(2 -> 3) stands between the image and a linear layer" } } do
    local m = case[1]:build()
    lu.assert_error_msg_contains(case[2], m.save, m, self.path,
      { layout = "pytorch", input = IMAGE })
  end
end

--- A shortcut with a stride changes the places: 4 x 4 become 2 x 2.
function TestModelFiles:test_shapes_are_the_networks_own()
  local m = nn.Sequential { nn.Conv2d(1, 2, 3, { padding = 1 }), nn.ShortcutA(2, 3, 2),
    nn.Flatten(), nn.Linear(12, 1) }:build { seed = 1 }
  m:save(self.path, { layout = "pytorch", input = { 4, 4, 1 } })
  local file, ours = sw.load(self.path)["3.weight"], m:parameter "3.weight"
  for at = 0, 11 do
    lu.assert_equals(file:get(1, at % 3 * 4 + at // 3 + 1), ours:get(1, at + 1))
  end
end

function TestModelFiles:test_sequences_lie_alike()
  local net = nn.Sequential { nn.Embedding(7, 4), nn.TransformerBlock(4, 2), nn.Flatten(),
    nn.Linear(12, 2) }
  local m = net:build { seed = 1 }
  m:save(self.path, { layout = "pytorch", input = { 3 } })
  lu.assert_equals(net:build({ seed = 2 }):load(self.path):weights():table(), m:weights():table())
  lu.assert_error_msg_contains("takes 12 inputs", m.save, m, self.path,
    { layout = "pytorch", input = { 4 } })
end

function TestModelFiles:test_a_file_says_for_which_images_it_is()
  local m = image():build { seed = 1 }
  m:save(self.path, { layout = "pytorch", input = IMAGE, metadata = { note = "mine" } })
  lu.assert_equals(select(2, sw.load(self.path)).note, "mine")
  local wanted = 'was saved with layout = "pytorch", input = { 3, 4, 2 }: load it with the same'
  lu.assert_error_msg_contains(wanted, m.load, m, self.path)
  lu.assert_error_msg_contains(wanted, m.load, m, self.path,
    { layout = "pytorch", input = { 4, 3, 2 } })
end

function TestModelFiles:test_predict_is_forward_in_batches()
  local m, data = nn.Linear(64, 10):build { seed = 1 }, sw.data.load "digits"
  local y, labels = m:predict(data.valid, { batch = 7 })
  local all = {}
  for i = 1, 300 do all[i] = i end
  local want = m:forward((data.valid:gather(all)))
  lu.assert_equals(y:table(), want:table())
  lu.assert_equals(labels:table(), sw.ops.argmax(want):table())
  local raw = m:predict(data.valid.x:reshape { -1, 64 })
  lu.assert_equals(raw:shape(), { 300, 10 })
  lu.assert_nil(select(2, nn.Linear(64, 1):build {}:predict(data.valid)))
end

function TestModelFiles:test_predict_takes_indices()
  local m = nn.Sequential { nn.Embedding(7, 3), nn.Flatten(), nn.Linear(12, 2) }:build { seed = 1 }
  local x = sw.tensor({ { 0, 6, 2, 1 }, { 5, 5, 3, 0 }, { 4, 1, 1, 2 }, { 3, 0, 6, 6 } }, "int32")
  lu.assert_equals(m:predict(x, { batch = 2 }):table(), m:forward(x):table())
  lu.assert_error_msg_contains("a scalar has no rows", m.predict, m, sw.tensor(3))
end

-- ------------------------------------------------------------------ PyTorch

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

local function python(what, folder)
  local result = process.run { "/usr/bin/python3", HERE .. "/torch_check.py", what, folder }
  if not result or result.code ~= 0 then
    if not result or result.err:find "ModuleNotFoundError" then
      lu.skip "python3-torch is not installed"
    end
    error(result.err)
  end
end

local function assert_near(a, b)
  lu.assert_equals(a:shape(), b:shape())
  local difference = (a - b):reshape { -1 }
  for _, d in ipairs(difference:table()) do lu.assert_almost_equals(d, 0, 5e-6) end
end

function TestModelFiles:test_pytorch_reads_ours()
  local a, b = plain():build { seed = 3 }, image():build { seed = 4 }
  a:save(self.folder .. "/ours.safetensors")
  b:save(self.folder .. "/ours-image.safetensors", { layout = "pytorch", input = IMAGE })
  local c = conv():build { seed = 5 }
  for _, path in ipairs { "1.running_mean", "4.body.1.running_mean" } do
    c:buffer(path):copy(sw.randn { 4 })
  end
  c:save(self.folder .. "/ours-conv.safetensors", { layout = "pytorch", input = PHOTO })
  local x, images, photos = sw.randn { 8, 5 }, sw.randn { 8, 3, 4, 2 }, sw.randn { 8, 6, 8, 2 }
  sw.save(self.folder .. "/x-conv.npy", photos)
  sw.save(self.folder .. "/x.npy", x)
  sw.save(self.folder .. "/x-image.npy", images)
  python("read", self.folder)
  assert_near(a:predict(x), sw.load(self.folder .. "/y.npy"))
  assert_near(b:predict(images), sw.load(self.folder .. "/y-image.npy"))
  assert_near(c:predict(photos), sw.load(self.folder .. "/y-conv.npy"))
end

function TestModelFiles:test_we_read_pytorchs()
  python("write", self.folder)
  local a = plain():build { seed = 3 }:load(self.folder .. "/torch.safetensors")
  local b = image():build { seed = 4 }:load(self.folder .. "/torch-image.safetensors",
    { layout = "pytorch", input = IMAGE })
  assert_near(a:predict(sw.load(self.folder .. "/x.npy")), sw.load(self.folder .. "/y.npy"))
  assert_near(b:predict(sw.load(self.folder .. "/x-image.npy")),
    sw.load(self.folder .. "/y-image.npy"))
  local c = conv():build { seed = 5 }:load(self.folder .. "/torch-conv.safetensors",
    { layout = "pytorch", input = PHOTO })
  lu.assert_equals(c:buffer("1.num_batches_tracked"):item(), 3)
  assert_near(c:predict(sw.load(self.folder .. "/x-conv.npy")),
    sw.load(self.folder .. "/y-conv.npy"))
end
