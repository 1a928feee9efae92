--- Data sets made from others, and synthetic problems: their known properties are checked against
--- the data.
local lu = require "luaunit"
local sampling = require "swale.data.sampling"
local sw = require "swale"

TestTransforms = {}

function TestTransforms:setUp()
  self.data = sw.data.load "digits"
  self.labels = self.data.train.y:table()
end

local function differences(a, b)
  local n = 0
  for i = 1, #a do if a[i] ~= b[i] then n = n + 1 end end
  return n
end

function TestTransforms:test_label_noise_changes_as_many_as_it_says()
  local noisy = self.data:label_noise { rate = 0.25, seed = 3 }
  lu.assert_equals(differences(noisy.train.y:table(), self.labels), 299) -- round(1197 / 4)
  lu.assert_equals(noisy.train.clean_y:table(), self.labels)
  lu.assert_equals(noisy.valid.y:table(), self.data.valid.y:table())
  lu.assert_nil(noisy.valid.clean_y)
  lu.assert_equals(self.data.train.y:table(), self.labels)
  lu.assert_nil(self.data.train.clean_y)
  lu.assert_equals(noisy.known.label_noise, 0.25)
  for _, y in ipairs(noisy.train.y:table()) do lu.assert_true(y >= 0 and y <= 9) end
end

function TestTransforms:test_more_noise_changes_the_same_and_more()
  local few = self.data:label_noise({ rate = 0.1 }).train.y:table()
  local many = self.data:label_noise({ rate = 0.4 }).train.y:table()
  for i, y in ipairs(few) do
    if y ~= self.labels[i] then lu.assert_equals(many[i], y) end
  end
  lu.assert_not_equals(self.data:label_noise({ rate = 0.1, seed = 2 }).train.y:table(), few)
  lu.assert_equals(differences(self.data:label_noise({ rate = 1 }).train.y:table(), self.labels),
    1197)
end

