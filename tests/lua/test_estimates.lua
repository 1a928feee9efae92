--- The table of estimates as text.
local estimates = require "swale.estimates"
local lu = require "luaunit"
local sw = require "swale"

TestEstimates = {}

function TestEstimates:test_values_intervals_and_exact_values()
  local list = estimates.new()
  list:section "first"
  list:add { name = "a", unit = "loss", exact = 2, seconds = 0.5,
    estimate = sw.estimate { value = 2.1, low = 1.8, high = 2.5 } }
  list:add { name = "b", estimate = 3.5 }
  list:section "second"
  list:add { name = "c", estimate = sw.estimate { value = 1, low = 0.9999, high = 1.0001 } }
  list:add { name = "d", estimate = sw.estimate { value = 1, low = 0.5, reason = "few" } }
  list:add { name = "e", estimate = sw.estimate { value = 2, low = 0.7, reason = "few" } }
  list:add { name = "f", estimate = sw.estimate {} }
  local lines = list:lines()
  local expected = {
    { "quantity", "value", "interval", "kind", "exact", "CPU", "s", "unit" }, { "--", "first" },
    { "a", "2.1", "1.8", "to", "2.5", "95", "%", "2", "0.50", "loss" }, { "b", "3.5", "number" },
    { "--", "second" }, { "c", "1", "+-", "0.0001", "95", "%" },
    { "d", "1", "above", "0.5", "95", "%" }, { "e", "2", "above", "0.7", "95", "%" },
    { "f", "nan", "pending", "95", "%" }, { "d;", "e" }, { "unresolved:", "few" }, { "f" },
    { "pending:" } }
  for i, line in ipairs(lines) do
    local words = {}
    for word in line:gmatch "%S+" do words[#words + 1] = word end
    lu.assert_equals(words, expected[i], line)
  end
  lu.assert_equals(#lines, #expected)
end
