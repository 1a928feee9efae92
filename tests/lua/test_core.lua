--- swale.core: objects and their finalisers, positions in errors, the process, signals.
package.path = debug.getinfo(1, "S").source:match "^@(.-)[^/]*$" .. "?.lua;" .. package.path
if os.getenv "SWALE_BUILD" then
  package.cpath = os.getenv "SWALE_BUILD" .. "/lua/?.so;" .. package.cpath
end

local lu = require "luaunit"
local core = require "swale.core"
local harness = require "core_harness"
local raises, run_child = harness.raises, harness.run_child

TestObjects = {}

function TestObjects:test_a_freed_tensor_raises_and_prints()
  local t = core.zeros { 3 }
  t:free()
  t:free()
  lu.assert_equals(tostring(t), "tensor (freed)")
  lu.assert_equals(core.type(t), "tensor")
  for _, f in ipairs { t.numel, t.shape, t.clone, t.table, t.item, t.norm } do
    raises("tensor: this tensor was freed", f, t)
  end
  raises("tensor: this tensor was freed", function() return t + 1 end)
  raises("tensor: this tensor was freed", function() return #t end)
  raises("tensor: this tensor was freed", core.zeros({ 3 }).copy, core.zeros { 3 }, t)
end

function TestObjects:test_close_frees_and_views_live_on()
  local before = core.memory().live_blocks
  local view
  do
    local t <close> = core.tensor { 1, 2, 3 }
    view = t:narrow(1, 2, 2)
  end
  lu.assert_equals(view:table(), { 2, 3 })
  view:free()
  collectgarbage()
  lu.assert_true(core.memory().live_blocks <= before)
end

function TestObjects:test_wrong_classes_are_named()
  local t, r = core.zeros { 2 }, core.random(1, "a")
  raises("tensor:narrow: self must be a tensor, got a random; methods are called with a colon:"
    .. " tensor:narrow()", t.narrow, r, 1, 1, 1)
  raises("tensor:dot: x must be a tensor, got 3", t.dot, t, 3)
  raises("random:uniform: self must be a random, got a tensor", r.uniform, t)
  raises("got a table", t.numel, setmetatable({}, { __index = t }))
  raises("got a userdata", t.numel, io.stdout)
  raises("got nil", t.numel)
end

function TestObjects:test_metatables_are_out_of_reach()
  local t = core.zeros { 2 }
  lu.assert_equals(getmetatable(t), "tensor")
  raises("table expected", setmetatable, t, {})
  raises("protected", setmetatable, core.INTERRUPTED, {})
  lu.assert_nil(t.__gc)
  raises("no_such_field", function() return t.no_such_field end)
  raises('a tensor has no fields to set, got ["field"]', function() t.field = 1 end)
  raises('a random has no fields to set', function() core.random(1, "test").field = 1 end)
  raises("no_such_method", function() t:no_such_method() end)
end

function TestObjects:test_objects_revived_by_finalisers_are_dead_but_harmless()
  local kept = {}
  do
    local t = core.zeros { 4 }
    setmetatable({ t }, { __gc = function(o) kept[1] = o[1] end })
    setmetatable({}, { __gc = function() t:free() end })
  end
  collectgarbage()
  collectgarbage()
  lu.assert_equals(core.type(kept[1]), "tensor")
  raises("was freed", kept[1].numel, kept[1])
end

--- A finaliser may free an argument while the call that it is given to allocates.
function TestObjects:test_a_finaliser_frees_an_argument_in_mid_call()
  local pause = collectgarbage("incremental", 1, 1000)
  local calls = {
    function(t) return t:narrow(1, 1, 2) end,
    function(t) return t + t end,
    function(t) return tostring(t) end,
    function(t) return t:table() end,
    function(t) return core.source { x = t } end,
    function(t) return core.json_encode { #t } end,
    function(t) return core.apply("sum", { axes = { 1 } }, t, nil) end,
  }
  for round = 1, 300 do
    local t = core.zeros { 40 }
    for _ = 1, round % 7 do setmetatable({}, { __gc = function() t:free() end }) end
    pcall(calls[round % #calls + 1], t)
  end
  collectgarbage(pause)
end

function TestObjects:test_collections_at_every_turn()
  for _, mode in ipairs { "generational", "incremental" } do
    local before = collectgarbage(mode)
    for i = 1, 200 do
      local t = core.tensor { { i, 2 }, { 3, 4 } }
      local u = (t:transpose(1, 2) + t):reshape { 4 }
      lu.assert_equals(u:get(1), 2 * i)
      collectgarbage "step"
    end
    collectgarbage(before)
  end
end

function TestObjects:test_garbage_does_not_pile_up()
  collectgarbage()
  local before, most = core.memory().live_bytes, 0
  for _ = 1, 500 do
    local t = core.zeros { 1024, 256 } -- 1 MiB
    most = math.max(most, core.memory().live_bytes - before)
    lu.assert_not_nil(t)
  end
  lu.assert_true(most < 200 * 2 ^ 20, most)
end

function TestObjects:test_yields_and_errors_across()
  local t = core.tensor { 1, 2, 3 }
  local co = coroutine.wrap(function()
    local view <close> = t:narrow(1, 1, 2)
    coroutine.yield(view:norm())
    error "stop"
  end)
  lu.assert_almost_equals(co(), 5 ^ 0.5, 1e-7)
  raises("stop", co)
  lu.assert_equals(t:get(3), 3)
end

function TestObjects:test_the_state_closes_in_any_order()
  local text, how, number = run_child [[
    local t = core.zeros { 1000 }
    first = setmetatable({}, { __gc = function()
      print(pcall(core.zeros, { 2 }))
      print(pcall(t.numel, t))
    end })
    keep = { t, core.random(1, "x"), core.graph(), core.average(3) }
    os.exit(7, true)]]
  lu.assert_equals({ how, number }, { "exit", 7 }, text)
  text, how, number = run_child [[
    setmetatable({}, { __gc = function() print(pcall(core.zeros, { 2 })) end })
    collectgarbage()
    co = coroutine.create(function() local t <close> = core.zeros { 5 } coroutine.yield() end)
    coroutine.resume(co)
    os.exit(8)]]
  lu.assert_equals({ how, number }, { "exit", 8 }, text)
  -- finalised after the module: the table was made before it
  text, how, number = run_child [[
    package.loaded["swale.core"] = nil
    local again = require "swale.core"
    assert(again == core)
    late = core.tensor { 1 }
    os.exit(0, true)]]
  lu.assert_equals({ text, how, number }, { "", "exit", 0 })
end

function TestObjects:test_a_finaliser_older_than_the_module_meets_a_closed_one()
  local text = run_child([[
    local core, t
    old = setmetatable({}, { __gc = function()
      print(select(2, pcall(core.zeros, { 2 })))
      print(select(2, pcall(t.numel, t)))
      print(tostring(t), core.type(t))
    end })
    core = require "swale.core"
    t = core.zeros { 2 }]], { bare = true })
  lu.assert_str_contains(text, "swale.core: the Lua state is closing")
  lu.assert_str_contains(text, "tensor: this tensor was freed")
  lu.assert_str_contains(text, "tensor (freed)\ttensor")
end

TestPositions = {}

function TestPositions:test_errors_name_the_caller_outside_of_the_library()
  local inner = assert(load("return function(f, ...) f(...) return end",
    "@/some/where/swale/nn.lua"))()
  local outer = assert(load("local inner, f = ...\n\ninner(f, { -1 })\nreturn 1",
    "@/home/u/mine.lua"))
  lu.assert_str_contains(select(2, pcall(outer, inner, core.zeros)), "/some/where/swale/nn.lua:1: ")
  core.set_library "/some/where/"
  local _, why = pcall(outer, inner, core.zeros)
  lu.assert_equals(why, "/home/u/mine.lua:3: zeros: shape[1] must be an integer from 0, got -1")
  core.set_library "/some/wher"
  lu.assert_str_contains(select(2, pcall(outer, inner, core.zeros)), "/some/where/swale/nn.lua:1: ")
  core.set_library "/nowhere"
end

function TestPositions:test_no_lua_caller_no_prefix()
  lu.assert_equals(select(2, pcall(coroutine.wrap(core.zeros), 3)),
    "zeros: shape must be a table, got 3")
end

TestProcess = {}

function TestProcess:test_facts()
  lu.assert_str_matches(core._VERSION, "%d+%.%d+%.%d+")
  lu.assert_str_matches(core.variant(), "%w+")
  local variants = core.variants()
  lu.assert_table_contains(variants, core.variant())
  lu.assert_equals(variants[#variants], "scalar")
  lu.assert_str_contains(core.blas(), "OpenBLAS")
  lu.assert_true(core.cores() >= 1)
  local threads = core.threads()
  core.set_threads(2)
  lu.assert_equals(core.threads(), 2)
  core.set_threads(threads)
  raises("set_threads: n must be an integer from 1", core.set_threads, 0)
end

function TestProcess:test_memory_and_its_lack()
  collectgarbage()
  local before = core.memory()
  local t <close> = core.zeros { 1000 }
  lu.assert_true(core.memory().live_bytes >= before.live_bytes + 4000)
  core.fail_allocation(1) -- one collection and another try: no error
  core.zeros({ 10 }):free()
  core.fail_allocation(1, true)
  local ok, why = pcall(core.zeros, { 10 })
  core.fail_allocation(0)
  lu.assert_false(ok)
  lu.assert_str_contains(why, "not enough memory: ")
  lu.assert_equals(t:numel(), 1000)
end

function TestProcess:test_type()
  local values = {
    tensor = core.zeros { 1 }, graph = core.graph(), random = core.random(1, "a"),
      average = core.average(1),
    schedule = core.schedule { kind = "constant", value = 1 },
      source = core.source { x = core.zeros { 2, 1 } },
  }
  for name, value in pairs(values) do lu.assert_equals(core.type(value), name) end
  for _, value in pairs { 1, "tensor", {}, io.stdout, print } do lu.assert_nil(core.type(value)) end
  lu.assert_nil(core.type())
end

function TestProcess:test_extend()
  core.extend("tensor", { twice = function(t) return t * 2 end })
  core.extend("tensor", { twice = function(t) return t + t end })
  lu.assert_equals(core.tensor({ 1, 2 }):twice():table(), { 2, 4 })
  local t = core.zeros { 1 }
  raises("extend: tensor:numel is part of the core", core.extend, "tensor",
    { aaa = print, numel = print })
  raises("aaa", function() return t.aaa end)
  raises("methods must map names to functions, got 1", core.extend, "node", { a = 1 })
  raises('class must be "tensor" or "node", got "graph"', core.extend, "graph", {})
end

TestSignals = {}

local INTERRUPT = [[
  core.catch_signals()
  local pid = io.open("/proc/self/stat"):read "n"
  local function press() io.popen("kill -INT " .. pid):close() end -- not os.execute: it ignores
  local function spin() -- long enough for the hook, not for ever
    local start = os.clock()
    while os.clock() - start < 5 do end
    error "nothing came"
  end
]]

function TestSignals:test_lua_code_is_interrupted_once()
  local text, how, number = run_child(INTERRUPT .. [[
    local ok, why = pcall(function() press() spin() end)
    print(ok, tostring(why), why == core.INTERRUPTED, core.interrupted())
    for i = 1, 1e6 do end
    core.clear_interrupt()
    print(core.interrupted(), pcall(function() press() spin() end))
    os.exit(3, true)]])
  lu.assert_equals({ how, number }, { "exit", 3 }, text)
  lu.assert_equals(text, "false\tinterrupted\ttrue\ttrue\nfalse\tfalse\tinterrupted\n")
end

function TestSignals:test_the_second_one_ends_the_process()
  local _, how, number = run_child(INTERRUPT .. "pcall(press) press() os.exit(3)")
  lu.assert_equals({ how, number }, { "signal", 2 })
end

if arg[0]:find "test_core%.lua$" then os.exit(lu.LuaUnit.run()) end
