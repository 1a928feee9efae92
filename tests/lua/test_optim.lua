local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

TestOptim = {}

function TestOptim:test_defaults_are_pytorchs()
  local o = sw.optim.SGD {}
  lu.assert_equals({ o.momentum, o.dampening, o.nesterov, o.weight_decay }, { 0, 0, false, 0 })
end

function TestOptim:test_refusals()
  lu.assert_error_msg_contains('unknown option "wd"; did you mean "weight_decay"?', sw.optim.SGD,
    { wd = 1 })
  lu.assert_error_msg_contains("nesterov needs a momentum", sw.optim.SGD, { nesterov = true })
  lu.assert_error_msg_contains("no dampening", sw.optim.SGD,
    { nesterov = true, momentum = 0.9, dampening = 0.1 })
  lu.assert_error_msg_contains("momentum must be", sw.optim.SGD, { momentum = -1 })
end

function TestOptim:test_ranges_are_those_of_the_rows()
  local function refuses(part, make, o) lu.assert_error_msg_contains(part, make, o) end
  refuses("optim.SGD: dampening must be 0 to 1, not 1.5", sw.optim.SGD, { dampening = 1.5 })
  refuses("optim.Adam: betas[1] must be 0 or more and below 1, not 1", sw.optim.Adam,
    { betas = { 1 } })
  refuses("optim.AdamW: betas[2] must be 0 or more and below 1, not 2", sw.optim.AdamW,
    { betas = { 0.9, 2 } })
  lu.assert_equals(sw.optim.SGD { dampening = 1 }.dampening, 1)
end

function TestOptim:test_vectors_kept()
  for name, counts in pairs { sgd = { 0, 1 }, adam = { 2, 2 }, none = { 0, 0 } } do
    lu.assert_equals({ core.optimizer_moments(name, 0), core.optimizer_moments(name, 0.9) },
      counts, name)
  end
end

function TestOptim:test_update_refuses_what_it_would_ignore()
  local w, g = sw.tensor { 1, 2 }, sw.tensor { 1, 1 }
  local function refuses(part, o, state, numbers)
    lu.assert_error_msg_contains(part, core.update, o, w, g, state,
      numbers or { lr = 0.1, step = 1 })
  end
  refuses("none updates nothing", { optimizer = "none" }, {})
  refuses("update: sgd takes no beta2", { optimizer = "sgd", beta2 = 7 }, {})
  refuses("update: adam takes no nesterov", { optimizer = "adam", nesterov = false }, {})
  refuses("update: lr is missing", { optimizer = "sgd" }, {}, { step = 1 })
  refuses("lr must be finite and not negative, got", { optimizer = "sgd" }, {},
    { lr = 0 / 0, step = 1 })
  refuses("update: state has exp_avg but not exp_avg_sq", { optimizer = "adam" },
    { exp_avg = sw.zeros { 2 } })
  refuses("update: state has exp_avg_sq but not exp_avg", { optimizer = "adamw" },
    { exp_avg_sq = sw.zeros { 2 } })
end

-- m = 0.9 * 1 + 0.1 * 0, v = 0.999 * 4: w -= 0.1 (0.9 / 0.1) / sqrt(3.996 / 0.001), without eps.
function TestOptim:test_step_1_keeps_the_moments_of_a_state()
  local w, state = sw.zeros { 1 }, { exp_avg = sw.tensor { 1 }, exp_avg_sq = sw.tensor { 4 } }
  sw.optim.Adam { eps = 1e-30 }(w, sw.zeros { 1 }, state, { lr = 0.1, step = 1 })
  -- some ten float32 roundings
  lu.assert_almost_equals(w:item(), -0.9 / math.sqrt(3996), 0.0143 * 10 * 2 ^ -24)
  lu.assert_almost_equals(state.exp_avg:item(), 0.9, 2 ^ -23)
end

-- One weight w, one example x = 1, y = 0, output w x, loss w^2 / 2 by a loss function of one's own:
-- the gradient is w. PyTorch's recursion, written out.
local function trained(o, steps)
  local one = { x = sw.tensor { { 1 } }, y = sw.tensor { { 0 } } }
  local trainer = sw.Trainer {
    model = sw.nn.Linear(1, 1, { bias = false, init = 1 }),
    data = sw.data.from_tensors { train = one },
    loss = function(output) return ((output * output) * 0.5):mean() end,
    optimizer = sw.optim.SGD(o), lr = 0.1, batch_size = 1,
  }
  trainer:fit { steps = steps }
  return trainer:weights():item()
