--- What the rounds of a comparison say, and the tables of them.
local measure = require "swale.bench.measure"

local M = {}

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  return measure.median(sorted)
end

local function column(rounds, name)
  local list = {}
  for i, round in ipairs(rounds) do list[i] = round[name] end
  return list
end

local function fastest(round)
  local least = math.huge
  for _, ms in pairs(round.peer_ms) do least = math.min(least, ms) end
  return least
end

--- The way that is the fastest in the median, and its times. A way counts if every round has it;
--- where none does, as the rounds are those of several runs, each counts with its fastest.
local function best_way(rounds)
  local best, best_times, least
  for way in pairs(rounds[1].peer_ms) do
    local times = {}
    for _, round in ipairs(rounds) do times[#times + 1] = round.peer_ms[way] end
    if #times == #rounds and (not least or median(times) < least) then
      best, best_times, least = way, times, median(times)
    end
  end
  if best then return best, best_times end
  best_times = {}
  for i, round in ipairs(rounds) do best_times[i] = fastest(round) end
  return "several", best_times
end

---@class swale.BenchSummary
---@field workload string
---@field threads integer
---@field fault? string
---@field without? table<string, string>   ways of PyTorch's that failed, and why
---@field rounds integer
---@field way? string          the rest only if there was a round
---@field peer_ms number
---@field swale_ms number
---@field ratio number         median of the rounds' ratios
---@field least number         of the rounds' ratios
---@field most number
---@field share? number        of the multiply-adds that the threads could do
---@field scaling? number      times faster than on one thread
---@field share_of_mix? number

---@param workload string
---@param threads integer
---@param rounds table[]
---@return swale.BenchSummary
function M.of(workload, threads, rounds)
  local summary = { workload = workload, threads = threads, rounds = #rounds }
  if #rounds == 0 then return summary end
  local way, peer = best_way(rounds)
  local swale, ratios = column(rounds, "swale_ms"), {}
  for i, ms in ipairs(swale) do ratios[i] = peer[i] / ms end
  table.sort(ratios)
  summary.way, summary.peer_ms, summary.swale_ms = way, median(peer), median(swale)
  summary.ratio, summary.least, summary.most = measure.median(ratios), ratios[1], ratios[#ratios]
  if rounds[1].gflops then
    summary.share = median(column(rounds, "gflops")) / threads
      / median(column(rounds, "peak_gflops"))
  end
  summary.scaling, summary.share_of_mix = rounds[1].scaling, rounds[1].share_of_mix
  return summary
end

-- ------------------------------------------------------------------ tables

M.HEADER = { "row", "PyTorch ms", "way", "Swale ms", "ratio", "range", "% of peak", "scaling",
  "of its mix" }

---Returns the cells of a row of the table.
---@param s swale.BenchSummary
---@return string[]
function M.cells(s)
  if not s.ratio then return { s.workload, "", "", "", "", s.fault or "" } end
  local function maybe(format, value) return value and format:format(value) or "" end
  return { s.workload, ("%.4g"):format(s.peer_ms), s.way, ("%.4g"):format(s.swale_ms),
    ("%.2f"):format(s.ratio), ("%.2f–%.2f"):format(s.least, s.most),
    maybe("%.0f", s.share and 100 * s.share), maybe("%.2f", s.scaling),
    maybe("%.2f", s.share_of_mix) }
end

local WIDTHS <const> = { 26, 10, 13, 10, 6, 10, 9, 8, 10 }
local LEFT <const> = { [1] = true, [3] = true }

---Returns a line of the table, aligned with the others.
---@param cells string[]
---@return string
function M.line(cells)
  local parts = {}
  for i, cell in ipairs(cells) do
    local gap = (" "):rep(WIDTHS[i] - (utf8.len(cell) or #cell))
    parts[i] = LEFT[i] and cell .. gap or gap .. cell
  end
  return (table.concat(parts, "  "):gsub("%s+$", ""))
end

---Returns the sentence below the table.
---@param summaries swale.BenchSummary[]
---@return string
function M.total(summaries)
  local sum, count, least, slowest, failed = 0, 0, math.huge, nil, 0
  for _, s in ipairs(summaries) do
    if s.fault then failed = failed + 1 end
    if s.ratio then
      sum, count = sum + math.log(s.ratio), count + 1
      if s.ratio < least then least, slowest = s.ratio, s.workload end
    end
  end
  local text = count == 0 and "no row was measured"
    or ("%d row%s: geometric mean %.2f, least %.2f (%s)"):format(count, count > 1 and "s" or "",
      math.exp(sum / count), least, slowest)
  return failed > 0 and ("%s; %d failed"):format(text, failed) or text
end

---Returns what is to be said below a row: a fault after some rounds, and the ways that failed.
---@param s swale.BenchSummary
---@return string[]
function M.notes(s)
  local notes = {}
  if s.fault and s.ratio then
    notes[1] = ("%s after %d round%s: %s"):format(s.workload, s.rounds, s.rounds > 1 and "s" or "",
      s.fault)
  end
  for _, way in ipairs(require("swale.errors").sorted_keys(s.without or {})) do
    notes[#notes + 1] = ("%s without %s: %s"):format(s.workload, way, s.without[way])
  end
  return notes
end

---Returns the table in Markdown, and a list of notes.
---@param summaries swale.BenchSummary[]
---@return string
function M.markdown(summaries)
  local many = summaries[1].threads > 1
  local columns = many and #M.HEADER or #M.HEADER - 2
  local function row(cells)
    return "| " .. table.concat(table.move(cells, 1, columns, 1, {}), " | ") .. " |"
  end
  local lines, notes = { row(M.HEADER), "|" .. ("---|"):rep(columns) }, {}
  for _, s in ipairs(summaries) do
    local cells = M.cells(s)
    for i = 1, columns do cells[i] = (cells[i] or ""):gsub("|", "\\|") end
    lines[#lines + 1] = row(cells)
    for _, note in ipairs(M.notes(s)) do notes[#notes + 1] = "- " .. note end
  end
  if notes[1] then table.insert(notes, 1, "") end
  return table.concat(table.move(notes, 1, #notes, #lines + 1, lines), "\n")
end

return M
