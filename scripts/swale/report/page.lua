--- The page of a report: one HTML file with its style, its scripts and its data, which asks for
--- nothing outside. Its Content-Security-Policy names the scripts by their digests, so that no
--- other one runs, whatever a name or a message has in it.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local html = require "swale.report.html"

local M = {}

local FORM = [[<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{{styles}}
</head>
<body>
<header><h1>{title}</h1>
<p class="quiet">{about}</p>
<button type="button" id="theme">dark</button></header>
<main>
{{body}}
</main>
<footer>
{{footer}}
</footer>
{{data}}
{{scripts}}
</body>
</html>
]]

--- Folders that may hold a file of the page: here, then that of the module swale.core, where the
--- build puts what it fetched.
local function places()
  local here = package.searchpath("swale.report", package.path):match "^(.*)/[^/]*$"
  local module = package.searchpath("swale.core", package.cpath)
  return { here, module and module:match "^(.*)/[^/]*$" .. "/report" }
end

local function find(name)
  for _, folder in ipairs(places()) do
    local path = folder .. "/" .. name
    if folders.exists(path) then return path end
  end
  return nil
end

local function read(name)
  local path = find(name)
  if not path then errors.environment(("report: there is no file %s"):format(name), "EIO") end
  local text, message, code = folders.read(path)
  if not text then errors.environment(("report: %s: %s"):format(path, message), code) end
  return text
end

---Whether uPlot is here: the build fetches it if there is npm.
---@return boolean
function M.has_uplot() return find "uPlot.iife.min.js" ~= nil end

--- Elements of one kind, and their sources for the policy.
local function inlined(tag, names)
  local elements, sources = {}, {}
  for i, name in ipairs(names) do
    local text = read(name):gsub("</", "<\\/") -- within the scripts these are texts
    elements[i] = ("<%s>%s</%s>"):format(tag, text, tag)
    sources[i] = html.source(text)
  end
  return table.concat(elements, "\n"), table.concat(sources, " ")
end

---Returns a page.
---@param o { title: string, about: string, body: string, footer: string, data: string,
---uplot: boolean }
---@return string
function M.html(o)
  local style_names, script_names = { "page.css" }, { "plain.js", "curves.js", "page.js" }
  local footer = o.footer
  if o.uplot then
    table.insert(style_names, 1, "uPlot.min.css")
    table.insert(script_names, 1, "uPlot.iife.min.js")
    table.insert(script_names, 3, "uplot.js")
    footer = footer .. ('<details><summary>Curves by uPlot: its licence</summary><pre>%s</pre>'
      .. "</details>"):format(html.escape(read "uPlot.LICENSE"))
  end
  local styles, style_sources = inlined("style", style_names)
  local scripts, script_sources = inlined("script", script_names)
  local policy = ("default-src 'none'; script-src %s; style-src %s; img-src data:; base-uri 'none';"
    .. " form-action 'none'"):format(script_sources, style_sources)
  return html.fill(FORM, { policy = policy, title = o.title, about = o.about, styles = styles,
    body = o.body, footer = footer, scripts = scripts,
    data = ('<script type="application/json" id="data">%s</script>'):format(o.data) })
end

---"2026-11-29 01:00 UTC"
---@return string
function M.now() return os.date("!%Y-%m-%d %H:%M UTC") --[[@as string]] end

M.version = core._VERSION

return M
