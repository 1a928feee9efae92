-- JSON, encoded and decoded.
local text = core.json_encode({ name = "é\n", rates = { 0.1, 1, 2.0 }, deep = { { { on = true } } },
  none = {} }, 2)
local value, why = core.json_decode(text)
assert(value, why)
assert(value.rates[1] == 0.1 and value.deep[1][1].on)
assert(core.json_encode(value, 2) == text)
