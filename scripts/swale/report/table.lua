--- The table of a report: a row for each setting, which unfolds to its runs.
local errors = require "swale.errors"
local groups = require "swale.store.groups"
local html = require "swale.report.html"
local metrics = require "swale.store.metrics"
local shown = require "swale.store.shown"

local M = {}

local SHORT = 30 -- bytes of a text that is not broken over lines
local MOST = { cell = 120, message = 600, command = 4000 } -- bytes of a text

-- ------------------------------------------------------------------ cells

--- A cell; `sort` is what its column is sorted by.
local function cell(text, sort, class)
  sort = sort ~= nil and (' data-sort="%s"'):format(html.escape(sort)) or ""
  class = class and (' class="%s"'):format(class) or ""
  return ("<td%s%s>%s</td>"):format(class, sort, text)
end

--- Four digits; the column is sorted by all of them.
local function number_cell(value)
  if value == nil then return cell("", "", "number") end
  return cell(html.escape(("%.4g"):format(value)), shown.exact(value), "number")
end

local function is_bounded(e) return e and e.low - e.low == 0 and e.high - e.high == 0 end

local function interval_cell(e)
  if not is_bounded(e) then return cell("", "", "number") end
  return cell(("%.4g to %.4g"):format(e.low, e.high),
    shown.exact(e.high - e.low), "number")
end

--- A text in the colour of a status; that of "failed: disk full" is of "failed".
local function mark(status, text)
  return ('<span class="status %s">%s</span>'):format(html.escape((status:gsub("%W.*", ""))),
    html.escape(html.clipped(text, MOST.cell)))
end

