--- Training steps, Hessian products and norms of each example's gradient beside PyTorch's.
---
--- A row has a process of PyTorch's, which builds the row in several ways and times each once; the
--- best two then take turns with Swale, round by round. A way that fails, hangs or ends PyTorch's
--- process is left out, and the row is measured without it. One thread is timed by the CPU time of
--- the process, several by the clock.
local core = require "swale.core"
local measure = require "swale.bench.measure"
local peak = require "swale.bench.peak"
local peers = require "swale.bench.peer"

local M = {}

M.ROWS = { "logreg_B1", "logreg_B32", "logreg_B256", "logreg_B4096", "mlp_small_B8",
  "mlp_small_B32", "mlp_small_B256", "mlp_800_B32", "mlp_800_B256", "mlp_F1_B32", "mlp_F1_B256",
  "mlp_F1_B6000", "lenet_B64", "cnn_small_B64", "cnn_small_B256", "resnet20_cifar_B128",
  "vgg16_cifar_B128", "hvp_mlp_F1_B256", "hvp_cnn_small_B64", "pegrad_mlp_F1_nobn_B256",
  "pegrad_cnn_small_nobn_B64" }

local NEARLY_BEST <const> = 1.15 -- times the best way's time: in the rounds, too
local SLOW <const> = 1000        -- ms: the best alone, as rounds take minutes

---@class swale.CompareOptions
---@field python string[]                 a command that starts Python
---@field rows string[]
---@field threads integer[]
---@field rounds integer
---@field min_time number                 seconds for each way and round
---@field limit number                    seconds that an answer of PyTorch's may take
---@field records swale.BenchRecords
---@field progress fun(text: string)
---@field row fun(summary: table)         of each row, as soon as it is measured

--- Python takes the program as text: its file may be out of reach, as in a chroot.
local function start(o, ...)
  local path = package.searchpath("swale.bench.peer", package.path):gsub("peer%.lua$",
    "torch_peer.py")
  local source = assert(require("swale.folders").read(path))
  local argv = table.move(o.python, 1, #o.python, 1, {})
  for _, word in ipairs { "-c", source, ... } do argv[#argv + 1] = word end
  return peers.start(argv, o.limit)
end

---Returns the version of PyTorch that a command starts.
---@param o { python: string[], limit: number }
---@return string|nil version
---@return string? why
function M.version(o)
  local peer, why = start(o, "--version")
  if not peer then return nil, why end
  local answer, message = peer:read()
  peer:close()
  if not answer then return nil, message end
  return answer.peer, answer.error
end

-- ------------------------------------------------------------------ a row

--- The names of the fastest ways, at most two.
local function best_of(times)
  local ways = require("swale.errors").sorted_keys(times)
  table.sort(ways, function(a, b) return times[a] < times[b] end)
  local least = times[ways[1]]
  if ways[2] and (least > SLOW or times[ways[2]] > NEARLY_BEST * least) then ways[2] = nil end
  return { ways[1], ways[2] }
end

--- A failure of PyTorch's, and the way it was in, if any.
local function failure(peer, why)
  if peer.way then return why, peer.way end
  return "PyTorch: " .. why
end

local function listed(faults)
  local texts = {}
  for i, way in ipairs(require("swale.errors").sorted_keys(faults)) do
    texts[i] = way .. ": " .. faults[way]
  end
  return table.concat(texts, "; ")
end

--- Reads what the peer says of each way until it is ready. Adds the ways that fail to faults.
local function built(peer, faults, o)
  local times = {}
  while true do
    local answer, why = peer:read()
    if not answer then return nil, failure(peer, why) end
    if answer.ready then break end
    if answer.error and not answer.way then return nil, failure(peer, answer.error) end
    peer.way = not (answer.error or answer.median_ms) and answer.way or nil
    if answer.error then
      faults[answer.way] = answer.error
      o.progress(("%s: %s"):format(answer.way, answer.error))
    elseif answer.median_ms then
      times[answer.way] = answer.median_ms
      o.progress(("%s: %.4g ms, built in %.0f s"):format(answer.way, answer.median_ms,
        answer.build_s))
    end
  end
  if not next(times) then return nil, failure(peer, listed(faults)) end
  return best_of(times)
end

local function peer_times(peer, ways)
  local times = {}
  for _, way in ipairs(ways) do
    peer.way = way
    local answer, why = peer:ask(way)
    if not answer then return nil, failure(peer, why) end
    times[way], peer.way = answer.median_ms, nil
  end
  return times
end

local function swale_time(row, threads, round, o)
  local fine, result = pcall(row.run, { threads = threads, min_time = o.min_time,
    brief = threads == 1 or round > 1 })
  if not fine and result == core.INTERRUPTED then error(result, 0) end
  if not fine then return nil, tostring(result) end
  return result
end

--- One round; odd ones begin with Swale. nil, a fault, and the way of PyTorch's if it is of one.
local function measure_round(peer, ways, row, threads, round, o)
  local times, why, result, way
  if round % 2 == 0 then
    times, why, way = peer_times(peer, ways)
    if not times then return nil, why, way end
  end
  local peak_gflops = peak.gflops()
  result, why = swale_time(row, threads, round, o)
  if not result then return nil, "Swale: " .. why end
  if not times then times, why, way = peer_times(peer, ways) end
  if not times then return nil, why, way end
  return { round = round, peer_ms = times, swale_ms = result.median_ms, gflops = result.gflops,
    peak_gflops = peak_gflops, scaling = result.scaling, share_of_mix = result.share_of_mix }
end

--- The rounds that are missing, by one process of PyTorch's.
local function attempt(row, threads, done, faults, o)
  local peer <close>, problem = start(o, row.name, "--threads", tostring(threads), "--min-time",
    tostring(o.min_time), "--ways", table.concat(o.records:ways(row.name), ","), "--without",
    table.concat(require("swale.errors").sorted_keys(faults), ","))
  if not peer then return problem end
  local ways, why, way = built(peer, faults, o)
  if not ways then return why, way end
  for round = #done + 1, o.rounds do
    local line, fault, of = measure_round(peer, ways, row, threads, round, o)
    if not line then return fault, of end
    line.peer_faults = next(faults) and faults or nil
    o.records:add(row.name, threads, line)
    done[#done + 1] = line
  end
end

--- Starts PyTorch again without the way that ended it, as long as there are others.
local function measure_rounds(row, threads, done, o)
  local faults = {}
  while true do
    local fault, way = attempt(row, threads, done, faults, o)
    if not way or faults[way] then return fault end
    faults[way] = fault
    o.progress(("%s: %s; starting again without it"):format(way, fault))
  end
end

local function compare_row(row, threads, o)
  o.progress(("%s, %d thread%s"):format(row.name, threads, threads > 1 and "s" or ""))
  core.set_threads(threads) -- a row that failed may have left another number
  local done = o.records:rounds(row.name, threads)
  local fault = #done < o.rounds and measure_rounds(row, threads, done, o) or nil
  collectgarbage()
  local summary = require("swale.bench.summary").of(row.name, threads, done)
  summary.fault, summary.without = fault, o.records:faults(row.name)
  o.row(summary)
end

---Measures rows, and reports each as soon as it is measured. A row that fails is reported, too.
---@param o swale.CompareOptions
function M.run(o)
  local rows = {}
  for _, row in ipairs(require("swale.bench").rows()) do rows[row.name] = row end
  for _, threads in ipairs(o.threads) do
    measure.use_clock(threads == 1 and "cpu" or "wall")
    for _, name in ipairs(o.rows) do compare_row(rows[name], threads, o) end
  end
  measure.use_clock "wall"
end

return M
