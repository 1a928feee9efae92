-- Measurements of weights release what they took: the process does not grow with their number.
local coverage = require "coverage"
local lu = require "luaunit"
local small = require "small_measures"
local sw = require "swale"

TestMeasureMemory = {}

local CALLS <const> = coverage.LONG and 1000 or 50
local ROUNDS <const> = 4 -- a leak grows in each, the allocator's arenas do not
local MOST <const> = 2 ^ 18 -- bytes a round

local SANITIZED <const> = os.getenv "SWALE_PRESET" == "asan" or os.getenv "SWALE_PRESET" == "tsan"

local function resident()
  collectgarbage()
  collectgarbage() -- what the first one finalised
  return require("luv").resident_set_memory()
end

local function grown(name, calls)
  local model, sample, before = small.model(), small.sample(), resident()
  for _ = 1, calls do sw.measure[name](model, sample, small.CALLS[name]) end
  return resident() - before
end

function TestMeasureMemory:test_many_calls()
  lu.skipIf(SANITIZED, "a sanitizer keeps memory that was freed, to find uses of it")
  local calls = CALLS // ROUNDS
  for name in pairs(small.CALLS) do
    local least = math.huge
    for _ = 1, ROUNDS do least = math.min(least, grown(name, calls)) end
    if coverage.LONG then print(("%-16s %8d bytes in %d calls"):format(name, least, calls)) end
    lu.assert_true(least <= MOST, ("%s: %d bytes or more in each %d calls"):format(name, least,
      calls))
  end
end