end

local function recursion(o, steps)
  local w, m = 1, nil
  local mu, damp, wd = o.momentum or 0, o.dampening or 0, o.weight_decay or 0
  for _ = 1, steps do
    local g = w + wd * w
    if mu ~= 0 then
      m = m and mu * m + (1 - damp) * g or g
      g = o.nesterov and g + mu * m or m
    end
    w = w - 0.1 * g
  end
  return w
end

function TestOptim:test_follows_the_recursion()
  for _, o in ipairs { {}, { momentum = 0.9 }, { momentum = 0.9, dampening = 0.5 },
    { momentum = 0.9, nesterov = true }, { momentum = 0.5, weight_decay = 0.1 } } do
    -- seven float32 updates of size one
    lu.assert_almost_equals(trained(o, 7), recursion(o, 7), 2e-6)
  end
end

-- ------------------------------------------------------------------ PyTorch's ways

-- (1/2) sum (c w)^2 with c = (1, 2, 3), from (1, -2, 0.5): a linear layer of three diagonal inputs,
-- whose outputs are c_i w_i; the loss is 3/2 of the mean over them of the squares.
local function quadratic(o)
  local x = sw.tensor { { 1, 0, 0 }, { 0, 2, 0 }, { 0, 0, 3 } }
  local one = { x = x, y = sw.zeros { 3, 1 } }
  return sw.Trainer {
    model = sw.nn.Linear(3, 1, { bias = false, init = sw.tensor { { 1, -2, 0.5 } } }),
    data = sw.data.from_tensors { train = one }, batch_size = 3, lr = 0.05,
    loss = function(output) return (output * output * 1.5):mean() end,
    optimizer = o.optimizer, clip_norm = o.clip_norm, momentum = o.momentum,
  }
end

local PYTORCH = {
  sgd = { optimizer = sw.optim.SGD {} },
  momentum = { optimizer = sw.optim.SGD { momentum = 0.9, dampening = 0.3, weight_decay = 0.1 } },
  nesterov = { optimizer = sw.optim.SGD { momentum = 0.9, nesterov = true } },
  adam = { optimizer = sw.optim.Adam { betas = { 0.8, 0.99 }, eps = 1e-6, weight_decay = 0.1 } },
  adamw = { optimizer = sw.optim.AdamW { weight_decay = 0.2 } },
  clipped = { optimizer = sw.optim.SGD { momentum = 0.9 }, clip_norm = 1.5 },
}

local function ways_of_pytorch()
  local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
  local file <close> = assert(io.open(folder .. "pytorch_schedules.json"))
  return assert(core.json_decode(file:read "a")).optimizers
end

local function compare(name, step, found, want)
  for i, value in ipairs(want) do
    -- a dozen float32 updates of size one; PyTorch's are in double
    lu.assert_almost_equals(found[i], value, 3e-6, ("%s, step %d"):format(name, step))
  end
end

function TestOptim:test_the_ways_are_pytorchs()
  for name, want in pairs(ways_of_pytorch()) do
    local trainer = quadratic(PYTORCH[name])
    for step, w in ipairs(want) do
      compare(name, step, trainer:fit({ steps = 1 }):weights():table(), w)
    end
  end
end

-- The same optimizers called as functions, in a loop of one's own.
function TestOptim:test_an_optimizer_is_a_function()
  for name, want in pairs(ways_of_pytorch()) do
    if name ~= "clipped" then
      local w, state, c2 = sw.tensor { 1, -2, 0.5 }, {}, sw.tensor { 1, 4, 9 }
      for step, values in ipairs(want) do
        PYTORCH[name].optimizer(w, w * c2, state, { lr = 0.05 })
        compare(name, step, w:table(), values)
      end
    end
  end
end

-- ------------------------------------------------------------------ every native one

-- By the name of its row: what its constructor makes.
local function made_by_name()
  local made = {}
  for name, maker in pairs(sw.optim) do
    if name:find "^%u" then
      local optimizer = maker {}
      made[optimizer.kind] = optimizer
    end
  end
  return made
