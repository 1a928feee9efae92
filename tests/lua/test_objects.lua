--- Objects in scripts: elements by index, methods with and without a colon, unknown names, random
--- numbers of both float types.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

--- f raises the message at a line of this file: no line of Swale's own shows.
local function refuses(wanted, f)
  local ok, message = pcall(f)
  lu.assert_false(ok, wanted)
  lu.assert_str_contains(message, wanted)
  lu.assert_str_matches(message, "[^\n]*test_objects%.lua:%d+: .*")
  lu.assert_nil(message:find("attempt to", 1, true), message)
end

TestElements = {}

function TestElements:test_of_a_vector_are_numbers()
  local t = sw.tensor { 7, 8, 9 }
  lu.assert_equals({ t[1], t[3], t[-1], t[-3], t[2.0] }, { 7, 9, 9, 7, 8 })
  lu.assert_nil(t[4])
  lu.assert_nil(t[math.maxinteger])
  lu.assert_equals(math.type(sw.tensor({ 3 }, "int32")[1]), "integer")
  local seen = {}
  for i, x in ipairs(t) do seen[i] = x end
  lu.assert_equals(seen, { 7, 8, 9 })
  lu.assert_nil(sw.zeros(0)[1])
end

function TestElements:test_of_a_matrix_are_views_of_rows()
  local m = sw.tensor { { 1, 2 }, { 3, 4 } }
  lu.assert_equals(m[2]:table(), { 3, 4 })
  lu.assert_equals(m[-2][2], 2)
  m[1][2] = 5
  lu.assert_equals(m:table(), { { 1, 5 }, { 3, 4 } })
  local rows = 0
  for _, row in ipairs(m) do rows = rows + #row end
  lu.assert_equals(rows, 4)
  lu.assert_equals(m:t()[1]:table(), { 1, 3 })
end

function TestElements:test_are_set()
  local t, m = sw.zeros { 3 }, sw.zeros { 2, 2 }
  t[1], t[-1] = 5, 7
  t[2] = t:sum()
  lu.assert_equals(t:table(), { 5, 12, 7 })
  m[1], m[2] = 4, sw.tensor { 1, 2 }
  lu.assert_equals(m:table(), { { 4, 4 }, { 1, 2 } })
  m[1] = m[2] -- rows of one storage
  lu.assert_equals(m:table(), { { 1, 2 }, { 1, 2 } })
end

function TestElements:test_refusals()
  local t = sw.tensor { 7, 8 }
  refuses("i must be an integer from 1, or a negative one from the end, of 2; got 0",
    function() return (t[0]) end)
  refuses("got 1.5", function() return (t[1.5]) end)
  refuses("got -3", function() return (t[-3]) end)
  refuses("a scalar has no elements by index", function() return (sw.tensor(1)[1]) end)
  refuses("there is no element 3 of 2 to set", function() t[3] = 1 end)
  refuses("got 0", function() t[0] = 1 end)
  refuses("the value must be a number, got nil", function() t[1] = nil end)
  refuses("the value must be a number, got a table", function() t[1] = {} end)
  refuses("cannot be broadcast to", function() t[1] = sw.ones(3) end)
  refuses('a tensor has no fields to set, got ["lr"]', function() t.lr = 1 end)
  refuses("read only", function() t:broadcast { 2, 2 }[1] = 1 end)
  t:free()
  refuses("this tensor was freed", function() return (t[1]) end)
  refuses("this tensor was freed", function() t[1] = 1 end)
end

