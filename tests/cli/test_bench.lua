--- swale bench: its lines, and its table beside PyTorch.
local command = require "command"
local core = require "swale.core"
local lu = require "luaunit"
local process = require "swale.process"

TestBench = command.in_a_folder()

function TestBench:bench(only)
  local result = command.swale(self.dir, { "bench", "--threads", "1", "--min-time", "0", "--only",
    only })
  lu.assert_equals(result.code, 0, result.err)
  local by_name = {}
  for line in result.out:gmatch "[^\n]+" do
    local record = assert(core.json_decode(line))
    lu.assert_equals({ record.threads, record.tag, record.variant }, { 1, "", core.variant() })
    lu.assert_is_string(record.commit)
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
  for _, name in ipairs { "logreg_B4096", "mlp_800_B256", "pegrad_mlp_F1_nobn_B256",
    "swa_mlp_F1", "e2e_mlp_small_B32_5epochs", "mlp_F1_B6000", "lenet_B64", "cnn_small_B256",
    "resnet20_cifar_B128 *", "vgg16_cifar_B128 *", "parts_cnn_small_B64", "eval10k_mlp_F1_B1000",
    "swa_cnn_small", "mobile_blocks_B16" } do
    lu.assert_str_contains(list, name .. "\n")
  end
  local result = command.swale(self.dir, { "bench", "--only", "logreg_B1,no_such" })
  lu.assert_equals({ result.code, result.out }, { 2, "" })
  lu.assert_str_contains(result.err, "no workload has no_such in its name")
  list = command.swale(self.dir, { "bench", "--compare", "--list" }).out
  lu.assert_str_contains(list, "vgg16_cifar_B128\n")
  lu.assert_not_str_contains(list, "overhead")
end

--- A whole name is that workload alone: others contain it.
function TestBench:test_a_whole_name()
  local rows = self:bench "mlp_small_B32"
  lu.assert_equals(require("swale.errors").sorted_keys(rows), { "mlp_small_B32" })
end

function TestBench:test_peak()
  local rows = self:bench "peak"
  lu.assert_true(rows.peak_multiply_add.gflops_per_thread > 0.1)
  lu.assert_true(rows.peak_triad.gb_per_s > 0.01)
end

-- ------------------------------------------------------------------ beside PyTorch

--- Stands for Python with PyTorch: what it does with a row is a piece of shell.
local PEER = [[
  if [ "$3" = --version ]; then echo '{"peer": "pytorch-9"}'; exit; fi
  answer() { echo "{\"way\": \"$1\", \"median_ms\": $2, \"build_s\": 0}"; }
  echo hello
  %s
  while read -r way; do answer "$way" "$way"; done]]

local TWO_WAYS = [[answer 900 900; answer 1000 1000; answer 2000 2000
  echo '{"way": "no", "error": "not here"}'; echo '{"ready": []}']]

TestBenchCompare = command.in_a_folder()

function TestBenchCompare:compare(peer, ...)
  command.write(self.dir .. "/peer.sh", PEER:format(peer))
  return command.swale(self.dir, { "bench", "--compare", "--python", "sh peer.sh", "--threads", "1",
    "--min-time", "0", ... })
end

