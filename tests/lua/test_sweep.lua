--- swale sweep: the values of its command line, its settings, and how strategies are run.
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local sources = require "swale.sweep.source"
local spaces = require "swale.sweep.space"
local strategies = require "swale.sweep.strategies"
local sw = require "swale"
local temporary = require "temporary"
local words = require "swale.sweep.words"

TestSweepWords = {}

local DEFAULTS = { number = 0.5, whole = 1, text = "a", flag = false,
  choice = sw.choice { "lr", "batch" }, sizes = sw.choice { 16, 32 } }

local function read(kind, text) return words.read("p", text, DEFAULTS[kind]) end

local function is(kind, text, values)
  local axis, message = read(kind, text)
  lu.assert_equals(axis and axis.values or message, values, text)
  for i, value in ipairs(axis and axis.values or {}) do
    lu.assert_equals(math.type(value), math.type(values[i]), text)
  end
end

local function refuses(kind, text, part)
  local axis, message = read(kind, text)
  lu.assert_nil(axis, text)
  lu.assert_str_contains(message, part)
end

function TestSweepWords:test_lists()
  is("number", "0.1,0.2,-1", { 0.1, 0.2, -1.0 })
  is("number", " .5 , 1e-3", { 0.5, 0.001 })
  is("whole", "4,-2,0", { 4, -2, 0 })
  is("flag", "true,false", { true, false })
  is("choice", "batch, lr", { "batch", "lr" })
  is("sizes", "32,16", { 32, 16 })
  is("text", "a,b c", { "a", "b c" })
  is("text", [[a\,b,c\\,d\e]], { "a,b", [[c\]], [[d\e]] })
  is("text", "1..3", { "1..3" })
  is("text", "log2:1..4", { "log2:1..4" })
  is("text", "", { "" })
end

function TestSweepWords:test_ranges()
  is("whole", "1..4", { 1, 2, 3, 4 })
  is("number", "-1..1", { -1.0, 0.0, 1.0 })
  is("whole", "1..3,10", { 1, 2, 3, 10 })
  is("whole", "7..7", { 7 })
  is("whole", "log2:32..256", { 32, 64, 128, 256 })
  is("number", "log10:1e-4..0.1", { 1e-4, 1e-3, 0.01, 0.1 })
  is("number", "log10:0.01..1:3", { 0.01, 0.1, 1.0 })
  is("number", "log2:1..8:3", { 1.0, 2.82843, 8.0 })
  is("whole", "log10:1..100:5", { 1, 3, 10, 32, 100 })
  is("number", "lin:0..0.3:4", { 0.0, 0.1, 0.2, 0.3 })
  is("number", "lin:-1..1:3,5", { -1.0, 0.0, 1.0, 5.0 })
end

function TestSweepWords:test_what_is_wrong_is_named()
  refuses("number", "0.1,x", "parameter p takes a number, not x")
  refuses("number", "0.1,,1", "value 2 is empty")
  refuses("number", "", "value 1 is empty")
  refuses("number", "nan", "takes a number")
  refuses("whole", "0.5", "takes a whole number")
  refuses("flag", "yes", "true or false")
  refuses("choice", "lr,bach", 'did you mean "batch"')
  refuses("number", "1,1.0", "has 1 twice")
  refuses("whole", "log2:1..4,2", "has 2 twice")
  refuses("number", "log3:1..9", 'no range "log3"; did you mean "log2"')
  refuses("number", "log2:1..5", "end it at 4 or 8")
  refuses("number", "log2:0..4", "positive ends")
  refuses("number", "lin:0..1", "how many values")
  refuses("number", "lin:0..1:1", "a whole number from 2")
  refuses("number", "lin:0..1:", "lin:0..1:5")
  refuses("number", "lin:1..0:3", "less than the second")
  refuses("number", "0.1..0.5", "write lin:0.1..0.5:5")
  refuses("whole", "5..1", "write 1..5")
  refuses("whole", "1..1000000", "more than 100000")
  refuses("number", "1..x", '"x" is not a number')
  refuses("number", "1,uniform:0..1", "stands alone")
  refuses("number", "uniform:0..1:3", "--random says how many")
  refuses("number", "loguniform:0..1", "positive ends")
  refuses("whole", "uniform:0.5..2", "whole numbers")