function TestTransforms:test_clean_labels_stay_the_first_ones()
  local twice = self.data:label_noise({ rate = 0.5 }):random_labels { on = "all" }
  lu.assert_equals(twice.train.clean_y:table(), self.labels)
  lu.assert_equals(twice.valid.clean_y:table(), self.data.valid.y:table())
  local sample = twice.train:sample(5, 1)
  lu.assert_equals(#sample.clean_y, 5)
end

function TestTransforms:test_random_labels()
  local y = self.data:random_labels({ seed = 1 }).train.y:table()
  local wrong = differences(y, self.labels) / #y
  lu.assert_almost_equals(wrong, 0.9, 0.035) -- four deviations
  local kept = self.data:random_labels({ keep_counts = true }).train.y:table()
  lu.assert_true(differences(kept, self.labels) > 900)
  table.sort(kept)
  table.sort(self.labels)
  lu.assert_equals(kept, self.labels)
end

function TestTransforms:test_subsets_are_prefixes_of_larger_ones()
  local few, many = self.data:subset { n = 20, seed = 5 }, self.data:subset { n = 50, seed = 5 }
  lu.assert_equals({ tostring(few), tostring(many) }, { "digits 20/300/300", "digits 50/300/300" })
  lu.assert_equals(few.train.x:dtype(), "uint8")
  lu.assert_equals(many.train.x:narrow(1, 1, 20):table(), few.train.x:table())
  lu.assert_equals(many.train.y:narrow(1, 1, 20):table(), few.train.y:table())
  lu.assert_is(few.normalisation, self.data.normalisation)
  lu.assert_equals(#self.data.train, 1197)
end

--- Rows stay with their labels: each row of the subset is a row of the whole, of the same label.
function TestTransforms:test_a_subset_keeps_rows_and_labels_together()
  local whole = {}
  for i, row in ipairs(self.data.train.x:reshape({ -1, 64 }):table()) do
    whole[table.concat(row, ",")] = self.labels[i]
  end
  local noisy = self.data:label_noise({ rate = 1 }):subset { n = 100 }
  for i, row in ipairs(noisy.train.x:reshape({ -1, 64 }):table()) do
    lu.assert_equals(noisy.train.clean_y:get(i), whole[table.concat(row, ",")])
    lu.assert_not_equals(noisy.train.y:get(i), noisy.train.clean_y:get(i))
  end
end

function TestTransforms:test_stratified_subsets_have_the_proportions()
  local sub = self.data:subset { n = 120, stratified = true }
  lu.assert_equals(#sub.train, 120)
  local counts, whole = {}, {}
  for c = 0, 9 do counts[c], whole[c] = 0, 0 end
  for _, y in ipairs(sub.train.y:table()) do counts[y] = counts[y] + 1 end
  for _, y in ipairs(self.labels) do whole[y] = whole[y] + 1 end
  for c = 0, 9 do lu.assert_true(math.abs(counts[c] - whole[c] * 120 / 1197) < 1) end
end

function TestTransforms:test_what_cannot_be_made()
  local plain = sw.data.from_tensors { train = { x = sw.zeros { 3, 2 }, y = sw.zeros { 3 } } }
  lu.assert_error_msg_contains("no class labels", plain.label_noise, plain, { rate = 0.1 })
  lu.assert_error_msg_contains("rate is a share", self.data.label_noise, self.data, { rate = 20 })
  lu.assert_error_msg_contains("asked for 1198 examples", self.data.subset, self.data, { n = 1198 })
  lu.assert_error_msg_contains('not "chanel"; did you mean "channel"?', self.data.standardise,
    self.data, "chanel")
end

-- ------------------------------------------------------------------ normalisation

local function moments(list)
  local mean, squares = 0, 0
  for _, v in ipairs(list) do mean = mean + v / #list end
  for _, v in ipairs(list) do squares = squares + (v - mean) ^ 2 / #list end
  return mean, squares
end

TestNormalisation = {}

function TestNormalisation:setUp()
  local x, stream = sw.zeros { 50, 2, 2, 3 }, sw.random(1, "test")
  stream:fill_normal(x, 5, 2)
  x:select(4, 2):scale(10)
  x:select(4, 3):fill(7) -- a channel that does not vary
  self.x = x
  self.data = sw.data.from_tensors { train = { x = x } }
end

function TestNormalisation:rows(kind)
  local all = {}
  for i = 1, 50 do all[i] = i end
  return (self.data:standardise(kind).train:gather(all)):reshape { 50, 4, 3 }
end

function TestNormalisation:test_by_channel()
  local rows = self:rows "channel"
  for c = 1, 2 do
    local mean, variance = moments(rows:select(3, c):contiguous():reshape({ -1 }):table())
    lu.assert_almost_equals({ mean, variance }, { 0, 1 }, 1e-5)
  end
  lu.assert_equals(moments(rows:select(3, 3):contiguous():reshape({ -1 }):table()), 0)
end

function TestNormalisation:test_by_feature()
  local rows = self:rows("feature"):reshape { 50, 12 }
  for f = 1, 12 do
    local mean, variance = moments(rows:select(2, f):table())
    lu.assert_almost_equals({ mean, variance }, { 0, f % 3 == 0 and 0 or 1 }, 1e-5)
  end
end

function TestNormalisation:test_global_and_none()
  local mean, variance = moments(self:rows(true):reshape({ -1 }):table())
  lu.assert_almost_equals({ mean, variance }, { 0, 1 }, 1e-5)
  lu.assert_equals(self:rows("none"):reshape({ -1 }):table(), self.x:reshape({ -1 }):table())
  lu.assert_nil(self.data:standardise(true):standardise(false).normalisation)
  lu.assert_nil(self.data.normalisation)
end

-- ------------------------------------------------------------------ problems

local function accuracy(data, split)
  local y, right = data[split].y:table(), 0
  for i, found in ipairs(data.known.rule(data[split].x):table()) do
    if found == y[i] then right = right + 1 end
  end
  return right / #y
end

--- Four standard errors of the count, and of the accuracy where that was measured.
local function assert_bayes(data)
  local p, deviation = data.known.bayes()
  local n = #data.test
  lu.assert_almost_equals(accuracy(data, "test"), p,
    4 * (math.sqrt(p * (1 - p) / n) + deviation) + 1e-12)
end

TestProblems = {}

function TestProblems:test_the_normal_distribution()
  lu.assert_almost_equals(sampling.normal_cdf(1), 0.841344746068542949, 1e-15)
  lu.assert_almost_equals(sampling.normal_cdf(-3), 0.00134989803163009452, 1e-15)
  lu.assert_equals({ sampling.normal_cdf(0), sampling.normal_cdf(40) }, { 0.5, 1 })
end

function TestProblems:test_two_clouds_have_a_closed_form()
  local data = sw.data.gaussian_mixture { means = { { 1, 0 }, { -1, 0 } }, spread = 1, n = 4000 }
  lu.assert_equals({ data.known.bayes() }, { sampling.normal_cdf(1), 0 })
  lu.assert_equals(tostring(data), "gaussian mixture 4000/800/4000")
  assert_bayes(data)
end

function TestProblems:test_more_clouds_are_measured()
  local data = sw.data.gaussian_mixture { classes = 4, features = 30, spread = 0.4, n = 3000 }
  lu.assert_true(select(2, data.known.bayes()) < 0.0015)
  assert_bayes(data)
  for c = 1, 4 do lu.assert_almost_equals(data.known.means:select(1, c):norm(), 1, 1e-6) end
end

function TestProblems:test_the_same_seed_makes_the_same_problem()
  local function make(seed, n)
    local data = sw.data.gaussian_mixture { seed = seed, n = n, test = 10 }
    return data.test.x:table()
  end
  lu.assert_equals(make(1, 10), make(1, 20))
  lu.assert_not_equals(make(1, 10), make(2, 10))
end

function TestProblems:test_spirals_without_noise_are_told_apart()
  local data = sw.data.two_spirals { turns = 3, noise = 0, n = 2000 }
  lu.assert_equals(accuracy(data, "train"), 1)
  lu.assert_equals({ data.known.bayes() }, { 1, 0 })
  lu.assert_almost_equals(data.known.gap, 1 / 6, 1e-12)
end

function TestProblems:test_spirals_with_noise()
  local data = sw.data.two_spirals { noise = 0.15, n = 2000 }
  local p = data.known.bayes()
  lu.assert_true(p > 0.6 and p < 0.9)
  assert_bayes(data)
end

function TestProblems:test_a_teacher_and_its_noise()
  local data = sw.data.teacher { sizes = { 6, 12, 3 }, noise = 0.2, n = 3000 }
  lu.assert_equals({ data.known.bayes() }, { 0.8, 0 })
  assert_bayes(data)
  lu.assert_equals(data.known.rule(data.train.x):table(), data.train.clean_y:table())
  local clean = sw.data.teacher { sizes = { 6, 12, 3 }, n = 100 }
  lu.assert_equals(accuracy(clean, "train"), 1)
  lu.assert_nil(clean.train.clean_y)
end

function TestProblems:test_a_teacher_of_numbers()
  local data = sw.data.teacher { model = sw.nn.Linear(4, 1), features = 4, noise = 0.5, n = 4000 }
  lu.assert_nil(data.classes)
  local error = data.train.y - data.known.rule(data.train.x)
  local _, variance = moments(error:reshape({ -1 }):table())
  lu.assert_almost_equals(variance, data.known.loss, 0.25 * 4 * math.sqrt(2 / 4000))
end

--- A student of the same shape and seed begins elsewhere.
function TestProblems:test_the_teacher_is_not_the_student()
  local data = sw.data.teacher { model = sw.nn.Linear(4, 3), features = 4, seed = 1 }
  local student = sw.nn.Linear(4, 3):build { seed = 1 }
  lu.assert_not_equals(student:weights():table(), data.known.model:weights():table())
end

function TestProblems:test_wrong_options()
  lu.assert_error_msg_contains("needs sizes, or a model", sw.data.teacher, {})
  lu.assert_error_msg_contains("takes either sizes or model", sw.data.teacher,
    { sizes = { 2, 2 }, model = sw.nn.Linear(2, 2) })
  lu.assert_error_msg_contains("the teacher's class is not the most likely one", sw.data.teacher,
    { sizes = { 2, 2 }, noise = 0.6 })
  lu.assert_error_msg_contains("at least two classes", sw.data.gaussian_mixture, { classes = 1 })
  lu.assert_error_msg_contains('unknown option "nose"; did you mean "noise"?', sw.data.two_spirals,
    { nose = 1 })
end

--- A Trainer takes all of them.
function TestProblems:test_they_can_be_learnt()
  local data = sw.data.gaussian_mixture { spread = 0.2, n = 500 }
  local trainer = sw.Trainer { model = sw.nn.Linear(2, 2), data = data, lr = 0.5, batch_size = 10 }
  trainer:fit { epochs = 3 }
  local found = trainer:evaluate("last", { on = "test" }).accuracy
  lu.assert_almost_equals(found, (data.known.bayes()), 0.03)
end