function TestBenchCompare:lines()
  local list = {}
  for line in command.read(self.dir .. "/lines"):gmatch "[^\n]+" do
    list[#list + 1] = assert(core.json_decode(line))
  end
  return list
end

--- Of the three ways the rounds measure those that are nearly the best.
function TestBenchCompare:test_rounds_and_their_table()
  local result = self:compare(TWO_WAYS, "--only", "logreg_B1", "--rounds", "2", "--out", "lines")
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "pytorch-9 beside swale " .. core._VERSION)
  lu.assert_str_matches(result.out, ".*1 thread\nrow .*\nlogreg_B1 +900  900 +%S+ +%d+%.%d%d"
    .. " +%S+–%S+ +%d+\n  logreg_B1 without no: not here\n"
    .. "1 row: geometric mean %S+, least %S+ %(logreg_B1%)\n")
  lu.assert_true(tonumber(result.out:match "geometric mean (%S+),") > 100, result.out)
  lu.assert_str_contains(result.err, "no: not here")
  local lines = self:lines()
  lu.assert_equals(#lines, 2)
  for i, line in ipairs(lines) do
    lu.assert_equals({ line.round, line.workload, line.threads, line.peer, line.peer_ms },
      { i, "logreg_B1", 1, "pytorch-9", { ["900"] = 900, ["1000"] = 1000 } })
    has(line, "swale_ms", "gflops", "peak_gflops")
  end
end

function TestBenchCompare:test_goes_on_from_its_lines()
  self:compare(TWO_WAYS, "--only", "logreg_B1", "--rounds", "1", "--out", "lines")
  self:compare(TWO_WAYS, "--only", "logreg_B1", "--rounds", "3", "--out", "lines")
  local rounds = {}
  for i, line in ipairs(self:lines()) do rounds[i] = line.round end
  lu.assert_equals(rounds, { 1, 2, 3 })
  local result = self:compare("exit 7", "--only", "logreg_B1", "--rounds", "3", "--out", "lines",
    "--markdown")
  lu.assert_str_contains(result.out, "\n| row | PyTorch ms | way | Swale ms | ratio | range | "
    .. "% of peak |\n|---|---|---|---|---|---|---|\n| logreg_B1 | 900 | 900 | ")
  result = self:compare("exit 7", "--only", "logreg_B1", "--out", "lines", "--tag", "other")
  lu.assert_str_contains(result.out, "PyTorch: it ended with status 7\n")
end

--- The last line of a file may be cut; lines of other tools and of another origin are passed over.
function TestBenchCompare:test_lines_that_do_not_count()
  local function rounds()
    self:compare(TWO_WAYS, "--only", "logreg_B1", "--rounds", "1", "--out", "lines")
    local count = select(2, command.read(self.dir .. "/lines"):gsub('"round":1', ""))
    return count
  end
  lu.assert_equals(rounds(), 1)
  local line = command.read(self.dir .. "/lines")
  for name, value in pairs { cpu = "another", swale = "another", commit = "another" } do
    local record = core.json_decode(line)
    record[name] = value
    command.write(self.dir .. "/lines", core.json_encode(record) .. "\n")
    lu.assert_equals(rounds(), 2, name)
  end
  for _, text in ipairs { line:sub(1, -10), '[]\n{"kind": "round", "threads": 1.5}\n' } do
    command.write(self.dir .. "/lines", text)
    rounds()
    local _, valid = command.read(self.dir .. "/lines"):gsub('[^\n]*"round":1[^\n]*}\n', "")
    lu.assert_equals(valid, 1, text)
  end
end

--- Rounds of one instruction set do not count for another.
function TestBenchCompare:test_another_instruction_set()
  local function compare(variant)
    command.write(self.dir .. "/peer.sh", PEER:format(TWO_WAYS))
    command.swale(self.dir, { "bench", "--compare", "--python", "sh peer.sh", "--threads", "1",
      "--min-time", "0", "--only", "logreg_B1", "--rounds", "1", "--out", "lines" },
      { SWALE_CPU = variant })
    return #self:lines()
  end
  lu.assert_equals({ compare "scalar", compare "scalar" }, { 1, 1 })
  if core.variant() ~= "scalar" then lu.assert_equals(compare(core.variant()), 2) end
end

--- Other numbers of threads try the ways that were kept, no others.
function TestBenchCompare:test_two_threads()
  command.write(self.dir .. "/peer.sh", PEER:format('echo "$5 $9" >> asked\n' .. TWO_WAYS))
  local result = command.swale(self.dir, { "bench", "--compare", "--python", "sh peer.sh",
    "--threads", "1,2", "--min-time", "0", "--only", "logreg_B32", "--rounds", "1", "--out",
    "lines" })
  lu.assert_str_contains(result.out, "\n2 threads\n")
  local lines = self:lines()
  lu.assert_nil(lines[1].scaling)
  has(lines[2], "scaling", "share_of_mix")
  lu.assert_equals(command.read(self.dir .. "/asked"), "1 \n2 1000,900\n")
  lu.assert_str_matches(result.out, ".*\n2 threads\n.*\n  logreg_B32 without no: not here\n.*")
end

function TestBenchCompare:test_a_row_that_fails()
  local result = self:compare([[
    case $3 in
      logreg_B1) echo '{"way": "graph", "error": "no compiler"}'; echo '{"ready": []}';;
      logreg_B256) echo "Killed by the kernel" >&2; exit 1;;
      *) answer 5 5; echo '{"ready": []}';;
    esac]], "--only", "logreg_B1,logreg_B32,logreg_B256", "--rounds", "1")
  lu.assert_equals(result.code, 1, result.err)
  lu.assert_str_matches(result.out, ".*\nlogreg_B1 +PyTorch: graph: no compiler\nlogreg_B32 +5 .*"
    .. "\nlogreg_B256 +PyTorch: Killed by the kernel\n1 row: .*; 2 failed\n")