end

function TestSweepWords:test_values_have_their_shortest_text()
  lu.assert_equals({ words.text(0.1), words.text(1.0), words.text(32), words.text(true),
    words.text "a", words.text(1e-7), words.text(-0.1 - 0.2) },
    { "0.1", "1", "32", "true", "a", "1e-07", "-0.30000000000000004" })
end

-- ------------------------------------------------------------------ settings

TestSweepSpace = {}

local DECLARATION = { lr = 0.1, batch = 8, act = sw.choice { "relu", "tanh" }, epochs = 1 }

local function space_of(list, o)
  o = o or {}
  local space, message = spaces.new { script = "a.lua", declaration = DECLARATION, words = list,
    seeds = o.seeds or { 1 }, seed = o.seed, objective = { name = "loss", goal = "min" } }
  return assert(space, message)
end

local function texts(space, settings)
  local list = {}
  for i, setting in ipairs(settings) do list[i] = space:text(setting) end
  return list
end

function TestSweepSpace:test_the_grid_in_the_order_given()
  local space = space_of { "lr=0.1,0.2", "act=tanh", "batch=4,8,16" }
  local list = {}
  for i = 1, space:count() do list[i] = space:at(i) end
  lu.assert_equals(texts(space, list), { "lr=0.1 act=tanh batch=4", "lr=0.1 act=tanh batch=8",
    "lr=0.1 act=tanh batch=16", "lr=0.2 act=tanh batch=4", "lr=0.2 act=tanh batch=8",
    "lr=0.2 act=tanh batch=16" })
  lu.assert_equals(space:varied(), { "lr", "batch" })
  lu.assert_equals(space:params(list[1]), { lr = 0.1, act = "tanh", batch = 4, epochs = 1 })
end

