-- The zoo's networks, tiny, in double. Hessian products: against differences of gradients,
-- symmetric, the same in float32 and by linearize. Per-example norms: against batches of one.
local compile = require "swale.compile"
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"
local tiny = require "tiny_zoo"

TestSecondZoo = {}

local LENGTH, WORDS = tiny.LENGTH, tiny.WORDS
local BATCH, STEP = 4, 1e-7 -- a step that hardly meets a kink of relu

local function normal(shape, seed, dtype)
  return core.random(seed, "test"):fill_normal(core.zeros(shape, dtype or "float64"), 0, 1)
end

local function words(seed)
  local t, random = core.zeros({ BATCH, LENGTH }, "int32"), core.random(seed, "test")
  for i = 1, BATCH do
    for k = 1, LENGTH do t:set(i, k, random:integer(WORDS) - 1) end
  end
  return t
end

local function batch_of(features)
  if features == "words" then return { x = words(1), y = words(2) } end
  return { x = normal({ BATCH, table.unpack(features) }, 1),
    y = core.tensor({ 0, 3, 1, 4 }, "int32") }
end

-- ------------------------------------------------------------------ Hessian products

local function check_differences(loss, w, v, product)
  local slope = (loss:gradient(w:clone():add(STEP, v)) - loss:gradient(w:clone():add(-STEP, v)))
    * (0.5 / STEP)
  lu.assert_true((slope - product):norm() <= 1e-5 * product:norm(),
    ("off by %.2g of %.2g"):format((slope - product):norm(), product:norm()))
end

local function check(name)
  local layer, features = tiny.network(name)
  local model = layer:build { seed = 3 }
  local loss = model:loss_on(batch_of(features), nil, { mode = "train" })
  local w = model:weights():to "float64"
  local u, v = normal({ #w }, 2), normal({ #w }, 3)
  u, v = u * (1 / u:norm()), v * (1 / v:norm())
  local map = loss:linearize(w)
  local hu, hv = map(u), map(v)
  lu.assert_true(map.kept)
  check_differences(loss, w, v, hv)
  lu.assert_almost_equals(u:dot(hv), v:dot(hu), 1e-13 * (hu:norm() + hv:norm()))
  local single = loss:hvp(w:to "float32", v:to "float32"):to "float64"
  lu.assert_true((single - hv):norm() <= 1e-3 * hv:norm(),
    ("float32: off by %.2g of %.2g"):format((single - hv):norm(), hv:norm()))
end

for _, name in ipairs(sw.zoo.names()) do
  TestSecondZoo["test_" .. name] = function() check(name) end
end

-- ------------------------------------------------------------------ per-example norms

-- In evaluation mode: examples are apart.
local function check_norms(name)
  local layer, features = tiny.network(name)
  local model, batch = layer:build { seed = 3 }, batch_of(features)
  local index = features == "words"
  local graph = compile.graph(layer, sw.loss.cross_entropy, { features = index and { LENGTH }
    or features, index = index, labels = true, target = index and { LENGTH } or {} }, "eval")
  local w, buffers = model:weights():to "float64", model:buffers() or core.zeros { 1 }
  local run = { inputs = { batch.x, batch.y }, out = core.zeros({ #w }, "float64"), batch = BATCH,
    vectors = { w, buffers:to "float64" } }
  local _, norms = graph:measured("float64"):run(run)
  local single = graph:pure "float64"
  run.batch = 1
  for i = 1, BATCH do
    run.inputs = { batch.x:narrow(1, i, 1), batch.y:narrow(1, i, 1) }
    single:run(run)
    local want = run.out:dot(run.out)
    lu.assert_almost_equals(norms:get(i), want, 1e-10 * want)
  end
end

for _, name in ipairs(sw.zoo.names()) do
  TestSecondZoo["test_norms_" .. name] = function() check_norms(name) end
end
