--- What `swale reproduce` prints at its end.
local progress = require "swale.progress"
local tables = require "swale.paper.table"

local M = {}

---"2 cores of Intel Xeon, Debian 12"
---@param machine swale.Machine
---@return string
function M.machine(machine)
  return ("%d cores of %s"):format(machine.cores, machine.cpu or "an unknown processor")
end

---"14.2 core-minutes in 212 runs"
---@param found swale.Judgement
---@return string
function M.cost(found)
  local cost = found.cost
  local text = ("%.1f core-minutes in %d run%s"):format(cost.cpu_seconds / 60, cost.runs,
    cost.runs == 1 and "" or "s")
  if cost.without_cpu > 0 then
    text = ("%s, without %d of unknown time"):format(text, cost.without_cpu)
  end
  return text
end

---"commit 1234567, runs of 1234567 and 89abcde"
---@param found swale.Judgement
---@return string|nil
function M.commits(found)
  local names = {}
  for _, commit in ipairs(require("swale.errors").sorted_keys(found.cost.commits)) do
    names[#names + 1] = ("%s (%d runs)"):format(commit:sub(1, 10), found.cost.commits[commit])
  end
  if #names == 0 then return nil end
  local dirty = found.cost.dirty > 0
    and ("; %d of them with uncommitted changes"):format(found.cost.dirty) or ""
  return "commit " .. table.concat(names, ", ") .. dirty
end

---What does not stand in the table: runs that are not done, claims that were left out.
---@param failed integer
---@param withdrawn string[]
---@return string[]
function M.warnings(failed, withdrawn)
  local list = {}
  if failed > 0 then
    list[1] = ("%d run%s of this work %s not done; %s in no claim."):format(failed,
      failed == 1 and "" or "s", failed == 1 and "is" or "are",
      failed == 1 and "its seed is" or "their seeds are")
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
    tables.notes_text(found.rows), "" }
  if #found.figures > 0 then
    out[#out + 1] = ("figures in %s/plots:"):format(found.dir)
    figures_text(found, out)
  end
  for _, line in ipairs(M.warnings(found.cost.failed, found.withdrawn)) do out[#out + 1] = line end
  out[#out + 1] = ("%s; the batch took %s; %s"):format(M.cost(found),
    progress.seconds(found.wall_seconds), M.machine(info.machine))
  out[#out + 1] = ("%s, %s%s"):format(found.command, info.started:sub(1, 10),
    M.commits(found) and ", " .. M.commits(found) or "")
  out[#out + 1] = M.SIZES[found.size]
  out[#out + 1] = M.counts(found.rows)
  return table.concat(out, "\n")
end

return M
