--- Measurements beside a training: the registry, functions of the user's own, what they cannot do.
local estimate = require "swale.estimate"
local harness = require "trainer_harness"
local lu = require "luaunit"
local luv = require "luv"
local measure = require "swale.measurements"
local snapshot = require "swale.trainer.snapshot"
local states = require "swale.trainer.state"
local sw = require "swale"

TestMeasure = {}

local new, fake_run = harness.new, harness.fake_run

local function drift(every)
  return sw.measurement { every = every or { steps = 5 },
    function(m) return m.weights:distance(m.start) end }
end

-- ------------------------------------------------------------------ the registry

-- The rest of the tests has no list: it goes over the registry.
function TestMeasure:test_the_list_names_the_files_of_the_folder()
  local folder = debug.getinfo(measure.row, "S").source:match "^@(.*)/init%.lua$"
  local helpers = { init = true, given = true, isolated = true, times = true, values = true,
    noise_of_batches = true }
  local entries = luv.fs_scandir(folder)
  for file in luv.fs_scandir_next, assert(entries) do
    local name = file:match "^(.*)%.lua$"
    lu.assert_true(helpers[name] or measure.is_registered(name),
      ("measure/init.lua lacks %s, a file of its folder"):format(name))
  end
end

function TestMeasure:test_each_row_has_what_is_asked_of_it()
  local function needs(name, what, has, why)
    lu.assert_true(has ~= nil, ("measure.%s does not define %s%s"):format(name, what, why or ""))
  end
  for _, name in ipairs(measure.NAMES) do
    local row = measure.row(name)
    needs(name, "options", row.options)
    needs(name, "read", row.read)
    if row.along then needs(name, "take", row.take, ", which is given measured steps") end
    if row.take or row.save or row.load then needs(name, "prepare", row.prepare) end
    if row.prepare then
      needs(name, "save", row.save, ": what it keeps goes into snapshots")
      needs(name, "load", row.load, ": what it keeps comes from snapshots")
    end
  end
end

local function asked() return { every = { steps = 5 } } end