--- "3 done, 1 failed", each word with the class of its status.
local function statuses(group)
  local parts = {}
  for _, status in ipairs(errors.sorted_keys(group.counts)) do
    parts[#parts + 1] = mark(status, ("%d %s"):format(group.counts[status], status))
  end
  if group.missing > 0 then
    parts[#parts + 1] = mark("failed", group.missing .. " without a finite value")
  end
  if group.repeats > 0 then
    parts[#parts + 1] = ("%d repeated, the last one counts"):format(group.repeats)
  end
  return table.concat(parts, " ")
end

local function setting_value(group, name)
  if name == "experiment" and group.settings[name] == nil then return group.experiment end
  return group.settings[name]
end

--- Values that differ from the best setting's are marked.
local function setting_cells(section, group, add)
  for _, name in ipairs(section.grouped.settings) do
    local value = setting_value(group, name)
    local text, best = groups.shown(value), section.best
    local differs = best and groups.shown(setting_value(best, name)) ~= text
    add(cell(html.escape(html.clipped(text, MOST.cell)),
      type(value) == "number" and shown.exact(value) or html.clipped(text, MOST.cell),
      (differs and "differs" or "same") .. (#text <= SHORT and " short" or "")))
  end
  if #section.grouped.settings == 0 then add(cell "all runs") end
end

local function is_compared(section) return section.metric ~= nil and #section.order > 1 end

--- How far a setting is from the best one, over the seeds that both have.
local function difference_cells(section, group, add)
  if group == section.best then
    add(cell('<span class="best">best</span>', "0", "number"))
    return add(cell("", "", "number"))
  end
  local difference = section.best and group.n > 0 and groups.paired(group, section.best)
  add(number_cell(difference and difference.value or nil))
  add(interval_cell(difference or nil))
end

-- ------------------------------------------------------------------ settings

local function place_of(list, group)
  for i, other in ipairs(list) do if other == group then return i end end
end

local function header(section)
  local names, first = {}, math.max(1, #section.grouped.settings)
  for i, name in ipairs(section.grouped.settings) do names[i] = html.clipped(name, MOST.cell) end
  if #names == 0 then names[1] = "setting" end
  if section.metric then
    table.move({ "mean " .. section.metric, "95 % interval" }, 1, 2, #names + 1, names)
  end
  if is_compared(section) then
    table.move({ "from the best", "95 % interval" }, 1, 2, #names + 1, names)
  end
  names[#names + 1] = "seeds"
  for _, result in ipairs(section.results) do names[#names + 1] = "mean " .. result.name end
  names[#names + 1] = "runs"
  local cells = {}
  for i, name in ipairs(names) do
    cells[i] = ('<th scope="col"%s><button type="button" class="sort">%s</button></th>'):format(
      i > first and i < #names and ' class="number"' or "", html.escape(name))
  end
  return '<thead><tr><th scope="col"><span class="hidden">unfold</span></th>'
    .. table.concat(cells) .. "</tr></thead>", #names + 1
end

local function setting_row(section, group)
  local cells = {}
  local function add(text) cells[#cells + 1] = text end
  setting_cells(section, group, add)
  if section.metric then
    add(number_cell(group.mean))
    add(interval_cell(group.interval))
  end
  if is_compared(section) then difference_cells(section, group, add) end
  add(number_cell(group.n))
  local place = place_of(section.grouped, group)
  for _, result in ipairs(section.results) do add(number_cell(result.grouped[place].mean)) end
  add(cell(statuses(group), tostring(#group.runs)))
  return table.concat(cells)
end

-- ------------------------------------------------------------------ runs

--- A word as a shell takes it.
local function word(text)
  if text:find "^[%w_%-./=,:+@%%]+$" then return text end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

---The command that made a run.
---@param view swale.RunView
---@return string
function M.command(view)
  local argv, words = view.info.argv, { "swale" }
  for _, part in ipairs(type(argv) == "table" and argv or {}) do
    words[#words + 1] = word(tostring(part))
  end
  if #words == 1 then words = { "swale", "rerun", word(view.id) } end
  return html.clipped(table.concat(words, " "), MOST.command)
end

local function copied(text, what)
  return ('<code>%s</code> <button type="button" class="copy" data-copy="%s"'
    .. ' aria-label="copy the %s">copy</button>'):format(html.escape(text), html.escape(text), what)
end

local function commit_text(info)
  if type(info.commit) ~= "string" then return "" end
  return copied(html.clipped(info.commit, 40), "commit") .. (info.dirty and " with changes" or "")
end

--- Why a run is not done, and where to read on.
local function fault(view)
  if view.status == "done" then return "" end
  local message = view.info.error and html.clipped(tostring(view.info.error), MOST.message) or ""
  local folders, log = require "swale.folders", view.dir .. "/log.txt"
  if folders.exists(view.dir .. "/output.txt") then log = view.dir .. "/output.txt" end
  return ('<p class="fault">%s %s <span class="quiet">log: %s</span></p>'):format(
    mark(view.status, view.status), html.escape(message), html.escape(log))
end

--- "seed 1, valid_loss 0.41, done, 12 s, 75 steps"
local function facts(section, group, view)
  local info, metric = view.info, section.metric
  local value = metric and metrics.number(view.summary[metric])
  if metric and not value and group.latest[view.seed] == view then
    value = group.values[view.seed]
  end
  local parts = { "seed " .. shown.short(view.seed) }
  if value then parts[#parts + 1] = metric .. " " .. shown.short(value) end
  parts[#parts + 1] = view.status
  local seconds = shown.seconds(info.wall_seconds)
  if seconds ~= "" then parts[#parts + 1] = seconds end
  if info.last_step then parts[#parts + 1] = shown.short(info.last_step) .. " steps" end
  return html.clipped(table.concat(parts, ", "), 2 * MOST.cell)
end

local RUN = [[<li id="{{anchor}}"><b>{id}</b> <span class="facts">{facts}</span>
{{fault}}<div class="record">command {{command}}</div><div class="record">{{commit}}</div></li>]]

local function run_item(section, group, view, anchor)
  local commit = commit_text(view.info)
  return html.fill(RUN, { anchor = anchor, id = html.clipped(view.id, MOST.cell),
    facts = facts(section, group, view), fault = fault(view),
    command = copied(M.command(view), "command"),
    commit = commit ~= "" and "commit " .. commit or "" })
end

--- The rows of a setting: its own, and one with its runs, which is folded.
local function setting_body(section, group, number, columns, anchors)
  local items = {}
  for i, view in ipairs(group.runs) do items[i] = run_item(section, group, view, anchors[view]) end
  local id = ("%s-runs-%d"):format(anchors.section, number)
  return ('<tbody data-setting="%d"><tr class="setting"><td><button type="button" class="unfold"'
    .. ' aria-expanded="false" aria-controls="%s" aria-label="runs of %s">+</button></td>%s</tr>'
    .. '<tr class="runs" id="%s" hidden><td colspan="%d"><ul>%s</ul></td></tr></tbody>'):format(
    number - 1, id, html.escape(html.clipped(group.text, MOST.cell)), setting_row(section, group),
    id, columns, table.concat(items, "\n"))
end

---The table of a section.
---@param section swale.ReportSection
---@param anchors table           by view, the id of its element; `section`, that of the section
---@param room swale.ReportRoom   what is left out is named there
---@return string
function M.html(section, anchors, room)
  local head, columns = header(section)
  local parts = { "<table>", head }
  for i, group in ipairs(section.order) do
    local body = setting_body(section, group, i, columns, anchors)
    if not room:take("table", #body) then
      room:leave(("%s: the rows of %d settings"):format(section.name, #section.order - i + 1))
      break
    end
    parts[#parts + 1] = body
  end
  parts[#parts + 1] = "</table>"
  return table.concat(parts, "\n")
end

local LISTED = 30 -- runs that are not done

---The runs that are not done, with their messages.
---@param section swale.ReportSection
---@param anchors table
---@return string
function M.faults(section, anchors)
  local items, count, more = {}, 0, ""
  for _, view in ipairs(section.views) do
    if view.status ~= "done" then
      count = count + 1
      if count <= LISTED then
        items[count] = ('<li><a href="#%s">%s</a>, seed %s%s</li>'):format(anchors[view],
          html.escape(html.clipped(view.id, MOST.cell)), html.escape(shown.short(view.seed)),
          fault(view))
      end
    end
  end
  if count == 0 then return "" end
  if count > LISTED then more = ("<p>The table has %d more.</p>"):format(count - LISTED) end
  return ('<details class="faults" open><summary>%d of %d runs are not done, and are in no mean'
    .. "</summary><ul>%s</ul>%s</details>"):format(count, #section.views, table.concat(items, "\n"),
    more)
end

return M
