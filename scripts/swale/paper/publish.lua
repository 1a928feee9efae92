--- `--publish`: writes the table and the figures into the paper's folder. Texts are escaped for
--- Markdown.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local machine = require "swale.machine"
local process = require "swale.process"
local tables = require "swale.paper.table"
local words = require "swale.paper.text"

local M = {}

local BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

local LARGEST = 60000 -- bytes of a figure

-- ------------------------------------------------------------------ before

--- Files that differ from the commit, without those that are written here.
local function changed_files(root, folder)
  local full = require("luv").fs_realpath(folder.path)
  local own = { [full .. "/README.md"] = true }
  for _, figure in ipairs(folder.paper.figures) do own[full .. "/" .. figure[1]] = true end
  local result = process.run({ "git", "-C", root, "status", "--porcelain", "-z", "--no-renames",
    "--untracked-files=no" }, { timeout = 10, env = { GIT_OPTIONAL_LOCKS = "0" } })
  local list = {}
  for name in (result and result.out or ""):gmatch "..%s([^%z]+)%z" do
    if not own[root .. "/" .. name] then list[#list + 1] = name end
  end
  return list
end

local function readme_of(folder)
  local path = folder.path .. "/README.md"
  local text, message = folders.read(path)
  if not text then return nil, message end
  local first, last = text:find(BEGIN, 1, true), text:find(END, 1, true)
  if not first or not last or last < first then
    return nil, ("%s has no lines %s and %s: the table goes between them"):format(path, BEGIN, END)
  end
  return text
end

---Whether the results of a command may be published. nil, why.
---@param folder swale.PaperFolder
---@param o { only?: string }   options of the command
---@param plan swale.PaperPlan
---@return boolean|nil ok, string? why
function M.check(folder, o, plan)
  if plan.size ~= "full" or o.only then
    return nil, "--publish is for the full size: without --quick, --pilot and --only"
  end
  local ok, message = readme_of(folder)
  if not ok then return nil, message end
  local root = machine.root(folder.path .. "/paper.lua")
  local changed = root and changed_files(root, folder) or {}
  if #changed == 0 then return true end
  local more = #changed > 3 and (" and %d more"):format(#changed - 3) or ""
  return nil, ("--publish names the commit, and the work tree differs from it: %s%s. Commit"
    .. " these changes or `git stash` them."):format(table.concat(changed, ", ", 1,
      math.min(3, #changed)), more)
end

-- ------------------------------------------------------------------ Markdown

--- A text in a line of Markdown: no marks, no HTML, no line breaks.
local function escaped(text)
  text = require("swale.table").plain(tostring(text or ""))
  return (text:gsub("[\\`*_{}%[%]<>|#~&!$]", function(c)
    return c == "<" and "&lt;" or c == ">" and "&gt;" or c == "&" and "&amp;" or "\\" .. c
  end))
end

local function row_text(cells)
  for i, cell in ipairs(cells) do cells[i] = escaped(cell) end
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function add_table(out, rows)
  out[#out + 1] = "| | claim | section | paper | here | seeds | verdict |"
  out[#out + 1] = "|---|---|---|---|---|---|---|"
  for i, row in ipairs(rows) do
    local text = row_text { i, row.text, row.section, row.paper, tables.ours(row), row.seeds,
      tables.verdict(row) }
    out[#out + 1] = text:gsub("%| ([^|]*) %|$", "| **%1** |")
  end
  out[#out + 1] = ""
end

local function add_figures(out, found)
  for _, figure in ipairs(found.figures) do
    if not figure.why then
      out[#out + 1] = ("![%s](%s)"):format(escaped(figure.caption), figure.file)
      out[#out + 1] = ""
      out[#out + 1] = escaped(figure.caption)
      out[#out + 1] = ""
    end
  end
end

local function add_notes(out, rows)
  local last
  for _, note in ipairs(tables.notes(rows)) do
    if note[1] ~= last then
      if last then out[#out + 1] = "" end
      out[#out + 1] = ("%s:"):format(note[1])
      out[#out + 1] = ""
    end
    last = note[1]
    out[#out + 1] = ("- %s: %s"):format(note[2], escaped(note[3]))
  end
  out[#out + 1] = ""
end

--- When and where the runs were made, and what judged them.
local function measured_text(found, info)
  local parts = { escaped(words.measured(found.cost)), ("Judged on %s by `%s`%s."):format(
    info.started:sub(1, 10), found.command:gsub("`", ""), words.judged_at(found.cost, info)) }
  for _, line in ipairs(words.warnings(found.cost.failed, found.withdrawn)) do
    parts[#parts + 1] = escaped(line)
  end
  return table.concat(parts, " ")
end

---What is written between the two lines.
---@param found swale.Judgement
---@param info table    run.json of the judgement
---@return string
function M.text(found, info)
  local out = { "" }
  add_figures(out, found)
  add_table(out, found.rows)
  out[#out + 1] = words.INTERVALS
  out[#out + 1] = ""
  add_notes(out, found.rows)
  out[#out + 1] = measured_text(found, info)
  out[#out + 1] = ""
  return table.concat(out, "\n")
end

-- ------------------------------------------------------------------ writing

local function copy_figures(folder, found, say)
  for _, figure in ipairs(found.figures) do
    if not figure.why then
      local text = errors.check(folders.read(found.dir .. "/plots/" .. figure.file))
      if #text > LARGEST then
        say("reproduce: %s has %d bytes, more than %d: draw fewer points", figure.file, #text,
          LARGEST)
      end
      errors.check(core.write_file(("%s/%s"):format(folder.path, figure.file), text))
    end
  end
end

---Writes README.md and the figures. Returns the exit status.
---@param folder swale.PaperFolder
---@param found swale.Judgement
---@param say fun(fmt: string, ...)
---@return integer
function M.write(folder, found, say)
  local text = errors.check(readme_of(folder))
  local info = errors.check(require("swale.run").read_info(found.dir))
  copy_figures(folder, found, say)
  local first = select(2, text:find(BEGIN, 1, true))
  local last = text:find(END, first, true)
  local path = folder.path .. "/README.md"
  errors.check(core.write_file(path, text:sub(1, first) .. "\n" .. M.text(found, info)
    .. text:sub(last)))
  say("reproduce: %s and its figures are written", path)
  return 0
end

return M
