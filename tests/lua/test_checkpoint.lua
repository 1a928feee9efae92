--- Checkpoint files: n steps, a file, and n steps of another trainer are 2 n steps, bit for bit,
--- and their records are one record.
local checkpoint = require "swale.trainer.checkpoint"
local core = require "swale.core"
local folders = require "swale.folders"
local harness = require "trainer_harness"
local lu = require "luaunit"
local sw = require "swale"

TestCheckpoint = {}

local fake_run, outcome = harness.fake_run, harness.outcome
local N = 37

function TestCheckpoint:setUp() self.dir = require("temporary").folder() end
function TestCheckpoint:tearDown() folders.remove(self.dir) end

--- Lines without seconds and without nan.
local function comparable(value)
  if type(value) ~= "table" then return value == value and value or "nan" end
  local copy = {}
  for key, one in pairs(value) do if key ~= "seconds" then copy[key] = comparable(one) end end
  return copy
end

--- Where two values differ first; nil: nowhere. Their texts are too long to print.
local function difference(a, b, path)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a ~= b and ("%s is %s, not %s"):format(path, tostring(b), tostring(a)) or nil
  end
  for _, t in ipairs { a, b } do
    for key in pairs(t) do
      local found = difference(a[key], b[key], path .. "." .. tostring(key))
      if found then return found end
    end
  end
  return nil
end

local function assert_same(found, wanted, what)
  local words = difference(comparable(wanted), comparable(found), what)
  lu.assert_nil(words)
end

--- make: a function, for each trainer needs options of its own. Returns the last trainer.
function TestCheckpoint:continues(make, length, more)
  length = length or { steps = N }
  local function fit(trainer, run)
    return trainer:fit { steps = length.steps, epochs = length.epochs, run = run }
  end
  local run, first, second = fake_run(), fake_run(), fake_run()
  local whole, before, after = harness.new(make()), harness.new(make()), harness.new(make())
  if more then more(whole) more(before) more(after) end
  fit(fit(whole, run), run)
  fit(before, first)
  local path = self.dir .. "/one.safetensors"
  assert(checkpoint.write(before.engine, path))
  fit(before, fake_run()) -- what was written does not follow
  local parts = assert(checkpoint.read(path))
  lu.assert_nil(parts.lacks)
  checkpoint.restore(after.engine, parts)
  fit(after, second)
  assert_same(outcome(after), outcome(whole), "outcome")
  local lines = table.move(second.lines, 1, #second.lines, #first.lines + 1, first.lines)
  assert_same(lines, run.lines, "lines")
  return after
end

function TestCheckpoint:continues_with(o, length)
  return self:continues(function() return o end, length)
end

function TestCheckpoint:test_optimizers()
  self:continues_with {}
  self:continues_with { clip_norm = 0.5,
    optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true, weight_decay = 1e-3 } }
  self:continues_with { optimizer = sw.optim.Adam {}, lr = 1e-3 }
  self:continues_with { optimizer = sw.optim.AdamW { weight_decay = 0.1 }, lr = 1e-3,
    micro_batch = 8 }
  self:continues_with { sampler = "independent", lr_scaling = "linear", reference_batch = 16 }
end

function TestCheckpoint:test_schedules()
  self:continues_with { lr = sw.schedule.cyclic { max = 0.1, min = 0.001,
    period = { steps = 11 } } }
  self:continues_with { optimizer = sw.optim.SGD {}, lr = sw.schedule.one_cycle { max = 0.1,
    period = { steps = 2 * N } }, momentum = sw.schedule.linear { from = 0, to = 0.9,
      period = { steps = 2 * N } } }
end