end

function TestOptim:test_each_row_has_a_constructor_and_a_line_of_docs()
  local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
  local file <close> = assert(io.open(folder .. "../../docs/reference.md"))
  local made, text = made_by_name(), file:read "a"
  for kind, row in pairs(core.optimizers()) do
    if not row.external then
      lu.assert_not_nil(made[kind], "sw.optim makes no " .. kind)
      local title = made[kind].title
      lu.assert_str_contains(text, "`" .. title .. "`", false,
        "reference.md names no " .. title .. ": ")
    end
  end
end

function TestOptim:test_vectors_that_share_elements_are_refused()
  local w, g, x, adam = sw.ones { 3 }, sw.ones { 3 }, sw.ones { 5 }, sw.optim.Adam {}
  local function refuses(words, ...)
    lu.assert_error_msg_contains(words, adam, ...)
    lu.assert_equals({ w:table(), x:table() }, { { 1, 1, 1 }, { 1, 1, 1, 1, 1 } })
  end
  local function kept(m, v) return { step = 1, exp_avg = m, exp_avg_sq = v } end
  refuses("w and g share elements", w, w, {}, { lr = 0.1 })
  refuses("w and g share elements", x:narrow(1, 1, 3), x:narrow(1, 3, 3), {}, { lr = 0.1 })
  refuses("exp_avg shares elements with w or g", w, g, kept(w, sw.zeros { 3 }), { lr = 0.1 })
  refuses("exp_avg_sq shares elements with w or g", w, g, kept(sw.zeros { 3 }, g), { lr = 0.1 })
  local m = sw.zeros { 3 }
  refuses("exp_avg and exp_avg_sq share elements", w, g, kept(m, m), { lr = 0.1 })
  x = sw.ones { 6 }
  adam(x:narrow(1, 1, 3), x:narrow(1, 4, 3), {}, { lr = 0.1 }) -- neighbours
  lu.assert_not_equals(x:get(1), 1)
end

function TestOptim:test_a_state_whose_step_is_no_number_is_refused()
  for _, step in ipairs { "x", {}, 1.5 } do
    lu.assert_error_msg_contains("state.step must be a whole number", sw.optim.SGD {},
      sw.ones { 1 }, sw.ones { 1 }, { step = step }, { lr = 0.1 })
  end
end

local function normal(n, seed)
  return core.random(seed, "optim"):fill_normal(core.zeros { n }, 0, 1)
end

local HYPER = { lr = 0.01, momentum = 0.8, weight_decay = 0.1 }

--- The weights after five updates, and behind them the vectors that the optimizer keeps.
local function updated(kind, optimizer)
  local w, state, all = normal(100, 1), {}, {}
  for step = 1, 5 do optimizer(w, normal(100, 1 + step), state, HYPER) end
  lu.assert_equals(state.step, 5)
  for i, name in ipairs(core.optimizers()[kind].moments) do
    lu.assert_not_nil(state[name], kind .. " keeps no " .. name)
    all[i] = state[name]
  end
  table.insert(all, 1, w)
  return sw.ops.concat(all, 1)
end

--- A value of a row's field other than its default.
local function another(field)
  if type(field.default) == "boolean" then return not field.default end
  return (field.default + math.min(field.most, field.default + 1)) / 2
end

--- The arithmetic itself is tested in tests/core/test_update_kernels.c.
function TestOptim:test_each_field_of_a_row_changes_the_update()
  for kind, optimizer in pairs(made_by_name()) do
    local before = updated(kind, optimizer)
    for _, field in ipairs(core.optimizers()[kind].fields) do
      local kept = optimizer[field.name]
      optimizer[field.name] = another(field)
      local difference = (updated(kind, optimizer) - before):norm()
      lu.assert_true(difference > 0, ("%s: %s changes nothing"):format(kind, field.name))
      optimizer[field.name] = kept
    end
  end
end

