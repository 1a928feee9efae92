--- The pictures of runs, within the page.
local folders = require "swale.folders"
local html = require "swale.report.html"

local M = {}

--- The files of a run's plots/, an SVG before the PNG of the same name.
local function files_of(view)
  local list, has_svg, dir = {}, {}, view.dir .. "/plots"
  for _, name in ipairs(folders.entries(dir)) do
    local stem = name:match "^(.*)%.svg$"
    if stem then has_svg[stem] = true end
  end
  for _, name in ipairs(folders.entries(dir)) do
    local stem, kind = name:match "^(.*)%.(%a+)$"
    if kind == "svg" or kind == "png" and not has_svg[stem] then
      list[#list + 1] = { path = dir .. "/" .. name, stem = stem, kind = kind }
    end
  end
  return list
end

---A picture as an element; nil if it cannot be read or there is no room.
---@param file { path: string, kind: "png"|"svg" }
---@param title string
---@param room swale.ReportRoom
---@return string|nil
function M.figure(file, title, room)
  local size = folders.size(file.path)
  if not size or size > room.left.pictures then return nil end
  local bytes = folders.read(file.path)
  local address = bytes and html.image(bytes, file.kind)
  if not address or not room:take("pictures", #address) then return nil end
  return ('<figure><img loading="lazy" alt="%s" src="%s"><figcaption>%s</figcaption></figure>')
    :format(html.escape(title), address, html.escape(title))
end

---The pictures of a section, those of the best setting first.
---@param section swale.ReportSection
---@param room swale.ReportRoom
---@return string
function M.html(section, room)
  local parts, left = {}, 0
  for _, group in ipairs(section.order) do
    for _, view in ipairs(group.runs) do
      for _, file in ipairs(files_of(view)) do
        local text = M.figure(file, ("%s of %s"):format(html.clipped(file.stem, 120),
          html.clipped(view.id, 120)), room)
        if text then parts[#parts + 1] = text else left = left + 1 end
      end
    end
  end
  if left > 0 then room:leave(("%s: %d pictures of runs"):format(section.name, left)) end
  if #parts == 0 then return "" end
  return ('<details class="pictures"><summary>%d pictures of the runs</summary>'
    .. '<div class="gallery">%s</div></details>'):format(#parts, table.concat(parts, "\n"))
end

return M
