-- The scripts under experiments/examples, whole, at a reduced size.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"

TestExamples = command.in_a_folder()

local EXAMPLES = os.getenv "SWALE_HOME" .. "/experiments/examples/"

function TestExamples:run_lua(name, ...)
  local result = command.swale(self.dir, { "lua", EXAMPLES .. name .. ".lua", ... })
  lu.assert_equals(result.code, 0, result.err)
  return result.out
end

function TestExamples:test_schedules()
  if not require("swale.process").find "gnuplot" then lu.skip "there is no gnuplot" end
  local out = self:run_lua "schedules"
  lu.assert_str_contains(out, "epoch  1.0   theirs 0.1000   mine 0.0660")
  lu.assert_true(folders.size(self.dir .. "/schedules.svg") > 1000)
end

function TestExamples:test_the_batch_follows_the_noise()
  local result = command.swale(self.dir, { "run", EXAMPLES .. "adaptive_batch.lua", "epochs=3" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "step 165: batch 8 -> ")
  lu.assert_str_contains(result.out, "test accuracy 0.9")
end

function TestExamples:test_vectors()
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

-- ------------------------------------------------------------------ experiments

TestExperiments = command.in_a_folder()

local EXPERIMENTS = os.getenv "SWALE_HOME" .. "/experiments/"

-- Six images of noise in the files' format: a label, then planes of red, green, blue.
local function write_images(path, n)
  local records = {}
  for i = 1, n do
    local bytes = { i % 10 }
    for k = 2, 3073 do bytes[k] = (i * 7919 + k * 104729) % 256 end
    records[i] = string.char(table.unpack(bytes))
  end
  command.write(path, table.concat(records))
end

function TestExperiments:test_cifar_cnn()
  folders.make_folder(self.dir .. "/cifar")
  write_images(self.dir .. "/cifar/data_batch_1.bin", 40)
  write_images(self.dir .. "/cifar/test_batch.bin", 10)
  local result = command.swale(self.dir, { "run", EXPERIMENTS .. "cifar_cnn.lua", "path=cifar",
    "epochs=3", "cycles=2", "batch=10", "scale=0.1" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "of the average, with its own, re-estimated")
end

function TestExperiments:test_cifar_cnn_without_cifar()
  if require("swale.data").is_here "cifar10" then lu.skip "there is a CIFAR-10" end
  local result = command.swale(self.dir, { "run", EXPERIMENTS .. "cifar_cnn.lua" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "swale data get cifar10")
end

function TestExperiments:test_char_lm()
  command.write(self.dir .. "/text", ("the quick brown fox jumps\n"):rep(100))
  local result = command.swale(self.dir, { "run", EXPERIMENTS .. "char_lm.lua", "file=text",
    "epochs=6", "length=16", "layers=1", "heads=2", "size=16", "batch=8", "dropout=0.0",
    "lr=0.02", "sample=30" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_true(tonumber(result.out:match "epoch  6: (%S+) bits a character") < 1, result.out)
  lu.assert_equals(#result.out:match "continues:%] (.*)\n", 30)
end

local COLUMNS = { "quantity", "value", "interval", "kind", "exact", "CPU s" }

--- Rows of the table, by the places of its header: name, value, interval's ends, kind, exact value.
local function rows_of(text)
  local header = text:match "(quantity  +value[^\n]+)"
  local place, rows = {}, {}
  for i, name in ipairs(COLUMNS) do place[i] = header:find(name, 1, true) end
  for line in text:sub((text:find(header, 1, true))):gmatch "[^\n]+" do
    local name, rest = line:match "^(%S.-)%s%s+(.+)$"
    local interval, kind = line:sub(place[3], place[4] - 1), line:sub(place[4], place[4] + 5)
    if rest and line:sub(1, 2) ~= "--" and name ~= "quantity" then
      local low, high = interval:match "(%S+) to (%S+)"
      rows[name] = { value = tonumber(rest:match "^%S+"), low = tonumber(low),
        high = tonumber(high), kind = kind:match "^(.-)%s*$",
        exact = tonumber(line:sub(place[4] + 6, place[6] - 1):match "%S+") }
    end
  end
  return rows
end

function TestExperiments:test_measure_demo()
  local result = command.swale(self.dir, { "run", EXPERIMENTS .. "measure_demo.lua", "epochs=4",
    "lr=0.2" })
  lu.assert_equals(result.code, 0, result.err)
  local sure, intervals, covered = 0, 0, 0
  for name, row in pairs(rows_of(result.out)) do
    if row.exact and row.kind ~= "95 %" then
      sure = sure + 1
      lu.assert_almost_equals(row.value, row.exact, 2e-3 * math.abs(row.exact) + 1e-5, name)
    elseif row.exact and row.low then
      intervals = intervals + 1
      if row.low <= row.exact and row.exact <= row.high then covered = covered + 1 end
    end
  end
  lu.assert_equals(sure, 23, result.out)
  lu.assert_true(intervals >= 20 and covered >= intervals - 4, result.out)
  local folder = result.out:match "picture: (%S+/)training"
  for _, picture in ipairs { "noise", "gram", "density", "edge", "sharpness", "critical_batch",
    "line", "plane" } do
    lu.assert_not_nil(command.read(folder .. picture .. ".svg"), picture)
  end
end

function TestExamples:test_a_strategy_of_a_sweep()
  command.write(self.dir .. "/a.lua", [[
    return require("swale").experiment { name = "a", params = { lr = 1.0 },
      objective = { "loss", "min" },
      run = function(run, p) run:summary { loss = math.abs(math.log(p.lr / 0.07)) } end }]])
  local result = command.swale(self.dir, { "sweep", "a.lua", "--strategy",
    EXAMPLES .. "bisect_lr.lua" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "best by loss (least): lr = 0.08")
end
