--- `swale report`: runs as one HTML file that answers, for each experiment, which setting is best
--- and how sure that is; with a table, curves, pictures, and the record of each run.
local curves = require "swale.report.curves"
local html = require "swale.report.html"
local page = require "swale.report.page"
local papers = require "swale.report.paper"
local pictures = require "swale.report.pictures"
local rooms = require "swale.report.room"
local sections = require "swale.report.section"
local shown = require "swale.store.shown"
local tables = require "swale.report.table"

local M = {}

---@class swale.ReportOptions
---@field objective? string      compares the settings by this result
---@field goal? "min"|"max"
---@field strategy? table        of the sweep that the runs are of
---@field curves? "uplot"|"plain"   how curves are drawn; uplot, if the build has it
---@field from? string           the folder of the runs

local SECTION = [[<section id="{{id}}" aria-labelledby="{{id}}-title">
<h2 id="{{id}}-title"{{alone}}>{name}</h2>
<div class="verdict">{{verdict}}</div>
{{claims}}
{{faults}}
{{constants}}
<div class="controls"><label>filter <input type="search" class="filter" placeholder="lr>0.1 failed"
 aria-describedby="{{id}}-help"></label> <span class="count" role="status"></span>
<button type="button" class="unfold-all" aria-pressed="false">unfold all</button>
<span class="quiet" id="{{id}}-help">words, or conditions such as lr&gt;0.1</span></div>
<div class="wide">{{table}}</div>
<div class="curves"></div>
{{pictures}}
</section>]]

-- ------------------------------------------------------------------ parts

--- The best setting stands out; how sure it is follows.
local function verdict_html(section)
  local parts = {}
  for i, line in ipairs(section.lines) do
    parts[i] = ('<p%s>%s</p>'):format(i == 1 and ' class="first"' or "",
      html.escape(html.clipped(line, 1000)))
  end
  if section.why and section.metric then
    parts[#parts + 1] = ('<p class="quiet">%s</p>'):format(html.escape(section.why))
  end
  return table.concat(parts, "\n")
end

local function constants_html(section)
  local parts = {}
  for i, constant in ipairs(section.constants) do
    parts[i] = ("<span><b>%s</b> = %s</span>"):format(html.escape(html.clipped(constant.name, 120)),
      html.escape(html.clipped(shown.short(constant.value), 120)))
  end
  if #parts == 0 then return "" end
  return ('<p class="constants">The same in all runs: %s</p>'):format(table.concat(parts, ", "))
end

local VERDICTS = { [true] = "holds", [false] = "does not hold" }

--- Claims that runs have in their summaries: { text =, paper =, ours =, holds = }.
local function claims_html(section)
  local rows = {}
  for _, view in ipairs(section.views) do
    local claims = view.summary.claims
    for _, claim in ipairs(type(claims) == "table" and claims or {}) do
      if type(claim) == "table" then
        local verdict = VERDICTS[claim.holds] or tostring(claim.holds or "open")
        rows[#rows + 1] = html.fill("<tr><td>{text}</td><td>{paper}</td><td>{ours}</td>"
          .. "<td><b>{holds}</b></td><td>{id}</td></tr>", {
            text = html.clipped(tostring(claim.text or ""), 500), holds = verdict, id = view.id,
            paper = shown.short(claim.paper), ours = shown.short(claim.ours) })
      end
    end
  end
  if #rows == 0 then return "" end
  return '<div class="wide"><table class="claims"><thead><tr><th>claim</th><th>paper</th>'
    .. "<th>here</th><th>verdict</th><th>run</th></tr></thead><tbody>" .. table.concat(rows, "\n")
    .. "</tbody></table></div>"
end

-- ------------------------------------------------------------------ data

--- A setting, as the page's filter and curves need it.
local function group_data(section, group)
  local values = { seeds = group.n }
  if section.metric then values[section.metric] = group.mean end
  for _, name in ipairs(section.grouped.settings) do
    local value = group.settings[name]
    if type(value) == "string" then value = html.clipped(value, 120) end
    if type(value) ~= "table" then values[name] = value end
  end
  return { label = html.clipped(group.text, 120), values = values, n = group.n }
end

local function run_data(group, view)
  return { id = html.clipped(view.id, 120), seed = shown.short(view.seed), status = view.status,
    counts = group.latest[view.seed] == view }
end

--- The data of a section as JSON, and the longest list of seeds.
local function section_json(section, id, room)
  local settings, runs, index, most = {}, {}, {}, 1
  for i, group in ipairs(section.order) do
    settings[i] = html.json(group_data(section, group))
    most = math.max(most, #group.runs)
    for _, view in ipairs(group.runs) do
      index[view] = #runs
      runs[#runs + 1] = html.json(run_data(group, view))
    end
  end
  local head = ('{"id":"%s","settings":[%s],"runs":[%s],'):format(id,
    table.concat(settings, ",\n"), table.concat(runs, ",\n"))
  room:take("curves", #head)
  return head .. curves.json(section, index, room):sub(2), most
end

local function anchors_of(section, id)
  local anchors = { section = id }
  for i, view in ipairs(section.views) do anchors[view] = ("%s-run-%d"):format(id, i) end
  return anchors
end

local function section_html(section, id, room, alone)
  local anchors = anchors_of(section, id)
  return html.fill(SECTION, { id = id, name = html.clipped(section.name, 200),
    alone = alone and ' class="hidden"' or "",
    verdict = verdict_html(section), claims = claims_html(section),
    faults = tables.faults(section, anchors), constants = constants_html(section),
    table = tables.html(section, anchors, room), pictures = pictures.html(section, room) })
end

-- ------------------------------------------------------------------ the report

local function counted(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

local function footer_html(room)
  local parts = { "<p>Bands and intervals are of 95 %, by Student's t over seeds. Runs that are not"
    .. " done are in no mean.</p>" }
  for _, words in ipairs(room.out) do
    parts[#parts + 1] = ('<p class="left-out">Left out, for room: %s</p>'):format(
      html.escape(html.clipped(words, 300)))
  end
  return table.concat(parts, "\n")
end

local function title_of(judgements, list)
  if #judgements == 1 then return papers.title(judgements[1][#judgements[1]]) end
  if #judgements > 1 then return counted(#judgements, "paper") end
  return #list == 1 and html.clipped(list[1].name, 200) or counted(#list, "experiment")
end

---Returns the report of runs.
---@param views swale.RunView[]   one at least, in the order of their beginning
---@param o swale.ReportOptions
---@return string page
---@return string[] left_out
function M.html(views, o)
  local judgements, others = papers.split(views)
  local room, list = rooms.new(), sections.of(others, o)
  local bodies, data, most = {}, {}, 1
  for i, of_paper in ipairs(judgements) do
    bodies[i] = papers.html(of_paper, "p" .. i, room, #judgements == 1)
  end
  for i, section in ipairs(list) do
    local id = "s" .. i
    bodies[#bodies + 1] = section_html(section, id, room, #list == 1 and #judgements == 0)
    local json, seeds = section_json(section, id, room)
    data[i], most = json, math.max(most, seeds)
  end
  local uplot = o.curves ~= "plain" and page.has_uplot()
  local text = page.html { uplot = uplot, body = table.concat(bodies, "\n"),
    footer = footer_html(room),
    title = title_of(judgements, list),
    about = ("%s%s; Swale %s, %s"):format(counted(#views, "run"),
      o.from and " in " .. o.from:gsub("/*$", "/") or "", page.version, page.now()),
    data = ('{"factors":%s,"sections":[%s]}'):format(html.json(curves.factors(most)),
      table.concat(data, ",\n")) }
  return text, room.out
end

return M
