--- The judgement of a paper at the head of a report: its claims with verdicts, then its figures.
local html = require "swale.report.html"
local pictures = require "swale.report.pictures"
local tables = require "swale.paper.table"
local words = require "swale.paper.text"

local M = {}

local FORM = [[<section class="paper" id="{{id}}" aria-labelledby="{{id}}-title">
<h2 id="{{id}}-title"{{alone}}>{title}</h2>
<p>{citation}</p>
<p class="quiet"><code>{command}</code>, {about}</p>
<div class="verdict"><p class="first">{counts}</p>{{said}}</div>
<div class="wide"><table class="claims"><thead><tr><th></th><th>claim</th><th>section</th>
<th>paper</th><th>here</th><th>seeds</th><th>verdict</th></tr></thead><tbody>
{{rows}}
</tbody></table></div>
{{notes}}
{{figures}}
</section>]]

local ROW = [[<tr id="{{anchor}}"><td class="count">{i}</td>
<td data-name="claim">{text}{{marks}}</td>
<td data-name="section">{section}</td><td data-name="paper">{paper}</td>
<td data-name="here">{ours}</td><td data-name="seeds">{seeds}</td>
<td data-name="verdict" class="{{class}}"><b>{verdict}</b>{{more}}</td></tr>]]

-- ------------------------------------------------------------------ what the record has

local FIELDS = { "id", "text", "section", "paper", "here", "ours", "why", "seeds", "verdict",
  "would", "rule", "power",
  "unconfirmed", "amended", "beside" }

local NEEDED = { "text", "section", "paper", "ours", "seeds", "verdict" }

--- A claim whose fields are texts, whatever run.json has.
local function row_of(claim)
  local row = {}
  for _, name in ipairs(FIELDS) do
    local value = type(claim) == "table" and claim[name] or nil
    if type(value) == "string" or type(value) == "number" then
      row[name] = html.clipped(tostring(value), 1000)
    end
  end
  for _, name in ipairs(NEEDED) do row[name] = row[name] or "" end
  return row
end

---Whether a run is the judgement of a paper.
---@param view swale.RunView
---@return boolean
function M.is_judgement(view)
  local s = view.summary
  return type(s.claims) == "table" and type(s.figures) == "table" and type(s.title) == "string"
    and type(s.citation) == "string"
end