end

--- Tries the ways good, bad, also, but for those of --without; the body is what bad does.
local BAD_WAY = [[
  if [ "$3" = --version ]; then echo '{"peer": "pytorch-9"}'; exit; fi
  bad() { %s; }
  for way in good bad also; do
    case ",${11}," in *,$way,*) continue;; esac
    echo "{\"way\": \"$way\"}"
    [ $way != bad ] || bad
    echo "{\"way\": \"$way\", \"median_ms\": 900, \"build_s\": 0}"
  done
  echo '{"ready": []}'
  while read -r way; do
    %s
    echo "{\"way\": \"$way\", \"median_ms\": 900}"
  done]]

function TestBenchCompare:without(building, measuring)
  command.write(self.dir .. "/peer.sh", BAD_WAY:format(building, measuring))
  return command.swale(self.dir, { "bench", "--compare", "--python", "sh peer.sh", "--threads", "1",
    "--min-time", "0", "--only", "logreg_B1", "--rounds", "2", "--limit", "0.5", "--out", "lines",
    "--markdown" })
end

--- PyTorch is started again without a way that hangs, is killed or fails, and the row measured.
function TestBenchCompare:test_a_way_that_hangs_or_ends_pytorch()
  for body, fault in pairs { ["exec sleep 60"] = "no answer in 0.5 seconds",
    ["kill -9 $$"] = "signal 9 ended it", ["echo Broken >&2; exit 1"] = "Broken" } do
    os.remove(self.dir .. "/lines")
    local result = self:without(body, ":")
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_str_matches(result.out, ".*\nlogreg_B1 +900  %a+ +.*\n  logreg_B1 without bad: "
      .. fault .. "\n1 row: .*\n\n%- logreg_B1 without bad: " .. fault .. "\n.*")
    lu.assert_equals(self:lines()[2].peer_faults, { bad = fault })
  end
end

function TestBenchCompare:test_a_way_that_hangs_while_it_is_measured()
  local result = self:without("exit 7", "[ $way != good ] || exec sleep 60")
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "\n  logreg_B1 without bad: it ended with status 7\n"
    .. "  logreg_B1 without good: no answer in 0.5 seconds\n1 row")
  lu.assert_equals(self:lines()[1].peer_ms, { also = 900 })
end

function TestBenchCompare:test_pytorch_that_does_not_start_in_time()
  command.write(self.dir .. "/peer.sh", "trap '' TERM; exec sleep 60")
  local result = command.swale(self.dir, { "bench", "--compare", "--python", "sh peer.sh",
    "--limit", "0.3" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "no PyTorch: no answer in 0.3 seconds\n")
end

function TestBenchCompare:test_without_pytorch()
  command.write(self.dir .. "/peer.sh", [[echo '{"error": "No module named torch"}']])
  local function run(python)
    return command.swale(self.dir, { "bench", "--compare", "--python", python })
  end
  local result = run "sh peer.sh"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "no PyTorch: No module named torch\nName a Python")
  lu.assert_str_contains(result.err, "pip install torch")
  result = run "no_such_program"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "no PyTorch: no_such_program: ENOENT")
end

function TestBenchCompare:test_options()
  local function refused(...)
    local result = command.swale(self.dir, { "bench", ... })
    lu.assert_equals(result.code, 2, result.out)
    return result.err
  end
  lu.assert_str_contains(refused("--rounds", "3"), "--rounds needs --compare")
  lu.assert_str_contains(refused("--python", "x"), "--python needs --compare")
  lu.assert_str_contains(refused("--limit", "5"), "--limit needs --compare")
  lu.assert_str_contains(refused("--compare", "--only", "overhead"), "no workload has overhead")
  refused("--compare", "--rounds", "0")
end

function TestBenchCompare:test_a_file_that_cannot_be_written()
  local result = self:compare(TWO_WAYS, "--only", "logreg_B1", "--out", ".")
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, ".: Is a directory")
end

--- The program for PyTorch, with a Python that has it or not.
function TestBenchCompare:test_the_program_starts()
  if not process.find "python3" then lu.skip "no python3" end
  local result = process.run { "python3", os.getenv "SWALE_HOME"
    .. "/scripts/swale/bench/torch_peer.py", "--version" }
  local answer = assert(core.json_decode(result.out), result.err)
  lu.assert_str_contains(answer.peer or answer.error, "torch")
end
