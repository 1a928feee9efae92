--- swale bench: its lines, and compare.lua, which reads them.
local command = require "command"
local core = require "swale.core"
local lu = require "luaunit"

TestBench = command.in_a_folder()

function TestBench:bench(only)
  local result = command.swale(self.dir, { "bench", "--threads", "1", "--min-time", "0", "--only",
    only })
  lu.assert_equals(result.code, 0, result.err)
  local by_name = {}
  for line in result.out:gmatch "[^\n]+" do
    local record = assert(core.json_decode(line))
    lu.assert_equals({ record.threads, record.tag }, { 1, "" })
    by_name[record.workload] = record
  end
  return by_name
end

local function has(record, ...)
  for _, field in ipairs { ... } do lu.assert_is_number(record[field], field) end
end

function TestBench:test_training_steps()
  local row = self:bench("logreg_B32").logreg_B32
  has(row, "median_ms", "min_ms", "reps", "gflops", "examples_per_s")
  lu.assert_equals({ row.kind, row.B, row.params, row.flops_per_step },
    { "train_step", 32, 7850, 2 * 32 * 2 * 7840 })
end

function TestBench:test_parts_of_a_step_and_evaluation()
  local rows = self:bench "parts_mlp_small,eval10k_mlp_F1_B1000,lenet_B64"
  has(rows.parts_mlp_small_B32, "gather_ms", "forward_loss_ms", "backward_ms", "opt_step_ms")
  has(rows.eval10k_mlp_F1_B1000, "median_ms", "gflops", "examples_per_s")
  -- 28 x 28 outputs of 5 x 5, 10 x 10 of 5 x 5 x 6, three linear layers; no gradient of the input
  local first, rest = 784 * 25 * 6, 100 * 150 * 16 + 400 * 120 + 120 * 84 + 840
  lu.assert_equals(rows.lenet_B64.flops_per_step, 2 * 64 * (2 * first + 3 * rest))
end

function TestBench:test_what_surrounds_a_step()
  local rows = self:bench "swa_mlp_small,overhead"
  has(rows.swa_mlp_small, "median_ms", "step_ms", "fraction_of_step")
  for _, name in ipairs { "add10", "add_1000x1000", "mm_1x10x10", "schedule_and_hook" } do
    has(rows["overhead_" .. name], "us", "us_min")
  end
end

function TestBench:test_the_start_of_a_process()
  local row = self:bench("start_first").start_first_step_mlp_small
  has(row, "median_ms", "min_ms", "peak_rss_mib")
  lu.assert_true(row.peak_rss_mib > 2 and row.peak_rss_mib < 200)
end

function TestBench:test_names()
  local list = command.swale(self.dir, { "bench", "--list" }).out
  for _, name in ipairs { "logreg_B4096", "mlp_800_B256", "pegrad_mlp_F1_B256_goodfellow",
    "swa_mlp_F1", "e2e_mlp_small_B32_5epochs", "mlp_F1_B6000", "lenet_B64", "cnn_small_B256",
    "resnet20_cifar_B128 *", "vgg16_cifar_B128 *", "parts_cnn_small_B64", "eval10k_mlp_F1_B1000",
    "swa_cnn_small" } do
    lu.assert_str_contains(list, name .. "\n")
  end
  lu.assert_equals(command.swale(self.dir, { "bench", "--only", "no_such" }).code, 2)
end

--- A peer that always reports 1000 ms.
function TestBench:test_compare()
  command.write(self.dir .. "/peer.sh", [[
    echo "hello"
    echo '{"peer": "x", "workload": "logreg_B1", "threads": 1, "median_ms": 1000}']])
  local result = command.swale(self.dir, { "lua", os.getenv "SWALE_HOME"
    .. "/tests/bench/compare.lua", "--peer", "sh peer.sh", "--rounds", "2", "--only", "logreg_B1",
    "--min-time", "0", "--out", "lines" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_matches(result.out, "workload +ours +theirs +times faster +range +rounds\n"
    .. "logreg_B1 +%S+ ms +1000 ms +%d+.*")
  local _, lines = command.read(self.dir .. "/lines"):gsub("\n", "")
  lu.assert_equals(lines, 4)
end