-- The loss is the mean of f(<example, weights>), f(y) = y if nil.
local function loop_of(optimizer, w, x, f)
  local n = w:numel()
  local graph = core.graph()
  local input, param = graph:input(1, "real", { "batch", n }), graph:param(1, { n })
  local y = core.apply("sum", { axes = { 2 } }, core.apply("mul", nil, input, param))
  local loss = core.apply("mean", { axes = { 1 } }, f and core.apply(f, nil, y) or y)
  return core.loop(optimizer:options { weights = w, source = core.source { x = x },
    order = "sequential",
    program = core.program(graph, { loss, graph:gradient(loss, { param })[1] },
      { offsets = { false, 1 } }) })
end

function TestOptim:test_each_updates_as_in_training_to_the_bit()
  local x = normal(4 * 50, 9):reshape { 4, 50 }
  for kind, optimizer in pairs(made_by_name()) do
    local w, v, state = normal(50, 1), normal(50, 1), {}
    local loop = loop_of(optimizer, w, x)
    for name, value in pairs(HYPER) do loop:set(name, value) end
    loop:set("batch_size", 4)
    for _ = 1, 5 do
      assert(loop:advance(1))
      optimizer(v, loop:gradient(), state, HYPER)
    end
    lu.assert_equals(v:table(), w:table(), kind)
  end
end

function TestOptim:test_what_an_update_would_ignore_is_refused()
  local w, g = sw.ones { 2 }, sw.ones { 2 }
  for _, o in ipairs { { clip_norm = 1e-3 }, { groups = { { match = "a", frozen = true } } } } do
    lu.assert_error_msg_contains("clip_norm and groups are for a Trainer", sw.optim.SGD(o), w, g,
      {}, { lr = 1 })
  end
  lu.assert_error_msg_contains('hyper has no "lrr"; did you mean "lr"?', sw.optim.SGD { lr = 1 },
    w, g, {}, { lrr = 3 })
  lu.assert_equals(w:table(), { 1, 1 })
  local all = { lr = 0.5, momentum = 0, weight_decay = 0, batch_size = 7, step = 3 }
  sw.optim.SGD()(w, g, {}, all) -- what the hyper of an optimizer in Lua has
  lu.assert_equals(w:table(), { 0.5, 0.5 })
end

function TestOptim:test_an_update_is_refused_by_name()
  local sgd, w, g = sw.optim.SGD { momentum = 0.9 }, sw.ones { 2 }, sw.ones { 2 }
  lu.assert_error_msg_contains("lr must be a number", sgd, w, g, {}, {})
  lu.assert_error_msg_contains("g has shape (3), the weights have (2)", sgd, w, sw.ones { 3 }, {},
    { lr = 1 })
  lu.assert_error_msg_contains("lr must be finite and not negative", sgd, w, g, {}, { lr = -1 })
  lu.assert_error_msg_contains("step must be", sgd, w, g, {}, { lr = 1, step = 0 })
  lu.assert_error_msg_contains("gradient is not finite", sgd, w, g / 0, {}, { lr = 1 })
  lu.assert_equals(w:table(), { 1, 1 })
end

-- ------------------------------------------------------------------ written in Lua

local function momentum_sgd(w, g, state, hyper)
  state.m = state.m and state.m:scale(hyper.momentum):add(1, g) or g:clone()
  w:add(-hyper.lr, state.m)
end

function TestOptim:test_one_written_in_lua_goes_the_same_way()
  local own = quadratic { optimizer = momentum_sgd, momentum = 0.9 }
  local native = quadratic { optimizer = sw.optim.SGD { momentum = 0.9 } }
  own.lr = sw.schedule.linear { from = 0.05, to = 0.01, steps = 10 }
  native.lr = sw.schedule.linear { from = 0.05, to = 0.01, steps = 10 }
  for _ = 1, 12 do
    local a, b = own:fit { steps = 1 }, native:fit { steps = 1 }
    compare("own", 0, a:weights():table(), b:weights():table())
    lu.assert_almost_equals(a:state().lr, b:state().lr, 1e-15)
    lu.assert_almost_equals(a:state().loss, b:state().loss, 1e-5)
  end
end

