--- What a process holds in memory: data sets once, while they are read and trained on.
local command = require "command"
local core = require "swale.core"
local lu = require "luaunit"

TestMemory = command.in_a_folder()

local function skip_if_sanitized()
  local preset = os.getenv "SWALE_PRESET"
  lu.skipIf(preset == "asan" or preset == "tsan", "a sanitizer adds its own")
end

local PEAK = [[
local function peak()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s*(%d+)"
    if kib then return kib / 1024 end
  end
end
]]

local LOAD = [[
local sw = require "swale"
local before = peak()
sw.data.idx { train_images = "x.gz", train_labels = "y" }
print(peak() - before)
]]

--- 45 MiB, gzipped, whose moments are computed in float64.
function TestMemory:test_a_file_is_not_held_twice()
  skip_if_sanitized()
  local x, y = core.zeros({ 60000, 784 }, "uint8"), core.zeros({ 60000 }, "uint8")
  lu.assert_true(core.idx_write(x, self.dir .. "/x.gz"))
  lu.assert_true(core.idx_write(y, self.dir .. "/y"))
  command.write(self.dir .. "/load.lua", PEAK .. LOAD)
  local result = command.swale(self.dir, { "lua", "load.lua" })
  lu.assert_equals(result.code, 0, result.err)
  local mib = tonumber(result.out)
  lu.assert_true(mib > 44 and mib < 60, result.out)
end

--- A training of mlp_small on 70,000 images, of 52 MiB: 77 on two threads when this was written.
function TestMemory:test_a_training()
  skip_if_sanitized()
  local result = command.swale(self.dir, { "bench", "--threads", "2", "--only",
    "memory_mlp_small" })
  lu.assert_equals(result.code, 0, result.err)
  local row = core.json_decode(result.out:match "[^\n]+")
  lu.assert_almost_equals(row.data_mib, 52.3, 0.1)
  lu.assert_true(row.peak_rss_mib > row.data_mib and row.peak_rss_mib < 96, result.out)
end
