--- Mutants of the shipped scripts: a few, with --long many.
local command = require "command"
local core = require "swale.core"
local lu = require "luaunit"
local mutations = require "mutations"

TestMutations = command.in_a_folder()

function TestMutations:test_a_mutant_depends_on_seed_and_number()
  local text = 'local x = f(1, "a") -- a comment\nreturn x + 2'
  local differ = 0
  for number = 1, 50 do
    local mutant = mutations.mutate(text, 1, number)
    lu.assert_equals(mutations.mutate(text, 1, number), mutant)
    if mutant ~= text then differ = differ + 1 end
  end
  lu.assert_true(differ > 40)
end

local COUNT = os.getenv "SWALE_TEST_LONG" and 5000 or 100

function TestMutations:test_all_end_well_or_in_an_error_of_their_own()
  local said = {}
  local counts = mutations.run { home = os.getenv "SWALE_HOME", dir = self.dir, count = COUNT,
    seed = 7, jobs = core.cores(), say = function(line) said[#said + 1] = line end }
  lu.assert_nil(counts.stopped)
  lu.assert_equals(counts.list, {}, table.concat(said, "\n"))
  lu.assert_true(counts["ended well"] >= 5)
  lu.assert_true(counts["ended in an error"] >= 30)
end
