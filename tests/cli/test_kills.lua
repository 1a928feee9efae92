--- Ends runs at random moments, see kills.lua: some, and with --long many.
local kills = require "kills"
local lu = require "luaunit"

TestKills = {}

local COUNT = os.getenv "SWALE_TEST_LONG" and 400 or 12

function TestKills:test_nothing_recorded_is_lost()
  lu.assert_true(kills.many { count = COUNT, seed = 11 } > 0)
end
