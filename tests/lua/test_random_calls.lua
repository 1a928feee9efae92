--- Random calls of all public functions, see random_calls.lua: a few thousand, with --long a
--- million.
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local temporary = require "temporary"

TestRandomCalls = {}

local LONG = os.getenv "SWALE_TEST_LONG"
local COUNT, SEED = LONG and 1000000 or 6000, 20
local CALLS = 20000        -- of one process
local MEMORY = 2000        -- MiB of address space
local SECONDS = 600        -- for one process, which takes two where nothing hangs

--- Other programs cannot be started and nothing is downloaded. The address sanitizer reserves
--- terabytes, so it limits each allocation itself.
local LIMITED = 'ulimit -c 0; %s; ulimit -f 200000; PATH=/nowhere; exec "$@"'
local SANITIZED = os.getenv "SWALE_PRESET" == "asan" or os.getenv "SWALE_PRESET" == "tsan"
local LINE = LIMITED:format(SANITIZED
  and ('export ASAN_OPTIONS="$ASAN_OPTIONS:max_allocation_size_mb=%d"'):format(MEMORY // 2)
  or "ulimit -v " .. MEMORY * 1024)

function TestRandomCalls:setUp()
  self.dir = temporary.folder()
end

function TestRandomCalls:tearDown() folders.remove(self.dir) end

--- Makes the calls of one process. Returns the faults found.
function TestRandomCalls:calls(seed, first, count)
  local home = os.getenv "SWALE_HOME"
  local words = { "bash", "-c", LINE, "bash", process.find(process.interpreter()),
    home .. "/scripts/bin/swale.lua", "lua", home .. "/tests/lua/random_calls.lua",
    tostring(count), tostring(seed), tostring(first) }
  local result = assert(process.run(words, { cwd = self.dir, timeout = SECONDS, env = {
    HOME = self.dir, SWALE_RUNS = self.dir .. "/runs", SWALE_DATA_URL = "http://127.0.0.1:9" } }))
  local found = {}
  for line in result.out:gmatch "found: [^\n]*" do found[#found + 1] = line end
  local at = folders.read(self.dir .. "/at.txt") or "the first call"
  local what = ("seed %d: status %d at %s\n%s\n%s"):format(seed, result.code,
    at:gsub(" *\n.*", ""), table.concat(found, "\n"), result.err:sub(-500))
  lu.assert_equals(result.code, 0, what)
  lu.assert_str_contains(result.out, ("%d calls"):format(count))
end

function TestRandomCalls:test_each_gives_a_result_or_a_message_for_its_caller()
  local first, worlds = 1, CALLS // 200
  for done = 0, COUNT - 1, CALLS do
    self:calls(SEED, first, math.min(CALLS, COUNT - done))
    first = first + worlds
  end
end

--- A spoilt valid call reaches deeper than nonsense.
function TestRandomCalls:test_every_public_function_that_measures_has_a_valid_call()
  local recipes, sw = require "call_recipes", require "swale"
  for _, module in ipairs { "measure", "stats", "fit", "linalg", "landscape", "rules", "scaling",
    "average", "schedule", "optim" } do
    for name, f in pairs(sw[module]) do
      local full = ("sw.%s.%s"):format(module, name)
      lu.assert_true(type(f) ~= "function" or name:find "^is_" ~= nil or recipes[full] ~= nil, full)
    end
  end
  for _, name in ipairs { "nqm", "svag", "measurement", "estimate", "plot", "rule", "every" } do
    lu.assert_not_nil(recipes["sw." .. name], name)
  end
end

--- Known faults are found.
function TestRandomCalls:test_messages_are_told_apart()
  local calls = require "random_calls"
  local here = debug.getinfo(calls.fault, "S").short_src
  local function fault(message, operator) return calls.fault(message, operator) end
  lu.assert_nil(fault(here .. ":3: zeros: a shape is a list"))
  lu.assert_nil(fault "x.npy: No such file or directory")
  lu.assert_equals(fault "zeros: a shape is a list", "no position")
  lu.assert_equals(fault "/usr/share/scripts/swale/ops.lua:3: attempt to index a nil value",
    "a position inside Swale")
  lu.assert_str_contains(fault(here .. ":3: attempt to call a nil value"), "attempt to")
  lu.assert_nil(fault(here .. ":3: attempt to add a nil value", true))
  lu.assert_str_contains(fault(here .. ":3: bad argument #1 to '?' (number expected)"),
    "bad argument")
  lu.assert_str_contains(fault(here .. ":3: a table: 0x55d0c0ffee00"), "0x")
end
