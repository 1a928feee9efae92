local core = require "swale.core"
local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestEmbedding = {}

function TestEmbedding:test_a_row_for_each_number()
  local m = nn.Embedding(3, 2, { init = sw.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } } }):build()
  lu.assert_equals(m:forward(sw.tensor({ { 2, 0 }, { 1, 2 } }, "int32")):table(),
    { { { 5, 6 }, { 1, 2 } }, { { 3, 4 }, { 5, 6 } } })
  lu.assert_equals(m:forward(sw.tensor({ 1 }, "int32")):table(), { { 3, 4 } })
end

function TestEmbedding:test_begins_as_gpt2s()
  local w = nn.Embedding(100, 100):build { seed = 1 }:weights():to "float64"
  lu.assert_almost_equals(w:norm() / 100, 0.02, 0.02 * 0.03) -- 10,000 draws: 4 sigma are 3 %
end

function TestEmbedding:test_refuses_real_numbers()
  lu.assert_error_msg_contains("takes whole numbers", function()
    nn.Embedding(3, 2):build():forward(sw.zeros { 2, 2 })
  end)
  lu.assert_error_msg_contains("vocabulary must be", nn.Embedding, 0, 2)
  lu.assert_error_msg_contains('did you mean "init"', nn.Embedding, 1, 2, { inti = 1 })
end

TestPositions = {}

function TestPositions:test_adds_a_row_to_each_position()
  local m = nn.Positions(3, 2, { init = sw.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } } }):build()
  lu.assert_equals(m:forward(sw.zeros { 1, 3, 2 }):table(), { { { 1, 2 }, { 3, 4 }, { 5, 6 } } })
  lu.assert_equals(m:forward(sw.ones { 1, 2, 2 }):table(), { { { 2, 3 }, { 4, 5 } } })
  lu.assert_error_msg_contains("T at most 3, not (1, 4, 2)", m.forward, m, sw.zeros { 1, 4, 2 })
end

TestLinear3 = {}

function TestLinear3:test_works_on_the_last_axis()
  local m = nn.Linear(2, 3):build { seed = 3 }
  local x = sw.randn { 2, 5, 2 }
  local y = m:forward(x)
  lu.assert_equals(y:shape(), { 2, 5, 3 })
  lu.assert_equals(y:reshape({ 10, 3 }):table(), m:forward(x:reshape { 10, 2 }):table())
end

-- ------------------------------------------------------------------ beside PyTorch

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local expected

-- scale sin(1.7 i + phase), as pytorch_transformer.py makes them
local function sines(shape, phase, scale)
  local n, values = 1, {}
  for _, d in ipairs(shape) do n = n * d end
  for i = 1, n do values[i] = scale * math.sin(1.7 * i + phase) end
  return core.tensor(values, "float64"):reshape(shape)
end

local function vector(model, by_path)
  local w = core.zeros({ #model:weights() }, "float64")
  for _, s in ipairs(model.segments) do
    w:narrow(1, s.offset, s.size):copy(by_path(s.path, s.shape):reshape { -1 })
  end
  return w
end

local function check_block(want, o)
  local model = nn.TransformerBlock(6, 2, o):build()
  local order = {}
  for i, path in ipairs(require("swale.errors").sorted_keys(want.gradients)) do order[path] = i end
  local w = vector(model, function(path, shape) return sines(shape, order[path], 0.5) end)
  local batch = { x = sines({ 2, 4, 6 }, 0.3, 1), y = sines({ 2, 4, 6 }, 0.9, 1) }
  local f = sw.compile(function(output, target) return sw.ops.sum(output * target) end, model)
  local value, gradient = f:value_and_gradient(w, batch)
  local y = core.tensor(want.output, "float64")
  lu.assert_almost_equals(value, y:dot(batch.y:reshape { -1 }), 1e-11)
  local difference = gradient - vector(model, function(path)
    return core.tensor(want.gradients[path], "float64")
  end)
  lu.assert_true(difference:norm() < 1e-12 * gradient:norm(), difference:norm())
end

TestBlock = {}

function TestBlock:setUp()
  if expected then return end
  local file <close> = assert(io.open(HERE .. "/pytorch_transformer.json"))
  expected = core.json_decode(file:read "a")
end

function TestBlock:test_is_pytorchs_with_norms_first()
  check_block(expected.pre, { causal = true })
end

function TestBlock:test_is_pytorchs_with_norms_behind()
  check_block(expected.post, { causal = true, norm = "post" })
end

function TestBlock:test_is_pytorchs_without_a_mask() check_block(expected.open, {}) end

function TestBlock:test_a_position_sees_only_what_is_before_it()
  local m = nn.MultiHeadAttention(4, 2, { causal = true, init = "normal" }):build { seed = 2 }
  local x = sw.randn { 1, 5, 4 }
  local before = m:forward(x)
  x:narrow(2, 4, 2):scale(3)
  local after = m:forward(x)
  lu.assert_equals(after:narrow(2, 1, 3):contiguous():table(),
    before:narrow(2, 1, 3):contiguous():table())
  lu.assert_not_equals(after:narrow(2, 4, 1):contiguous():table(),
    before:narrow(2, 4, 1):contiguous():table())
end

function TestBlock:test_dropout_rests_in_evaluation()
  local o = { causal = true, init = "normal" }
  local plain = nn.TransformerBlock(4, 2, o):build { seed = 2 }
  o.dropout = 0.5
  local model = nn.TransformerBlock(4, 2, o):build { seed = 2 }
  local x = sw.randn { 2, 3, 4 }
  lu.assert_equals(model:state_paths(), plain:state_paths())
  lu.assert_equals(model:forward(x):table(), plain:forward(x):table())
  lu.assert_true(model.layer:has_modes())
end

function TestBlock:test_refusals()
  lu.assert_error_msg_contains("3 heads do not divide the size 4", nn.MultiHeadAttention, 4, 3)
  lu.assert_error_msg_contains('norm must be one of "pre", "post"', nn.TransformerBlock, 4, 2,
    { norm = "before" })
  lu.assert_error_msg_contains('did you mean "causal"', nn.TransformerBlock, 4, 2,
    { casual = true })
  local m = nn.MultiHeadAttention(4, 2):build()
  lu.assert_error_msg_contains("takes (B, T, 4), not (2, 4)", m.forward, m, sw.zeros { 2, 4 })
end