function TestSweepSpace:test_more_draws_keep_the_first_ones()
  local given = { "lr=loguniform:1e-3..1", "batch=uniform:1..64", "act=relu,tanh" }
  local space = space_of(given)
  local few, many = texts(space, space:draws(5)), texts(space, space:draws(9))
  lu.assert_equals(table.move(many, 1, 5, 1, {}), few)
  lu.assert_equals(#many, 9)
  lu.assert_equals(texts(space_of(given), space:draws(5)), few)
  lu.assert_not_equals(texts(space_of(given, { seed = 2 }), space_of(given, { seed = 2 }):draws(5)),
    few)
end

function TestSweepSpace:test_draws_of_a_parameter_do_not_depend_on_the_others()
  local one = space_of { "lr=loguniform:1e-3..1" }:draws(4)
  local two = space_of { "batch=uniform:1..64", "lr=loguniform:1e-3..1" }:draws(4)
  for i = 1, 4 do lu.assert_equals(one[i].lr, two[i].lr) end
end

--- The mean of 400 uniform values has the deviation 1 / sqrt(12 * 400) = 0.0144.
function TestSweepSpace:test_draws_have_their_distributions()
  local space = space_of { "lr=loguniform:1e-4..1", "batch=uniform:1..3" }
  local sum, counts, n = 0, { 0, 0, 0 }, 400
  for _, setting in ipairs(space:draws(n)) do
    lu.assert_true(setting.lr >= 1e-4 and setting.lr <= 1)
    sum = sum - math.log(setting.lr, 10) / 4
    counts[setting.batch] = counts[setting.batch] + 1
  end
  lu.assert_almost_equals(sum / n, 0.5, 0.05)
  for i = 1, 3 do lu.assert_almost_equals(counts[i] / n, 1 / 3, 0.1) end
end

function TestSweepSpace:test_draws_differ_and_end_where_there_are_no_more()
  local space = space_of { "batch=1..3", "act=relu,tanh" }
  local list, seen = space:draws(50), {}
  for _, text in ipairs(texts(space, list)) do seen[text] = true end
  lu.assert_equals(#list, 6)
  lu.assert_equals(#require("swale.errors").sorted_keys(seen), 6)
end

function TestSweepSpace:test_words_that_are_wrong_are_named()
  local function refused(word)
    return select(2, spaces.new { script = "a.lua", declaration = DECLARATION, seeds = { 1 },
      words = { "lr=0.1", word } })
  end
  lu.assert_str_contains(refused "lr=1", "lr is given twice")
  lu.assert_str_contains(refused "bach=1", 'no parameter "bach"; did you mean "batch"')
  lu.assert_str_contains(refused "batch", 'not of the form key=values')
end

-- ------------------------------------------------------------------ strategies

TestSweepStrategies = {}

--- Does all work of a source at once; loss(params, seed) is nil for a failed run. Returns what was
--- done, "lr=0.1 seed 1", and how often the source had to wait.
local function perform(source, loss, order)
  local done, waits, open = {}, 0, {}
  local function finish()
    local work = table.remove(open, order == "last" and #open or 1)
    local value = loss(work.params, work.seed)
    source.told(work, { status = value and "done" or "failed", run = "r",
      info = value and { objective = { value = value ~= value and "nan" or value } } })
  end
  while true do
    local work = source.next()
    if work == nil and #open == 0 then break end
    if type(work) == "table" then
      done[#done + 1] = table.concat(work.overrides, " ") .. " seed " .. work.seed
      table.insert(open, work)
    else
      waits = waits + 1
      if #open == 0 then error "it waits for nothing" end
      finish()
    end
  end
  return done, waits
end

local function source_of(space, plan)
  return sources.new(space, plan.strategy, { total = plan.total, strategy = plan.record })
end

function TestSweepStrategies:test_a_grid_has_all_settings_of_a_seed_first()
  local space = space_of({ "lr=0.1,0.2" }, { seeds = { 1, 3 } })
  local plan = strategies.flat(space)
  lu.assert_equals({ plan.total, plan.record.kind }, { 4, "grid" })
  local source = source_of(space, plan)
  lu.assert_equals(perform(source, function() return 1 end),
    { "lr=0.1 seed 1", "lr=0.2 seed 1", "lr=0.1 seed 3", "lr=0.2 seed 3" })
  lu.assert_nil(source.problem())
end

local RUNGS = { name = "epochs", values = { 1, 3, 9 } }

local function halve(loss, o)
  o = o or {}
  local space = space_of({ o.lr or "lr=1..9" }, { seeds = o.seeds })
  local plan = strategies.halving(space, nil, RUNGS)
  local done = perform(source_of(space, plan), loss, o.order)
  return done, plan
end

function TestSweepStrategies:test_halving_keeps_the_best_third()
  local function loss(p) return (p.lr - 7) ^ 2 end
  local done, plan = halve(loss)
  lu.assert_equals({ plan.total, plan.record.sizes }, { 13, { 9, 3, 1 } })
  lu.assert_equals(table.move(done, 10, #done, 1, {}), { "lr=6 epochs=3 seed 1",
    "lr=7 epochs=3 seed 1", "lr=8 epochs=3 seed 1", "lr=7 epochs=9 seed 1" })
  lu.assert_equals(halve(loss, { order = "last" }), done)
end

--- Of equal settings the first ones go on; a failure and a value that is no number are the worst.
function TestSweepStrategies:test_halving_with_ties_and_failures()
  local done = halve(function(p)
    if p.lr == 1 then return nil elseif p.lr == 2 then return 0 / 0 end
    return 5.0
  end)
  lu.assert_equals({ done[10], done[11], done[12], done[13] }, { "lr=3 epochs=3 seed 1",
    "lr=4 epochs=3 seed 1", "lr=5 epochs=3 seed 1", "lr=3 epochs=9 seed 1" })
  lu.assert_equals(#halve(function() return nil end), 9)
end

function TestSweepStrategies:test_halving_compares_means_over_seeds()
  local function loss(p, seed)
    if p.lr == 1 then return seed == 1 and 0 or nil end -- one of two seeds fails
    return p.lr + (seed == 1 and -2 or 2) * (p.lr == 3 and 1 or 0)
  end
  local done = halve(loss, { lr = "lr=1..3", seeds = { 1, 2 } })
  lu.assert_equals(table.move(done, 7, #done, 1, {}), { "lr=2 epochs=3 seed 1",
    "lr=2 epochs=3 seed 2", "lr=2 epochs=9 seed 1", "lr=2 epochs=9 seed 2" })
end

--- A strategy gets the mean over seeds, and no value of a setting that failed in part.
function TestSweepStrategies:test_a_strategy_asks_and_is_told()
  local space, told = space_of({ "batch=4" }, { seeds = { 1, 2 } }), {}
  local plan = { strategy = function(_, ask)
    told[1] = ask { lr = 0.3 }
    for _, result in ipairs(ask { { lr = 1 }, { lr = 2 } }) do told[#told + 1] = result end
    told[#told + 1] = #ask {}
  end }
  local done = perform(source_of(space, plan), function(p, seed)
    return (p.lr ~= 2 or seed == 1) and p.lr + seed or nil
  end, "last")
  lu.assert_equals(done, { "batch=4 lr=0.3 seed 1", "batch=4 lr=0.3 seed 2",
    "batch=4 lr=1 seed 1", "batch=4 lr=2 seed 1", "batch=4 lr=1 seed 2", "batch=4 lr=2 seed 2" })
  lu.assert_almost_equals(told[1].value, 1.8, 1e-12)
  lu.assert_equals(told[1].setting, { batch = 4, lr = 0.3 })
  lu.assert_equals({ told[2].value, told[3].value, told[3].mean, told[3].failed, told[4] },
    { 2.5, nil, 3.0, 1, 0 })
  lu.assert_equals(told[3].statuses, { "done", "failed" })
end

function TestSweepStrategies:test_an_error_of_a_strategy_ends_the_sweep()
  for what, f in pairs {
    ['ask: a.lua has no parameter "lx"'] = function(_, ask) ask { lx = 1 } end,
    ["parameter batch takes a whole number"] = function(_, ask) ask { { batch = 0.5 } } end,
    ["ask takes a setting"] = function(_, ask) ask(3) end,
    ["a setting is a table"] = function(_, ask) ask { 3 } end,
    ["test_sweep.lua:"] = function() error "mine" end,
    ["no text"] = function()
      error(setmetatable({}, { __tostring = function() return "no text" end }))
    end,
  } do
    local source = source_of(space_of {}, { strategy = f })
    lu.assert_equals(perform(source, print), {})
    lu.assert_str_contains(source.problem(), what)
  end
end

--- After Ctrl-C a strategy is not told that what was interrupted has failed.
function TestSweepStrategies:test_a_sweep_that_is_stopped_asks_for_no_more()
  local told = false
  local source = source_of(space_of {}, { strategy = function(_, ask)
    ask { lr = 1 }
    told = true
  end })
  local work = source.next()
  source.told(work, { status = "interrupted", stopped = "sigint", code = 130, seconds = 1 })
  lu.assert_nil(source.next())
  lu.assert_false(told)
end

function TestSweepStrategies:test_a_file_returns_a_function()
  temporary.with_folder(function(folder)
    local path = folder .. "/s.lua"
    local function load_text(text)
      assert(core.write_file(path, text))
      return strategies.file(path)
    end
    lu.assert_equals(type(load_text("return function() end").strategy), "function")
    lu.assert_str_contains(select(2, load_text "return 1"), "it should return function(space, ask)")
    lu.assert_str_contains(select(2, load_text "x ="), "s.lua:1:")
    lu.assert_str_contains(select(2, load_text "error 'mine'"), "mine")
    folders.remove(path)
    lu.assert_str_contains(select(2, strategies.file(path)), "No such file")
  end)
end
