--- A data set in a known format: its row among the manifests.
local FILE = "scripts/swale/data/manifests.lua"

return {
  adds = "data set in a known format",
  pieces = {
    { name = "row", file = FILE, before = "M.sets.digits = {", text = [[
M.sets.letters = {
  title = "28x28 grey images of handwritten letters, 26 classes",
  licence = "CC0",
  classes = 26,
  shape = { 28, 28, 1 },
  files = {
    train_x = file("letters-train-images-idx3-ubyte", 784 * 124800 + 16, ("0"):rep(64)),
    train_y = file("letters-train-labels-idx1-ubyte", 124800 + 8, ("0"):rep(64)),
  },
  addresses = { "https://example.org/letters" },
}
]], dropped = '"letters"' },
    { name = "format", of = "row", file = FILE, after = "handwritten letters, 26 classes", text = [[
  format = "idx",
]], dropped = "letters: the manifest has no format" },
    { name = "split", of = "row", file = FILE, after = "handwritten letters, 26 classes", text = [[
  split = { train = 100000, valid = 4000, test = 20800 },
]], dropped = "letters: the manifest has no split" },
    { name = "test row", part = "test", file = "tests/lua/test_manifests.lua",
      after = "local SETS = {", text = [[
  letters = "idx 28x28x1 26 100000/4000/20800",
]], dropped = '"letters"' },
  },
  tests = { { "lua", "^test_manifests%." } },
}