---Takes the judgements out of the runs of a report.
---@param views swale.RunView[]
---@return swale.RunView[][] judgements   of each paper, in the order of their beginning
---@return swale.RunView[] others
function M.split(views)
  local judgements, by_name, others = {}, {}, {}
  for _, view in ipairs(views) do
    if not M.is_judgement(view) then
      others[#others + 1] = view
    else
      local list = by_name[view.experiment]
      if not list then
        list = {}
        by_name[view.experiment], judgements[#judgements + 1] = list, list
      end
      list[#list + 1] = view
    end
  end
  return judgements, others
end

---@param view swale.RunView
---@return string
function M.title(view) return html.clipped(view.summary.title, 300) end

-- ------------------------------------------------------------------ the table

local CLASSES = { held = "held", ["did not hold"] = "not-held", broken = "not-held" }

local VERDICTS = { missing = "not judged", pilot = "pilot" }

--- What stands below the verdict.
local function more_html(row)
  local parts = {}
  if row.would then
    parts[1] = row.would .. (row.verdict == "pilot" and " for power .8" or " would tell")
  end
  if row.amended then parts[#parts + 1] = "amended: " .. row.amended end
  for i, part in ipairs(parts) do
    parts[i] = ('<br> <span class="quiet">%s</span>'):format(html.escape(part))
  end
  return table.concat(parts)
end

local function marks_html(row)
  if not row.unconfirmed then return "" end
  return (' <span class="mark" title="%s">unconfirmed</span>'):format(html.escape(
    "not confirmed by any source: " .. row.unconfirmed))
end

local function rows_html(rows, id)
  local parts = {}
  for i, row in ipairs(rows) do
    parts[i] = html.fill(ROW, { anchor = ("%s-%d"):format(id, i), i = i, text = row.text,
      marks = marks_html(row), section = row.section, paper = row.paper, ours = tables.ours(row),
      seeds = row.seeds, class = CLASSES[row.verdict] or "open", more = more_html(row),
      verdict = VERDICTS[row.verdict] or row.verdict })
  end
  return table.concat(parts, "\n")
end

local function notes_html(rows, size)
  local parts, last = { ("<p>%s</p>"):format(html.escape(words.INTERVALS)) }, nil
  for _, note in ipairs(tables.notes(rows, { size = size })) do
    if note[1] ~= last then
      parts[#parts + 1] = ("%s<p>%s:</p><ul>"):format(last and "</ul>" or "",
        html.escape(note[1]))
    end
    last = note[1]
    parts[#parts + 1] = ("<li>%s: %s</li>"):format(html.escape(note[2]), html.escape(note[3]))
  end
  if not last then return "" end
  return '<details class="notes"><summary>The tests, what stands for the paper\'s settings, and'
    .. " what to know beside the claims</summary>" .. table.concat(parts, "\n") .. "</ul></details>"
end

-- ------------------------------------------------------------------ figures

local function figure_html(view, figure, room)
  local file = type(figure) == "table" and tostring(figure.file):match "^[%w_%-]+%.svg$"
  if not file then return nil end
  local caption = html.clipped(tostring(figure.caption or file), 500)
  if figure.why then
    return ("<p class=\"quiet\">%s: nothing is drawn: %s</p>"):format(html.escape(caption),
      html.escape(html.clipped(tostring(figure.why), 500)))
  end
  local path = view.dir .. "/plots/" .. file
  local text = pictures.figure({ path = path, kind = "svg" }, caption, room)
  if not text then room:leave(("%s: the figure %s"):format(view.experiment, file)) end
  return text
end

local function figures_html(view, room)
  local parts = {}
  for _, figure in ipairs(view.summary.figures) do
    parts[#parts + 1] = figure_html(view, figure, room)
  end
  return #parts > 0 and ('<div class="figures">%s</div>'):format(table.concat(parts, "\n")) or ""
end

-- ------------------------------------------------------------------ the whole

--- "2026-11-29: 14.2 core-minutes in 212 runs"
local function about(view)
  local s, info = view.summary, view.info
  local text = ("%s: %.1f core-minutes in %d runs"):format(tostring(info.started):sub(1, 10),
    tonumber(s.core_minutes) or 0, tonumber(s.runs) or 0)
  local machine = type(info.machine) == "table" and info.machine or {}
  local cores = math.tointeger(tonumber(machine.cores))
  if not cores then return text end
  return text .. ", " .. words.machine { cores = cores, cpu = tostring(machine.cpu or "") }
end

--- What must be known before the verdicts are read.
local function said_html(view, others)
  local s, withdrawn = view.summary, {}
  for i, id in ipairs(type(s.withdrawn) == "table" and s.withdrawn or {}) do
    withdrawn[i] = tostring(id)
  end
  local lines = words.warnings(math.tointeger(tonumber(s.missing_runs)) or 0, withdrawn)
  local size = words.SIZES[view.params.size]
  if size then table.insert(lines, 1, size) end
  if #others > 0 then
    lines[#lines + 1] = "Not shown here: " .. table.concat(others, ", ")
  end
  for i, line in ipairs(lines) do
    lines[i] = ("<p>%s</p>"):format(html.escape(html.clipped(line, 1000)))
  end
  return table.concat(lines)
end

--- The judgement to show: the latest of the full size, else the latest; and the ids of the others.
local function chosen(judgements)
  local at = #judgements
  while at > 0 and judgements[at].params.size ~= "full" do at = at - 1 end
  if at == 0 then at = #judgements end
  local others = {}
  for i, view in ipairs(judgements) do
    if i ~= at then others[#others + 1] = view.id end
  end
  return judgements[at], others
end

---The section of a paper.
---@param judgements swale.RunView[]   the latest one of the full size is shown
---@param id string
---@param room swale.ReportRoom
---@param alone boolean                its title is that of the page
---@return string
function M.html(judgements, id, room, alone)
  local view, others = chosen(judgements)
  local rows = {}
  for i, claim in ipairs(view.summary.claims) do rows[i] = row_of(claim) end
  return html.fill(FORM, { id = id, alone = alone and ' class="hidden"' or "",
    title = M.title(view), citation = html.clipped(view.summary.citation, 500),
    command = html.clipped(tostring(view.summary.command or ""), 500), about = about(view),
    counts = words.counts(rows), said = said_html(view, others), rows = rows_html(rows, id),
    notes = notes_html(rows, view.params.size), figures = figures_html(view, room) })
end

return M
