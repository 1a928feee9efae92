--- Data sets: what is read, how it is split and normalised, what is refused.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

local function temporary()
  return require("temporary").folder()
end

TestDigits = {}

function TestDigits:setUp() self.data = sw.data.load "digits" end

function TestDigits:test_sizes()
  lu.assert_equals(tostring(self.data), "digits 1197/300/300")
  lu.assert_equals({ self.data.features, self.data.classes }, { 64, 10 })
  lu.assert_equals(self.data.shape, { 8, 8, 1 })
  lu.assert_equals(self.data.train.x:shape(), { 1197, 8, 8, 1 })
end

--- The class counts and moments that NumPy finds in the same splits.
function TestDigits:test_content()
  local counts = {}
  for c = 1, 10 do counts[c] = 0 end
  for _, label in ipairs(self.data.train.y:table()) do counts[label + 1] = counts[label + 1] + 1 end
  lu.assert_equals(counts, { 111, 120, 115, 129, 131, 115, 118, 116, 115, 127 })
  local n = self.data.normalisation
  lu.assert_almost_equals(n.mean, 4.8697394527986635, 1e-12)
  lu.assert_almost_equals(n.deviation, 6.011961510873309, 1e-12)
end

function TestDigits:test_rows_are_standardised()
  local all = {}
  for i = 1, 1197 do all[i] = i end
  local x = self.data.train:gather(all):to "float64"
  local ones = core.zeros({ x:numel() }, "float64"):fill(1)
  local flat = x:reshape { -1 }
  lu.assert_almost_equals(flat:dot(ones) / x:numel(), 0, 1e-6)   -- float32 rows
  lu.assert_almost_equals(flat:dot(flat) / x:numel(), 1, 1e-6)
end

function TestDigits:test_raw_on_request()
  local x = sw.data.load("digits", { standardise = false }).train:gather { 1 }
  local raw = self.data.train.x:select(1, 1):reshape { -1 }
  lu.assert_equals(x:reshape({ -1 }):table(), raw:to("float32"):table())
end

function TestDigits:test_gather_refuses_positions_outside()
  lu.assert_error_msg_contains("position 1198 (entry 2) is not in 1 … 1197", self.data.train.gather,
    self.data.train, { 1, 1198 })
end