-- What a row gives at each mark, as the record has it, of the last 40 of 80 steps.
local function recorded(trainer, name)
  local run, list = fake_run(), {}
  trainer:fit { steps = 40, run = run }
  for _, line in ipairs(run.lines) do
    lu.assert_nil(line.error, ("measure.%s: %s"):format(name, tostring(line.error)))
    for column, value in pairs(line) do
      if column == name or column:find("^" .. name .. "[%._]") then
        list[#list + 1] = ("%d %s %s"):format(line.step, column, tostring(value))
      end
    end
  end
  table.sort(list)
  return list
end

function TestMeasure:test_each_row_is_recorded_and_changes_no_bit()
  local plain = new():fit { steps = 40 }:weights():table()
  for _, name in ipairs(measure.NAMES) do
    local trainer = new { measure = { [name] = asked() } }
    lu.assert_true(#recorded(trainer, name) > 0, name .. " is not recorded")
    lu.assert_equals(trainer:weights():table(), plain, name .. " changes the weights")
  end
end

function TestMeasure:test_each_row_goes_on_from_a_snapshot()
  for _, name in ipairs(measure.NAMES) do
    local function make() return new { measure = { [name] = asked() } } end
    local whole, first, second = make(), make(), make()
    whole:fit { steps = 40 }
    first:fit { steps = 40 }
    snapshot.restore(second.engine, snapshot.take(first.engine))
    lu.assert_equals(recorded(second, name), recorded(whole, name),
      name .. ": load does not restore what save gave")
  end
end

function TestMeasure:test_the_reference_names_each_row()
  local home = debug.getinfo(1, "S").source:match "^@(.*)tests/lua/"
  local page = require("swale.folders").read(home .. "docs/reference.md")
  local text = page:match "\n## Measurements\n(.-)\n## "
  for _, name in ipairs(measure.NAMES) do
    lu.assert_true(text:find("`" .. name .. "`", 1, true) ~= nil,
      ("docs/reference.md does not name the measurement %s"):format(name))
  end
end

-- ------------------------------------------------------------------ of one's own

function TestMeasure:test_a_function_is_recorded_and_read_by_rules()
  local run, seen = fake_run(), {}
  local trainer = new { measure = { drift = drift() }, lr = function(s)
    seen[#seen + 1] = s.drift
    return 0.05
  end }
  local start = trainer:weights():clone()
  trainer:fit { steps = 12, run = run }
  local lines = run:of "measurement"
  lu.assert_equals(#lines, 2)
  lu.assert_equals({ lines[1].step, lines[2].step, lines[1].name }, { 5, 10, "drift" })
  lu.assert_true(lines[1].seconds >= 0)
  lu.assert_true(0 < lines[1].drift and lines[1].drift < lines[2].drift)
  lu.assert_true(seen[1] ~= seen[1] and seen[5] ~= seen[5]) -- nan before the first value
  lu.assert_equals({ seen[6], seen[10], seen[11] }, { lines[1].drift, lines[1].drift,
    lines[2].drift })
  lu.assert_equals(trainer:state().drift, lines[2].drift)
  trainer:fit { steps = 3 }
  lu.assert_equals(trainer:state().drift, trainer:weights():distance(start))
end

function TestMeasure:test_another_interval_keeps_the_value()
  local function f(m) return m.weights:distance(m.start) end
  local trainer = new { measure = { drift = sw.measurement { every = { steps = 2 }, f } } }
  local value = trainer:fit({ steps = 3 }):state().drift
  trainer:measure("drift", sw.measurement { every = { steps = 4 }, f })
  lu.assert_equals(trainer:state().drift, value)
  lu.assert_not_equals(trainer:fit({ steps = 1 }):state().drift, value)
  trainer:measure("drift", drift { steps = 4 }) -- another function
  lu.assert_nan(trainer:state().drift)
end

function TestMeasure:test_what_cannot_be_prepared_is_not_added()
  local row = measure.row "noise_scale"
  local prepare, trainer = row.prepare, new()
  row.prepare = function() error "no memory" end
  lu.assert_error_msg_contains("no memory", trainer.measure, trainer, "noise_scale", { steps = 1 })
  row.prepare = prepare
  lu.assert_equals(#trainer.engine.measurements.list, 0)
  lu.assert_error_msg_contains("is not measured",
    function() return trainer:state().noise_scale end)
  trainer:measure("noise_scale", { steps = 1 })
  lu.assert_equals(trainer:fit({ steps = 1 }):state().noise_scale.status, "pending")
end

function TestMeasure:test_what_a_function_may_return()
  local run = fake_run()
  local e = estimate.new { value = 2, low = 1, high = 3 }
  local own = { every = { steps = 1 }, function() return { layer1 = 1.5, layer2 = e, [3] = 4 } end }
  local trainer = new { measure = { parts = sw.measurement(own) } }:fit { steps = 1, run = run }
  local line = run:of "measurement"[1]
  lu.assert_equals({ line["parts.layer1"], line["parts.3"] }, { 1.5, 4 })
  lu.assert_equals({ line["parts.layer2"], line["parts.layer2_low"], line["parts.layer2_high"],
    line["parts.layer2_status"] }, { 2, 1, 3, "resolved" })
  local found = trainer:state().parts.layer2
  lu.assert_true(found:above(0.5))
  lu.assert_not_is(found, e)
end

function TestMeasure:test_an_estimate_is_pending_before_its_first_value()
  local before, own = nil, sw.measurement { every = { steps = 2 }, estimate = true,
    function() return estimate.new { value = 5, low = 4, high = 6 } end }
  local trainer = new { measure = { mine = own }, lr = function(s)
    before = before or estimate.copy(s.mine)
    return s.mine:above(3) and 0.01 or 0.05
  end }
  trainer:fit { steps = 4 }
  lu.assert_equals({ before.status, before.reason }, { "pending", "nothing was measured yet" })
  lu.assert_equals(trainer:state().lr, 0.01)
end

function TestMeasure:test_marks_are_durations()
  local run = fake_run()
  new({ measure = { a = drift { epochs = 0.5 }, b = drift { examples = 100 } } })
    :fit { epochs = 1, run = run }
  local n = { a = 0, b = 0 }
  for _, line in ipairs(run:of "measurement") do n[line.name] = n[line.name] + 1 end
  local examples = run:of "epoch"[1].examples
  lu.assert_equals(n, { a = 2, b = examples // 100 })
end

-- ------------------------------------------------------------------ what it cannot do

-- One that writes into all it is given and into trainer:weights(), draws random numbers of every
-- kind, and raises.
local function vandal(of)
  return sw.measurement { every = { steps = 1 }, function(m)
    m.weights:fill(7)
    m.start:fill(8)
    of.trainer:weights():fill(.5)
    if m.buffers then m.buffers:fill(9) end
    m.state.step, m.state.lr, m.state.loss = 0, 1e9, 0
    sw.rand { 3 }
    sw.randn { 3 }
    math.randomseed(3)
    math.random()
    if m.state.examples % 64 == 0 then error "on purpose" end
    return math.random()
  end }
end

local function bits(changes, vandalised)
  local stream = require("swale.experiment.globals").borrow_random(5, "script", 1)
  require("swale.create").set_default_seed(5)
  local drawn = {}
  changes.lr = function()
    drawn[#drawn + 1] = { math.random(), sw.rand({ 1 }):item() }
    return 0.01 + 0.01 * drawn[#drawn][1]
  end
  local of, run = {}, fake_run()
  changes.measure = vandalised and { vandal = vandal(of) }
  local trainer = new(changes)
  of.trainer = trainer
  trainer:fit { steps = 30, run = run }
  for i, line in ipairs(run:of "measurement") do
    lu.assert_equals(line.error ~= nil, i % 2 == 0) -- else it ran to its end
  end
  stream()
  require("swale.create").set_default_seed(1)
  return trainer:weights():table(), drawn, trainer.model:buffers() and
    trainer.model:buffers():table()
end

function TestMeasure:test_a_measurement_cannot_change_the_run()
  local function model()
    return sw.nn.Sequential { sw.nn.Linear(64, 16), sw.nn.BatchNorm(16), sw.nn.ReLU(),
      sw.nn.Dropout(0.3), sw.nn.Linear(16, 10) }
  end
  local w, drawn, buffers = bits { model = model() }
  local w2, drawn2, buffers2 = bits({ model = model() }, true)
  lu.assert_equals(w2, w)
  lu.assert_equals(drawn2, drawn)
  lu.assert_equals(buffers2, buffers)
end

function TestMeasure:test_a_math_random_taken_before_draws_from_its_stream()
  local give_back = require("swale.experiment.globals").borrow_random(5, "script", 1)
  local taken, seed = math.random, math.randomseed
  local function drawn(asked_for)
    seed(2)
    new { measure = asked_for }:fit { steps = 2 }
    return taken()
  end
  local plain = drawn()
  local own = sw.measurement { every = { steps = 1 }, function()
    seed(7)
    return taken()
  end }
  local found = drawn { mine = own }
  give_back()
  lu.assert_equals(found, plain)
end

function TestMeasure:test_asked_again_without_an_option()
  local trainer = harness.new { measure = { hessian_trace = { every = { steps = 1 },
    sample = 20 } } }
  trainer:fit { steps = 2 }
  local entry = trainer.engine.measurements.by_name.hessian_trace
  lu.assert_equals(#entry.sample, 20)
  trainer:measure("hessian_trace", { every = { steps = 2 }, sample = 20 })
  lu.assert_equals(#entry.sample, 20)
  trainer:measure("hessian_trace", { every = { steps = 2 } })
  lu.assert_nil(entry.sample) -- the whole set
end

function TestMeasure:test_its_random_numbers_are_its_own_and_the_same_again()
  local function drawn(seed)
    local list = {}
    new({ seed = seed, measure = { a = sw.measurement { every = { steps = 1 }, function()
      list[#list + 1] = { math.random(), math.random(10), sw.rand({ 1 }):item() }
      return 0
    end } } }):fit { steps = 3 }
    return list
  end
  local list = drawn(3)
  lu.assert_equals(list, drawn(3))
  lu.assert_not_equals(list[1], list[2])
  lu.assert_not_equals(list, drawn(4))
end

function TestMeasure:test_an_error_is_printed_once_and_recorded()
  local run, calls = fake_run(), 0
  local trainer = new { measure = { mine = sw.measurement { every = { steps = 2 }, function()
    calls = calls + 1
    if calls > 1 then error "no more" end
    return 4
  end } } }
  trainer:fit { steps = 8, run = run }
  local lines, printed = run:of "measurement", 0
  lu.assert_equals({ #lines, lines[1].mine }, { 4, 4 })
  for i = 2, 4 do lu.assert_str_contains(lines[i].error, "no more") end
  for _, text in ipairs(run.printed) do
    if text:find("measurement mine at step 4", 1, true) then printed = printed + 1 end
  end
  lu.assert_equals(printed, 1)
  lu.assert_equals(trainer:state().mine, 4) -- the value before
end

function TestMeasure:test_an_error_without_a_message_is_printed()
  local run = fake_run()
  local own = sw.measurement { every = { steps = 1 }, function() error() end }
  new({ measure = { mine = own } }):fit { steps = 1, run = run }
  lu.assert_equals(run.printed, { "measurement mine at step 1: an error without a message; the"
    .. " training goes on" })
end

function TestMeasure:test_its_variables_are_closed_in_a_coroutine()
  local closed = 0
  local own = sw.measurement { every = { steps = 1 }, function()
    local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
    error "no more"
  end }
  coroutine.wrap(function() new({ measure = { mine = own } }):fit { steps = 2 } end)()
  lu.assert_equals(closed, 2)
end

function TestMeasure:test_bad_values_are_errors_of_the_measurement()
  local function says(words, f)
    local run = fake_run()
    new({ measure = { mine = sw.measurement { every = { steps = 1 }, f } } })
      :fit { steps = 1, run = run }
    lu.assert_str_contains(run:of "measurement"[1].error, words)
  end
  says("a number, an estimate or a table of them, not nil", function() end)
  says('"a" is "x"', function() return { a = "x" } end)
  says('"a_low" ends in "_low", as the columns of estimates do',
    function() return { a = estimate.new { value = 2, low = 1, high = 3 }, a_low = 3 } end)
  says('both [1] and ["1"]', function() return { 2, ["1"] = 3 } end)
  says("is not UTF-8", function() return { ["\xff"] = 3 } end)
  says("names or whole numbers as keys, not 1.5", function() return { [1.5] = 3 } end)
  says("not a tensor", function(m) return m.weights end)
  says('has no "weigths"; did you mean "weights"?', function(m) return m.weigths end)
  says("attempt to yield", function() coroutine.yield() end)
  coroutine.wrap(function() says("cannot yield", function() coroutine.yield() end) end)()
end

function TestMeasure:test_the_trainer_cannot_be_changed_in_a_measurement()
  local trainer, run = nil, fake_run()
  local tries = { fit = function() trainer:fit { steps = 1 } end,
    lr = function() trainer.lr = 1 end, average = function() trainer.average = nil end,
    on = function() trainer:on("step", print) end,
    measure = function() trainer:measure("noise_scale", { steps = 1 }) end,
    restore = function() trainer:restore({}, {}) end }
  local measures = {}
  for name, f in pairs(tries) do
    measures["try_" .. name] = sw.measurement { every = { steps = 1 }, function()
      f()
      return 1
    end }
  end
  trainer = new { measure = measures }
  trainer:fit { steps = 1, run = run }
  local lines = run:of "measurement"
  lu.assert_equals(#lines, 6)
  for _, line in ipairs(lines) do
    lu.assert_str_contains(line.error, "not inside a measurement (" .. line.name .. ")")
  end
end

-- ------------------------------------------------------------------ names

function TestMeasure:test_names_that_are_taken()
  local function refuses(words, measures)
    lu.assert_error_msg_contains(words, new, { measure = measures })
  end
  refuses('"loss" is a name of the state or the record; this one is free: measure = {'
    .. " measured_loss = … }", { loss = drift() })
  refuses("measured_step", { step = drift() })
  refuses("noise_scale is a built-in measurement; choose another name for yours",
    { noise_scale = drift() })
  refuses('names do not end in "_low"', { a_low = drift() })
  refuses("a measurement's name is a word", { ["a b"] = drift() })
  refuses(('unknown measurement "mine". Built in: %s. Your own: sw.measurement { every = …')
    :format(table.concat(measure.NAMES, ", ")), { mine = function() return 1 end })
  refuses('unknown measurement "noise_scales"; did you mean "noise_scale"?',
    { noise_scales = { steps = 1 } })
  refuses("measure: noise_scale: needs every", { noise_scale = { target = "population" } })
  refuses('measure: noise_scale: every: a duration has no unit "step"; did you mean "steps"?',
    { noise_scale = { step = 5 } })
  refuses("measure: noise_scale: every: 0 steps is too short", { noise_scale = { steps = 0 } })
  lu.assert_error_msg_contains("needs a function", sw.measurement, { every = { steps = 1 } })
  lu.assert_error_msg_contains("needs every", sw.measurement, { function() end })
  local late = new():fit { steps = 1 }
  lu.assert_error_msg_contains("ask before the first step", late.measure, late, "mine", drift())
end

-- The Lua half's list is what the loop writes, all of it only after a divergence.
function TestMeasure:test_the_loop_writes_the_fields_that_are_listed()
  local function written(trainer)
    local names = {}
    for name in pairs(trainer.engine.loop:state {}) do names[#names + 1] = name end
    return names
  end
  local sound, diverged = new():fit { steps = 1 }, new { lr = 1e30 }
  lu.assert_false(pcall(diverged.fit, diverged, { steps = 20 }))
  lu.assert_items_equals(written(diverged), states.LOOP)
  for _, name in ipairs(written(sound)) do lu.assert_table_contains(states.LOOP, name) end
end

-- A field of the state, or a column of the lines that hold measured values, is no name.
function TestMeasure:test_all_fields_and_columns_are_taken()
  local run = fake_run()
  local trainer = new({ measure = { zzz = drift { steps = 1 } } }):fit { steps = 12, run = run }
  local names = trainer.engine.loop:state {}
  for _, kind in ipairs { "measurement", "step" } do
    for name in pairs(run:of(kind)[1]) do names[name] = true end
  end
  names.zzz = nil
  for name in pairs(names) do
    local ok, message = pcall(new, { measure = { [name] = drift() } })
    lu.assert_false(ok, name .. " can be the name of a measurement")
    lu.assert_str_contains(message, "is a name of the state or the record")
  end
end

-- ------------------------------------------------------------------ along the steps

-- However far the loop goes between two looks, no measured step is lost.
function TestMeasure:test_no_measured_step_is_lost()
  local function state_after(changes)
    changes.measure = { noise_scale = { every = { steps = 1 } } }
    local trainer = new(changes):fit { steps = 170 }
    return trainer.engine.measurements:state().values.noise_scale
  end
  local far, walked = state_after {}, state_after { lr = function() return 0.05 end }
  lu.assert_equals(far.calls, 170)
  lu.assert_equals(far, walked)
end

function TestMeasure:test_what_is_measured_is_saved_and_restored()
  local measures = function() return { noise_scale = sw.every { steps = 2 }, drift = drift(),
    luck = sw.measurement { every = { steps = 3 }, function() return math.random() end } } end
  local a, b = new { measure = measures() }, new { measure = measures() }
  a:fit { steps = 330 }
  b.engine:ready()
  b.engine.measurements:restore(a.engine.measurements:state())
  local found, wanted = b.engine.measurements:state(), a.engine.measurements:state()
  lu.assert_equals(found.values, wanted.values)
  lu.assert_equals(found.start:table(), wanted.start:table())
  lu.assert_equals(b:state().noise_scale, a:state().noise_scale)
  lu.assert_equals(b:state().luck, a:state().luck)
end

function TestMeasure:test_distance()
  local a, b = sw.tensor { 1, 2, 3 }, sw.tensor { 1, 5, 7 }
  lu.assert_equals({ a:distance(b), sw.ops.distance(a, a) }, { 5, 0 })
  lu.assert_equals(sw.tensor({ 3e30 }):distance(sw.tensor { -1e30 }), sw.tensor({ 4e30 }):norm())
  lu.assert_error_msg_contains("a has shape (3), b has (2)", a.distance, a, sw.zeros { 2 })
end