--- sum_i i w_i over rows by index, where w is (2, 1): value w1 + 2 w2 and gradient (1, 2), exact.
function TestElements:test_of_nodes_are_slices()
  local layer = sw.nn.Lambda(function(x, p)
    local sum = 0
    for i, row in ipairs(p.w) do sum = sum + row[1] * i end
    return x * (sum + p.w[-1][1] * (#p.w - 2))
  end, { w = sw.tensor { { 3 }, { 4 } } })
  local f = sw.compile(function(o) return o:mean() end, layer)
  local value, gradient = f:value_and_gradient(f.model:weights(),
    { x = sw.ones { 2, 1 }, y = sw.zeros { 2, 1 } })
  lu.assert_equals(value, 11)
  lu.assert_equals(gradient:table(), { 1, 2 })
end

function TestElements:test_of_nodes_refusals()
  local node = core.graph():input(1, "real", { "batch", 2 })
  local row = core.graph():param(1, { 2 })
  refuses("the first axis is the batch", function() return (node[1]) end)
  refuses("the first axis is the batch", function() return (#node) end)
  refuses("got 0", function() return (row[0]) end)
  lu.assert_nil(row[3])
  refuses("node[i] cannot be set", function() row[1] = 0 end)
  refuses("a scalar has no axes", function() return (row[1][1]) end)
  refuses('did you mean "relu"?', function() return row:rleu() end)
end

TestPower = {}

function TestPower:test_of_tensors()
  lu.assert_equals((sw.tensor { 3, -2 } ^ 2):table(), { 9, 4 })
  lu.assert_equals((2 ^ sw.tensor { 3, -1 }):table(), { 8, 0.5 })
  lu.assert_equals((sw.tensor { 2, 3 } ^ sw.tensor { 3, 2 }):table(), { 8, 9 })
end

--- The mean over (1 - 3)^2 and (4 - 3)^2 of w x with w = 1: 2.5; d/dw = mean of 2 (w x - 3) x = 2.
function TestPower:test_in_a_loss()
  local f = sw.compile(function(o, y) return ((o - y) ^ 2):mean() end,
    sw.nn.Linear(1, 1, { init = "ones", bias = false }))
  local value, gradient = f:value_and_gradient(f.model:weights(),
    { x = sw.tensor { { 1 }, { 4 } }, y = sw.full({ 2, 1 }, 3) })
  lu.assert_equals(value, 2.5)
  lu.assert_equals(gradient:table(), { 2 })
end

function TestPower:test_other_operators_are_refused_with_help()
  local t = sw.tensor { 7 }
  refuses("'//' and '%'", function() return (t % 2) end)
  refuses("masks are 0 and 1", function() return (t & 1) end)
  refuses("a tensor is no function", function() return (t(1)) end)
end

TestMethods = {}

--- An object of every class that a script can hold.
local function objects()
  local data = sw.data.from_tensors { train = { x = sw.rand { 6, 2 }, y = sw.rand { 6, 1 } } }
  local net = sw.nn.Linear(2, 1)
  local model = net:build()
  local trainer = sw.Trainer { model = model, data = data, loss = sw.loss.mse, lr = 0.1 }
  local batch = { x = data.train.x, y = data.train.y }
  local compiled = sw.compile(sw.loss.mse, model)
  local graph = core.graph()
  local loss_on = model:loss_on(batch, sw.loss.mse)
  return { tensor = sw.ones(2), node = graph:input(1, "real", { "batch" }), graph = graph,
    program = core.program(graph, { graph:input(1, "real", { "batch" }) }),
    source = data.train.source, mean = core.average(2),
    native = core.schedule { kind = "constant", value = 1 },
    random = sw.random(), layer = net, model = model, trainer = trainer, data = data,
    split = data.train, schedule = sw.schedule.constant(1), average = sw.average.SWA {},
    duration = sw.every { steps = 1 }, compiled = compiled, loss_on = loss_on,
    linearized = loss_on:linearize(model:weights()), plan = trainer:plan { epochs = 1 },
    estimate = require("swale.estimate").new(),
    experiment = sw.experiment { name = "x", run = print },
    quadratic = sw.data.noisy_quadratic { dimensions = 2 },
    context = require "swale.nn.context".eval }
end

--- The names of the methods of an object, from the message that there is no other.
local function method_names(object)
  local _, message = pcall(function() return object.zzzzzzzzzzzz end)
  local names = {}
  for name in message:match("There are: (.*)%.$"):gmatch "[%w_]+" do
    local ok, value = pcall(function() return object[name] end)
    if ok and type(value) == "function" then names[#names + 1] = name end
  end
  return names
end

function TestMethods:test_names_that_are_not_there_are_refused()
  for what, object in pairs(objects()) do
    refuses(' no "zzzzzzzzzzzz"', function() return object.zzzzzzzzzzzz end)
    lu.assert_nil(object.__nothing, what)
  end
end

function TestMethods:test_a_missing_self_is_refused_by_every_method_of_every_class()
  local n = 0
  for what, object in pairs(objects()) do
    for _, name in ipairs(method_names(object)) do
      local method = object[name]
      local has_self = name ~= "sample" -- of a layer: a function of its class
      local is_field = type(object) ~= "userdata" and rawget(object, name) ~= nil
      if has_self and not is_field then
        refuses("colon", function() method() end)
        if what ~= "tensor" and what ~= "node" then -- the ops among their methods take numbers
          refuses("colon", function() method(5) end)
        end
        n = n + 1
      end
    end
  end
  lu.assert_true(n > 150)
end

function TestMethods:test_the_nearest_name_is_offered()
  local o = objects()
  refuses('did you mean "norm"?', function() return o.tensor:nrom() end)
  refuses('did you mean "weights"?', function() return o.model:wieghts() end)
  refuses('did you mean "evaluate"?', function() return o.trainer:evalute() end)
  refuses('did you mean "train"?', function() return o.data.trian end)
  refuses('did you mean "sample"?', function() return o.split:sampel(3) end)
  refuses('did you mean "normal"?', function() return o.random:nromal() end)
  refuses('did you mean "build"?', function() return o.layer:biuld() end)
  lu.assert_nil(o.data.test)
end

--- A key that is not a string is shown by its type, without an address.
function TestMethods:test_keys_that_are_no_names()
  refuses("the tensor has no [a table];", function() return sw.ones(2)[{ 1, 2 }] end)
  refuses("the model has no [1];", function() return objects().model[1] end)
end

--- Fields that an object may have or not have are nil where it has none, not an error.
function TestMethods:test_optional_fields_may_be_read()
  local o = objects()
  for what, names in pairs {
    data = { "ignore_index", "valid", "test", "classes", "class_names", "names", "normalisation",
      "vocabulary", "alphabet", "known" },
    split = { "y", "clean_y", "classes", "vocabulary", "augmentation" },
    estimate = { "reason" }, schedule = { "length", "live" }, average = { "captured" },
  } do
    for _, name in ipairs(names) do
      local ok, value = pcall(function() return o[what][name] end)
      lu.assert_true(ok, ("%s.%s: %s"):format(what, name, tostring(value)))
    end
  end
end

TestEmpty = {}

function TestEmpty:test_reductions_of_nothing_are_refused()
  local none = sw.zeros { 2, 0 }
  for _, name in ipairs { "max", "min", "mean", "argmax", "var" } do
    refuses(name, function() none[name](none, 2) end)
  end
  lu.assert_equals(none:sum(2):table(), { 0, 0 })
  lu.assert_equals(none:max(1):shape(), { 0 })
end

function TestEmpty:test_axes_count_from_1()
  local t = sw.ones { 2, 3 }
  for _, name in ipairs { "sum", "mean", "max", "min", "var", "sumsq", "argmax" } do
    refuses("axes count from 1", function() t[name](t, 0) end)
    refuses("from 1 to 2, got 3", function() t[name](t, 3) end)
    refuses('got "a"', function() t[name](t, "a") end)
  end
  refuses("axes count from 1", function() t:slice(0, 1, 1) end)
  refuses("axes count from 1", function() t:pad(0, 1, 1) end)
  refuses("axes count from 1", function() t:transpose(0, 1) end)
  refuses("axes count from 1", function() sw.ops.concat({ t, t }, 0) end)
end

function TestEmpty:test_images_are_checked()
  local x, ops = sw.ones { 1, 4, 4, 1 }, sw.ops
  refuses("zero_pad2d: padding must be a whole number from 0 on",
    function() ops.zero_pad2d(x, -1) end)
  refuses("reflect_pad2d: padding", function() ops.reflect_pad2d(x, 0.5) end)
  for _, factor in ipairs { 0, -1, 1.5, "a", false } do
    refuses("upsample2d: factor must be a whole number", function()
      ops.upsample2d(x, factor)
    end)
    refuses("max_pool2d: kernel", function() ops.max_pool2d(x, factor) end)
    refuses("stride", function() ops.avg_pool2d(x, 2, { stride = factor or 0 }) end)
    refuses("stride", function() ops.conv2d(x, x, { stride = factor or 0 }) end)
  end
  refuses('did you mean "stride"?', function() ops.conv2d(x, x, { strid = 1 }) end)
  refuses('did you mean "padding"?', function() ops.max_pool2d(x, 2, { paddin = 1 }) end)
  refuses("images are (batch, height, width, channels)", function() ops.zero_pad2d(x[1], 1) end)
end

TestDraws = {}

--- A float32 draw is the float64 one of the same stream, rounded.
function TestDraws:test_of_both_float_types()
  for _, name in ipairs { "rand", "randn" } do
    local wide = sw[name]({ 100 }, "float64", sw.random(3))
    local narrow = sw[name]({ 100 }, sw.random(3))
    lu.assert_equals(wide:dtype(), "float64")
    lu.assert_equals(narrow:dtype(), "float32")
    lu.assert_equals(wide:to("float32"):table(), narrow:table())
    lu.assert_not_equals(wide:table(), narrow:table())
    lu.assert_equals(sw[name]({ 100 }, sw.random(3), "float64"):table(), wide:table())
  end
end

function TestDraws:test_refusals()
  refuses('dtype must be "float32" or "float64", not "int32"',
    function() sw.randn({ 2 }, "int32") end)
  refuses("must be a dtype or a stream of sw.random, not a table",
    function() sw.rand({ 2 }, {}) end)
  refuses("shapes go in a table: { 2, 3 }", function() sw.rand(2, 3) end)
end

TestGuards = {}

--- Faults that calls with random arguments found.
function TestGuards:test_name_what_is_wrong()
  local layer, model = sw.nn.Linear(2, 1), sw.nn.Linear(2, 1):build()
  local estimate, x = require("swale.estimate").new(), sw.ones { 1, 2 }
  refuses("estimate:above: x must be a number, not nil", function() estimate:above() end)
  refuses('estimate:below: x must be a number, not "a"', function() estimate:below "a" end)
  refuses("nn.Linear:forward: x must be a tensor or a node, not 5",
    function() layer:forward(5) end)
  refuses("nn.Linear:call: p must be a table of parameters by name, not nil",
    function() layer:call(x) end)
  refuses("quadratic.loss: output must be a tensor or a node, not 1",
    function() sw.data.noisy_quadratic({ dimensions = 2 }).loss(1) end)
  local f = sw.compile(sw.loss.mse, model)
  refuses("compiled:drawing: a batch is", function() f:drawing(1, {}) end)
end

--- First steps of a reader of the README.
function TestGuards:test_makers_and_descriptions_taken_for_what_they_make()
  refuses('the nn.Linear has no "load"; weights belong to an instance: trainer.model, or'
    .. " layer:build()", function() sw.nn.Linear(2, 1):load "weights.safetensors" end)
  refuses("Trainer: optimizer: sw.optim.Adam has to be called: sw.optim.Adam {}", function()
    sw.Trainer { model = sw.nn.Linear(64, 10), data = sw.data.load "digits", lr = 0.1,
      optimizer = sw.optim.Adam }
  end)
  refuses('sw.schedule has no "CosineAnnealingLR"; did you mean "cosine"?',
    function() return (sw.schedule.CosineAnnealingLR) end)
  refuses('the trainer has no "train"; did you mean "fit"?', function()
    return (sw.Trainer { model = sw.nn.Linear(64, 10), data = sw.data.load "digits", lr = 1 }.train)
  end)
  refuses('data.csv: takes a table: data.csv { train = "a.csv", label = … }',
    function() sw.data.csv "a.csv" end)
end
