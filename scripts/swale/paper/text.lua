--- What `swale reproduce` prints at its end.
local errors = require "swale.errors"
local progress = require "swale.progress"
local tables = require "swale.paper.table"

local M = {}

---"2 cores of Intel Xeon"
---@param machine swale.Machine
---@return string
function M.machine(machine)
  return ("%d cores of %s"):format(machine.cores, machine.cpu or "an unknown processor")
end

---"14.2 core-minutes in 212 runs"
---@param cost swale.PaperCost
---@return string
function M.cost(cost)
  local text = ("%.1f core-minutes in %d run%s"):format(cost.cpu_seconds / 60, cost.runs,
    cost.runs == 1 and "" or "s")
  if cost.without_cpu > 0 then
    text = ("%s, without %d of unknown time"):format(text, cost.without_cpu)
  end
  return text
end

--- "1234567 (200 runs), 89abcde (1 run)"
local function counted(counts, name_of)
  local words = {}
  for i, key in ipairs(errors.sorted_keys(counts)) do
    words[i] = ("%s (%d run%s)"):format(name_of(key), counts[key], counts[key] == 1 and "" or "s")
  end
  return table.concat(words, ", ")
end

local function short(commit) return commit:sub(1, 10) end

--- "on 2026-11-29", "from 2026-11-28 to 2026-11-29"
local function days(cost)
  if not cost.first or cost.first == cost.last then return cost.first and "on " .. cost.first end
  return ("from %s to %s"):format(cost.first, cost.last)
end

--- "2 cores of Intel Xeon", with counts where there are several
local function machines(cost)
  local first = next(cost.machines)
  if not first or not next(cost.machines, first) then return first end
  return counted(cost.machines, tostring)
end

---When, where and at which commit the runs were made, and what they took: "Measured on 2026-11-29
---on 2 cores of Intel Xeon: 14.2 core-minutes in 212 runs, at commit 1234567890 (212 runs)."
---@param cost swale.PaperCost
---@return string
function M.measured(cost)
  local words = { "Measured", days(cost) }
  local where = machines(cost)
  if where then words[#words + 1] = "on " .. where end
  local text = table.concat(words, " ") .. ": " .. M.cost(cost)
  if next(cost.commits) then text = text .. ", at commit " .. counted(cost.commits, short) end
  if cost.dirty > 0 then
    text = ("%s; %d of them with uncommitted changes"):format(text, cost.dirty)
  end
  return text .. "."
end

---The commit of the judgement where it is not that of all runs: " at commit 1234567890".
---@param cost swale.PaperCost
---@param info table    run.json of the judgement
---@return string
function M.judged_at(cost, info)
  local commit = info.commit
  local first = next(cost.commits)
  if type(commit) ~= "string" or commit == first and not next(cost.commits, first) then
    return ""
  end
  return (" at commit %s"):format(short(commit))
end

---What does not stand in the table: runs that diverged or failed, claims that were left out.
---@param failed integer
---@param withdrawn string[]
---@return string[]
function M.warnings(failed, withdrawn)
  local list = {}
  if failed > 0 then
    list[1] = failed == 1 and "1 run diverged or failed; claims that read it leave its seed out."
      or ("%d runs diverged or failed; claims that read one leave its seed out."):format(failed)
  end
  if #withdrawn > 0 then
    list[#list + 1] = ("Left out of claims.lua after the runs: %s."):format(
      table.concat(withdrawn, ", "))
  end
  return list
end

local function figures_text(found, out)
  for _, figure in ipairs(found.figures) do
    out[#out + 1] = ("  %s: %s"):format(figure.file, figure.why
      and (figure.broken and "not drawn: " or "nothing to draw: ") .. figure.why or figure.caption)
  end
end

---"8 held, 2 did not hold"
---@param rows swale.ClaimRow[]
---@return string
function M.counts(rows)
  local counts, words = {}, {}
  for _, row in ipairs(rows) do counts[row.verdict] = (counts[row.verdict] or 0) + 1 end
  for _, verdict in ipairs { "held", "did not hold", "unresolved", "pilot", "shown", "missing",
    "broken" } do
    if counts[verdict] then
      words[#words + 1] = ("%d %s"):format(counts[verdict], verdict == "missing" and "not judged"
        or verdict)
    end
  end
  return table.concat(words, ", ")
end

---What the intervals of a table are.
M.INTERVALS = "Intervals of judged claims have the level that Holm's correction gives their test"
  .. " (5 % for all claims together); the others are 95 %."

---What is to be known of a size.
M.SIZES = {
  quick = "This is the quick size, which shows that everything runs; it says nothing about the"
    .. " paper.",
  pilot = "This is a pilot: estimates for choosing seeds and margins, and no verdicts.",
}

---@param found swale.Judgement
---@param info table    run.json of the judgement
---@return string
function M.whole(found, info)
  local out = { ("%s\n%s\n"):format(found.title, found.citation), tables.text(found.rows), "",
    tables.notes_text(found.rows, found.size), "" }
  if #found.figures > 0 then
    out[#out + 1] = ("figures in %s/plots:"):format(found.dir)
    figures_text(found, out)
  end
  for _, line in ipairs(M.warnings(found.cost.failed, found.withdrawn)) do out[#out + 1] = line end
  out[#out + 1] = M.measured(found.cost)
  out[#out + 1] = ("Judged on %s by %s%s; the batch took %s."):format(info.started:sub(1, 10),
    found.command, M.judged_at(found.cost, info), progress.seconds(found.wall_seconds))
  out[#out + 1] = M.SIZES[found.size]
  out[#out + 1] = M.counts(found.rows)
  return table.concat(out, "\n")
end

return M