function TestCheckpoint:test_rules_and_their_memory()
  local function lr(s, mem)
    mem.seen = mem.seen or { sum = 0, [-1] = { 0 / 0, -0.0, 1 << 62 } }
    mem.seen.self = mem
    mem.seen.sum = mem.seen.sum + (s.loss == s.loss and s.loss or 0)
    return 0.01 + 0.001 * (mem.seen.sum % 7)
  end
  local trainer = self:continues_with { lr = lr }
  local mem = trainer.engine.rules[1].mem
  lu.assert_is(mem.seen.self, mem)
  self:continues_with { lr = function(s) return s.lr == s.lr and 0.99 * s.lr or 0.05 end,
    batch_size = sw.rule(16, function(_, memory)
      memory.n = (memory.n or 0) + 1
      return 16 + memory.n % 9
    end) }
end

function TestCheckpoint:test_a_rule_with_a_stream_of_its_own()
  self:continues_with { lr = function(_, mem)
    mem.random = mem.random or sw.random(3, "rates")
    return 0.05 * mem.random:uniform()
  end }
end

function TestCheckpoint:test_averages()
  self:continues(function()
    return { average = { sw.average.SWA { start = { steps = 10 }, every = { steps = 7 } },
      sw.average.EMA { decay = 0.9 }, sw.average.LastK { k = 4, every = { steps = 5 } },
      kept = sw.average.SWA { every = { steps = 9 }, keep = true } } }
  end)
end

local function normed(norm)
  return sw.nn.Sequential { sw.nn.Linear(64, 8), norm, sw.nn.ReLU(), sw.nn.Dropout(0.2),
    sw.nn.Linear(8, 10) }
end

function TestCheckpoint:test_best_buffers_and_statistics_of_averages()
  self:continues(function()
    return { model = normed(sw.nn.BatchNorm(8)), average = { sw.average.EMA {},
      sw.average.SWA { every = { steps = 20 } } } }
  end, { epochs = 1.5 })
end

function TestCheckpoint:test_ghosts()
  self:continues_with { model = normed(sw.nn.BatchNorm(8, { ghost = 8 })), batch_size = 32,
    measure = { noise_scale = { every = { steps = 5 }, by = "ghosts" } } }
end

function TestCheckpoint:test_optimizers_in_lua()
  self:continues_with { optimizer = function(w, g, state, o)
    state.m = state.m or { sw.zeros { g:numel() }, count = 0 }
    state.last, state.m.count = state.m, state.m.count + 1
    state.m[1]:scale(0.9):add(1, g)
    w:add(-o.lr / math.sqrt(state.last.count), state.m[1])
  end }
end

function TestCheckpoint:test_noise_scale_steers_the_batch()
  self:continues_with { measure = { noise_scale = sw.every { steps = 2 } },
    batch_size = sw.rule(16, function(s)
      return s.noise_scale:above(4 * s.batch_size) and math.min(2 * s.batch_size, 64)
        or s.batch_size
    end) }
end

--- An average of float64 beside float32 weights.
function TestCheckpoint:test_tensors_of_other_types()
  self:continues_with { optimizer = function(w, g, state, o)
    state.exact = (state.exact or w:to "float64"):add(-o.lr, g:to "float64")
    w:copy(state.exact:to "float32")
  end }
end

function TestCheckpoint:test_each_measurement()
  local every = { steps = 10 }
  self:continues_with { batch_size = 32, measure = { angle = every, dead_fraction = every,
    distance = every, edge = { every = { steps = 20 }, draws = 6, sample = 100 },
    hessian_trace = { every = every, sample = 100 },
    largest_eigenvalue = { every = every, sample = 100 }, last_update = { steps = 3 },
    noise_at_weights = { every = every, sample = 100 }, noise_scale = { steps = 3 },
    sharpness = { every = every, sample = 100 }, weight_norm = every,
    luck = sw.measurement { every = { steps = 3 }, function() return math.random() end },
  } }
end

function TestCheckpoint:test_noise_by_micro_batches()
  self:continues_with { optimizer = sw.optim.SGD {}, measure = { noise_scale = {
    every = { steps = 1 }, by = "micro", batch_size = 4, units = 3 } } }
end

