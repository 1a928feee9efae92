--- A data format: NumPy's files, a reader and its row.
local FILE, FORMATS = "scripts/swale/data/npy.lua", "scripts/swale/data/formats.lua"
local TEST = "tests/lua/test_manifests.lua"

return {
  adds = "data format (npy)",
  pieces = {
    { name = "reader", file = FILE, create = true, text = [[
--- Data sets in NumPy's files: train_x, train_y, valid_x, … of uint8.
local core = require "swale.core"
local errors = require "swale.errors"
local sets = require "swale.data.set"

local M = {}

---@type swale.DataFormat
M.format = {}

return M
]], dropped = "module 'swale.data.npy' not found" },
    { name = "as_published", of = "reader", file = FILE, before = "return M", text = [[
M.format.as_published = true
]], dropped = "the format npy: as_published" },
    { name = "complete", of = "reader", file = FILE, before = "return M", text = [[
function M.format.complete(manifest, has)
  for key in pairs(manifest.files) do if not has(key) then return false end end
  return true
end
]], dropped = "the format npy has no complete" },
    { name = "read", of = "reader", file = FILE, before = "return M", text = [[
function M.format.read(paths, manifest)
  local tensors = {}
  for key, path in pairs(paths) do
    local t = errors.check(core.npy_read(path))
    if key:find "_x$" then t = t:reshape { #t, table.unpack(manifest.shape) } end
    tensors[(key:gsub("_", "."))] = t
  end
  return tensors
end
]], dropped = "the format npy has no read" },
    { name = "metadata", of = "reader", file = FILE, before = "return M", text = [[
function M.format.metadata() return {} end
]], dropped = "the format npy has no metadata" },
    { name = "normalisation", of = "reader", file = FILE, before = "return M", text = [[
function M.format.normalisation() return nil end
]], dropped = "the format npy has no normalisation" },
    { name = "parts", of = "reader", file = FILE, before = "return M", text = [[
function M.format.parts(tensors)
  local parts = {}
  for _, split in ipairs(sets.SPLITS) do
    parts[split] = { x = tensors[split .. ".x"], y = tensors[split .. ".y"] }
  end
  return parts
end
]], dropped = "the format npy has no parts" },
    { name = "row", file = FORMATS, after = 'idx = require("swale.data.idx").format,', text = [[
  npy = require("swale.data.npy").format,
]], dropped = "there is no format npy" },
    { name = "writer", part = "test", file = TEST,
      before = "--- Records of 32 x 32 x 3: it is its own set.", text = [[
function WRITERS.npy(folder)
  local files = {}
  for key, t in pairs { train_x = X:narrow(1, 1, 4), train_y = Y:narrow(1, 1, 4),
    valid_x = X:narrow(1, 5, 1), valid_y = Y:narrow(1, 5, 1), test_x = TEST_X, test_y = TEST_Y } do
    files[key] = key .. ".npy"
    assert(core.npy_write(t:contiguous(), folder .. "/" .. files[key]))
  end
  return { files = files }
end

]], dropped = "the format npy has no writer here" },
  },
  tests = { { "lua", "^test_manifests%." } },
}
