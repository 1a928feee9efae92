--- Runs as csv or JSON lines, every number exactly.
local core = require "swale.core"
local errors = require "swale.errors"
local schema = require "swale.store.schema"
local shown = require "swale.store.shown"

local M = {}

---@alias swale.Writer fun(line: string)

--- RFC 4180: quoted if there is a comma, a quotation mark or the end of a line in it.
local function field(value)
  local text = shown.exact(value)
  return text:find '[,"\r\n]' and '"' .. text:gsub('"', '""') .. '"' or text
end

local function row(values, n)
  local texts = {}
  for i = 1, n do texts[i] = field(values[i]) end
  return table.concat(texts, ",")
end

local function names_in(views, part)
  local names = {}
  for _, view in ipairs(views) do for name in pairs(view[part]) do names[name] = true end end
  return errors.sorted_keys(names)
end

--- Numbers that JSON cannot hold are texts in the record; as csv they look the same.
local function runs_csv(views, write)
  local params, results, header = names_in(views, "params"), names_in(views, "summary"), { "id" }
  table.move(schema.FIELDS, 1, #schema.FIELDS, 2, header)
  for _, name in ipairs(params) do header[#header + 1] = "param." .. name end
  for _, name in ipairs(results) do header[#header + 1] = "summary." .. name end
  write(row(header, #header))
  for _, view in ipairs(views) do
    local values, n = { view.id }, 1
    local function add(value)
      n = n + 1
      values[n] = value
    end
    for _, name in ipairs(schema.FIELDS) do add(view.info[name]) end
    for _, name in ipairs(params) do add(view.params[name]) end
    for _, name in ipairs(results) do add(view.summary[name]) end
    write(row(values, n))
  end
end

local function runs_jsonl(views, write)
  for _, view in ipairs(views) do
    view.info.id = view.id
    write(core.json_encode(view.info))
  end
end

local FIRST = { kind = true, name = true } -- columns of metrics, behind the run

local function metric_names(views)
  local names = {}
  for _, view in ipairs(views) do
    for _, record in ipairs(view:records()) do
      for name in pairs(record) do names[name] = not FIRST[name] or nil end
    end
  end
  return errors.sorted_keys(names)
end

local function metrics_csv(views, write)
  local names, header = metric_names(views), { "run", "kind", "name" }
  table.move(names, 1, #names, 4, header)
  write(row(header, #header))
  for _, view in ipairs(views) do
    for _, record in ipairs(view:records()) do
      local values = { view.id, record.kind, record.name }
      for c, name in ipairs(names) do values[3 + c] = record[name] end
      write(row(values, #header))
    end
  end
end

local function metrics_jsonl(views, write)
  for _, view in ipairs(views) do
    for _, record in ipairs(view:records()) do
      record.run = view.id
      write(core.json_encode(record))
    end
  end
end

local WRITERS = { csv = { runs = runs_csv, metrics = metrics_csv },
  jsonl = { runs = runs_jsonl, metrics = metrics_jsonl } }

M.FORMATS = errors.sorted_keys(WRITERS)

---@param format "csv"|"jsonl"
---@param part "runs"|"metrics"     a line a run, or a line of metrics.jsonl
---@param views swale.RunView[]
---@param write swale.Writer
function M.write(format, part, views, write) WRITERS[format][part](views, write) end

return M