--- Crops and flips, and dropout, with a batch that grows and is cut.
function TestCheckpoint:test_augmentation_and_a_batch_that_grows()
  local x = core.random(5, "test"):fill_uniform(core.zeros { 200, 6, 6, 2 }, -1, 1)
  local y = core.random(6, "test"):fill_uniform(core.zeros { 200 }, 0, 3):to "int32"
  local data = sw.data.from_tensors({ images = true, classes = 3, train = { x = x, y = y } })
    :augment { crop = 1, flip = true }
  self:continues(function()
    return { data = data, model = sw.nn.Sequential { sw.nn.Conv2d(2, 4, 3), sw.nn.ReLU(),
      sw.nn.Dropout(0.3), sw.nn.Flatten(), sw.nn.Linear(64, 3) },
      batch_size = function(s) return s.step >= 45 and 24 or 8 end, micro_batch = 8 }
  end)
end

--- A fit that until_ or trainer:stop ends has the reason in its checkpoint.
function TestCheckpoint:test_a_fit_that_is_stopped()
  local run, path = fake_run(), self.dir .. "/one.safetensors"
  local trainer = harness.new { average = sw.average.EMA {} }
  trainer:fit { epochs = 3, run = run, until_ = function(s) return s.epoch > 1.2 and "enough" end }
  local saved = run.checkpoints[#run.checkpoints]
  assert(core.safetensors_write(path, saved.tensors, saved.metadata))
  local other = harness.new { average = sw.average.EMA {} }
  checkpoint.restore(other.engine, assert(checkpoint.read(path)))
  lu.assert_equals(other:stopped(), "enough")
  lu.assert_equals(other:evaluate "best", trainer:evaluate "best")
  assert_same(outcome(other:fit { steps = 9 }), outcome(trainer:fit { steps = 9 }), "outcome")
end

-- ------------------------------------------------------------------ when they are written

--- The steps of the checkpoints of a fit; more is called with the trainer before it.
local function steps_of(o, fit, more)
  local run, trainer = fake_run(), harness.new(o)
  if more then more(trainer) end
  fit.run = run
  trainer:fit(fit)
  local steps, stay = {}, {}
  for _, one in ipairs(run.checkpoints) do steps[#steps + 1] = one.metadata.step end
  for _, one in ipairs(run.best) do
    if one.name ~= "best" then stay[#stay + 1] = one.metadata.step end
  end
  return { table.concat(steps, " "), table.concat(stay, " ") }, run, trainer
end

function TestCheckpoint:test_they_are_written_after_seconds_and_stay_at_marks()
  lu.assert_equals((steps_of({}, { steps = 25 })), { "25", "" })
  lu.assert_equals((steps_of({}, { steps = 25, checkpoints = { seconds = 0 } })),
    { "10 20 25", "" })
  lu.assert_equals((steps_of({}, { steps = 25, checkpoints = { keep = "log" } })),
    { "25", "1 2 4 8 16" })
  lu.assert_equals((steps_of({}, { steps = 25, checkpoints = { keep = { 3, 25, 30 } } })),
    { "", "3 25" })
  lu.assert_error_msg_contains('keep is "log", a list of steps or sw.every { … }, not 3',
    harness.new().fit, harness.new(), { steps = 1, checkpoints = { keep = 3 } })
end

function TestCheckpoint:test_they_change_no_bit_and_no_line()
  local function make()
    return { model = normed(sw.nn.BatchNorm(8)), average = { sw.average.EMA {},
      sw.average.SWA { every = { steps = 20 } } }, measure = { noise_at_weights = { every =
      { steps = 7 }, sample = 50 } }, record = { steps = 3 } }
  end
  local _, plain, one = steps_of(make(), { epochs = 2 })
  local steps, often, other = steps_of(make(), { epochs = 2, checkpoints = { seconds = 0 } })
  lu.assert_true(#steps[1] > 100)
  assert_same(often.lines, plain.lines, "lines")
  assert_same(outcome(other), outcome(one), "outcome")
end

--- A run that writes its checkpoints to files; offsets counts lines.
function TestCheckpoint:filing_run()
  local run = fake_run()
  run.files = {}
  function run.fits.offsets() return #run.lines end
  function run.checkpoint(_, name, tensors, metadata)
    local path = ("%s/%s.safetensors"):format(self.dir, name)
    assert(core.safetensors_write(path, tensors, metadata))
    if name ~= "best" and run.files[#run.files] ~= path then run.files[#run.files + 1] = path end
  end
  return run
end

--- make: options; more: called with each trainer. The end of an unbroken fit and of one from each
--- of its checkpoints.
function TestCheckpoint:check_each(make, more, steps, o)
  local function new()
    local trainer = harness.new(make())
    if more then more(trainer) end
    return trainer
  end
  local run, whole = self:filing_run(), new()
  whole:fit { steps = steps, run = run, checkpoints = o or { seconds = 0 } }
  for _, path in ipairs(run.files) do
    local parts = assert(checkpoint.read(path))
    local rest, trainer = fake_run(), new()
    checkpoint.restore(trainer.engine, parts)
    if parts.loop.step < steps then
      trainer:fit { steps = steps - parts.loop.step, run = rest, checkpoints = { seconds = 0 } }
    end
    assert_same(outcome(trainer), outcome(whole), path)
    local lines = table.move(run.lines, 1, parts.journal.offsets, 1, {})
    table.move(rest.lines, 1, #rest.lines, #lines + 1, lines)
    assert_same(lines, run.lines, path)
  end
  return #run.files
end

function TestCheckpoint:test_each_one_can_be_resumed()
  local files = self:check_each(function()
    return { average = sw.average.EMA {}, measure = { noise_scale = { steps = 4 },
      norm = sw.measurement { every = { steps = 9, factor = 1.3 }, at = "batch_size",
        function(m) return m.weights:norm() end } },
      batch_size = function(s) return s.step >= 20 and 32 or 16 end, record = { steps = 7 } }
  end, nil, 100)
  lu.assert_true(files > 12)
end

--- What hooks and rules draw from the script's streams, and the numbers that they set, go on.
function TestCheckpoint:test_hooks_that_set_numbers_and_draw_go_on()
  local globals = require "swale.experiment.globals"
  local give_back = globals.borrow_random(1, "script", 1)
  local function begin(trainer)
    math.randomseed(1)
    require("swale.create").set_default_seed(1)
    trainer:on("step", function(s)
      if s.step % 10 == 0 then trainer.lr = 0.1 * math.random() * sw.rand { 1 }:item() end
    end)
  end
  self:check_each(function() return {} end, begin, 50, { keep = sw.every { steps = 5 } })
  give_back()
end

function TestCheckpoint:test_a_schedule_that_a_hook_sets_is_named()
  local run, trainer = fake_run(), harness.new()
  trainer:on("step", function(s)
    if s.step == 5 then trainer.lr = sw.schedule.linear { from = 0.1, to = 0, epochs = 1 } end
  end)
  trainer:fit { steps = 10, run = run }
  local saved = run.checkpoints[1]
  lu.assert_str_contains(saved.metadata.lacks, "trainer: settings.lr")
  lu.assert_str_contains(table.concat(run.printed, "\n"), "this run cannot be resumed")
end

-- ------------------------------------------------------------------ upvalues

function TestCheckpoint:test_upvalues_that_change_are_named_once()
  local best, seen, fixed, random = 0, {}, { 1 }, sw.random(1)
  local function count() seen[#seen + 1] = 1 end
  local run, trainer = fake_run(), harness.new { lr = function(s)
    best = math.max(best, s.step)
    count()
    return fixed[1] * 0.01 * (1 + random:uniform())
  end }
  trainer:fit { steps = 30, run = run, checkpoints = { seconds = 0 } }
  table.sort(run.printed)
  local names = {}
  for i, text in ipairs(run.printed) do
    names[i] = text:match "^rule lr changes its upvalue `(%w+)` %(.*test_checkpoint.lua:%d+%)"
    lu.assert_str_contains(text, "which a checkpoint does not have: keep it in mem")
  end
  lu.assert_equals(names, { "best", "random", "seen" })
end

function TestCheckpoint:test_upvalues_of_other_functions()
  local momentum, hooked, run = nil, 0, fake_run()
  local trainer = harness.new { optimizer = function(w, g, _, o)
    momentum = momentum and momentum:scale(0.9):add(1, g) or g:clone()
    w:add(-o.lr, momentum)
  end }
  trainer:on("step", function() hooked = hooked + 1 end)
  trainer:fit { steps = 3, run = run }
  table.sort(run.printed)
  lu.assert_str_contains(run.printed[1], 'a hook of "step" changes its upvalue `hooked`')
  lu.assert_str_contains(run.printed[2], "the optimizer changes its upvalue `momentum`")
  lu.assert_str_contains(run.printed[2], "keep it in state, the function's third argument")
end

-- ------------------------------------------------------------------ what is refused

--- A file of harness.new(o) after some steps.
function TestCheckpoint:file(o)
  local path = self.dir .. "/one.safetensors"
  local trainer = harness.new(o):fit { steps = 3 }
  assert(checkpoint.write(trainer.engine, path))
  return path, trainer
end

function TestCheckpoint:test_what_cannot_be_kept_is_named()
  local path = self:file { lr = function(_, mem)
    mem.history = { 1, { done = print } }
    return 0.1
  end }
  local parts, metadata = checkpoint.read(path)
  local words = "rule lr: mem.history[2].done is a function"
  lu.assert_equals(metadata.lacks, words)
  lu.assert_error_msg_contains("cannot be resumed: " .. words, checkpoint.restore,
    harness.new().engine, parts)
  local saved = sw.load(path)
  harness.new():restore(saved, select(2, sw.load(path)))
end

function TestCheckpoint:test_a_file_that_is_damaged_or_of_another_format()
  local path = self:file()
  local tensors, metadata = core.safetensors_read(path)
  local function refused(changes)
    local changed = {}
    for key, value in pairs(metadata) do changed[key] = value end
    for key, value in pairs(changes) do changed[key] = value end
    assert(core.safetensors_write(path, tensors, changed))
    local parts, message, code = checkpoint.read(path)
    lu.assert_nil(parts)
    lu.assert_error_msg_contains(message:match ": (.*)", function()
      harness.new():restore(sw.load(path))
    end)
    return message:sub(#path + 3), code
  end
  lu.assert_equals({ refused { format = "2" } }, { "the checkpoint has format 2, this version of"
    .. " Swale reads format 1", "EUNSUPPORTED" })
  lu.assert_equals({ refused { state = "[" } }, { "its state is damaged: it is not JSON",
    "ECORRUPT" })
  lu.assert_equals({ refused { state = '[["loop", "", ["w", "momentum!"]]]' } },
    { 'its state is damaged: there is no tensor "momentum!"', "ECORRUPT" })
  local text = folders.read(path)
  local file = assert(io.open(path, "wb"))
  file:write(text:sub(1, #text // 2)):close()
  lu.assert_equals(select(3, checkpoint.read(path)), "ECORRUPT")
end

function TestCheckpoint:test_a_file_of_another_model_or_optimizer_changes_nothing()
  local path = self:file()
  local function refused(words, o)
    local trainer = harness.new(o):fit { steps = 2 }
    local before = outcome(trainer)
    lu.assert_error_msg_contains(words, trainer.restore, trainer, sw.load(path))
    lu.assert_equals(outcome(trainer), before)
  end
  refused("the checkpoint's optimizer is sgd, this trainer's adam", { optimizer = sw.optim.Adam {},
    lr = 1e-3 })
  refused("1210 weights, the model has 650", { model = sw.nn.Linear(64, 10) })
  local tensors, metadata = sw.load(path)
  metadata.segments = metadata.segments:gsub("16,64", "8,128")
  lu.assert_error_msg_contains("of another model: where this one has 0.weight (16, 64), it has"
    .. " 0.weight (8, 128)", harness.new().restore, harness.new(), tensors, metadata)
end
