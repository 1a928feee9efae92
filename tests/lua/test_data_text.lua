--- Texts: windows of characters, and networks that read them.
local core = require "swale.core"
local lu = require "luaunit"
local sw = require "swale"

local TEXT = ("the quick brown fox jumps over the lazy dog\n"):rep(40)

TestText = {}

function TestText:test_windows_and_what_follows()
  local data = sw.data.text(TEXT, { length = 11, valid = 0.25, test = 0.25 })
  lu.assert_equals(tostring(data), "text 79/39/39")
  lu.assert_equals({ data.vocabulary, data.classes, #data.alphabet }, { 28, 28, 28 })
  local x, y = data.train:gather { 1, 2, 79 }
  lu.assert_equals({ x:dtype(), y:dtype() }, { "int32", "int32" })
  for row, first in ipairs { 1, 12, 859 } do
    lu.assert_equals(data:decode(x:select(1, row)), TEXT:sub(first, first + 10))
    lu.assert_equals(data:decode(y:select(1, row)), TEXT:sub(first + 1, first + 11))
  end
  lu.assert_equals(data:decode((data.test:gather { 1 })), TEXT:sub(1321, 1331))
end

function TestText:test_any_stride()
  for _, stride in ipairs { 1, 3, 10, 11, 12, 50 } do
    local data = sw.data.text(TEXT, { length = 11, stride = stride, valid = 0 })
    local n = (#TEXT - 12) // stride + 1
    lu.assert_equals(#data.train, n)
    for _, i in ipairs { 1, 2, n // 2, n } do
      local first = (i - 1) * stride + 1
      local x, y = data.train:gather { i }
      lu.assert_equals(data:decode(x), TEXT:sub(first, first + 10))
      lu.assert_equals(data:decode(y), TEXT:sub(first + 1, first + 11))
    end
  end
end

function TestText:test_encode_and_decode()
  local data = sw.data.text("b\0a\n\255cab\n", { length = 2, valid = 0 })
  lu.assert_equals(data:encode("\0\nabc\255"):table(), { 0, 1, 2, 3, 4, 5 })
  lu.assert_equals(data:decode { 5, 0 }, "\255\0")
  lu.assert_error_msg_contains('alphabet has no "z" (character 2)', data.encode, data, "az")
  lu.assert_error_msg_contains("index 6 (entry 1) is not in 0 … 5", data.decode, data, { 6 })
  local all = sw.data.text("b\0a\n\255cab\n", { length = 2, valid = 0, alphabet = "all" })
  lu.assert_equals({ all.vocabulary, all:encode("z"):get(1) }, { 256, 122 })
  local digits = sw.data.load "digits"
  lu.assert_error_msg_contains("decode: digits is no text", digits.decode, digits, { 1 })
end

function TestText:test_a_file()
  local folder = require("temporary").folder()
  local path = folder .. "/some.txt"
  local file = assert(io.open(path, "wb"))
  file:write(TEXT)
  file:close()
  local data = sw.data.text(path, { length = 20 })
  require("swale.folders").remove(folder)
  lu.assert_equals(tostring(data), "some.txt 79/8")
  local result, message, code = sw.try(sw.data.text, "/nowhere/text.txt")
  lu.assert_nil(result)
  lu.assert_str_contains(message, "/nowhere/text.txt: No such file")
  lu.assert_equals(code, "EIO")
end

function TestText:test_what_is_refused()
  lu.assert_error_msg_contains("train: 6 characters are too few for a window of 64 and one more",
    sw.data.text, "abcde\n", { valid = 0 })
  lu.assert_error_msg_contains("valid: 17 characters are too few", sw.data.text, TEXT,
    { valid = 0.01 })
  lu.assert_error_msg_contains("leave nothing", sw.data.text, TEXT, { valid = 0.5, test = 0.5 })
end

--- One row of a table for each character: log-probabilities of the next one.
local function bigrams(v, flat)
  return sw.nn.Sequential {
    sw.nn.Lambda(function(x) return sw.ops.reshape(sw.ops.one_hot(x, v), { -1, v }) end),
    sw.nn.Linear(v, v, { init = "zeros", bias_init = 0 }),
    sw.nn.Lambda(function(z) return flat and z or sw.ops.reshape(z, { -1, 11, v }) end),
  }
end

--- How many characters are what most often follows the one before, by counting.
local function best_bigrams(text)
  local counts, most = {}, {}
  for i = 1, #text - 1 do
    local a, pair = text:sub(i, i), text:sub(i, i + 1)
    counts[pair] = (counts[pair] or 0) + 1
    most[a] = math.max(most[a] or 0, counts[pair])
  end
  local right = 0
  for _, n in pairs(most) do right = right + n end
  return right / (#text - 1)
end

--- Outputs (B, T, V), or a row a character: the loss is the mean over them, and so is the accuracy.
function TestText:test_labels_are_not_made_wrong_several_at_a_time()
  local data = sw.data.text(("to be or not\n"):rep(20), { length = 4 })
  for _, f in ipairs { "label_noise", "random_labels", "subset" } do
    lu.assert_error_msg_contains("one label for each example, the data has (4)", data[f], data,
      { rate = f == "label_noise" and 0.1 or nil, n = f == "subset" and 5 or nil,
        stratified = f == "subset" or nil })
  end
  lu.assert_equals(#data:subset({ n = 5 }).train, 5)
end

function TestText:test_a_training()
  local data = sw.data.text(TEXT, { length = 11 })
  local found = {}
  for i, flat in ipairs { true, false } do
    local trainer = sw.Trainer { model = bigrams(28, flat), data = data, lr = 20, batch_size = 10 }
    lu.assert_almost_equals(trainer:evaluate("last", { on = "valid" }).loss, math.log(28), 1e-5)
    trainer:fit { epochs = 40 }
    found[i] = trainer:evaluate("last", { on = "valid" })
  end
  lu.assert_almost_equals(found[1].loss, found[2].loss, 1e-6)
  lu.assert_equals(found[1].accuracy, found[2].accuracy)
  lu.assert_almost_equals(found[1].accuracy, best_bigrams(TEXT), 0.03) -- valid is a part of it
end

TestIndices = {}

function TestIndices:test_integer_tensors()
  local x = core.tensor({ 0, 1, 2, 3, 4, 5 }, "int32"):reshape { 3, 2 }
  local data = sw.data.from_tensors { vocabulary = 6, classes = 2,
    train = { x = x, y = core.tensor({ 0, 1, 1 }, "int32") } }
  local rows, labels = data.train:gather { 3, 1 }
  lu.assert_equals(rows:table(), { { 4, 5 }, { 0, 1 } })
  lu.assert_equals(labels:table(), { 1, 0 })
  lu.assert_equals(data:subset({ n = 3 }).train.x:shape(), { 3, 2 })
  lu.assert_equals(data.train:sample(2).vocabulary, 6)
end

function TestIndices:test_what_is_refused()
  local x = core.tensor({ 0, 7 }, "int32")
  lu.assert_error_msg_contains("x of int32 are indices and need vocabulary", sw.data.from_tensors,
    { train = { x = x } })
  lu.assert_error_msg_contains("train: index 7 of example 2 is outside 0 … 6, the 7 of the",
    sw.data.from_tensors, { train = { x = x }, vocabulary = 7 })
  lu.assert_error_msg_contains("indices are not standardised", sw.data.from_tensors,
    { train = { x = x }, vocabulary = 8, standardise = true })
end

TestSeveralLabels = {}

--- The mean over an example's labels, in both shapes, against sums by hand.
function TestSeveralLabels:test_cross_entropy()
  local z = core.random(1, "test"):fill_normal(core.zeros { 2, 3, 4 }, 0, 1)
  local y = core.tensor({ 0, 3, 1, 2, 2, 0 }, "int32"):reshape { 2, 3 }
  local want = {}
  for i = 1, 2 do
    want[i] = 0
    for t = 1, 3 do
      local sum = 0
      for c = 1, 4 do sum = sum + math.exp(z:get(i, t, c)) end
      want[i] = want[i] + (math.log(sum) - z:get(i, t, y:get(i, t) + 1)) / 3
    end
  end
  for _, logits in ipairs { z, z:reshape { 6, 4 } } do
    local l = sw.loss.cross_entropy(logits, y):table()
    for i = 1, 2 do lu.assert_almost_equals(l[i], want[i], 1e-6) end
  end
end