function TestOptim:test_one_written_in_lua_is_given_what_rules_say()
  local function rate(s) return 0.05 / (s.step + 1) end
  local own = quadratic { optimizer = momentum_sgd, momentum = 0.9 }
  local native = quadratic { optimizer = sw.optim.SGD { momentum = 0.9 } }
  own.lr, native.lr = rate, rate
  own.batch_size, native.batch_size = sw.rule(3, function() return 2.5 end), 3
  own:fit { steps = 1 }
  native:fit { steps = 1 }
  compare("own", 1, own:weights():table(), native:weights():table())
  own:fit { steps = 3 }
  local s = own:state()
  lu.assert_equals({ s.step, s.lr, s.batch_size, s.examples }, { 4, 0.05 / 4, 2, 9 })
  own.lr = function() return -1 end
  lu.assert_error_msg_contains("gave -1 for step 5: it must not be negative", own.fit, own,
    { steps = 1 })
end

function TestOptim:test_one_written_in_lua_is_clipped_and_sees_the_step()
  local steps, norms = {}, {}
  quadratic({ clip_norm = 0.5, optimizer = function(w, g, _, hyper)
    steps[#steps + 1], norms[#norms + 1] = hyper.step, g:norm()
    w:add(-hyper.lr, g)
  end }):fit { steps = 3 }
  lu.assert_equals(steps, { 1, 2, 3 })
  for _, norm in ipairs(norms) do lu.assert_almost_equals(norm, 0.5, 1e-5) end
end

function TestOptim:test_refusals_of_adam()
  lu.assert_error_msg_contains('unknown option "beta"; did you mean "betas"?', sw.optim.AdamW,
    { beta = { 0.9 } })
  lu.assert_error_msg_contains("weight_decay is given twice", sw.Trainer, {
    model = sw.nn.Linear(1, 1), lr = 1, weight_decay = 1,
    data = sw.data.from_tensors { train = { x = sw.ones { 1, 1 }, y = sw.ones { 1, 1 } } },
    optimizer = sw.optim.AdamW { weight_decay = 0.1 }, loss = sw.loss.mse })
end

-- sqrt'(0) is infinite: the function is not called, no weight changes.
function TestOptim:test_an_infinite_gradient_leaves_the_weights_alone()
  local calls, seen = 0, nil
  local w = sw.ones { 2 }
  local inner = loop_of(sw.optim.of(print), w, sw.tensor { { 1, 2 } }, "sqrt")
  local loop = require("swale.trainer.custom").new(inner, function(v, g, _, hyper)
    calls, seen = calls + 1, hyper.lr
    v:add(-hyper.lr, g)
  end, w)
  loop:set("lr", 0.5)
  loop:set("batch_size", 1)
  lu.assert_equals(loop:advance(1), "steps")
  w:fill(0)
  local why, message = loop:advance(1)
  lu.assert_nil(why)
  lu.assert_str_contains(message, "the gradient is not finite")
  lu.assert_equals({ calls, seen, w:table() }, { 1, 0.5, { 0, 0 } })
end

-- Names that a checkpoint uses itself.
function TestOptim:test_what_one_written_in_lua_keeps_may_have_any_name()
  local names = { "m", "average", "average.swa", "buffers", "buffers.average", "weights",
    "optimizer.m" }
  local w = sw.zeros { 2 }
  local function keep(_, g, state)
    for i, name in ipairs(names) do state[name] = state[name] or g * 0 + i end
  end
  local function make()
    local loop = loop_of(sw.optim.of(keep), w, sw.ones { 1, 2 })
    loop = require("swale.trainer.custom").new(loop, keep, w)
    loop:set("lr", 0)
    loop:set("batch_size", 1)
    return loop
  end
  local first, second = make(), make()
  first:advance(1)
  local vectors = first:state_vectors()
  lu.assert_not_nil(vectors.m)
  for name in pairs(vectors) do
    lu.assert_false(name:find "^weights" or name:find "^buffers" or name:find "^average" or false)
  end
  second:restore { step = 1, examples = 1, vectors = vectors }
  for i, name in ipairs(names) do lu.assert_equals(second.kept[name]:table(), { i, i }, name) end
end

function TestOptim:test_hyperparameters_are_annotated()
  local folder = debug.getinfo(1, "S").source:match "^@(.*/)" or "./"
  local file <close> = assert(io.open(folder .. "../../scripts/swale/meta/loop.lua"))
  local line, names = file:read "a":match "%-%-%-@alias swale%.Hyper ([^\n]*)", {}
  for i, row in ipairs(core.hyperparameters()) do names[i] = ("%q"):format(row.name) end
  lu.assert_equals(line, table.concat(names, "|"))
end