function TestDigits:test_a_sample_has_no_example_twice()
  local sample = self.data.valid:sample(300, 7)
  lu.assert_equals(#sample, 300)
  local function sum(labels)
    local s = 0
    for _, y in ipairs(labels:table()) do s = s + y end
    return s
  end
  lu.assert_equals(sum(sample.y), sum(self.data.valid.y))
  lu.assert_error_msg_contains("asked for 301 examples, there are 300", self.data.valid.sample,
    self.data.valid, 301)
end

local function labels_of_batches(split, o)
  local labels = {}
  for batch in split:batches(o) do
    for _, y in ipairs(batch.y:table()) do labels[#labels + 1] = y end
  end
  return labels
end

function TestDigits:test_the_order_does_not_depend_on_the_batch_size()
  local few = labels_of_batches(self.data.valid, { size = 7, epochs = 2.5, seed = 3 })
  local many = labels_of_batches(self.data.valid, { size = 1000, epochs = 2.5, seed = 3 })
  lu.assert_equals(#few, 750)
  lu.assert_equals(few, many)
  local other = labels_of_batches(self.data.valid, { size = 7, epochs = 2.5, seed = 4 })
  lu.assert_not_equals(few, other)
end

function TestDigits:test_batches_refuse_an_unknown_option()
  local valid = self.data.valid
  lu.assert_error_msg_contains('unknown option "sise"; did you mean "size"?', valid.batches, valid,
    { sise = 3 })
end

TestNames = {}

function TestNames:test_an_unknown_name_gets_a_suggestion()
  lu.assert_error_msg_contains('no data set "fasion-mnist"; did you mean "fashion-mnist"?',
    sw.data.load, "fasion-mnist")
end

function TestNames:test_what_is_not_a_name()
  lu.assert_error_msg_contains("goes by its name", sw.data.load, 3)
end

TestFashion = {}

function TestFashion:test_as_debian_has_it()
  if not sw.data.is_here "fashion-mnist" then lu.skip "fashion-mnist is not on this machine" end
  local data = sw.data.load "fashion-mnist"
  lu.assert_equals(tostring(data), "fashion-mnist 55000/5000/10000")
  lu.assert_equals(data.train.x:shape(), { 55000, 28, 28, 1 })
  lu.assert_almost_equals(data.normalisation.mean / 255, 0.2858, 1e-3)
  lu.assert_equals(data.train.y:get(1), 9) -- an ankle boot
end

TestTensors = {}

local function two_rows() return sw.tensor { { 1, 2, 3 }, { 4, 5, 6 } } end

function TestTensors:test_targets()
  local data = sw.data.from_tensors { train = { x = two_rows(), y = sw.tensor { 0.5, 1.5 } } }
  lu.assert_nil(data.classes)
  local x, y = data.train:gather { 2, 1 }
  lu.assert_equals(x:table(), { { 4, 5, 6 }, { 1, 2, 3 } })
  lu.assert_equals(y:reshape({ -1 }):table(), { 1.5, 0.5 })
end

function TestTensors:test_unit_divides_by_255()
  local data = sw.data.from_tensors { standardise = "unit",
    train = { x = sw.tensor({ { 0, 51 }, { 255, 1 } }, "uint8") } }
  local want = sw.tensor { { 0, 51 }, { 255, 1 } } * sw.tensor(1 / 255) -- as scale, one rounding
  lu.assert_equals((data.train:gather { 1, 2 }):table(), want:table())
  lu.assert_equals(data.normalisation.deviation, 255)
  lu.assert_equals(data:standardise("none").normalisation, nil)
  for _, value in ipairs { 1, 256, -1 } do
    lu.assert_error_msg_contains('standardise: "unit" divides by 255, but values of train.x are',
      sw.data.from_tensors, { standardise = "unit", train = { x = sw.tensor { { 0, value } } } })
  end
end

function TestTensors:test_values_that_are_not_finite()
  local x = sw.ones { 1003, 3 }
  x:set(1002, 2, 0 / 0)
  x:set(1003, 1, math.huge)
  lu.assert_error_msg_contains("standardise: train.x: 2 values are not finite; the first is nan,"
    .. " value 2 of example 1002; fill it in", sw.data.from_tensors,
    { standardise = "feature", train = { x = x } })
  local y = sw.zeros { 1003, 1 }
  y:set(4, 1, -math.huge)
  local data = sw.data.from_tensors { train = { x = sw.ones { 1003, 3 }, y = y } }
  local trainer = sw.Trainer { model = sw.nn.Linear(3, 1), loss = sw.loss.mse, lr = 0,
    batch_size = 1003, data = data }
  local ok, why = pcall(trainer.fit, trainer, { steps = 1 })
  lu.assert_false(ok)
  lu.assert_str_contains(tostring(why),
    "data.train.y: 1 value is not finite; the first is -inf, value 1 of example 4")
end

function TestTensors:test_splits_of_other_kinds()
  local function refuses(message, o)
    lu.assert_error_msg_contains(message, sw.data.from_tensors, o)
  end
  local x, labels = sw.ones { 2, 2 }, sw.zeros({ 2 }, "int32")
  refuses("train: rows of x hold no values", { train = { x = sw.ones { 2, 0 } } })
  refuses("train: rows of y hold no values", { train = { x = x, y = sw.ones { 2, 0 } } })
  refuses('train: y is float64; data are float32: y:to "float32"',
    { train = { x = x, y = sw.ones({ 2 }, "float64") } })
  refuses("classes go with labels, but y of train are float32", { classes = 2,
    train = { x = x, y = sw.ones { 2 } } })
  refuses("y of train are float32 targets: leave classes out", { classes = 2,
    train = { x = x, y = sw.ones { 2, 2 } } })
  refuses("valid: y is float32, that of train int32", { classes = 2,
    train = { x = x, y = labels }, valid = { x = x, y = sw.ones { 2 } } })
  refuses("test: x is uint8, that of train float32",
    { train = { x = x }, test = { x = x:to "uint8" } })
  refuses("valid: rows of x are (3, 2), those of train (2, 3)",
    { train = { x = sw.ones { 2, 2, 3 } }, valid = { x = sw.ones { 1, 3, 2 } } })
end

function TestTensors:test_lists_count_from_1()
  local data = sw.data.from_tensors { train = { x = two_rows() } }
  lu.assert_error_msg_contains("gather: index must be a list, [1] and on without gaps",
    data.train.gather, data.train, { [0] = 1, 2 })
  lu.assert_error_msg_contains("layers are entries 1 … 1, without gaps; there is one at [0]",
    sw.nn.Sequential, { [0] = sw.nn.ReLU(), sw.nn.Tanh() })
end

function TestTensors:test_labels_outside_the_classes()
  local y = sw.tensor({ 0, 7 }, "int32")
  lu.assert_error_msg_contains(
    "from_tensors: train: label 7 of example 2 is outside 0 … 2, the 3 classes",
    sw.data.from_tensors, { train = { x = two_rows(), y = y }, classes = 3 })
  lu.assert_error_msg_contains("from_tensors: valid: label 7 of example 2", sw.data.from_tensors,
    { train = { x = two_rows(), y = sw.zeros({ 2 }, "int32") },
      valid = { x = two_rows(), y = y }, classes = 3 })
end

function TestTensors:test_labels_need_classes()
  lu.assert_error_msg_contains("labels need classes", sw.data.from_tensors,
    { train = { x = two_rows(), y = sw.tensor({ 0, 1 }, "int32") } })
end

function TestTensors:test_splits_must_agree()
  lu.assert_error_msg_contains("valid: rows of 2 values, but rows of train have 3",
    sw.data.from_tensors, { train = { x = two_rows() }, valid = { x = sw.zeros { 4, 2 } } })
  lu.assert_error_msg_contains("train: 2 rows in x, but 3 in y", sw.data.from_tensors,
    { train = { x = two_rows(), y = sw.zeros { 3 } } })
end

function TestTensors:test_a_split_has_examples()
  local none = { x = sw.zeros { 0, 3 } }
  lu.assert_error_msg_contains("from_tensors: train: there are no examples", sw.data.from_tensors,
    { train = none })
  lu.assert_error_msg_contains("valid: there are no examples",
    sw.data.from_tensors, { train = { x = two_rows() }, valid = none })
  lu.assert_error_msg_contains("train: x and y have a row for each example", sw.data.from_tensors,
    { train = { x = sw.tensor(3) } })
end

function TestTensors:test_standardise_by_the_training_split()
  local data = sw.data.from_tensors { train = { x = two_rows() }, test = { x = two_rows() },
    standardise = true }
  local x = data.test:gather({ 1, 2 }):reshape({ -1 }):table()
  local s = math.sqrt(35 / 12) -- deviation of 1 … 6
  for i = 1, 6 do lu.assert_almost_equals(x[i], (i - 3.5) / s, 1e-6) end
end

local function standardised(kind, x)
  return sw.data.from_tensors { standardise = kind, train = { x = x }, test = { x = x } }
end

-- 0.1 in float32 is no short fraction: n of them, added and divided, may be another number.
function TestTensors:test_what_does_not_vary_is_only_shifted()
  local other = sw.full({ 1, 1 }, 0.2)
  for _, kind in ipairs { "feature", "channel", "global" } do
    for n = 2, 120 do
      local data = sw.data.from_tensors { standardise = kind, test = { x = other },
        train = { x = sw.full({ n, 1 }, 0.1) } }
      local deviation = data.normalisation.deviation
      lu.assert_equals(kind == "global" and deviation or deviation:get(1), 1)
      lu.assert_almost_equals(data.test:gather({ 1 }):item(), 0.1, 2 ^ -24) -- three roundings
    end
  end
end

function TestTensors:test_little_that_varies_beside_a_large_mean()
  -- neighbours in float32, a deviation of 1/32 beside 10^6: a difference of squares would lose it
  local x = sw.tensor { { 1e6, 5 }, { 1e6 + 0.0625, 5 } }
  local data = standardised("feature", x)
  lu.assert_equals(data.normalisation.mean:table(), { 1e6 + 0.03125, 5 })
  lu.assert_equals(data.normalisation.deviation:table(), { 0.03125, 1 })
  lu.assert_equals(standardised("global", x:narrow(2, 1, 1):contiguous()).normalisation.deviation,
    0.03125)
end

-- Times, years, large counts: the mean is many deviations. Right values: of float64, rounded once.
function TestTensors:test_values_far_from_0_keep_their_digits()
  local function read(kind, values)
    local x = sw.tensor(values):reshape { -1, 1 }
    local data = sw.data.from_tensors { standardise = kind,
      train = { x = x, y = sw.zeros { #values, 1 } },
      test = { x = x, y = sw.zeros { #values, 1 } } }
    lu.assert_equals(data.train.x:get(1, 1), values[1])
    return data.test:gather { 1, 2, 3 }:reshape({ -1 }):table()
  end
  for _, kind in ipairs { "global", "feature", "channel" } do
    for _, case in ipairs { { 1e8, { 0, 8, 16 } }, { 2 ^ 24, { 0, 0, 2 } },
      { 2020, { 0, 1, 5 } } } do
      local base, steps, mean, squares = case[1], case[2], 0, 0
      for _, step in ipairs(steps) do mean = mean + step / 3 end
      for _, step in ipairs(steps) do squares = squares + (step - mean) ^ 2 / 3 end
      local found = read(kind, { base + steps[1], base + steps[2], base + steps[3] })
      for i, step in ipairs(steps) do
        lu.assert_almost_equals(found[i], (step - mean) / math.sqrt(squares), 2e-7)
      end
    end
  end
end

function TestTensors:test_what_float32_counts_as_0_does_not_vary()
  local data = standardised("global", sw.tensor { { 1e-40 }, { 2e-40 } })
  lu.assert_equals(data.normalisation.deviation, 1)
end

TestIdx = {}

function TestIdx:setUp()
  self.dir = temporary()
  self.images, self.labels = self.dir .. "/x-idx3-ubyte", self.dir .. "/y-idx1-ubyte.gz"
  assert(core.idx_write(core.zeros({ 6, 2, 2 }, "uint8"):fill(3), self.images))
  assert(core.idx_write(core.tensor({ 0, 1, 2, 0, 1, 2 }, "uint8"), self.labels))
end

function TestIdx:tearDown() require("swale.folders").remove(self.dir) end

function TestIdx:options(more)
  local o = { train_images = self.images, train_labels = self.labels, classes = 3 }
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

function TestIdx:test_the_end_of_the_training_files_is_valid()
  local data = sw.data.idx(self:options { valid = 2, name = "mine" })
  lu.assert_equals(tostring(data), "mine 4/2")
  lu.assert_equals(data.valid.y:table(), { 1, 2 })
end

function TestIdx:test_a_label_outside_the_classes_names_the_file()
  lu.assert_error_msg_equals(self.labels .. ": train: label 2 of example 3 is outside 0 … 1,"
    .. " the 2 classes", sw.data.idx, self:options { classes = 2 })
end

function TestIdx:test_a_truncated_file_is_named()
  local file = assert(io.open(self.images, "rb"))
  local text = file:read "a"
  file:close()
  file = assert(io.open(self.images, "wb"))
  file:write(text:sub(1, -5))
  file:close()
  local result, message, code = sw.try(sw.data.idx, self:options())
  lu.assert_nil(result)
  lu.assert_str_contains(message, self.images)
  lu.assert_equals(code, "ECORRUPT")
end

function TestIdx:test_a_missing_file_is_named()
  lu.assert_error_msg_contains("/nowhere/x", sw.data.idx,
    self:options { train_images = "/nowhere/x" })
end

function TestIdx:test_images_and_labels_must_be_as_many()
  assert(core.idx_write(core.zeros({ 5 }, "uint8"), self.labels))
  lu.assert_error_msg_contains("6 images", sw.data.idx, self:options())
end

TestQuadratic = {}

function TestQuadratic:setUp()
  self.problem = sw.data.noisy_quadratic { h = { 4, 1, 0.25 }, sigma = 0.5, n = 200, seed = 2 }
  self.w = { 1, -2, 3 }
end

--- Sums over the examples themselves, in double.
function TestQuadratic:measured()
  local h, x, n = self.problem.h, self.problem.data.train.x:table(), 200
  local mean, squares, loss = { 0, 0, 0 }, 0, 0
  for i = 1, n do
    for j = 1, 3 do
      local difference = self.w[j] - x[i][j]
      mean[j] = mean[j] + h[j] * difference / n
      squares = squares + (h[j] * difference) ^ 2
      loss = loss + 0.5 * h[j] * difference ^ 2 / n
    end
  end
  local g2 = mean[1] ^ 2 + mean[2] ^ 2 + mean[3] ^ 2
  return mean, (squares - n * g2) / (n - 1), loss
end

function TestQuadratic:test_closed_forms_are_those_of_the_data()
  local mean, trace, loss = self:measured()
  local g = self.problem:gradient(self.w)
  for j = 1, 3 do lu.assert_almost_equals(g[j], mean[j], 1e-6) end   -- float32 examples
  lu.assert_almost_equals(self.problem.trace, trace, 1e-5)
  lu.assert_almost_equals(self.problem:loss_at(self.w), loss, 1e-5)
  lu.assert_almost_equals(self.problem:noise_scale(self.w), trace / (16 + 4 + 0.5625), 1e-5)
end

function TestQuadratic:test_power_law()
  local problem = sw.data.noisy_quadratic { dimensions = 4, power = 2 }
  lu.assert_equals(problem.h, { 1, 1 / 4, 1 / 9, 1 / 16 })
end

--- Full batches: w_j <- (1 - lr h_j) w_j, exactly.
function TestQuadratic:test_gradient_descent_contracts()
  local problem = self.problem
  local trainer = sw.Trainer { model = problem:model(self.w), data = problem.data,
    loss = problem.loss, lr = 0.1, batch_size = 200 }
  trainer:fit { steps = 20 }
  for j, value in ipairs(trainer:weights():table()) do
    lu.assert_almost_equals(value, self.w[j] * (1 - 0.1 * problem.h[j]) ^ 20, 1e-5)
  end
end

--- At a tiny rate the weights stay; the estimate must cover the exact value.
function TestQuadratic:test_the_measured_noise_scale_covers_the_exact_one()
  local problem = self.problem
  local trainer = sw.Trainer { model = problem:model(self.w), data = problem.data,
    loss = problem.loss, lr = 1e-9, batch_size = 10,
    measure = { noise_scale = sw.every { steps = 1 } } }
  trainer:fit { steps = 32 }
  local found, exact = trainer:state().noise_scale, problem:noise_scale(self.w)
  lu.assert_equals(found.status, "resolved")
  lu.assert_true(found.low < exact and exact < found.high,
    ("%g not in %g … %g"):format(exact, found.low, found.high))
end
