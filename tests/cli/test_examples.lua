-- The scripts under experiments/examples, whole, at a reduced size.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"

TestExamples = {}

local EXAMPLES = os.getenv "SWALE_HOME" .. "/experiments/examples/"

function TestExamples:setUp() self.dir = command.folder() end
function TestExamples:tearDown() command.remove(self.dir) end

function TestExamples:run_lua(name, ...)
  local result = command.swale(self.dir, { "lua", EXAMPLES .. name .. ".lua", ... })
  lu.assert_equals(result.code, 0, result.err)
  return result.out
end

function TestExamples:test_schedules_are_looked_at()
  if not require("swale.process").find "gnuplot" then lu.skip "there is no gnuplot" end
  local out = self:run_lua "schedules"
  lu.assert_str_contains(out, "epoch  1.0   theirs 0.1000   mine 0.0660")
  lu.assert_true(folders.size(self.dir .. "/schedules.svg") > 1000)
end

function TestExamples:test_the_batch_listens()
  local result = command.swale(self.dir, { "run", EXAMPLES .. "listen.lua", "epochs=3" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "step 129: batch 8 -> ")
  lu.assert_str_contains(result.out, "test accuracy 0.9")
end

function TestExamples:test_vectors_are_just_vectors()
  local out = self:run_lua("vectors", "1")
  local by_differences, by_gradient = out:match "differences (%S+)   by the gradient (%S+)"
  lu.assert_almost_equals(tonumber(by_differences), tonumber(by_gradient), 5e-3)
  local curvature, product = out:match "curvature by differences (%S+)   by .- (%S+)\n"
  lu.assert_almost_equals(tonumber(curvature), tonumber(product), 0.05) -- of float32 losses
end

function TestExamples:test_a_loop_of_ones_own()
  local out = self:run_lua("own_loop", "2")
  lu.assert_str_contains(out, "gradient checked")
  lu.assert_true(tonumber(out:match "test loss (%S+)") < 1)
end
