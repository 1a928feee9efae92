--- The noise of layers, against gradients of one example at a time.
local coverage = require "coverage"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local sw = require "swale"

TestNoiseLayers = {}

local function near(got, want, tolerance)
  lu.assert_almost_equals(got, want, tolerance * math.max(1e-3, math.abs(want)))
end

local function network()
  local data = sw.data.gaussian_mixture { classes = 3, features = 4, n = 120, seed = 2 }
  local model = sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.LayerNorm(5), sw.nn.Tanh(),
    sw.nn.Sequential { sw.nn.Linear(5, 6), sw.nn.LayerNorm(6) }, sw.nn.Linear(6, 3) }
  return model:build { seed = 3 }, data.train
end

local function is_norm(path) return path:find "^1%." or path:find "^3%.1%." end

-- Each part is what `over` measures of it alone.
function TestNoiseLayers:test_layers_are_what_over_measures()
  local model, split = network()
  for _, o in ipairs { {}, { weight_decay = 0.2 }, { by = "micro", batch_size = 3 } } do
    local function measured(more)
      for key, value in pairs(o) do more[key] = value end
      more.target = "population"
      return sw.measure.noise(model, split, more)
    end
    local noise = measured { layers = true }
    lu.assert_equals(noise.paths, { "0", "1", "3.0", "3.1", "4" })
    for _, path in ipairs(noise.paths) do
      local part = noise.layers[path]
      local alone = measured { over = "^" .. path:gsub("%.", "%%.") .. "%.[^.]*$" }
      near(part.signal.value, alone.signal.value, 1e-4)
      near(part.noise.value, alone.noise.value, 1e-5)
      near(part.b_simple.low, alone.b_simple.low, 1e-3)
    end
    local norms = measured { over = is_norm }
    near(noise.normalisation.noise.value, norms.noise.value, 1e-5)
    near(noise.normalisation.signal.value, norms.signal.value, 1e-4)
    near(noise.ratio.value, norms.b_simple.value / noise.b_simple.value, 1e-3)
  end
end

function TestNoiseLayers:test_parts_add_up_to_the_whole()
  local model, split = network()
  local noise, signal, trace = sw.measure.noise(model, split, { layers = true }), 0, 0
  for _, part in pairs(noise.layers) do
    signal, trace = signal + part.signal.value, trace + part.noise.value
  end
  near(signal, noise.signal.value, 1e-5)
  near(trace, noise.noise.value, 1e-5)
  lu.assert_equals(noise.ratio.interval, "exact")
end

-- Resampling: the ratio of a sample covers that of the whole set.
function TestNoiseLayers:test_the_ratio_covers()
  local model, split = network()
  local exact, covered, resolved, count = sw.measure.noise(model, split, { layers = true }).ratio,
    0, 0, coverage.replicates(60)
  for seed = 1, count do
    local e = sw.measure.noise(model, split:sample(60, seed), { layers = true, seed = seed }).ratio
    covered = covered + (e.low <= exact.value and exact.value <= e.high and 1 or 0)
    resolved = resolved + (e.status == "resolved" and 1 or 0)
  end
  lu.assert_true(covered >= coverage.least(count, 0.95), ("%d of %d"):format(covered, count))
  lu.assert_true(resolved >= count / 2, ("%d resolved"):format(resolved))
end

function TestNoiseLayers:test_a_network_without_norms_has_no_ratio()
  local _, split = network()
  local model = sw.nn.Linear(4, 3):build()
  local noise = sw.measure.noise(model, split, { layers = true })
  lu.assert_nil(noise.ratio)
  lu.assert_nil(noise.normalisation)
  near(noise.layers[""].signal.value, noise.signal.value, 1e-6)
end

-- ------------------------------------------------------------------ pictures

function TestNoiseLayers:test_pictures()
  if not process.find "gnuplot" then lu.skip "there is no gnuplot" end
  local model, split = network()
  local dir = require("temporary").folder()
  local noise = sw.measure.noise(model, split, { layers = true, hessian = true })
  local files = { noise:plot(dir .. "/noise.svg"), sw.measure.gram(model, split):plot(dir
    .. "/gram.svg") }
  for i, labels in ipairs { { "best learning rate", "decrease of the loss", "3.0" },
    { "eigenvalue", "120 examples" } } do
    local file = assert(io.open(files[i]))
    local svg = file:read "a"
    file:close()
    for _, label in ipairs(labels) do lu.assert_str_contains(svg, label) end
  end
  folders.remove(dir)
  lu.assert_error_msg_contains("needs hessian = true or layers = true", function()
    sw.measure.noise(model, split):plot "x.svg"
  end)
end
