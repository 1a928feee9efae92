local lu = require "luaunit"
local nn = require "swale.nn"
local sw = require "swale"

TestEmbedding = {}

function TestEmbedding:test_a_row_for_each_number()
  local m = nn.Embedding(3, 2, { init = sw.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } } }):build()
  lu.assert_equals(m:forward(sw.tensor({ { 2, 0 }, { 1, 2 } }, "int32")):table(),
    { { { 5, 6 }, { 1, 2 } }, { { 3, 4 }, { 5, 6 } } })
  lu.assert_equals(m:forward(sw.tensor({ 1 }, "int32")):table(), { { 3, 4 } })
end

function TestEmbedding:test_begins_as_gpt2s()
  local w = nn.Embedding(100, 100):build { seed = 1 }:weights():to "float64"
  lu.assert_almost_equals(w:norm() / 100, 0.02, 0.02 * 0.03) -- 10,000 draws: 4 sigma are 3 %
end

function TestEmbedding:test_refuses_real_numbers()
  lu.assert_error_msg_contains("takes whole numbers", function()
    nn.Embedding(3, 2):build():forward(sw.zeros { 2, 2 })
  end)
  lu.assert_error_msg_contains("vocabulary must be", nn.Embedding, 0, 2)
  lu.assert_error_msg_contains('did you mean "init"', nn.Embedding, 1, 2, { inti = 1 })
end

TestPositions = {}

function TestPositions:test_adds_a_row_to_each_position()
  local m = nn.Positions(3, 2, { init = sw.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } } }):build()
  lu.assert_equals(m:forward(sw.zeros { 1, 3, 2 }):table(), { { { 1, 2 }, { 3, 4 }, { 5, 6 } } })
  lu.assert_equals(m:forward(sw.ones { 1, 2, 2 }):table(), { { { 2, 3 }, { 4, 5 } } })
  lu.assert_error_msg_contains("T at most 3, not (1, 4, 2)", m.forward, m, sw.zeros { 1, 4, 2 })
end

TestLinear3 = {}

function TestLinear3:test_works_on_the_last_axis()
  local m = nn.Linear(2, 3):build { seed = 3 }
  local x = sw.randn { 2, 5, 2 }
  local y = m:forward(x)
  lu.assert_equals(y:shape(), { 2, 5, 3 })
  lu.assert_equals(y:reshape({ 10, 3 }):table(), m:forward(x:reshape { 10, 2 }):table())
end
