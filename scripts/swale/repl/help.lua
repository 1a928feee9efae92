--- `help` in the repl: lists what there is; help "schedule.cyclic", help(sw.nn) describe one name.
local errors = require "swale.errors"

local M = {}

--- Wraps names into lines of 96 characters.
local function paragraph(names, indent)
  local lines, line = {}, ""
  for _, name in ipairs(names) do
    if #line + #name + 1 > 96 - #indent then
      lines[#lines + 1], line = indent .. line, ""
    end
    line = line .. (line == "" and "" or " ") .. name
  end
  lines[#lines + 1] = indent .. line
  return table.concat(lines, "\n")
end

---Returns the names in sw, by module.
---@return string
function M.overview()
  local parts, own = {}, {}
  for name, value in pairs(require "swale") do
    if type(value) == "table" then
      parts[#parts + 1] = "sw." .. name .. "\n" .. paragraph(errors.sorted_keys(value), "  ")
    elseif type(value) == "function" then
      own[#own + 1] = name
    end
  end
  return "sw\n" .. paragraph(own, "  ") .. "\n" .. table.concat(parts, "\n")
    .. '\n\nhelp "schedule.cyclic", help "Trainer:fit", help(sw.nn.Linear) describe one.'
    .. " Ctrl-D ends."
end

local Help = {}

function Help.__tostring() return M.overview() end

function Help.__call(_, what)
  if what == nil then return print(M.overview()) end
  local manual = require "swale.manual"
  local page, problem
  if type(what) == "string" then
    page, problem = manual.page(what)
  else
    page = manual.of(what)
    problem = ("there is no help for %s; help lists what has one"):format(errors.shown(what))
  end
  print(page or problem)
end

---Returns the value of the global `help`.
---@return table
function M.new() return setmetatable({}, Help) end

return M
