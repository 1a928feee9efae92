--- A table of estimates as text: values with their intervals, beside exact values where these are
--- known, and the reasons why some are not resolved.
local class = require "swale.class"
local estimate = require "swale.estimate"
local options = require "swale.options"
local render = require("swale.table").render

local M = {}

---@class swale.EstimateRow
---@field name string
---@field unit? string
---@field exact? number         nil: none is known
---@field estimate swale.Estimate|number   a number: one without an interval
---@field seconds? number

---@class swale.EstimateTable
---@field rows swale.EstimateRow[]
---@field titles table<integer, string>   above rows
local Table = class.new("table of estimates", { name = "swale.EstimateTable" })

---@return swale.EstimateTable
function M.new() return setmetatable({ rows = {}, titles = {} }, Table) end

---Begins a section: the rows that follow stand below its title.
---@param title string
function Table:section(title) self.titles[#self.rows + 1] = title end

local ROW <const> = { name = "string", unit = { "string", "" }, exact = "number?",
  estimate = "number|Estimate", seconds = "number?" }

---Adds a row.
---@param o swale.EstimateRow
function Table:add(o)
  o = options.check("estimates:add", o, ROW)
  if type(o.estimate) == "number" then
    o.estimate = estimate.new { value = o.estimate, low = o.estimate, high = o.estimate,
      signed = true, interval = "number" }
  end
  self.rows[#self.rows + 1] = o
end

local function interval_of(e)
  if e.status == "pending" then return "pending" end
  if e.low == e.high then return "" end
  if e.high == math.huge and e.low == -math.huge then return "none" end
  if e.high == math.huge then return ("above %.4g"):format(e.low) end
  if e.low == -math.huge then return ("below %.4g"):format(e.high) end
  if estimate.is_narrow(e) then return ("+- %.1g"):format((e.high - e.low) / 2) end
  return ("%.4g to %.4g"):format(e.low, e.high)
end

local HEADER <const> = { "quantity", "value", "interval", "kind", "exact", "CPU s", "unit" }

local function cells(row)
  return { row.name, row.estimate.value, interval_of(row.estimate), row.estimate.interval,
    row.exact, row.seconds and ("%.2f"):format(row.seconds) or "", row.unit }
end

--- Why rows are not resolved: each reason once, below the names of its rows.
local function add_reasons(self, lines)
  local names, order = {}, {}
  for _, row in ipairs(self.rows) do
    local e = row.estimate
    local reason = e.status ~= "resolved" and e.status .. ": " .. (e.reason or "")
    if reason and not names[reason] then names[reason], order[#order + 1] = {}, reason end
    if reason then table.insert(names[reason], row.name) end
  end
  for _, reason in ipairs(order) do
    lines[#lines + 1] = table.concat(names[reason], "; ")
    lines[#lines + 1] = "    " .. reason
  end
end

---Returns the table as lines, with a header, the titles of sections, and the reasons at the end.
---@return string[]
function Table:lines()
  local list, lines, i = {}, {}, 0
  for k, row in ipairs(self.rows) do list[k] = cells(row) end
  for line in (render(HEADER, list) .. "\n"):gmatch "(.-)\n" do
    if self.titles[i] then lines[#lines + 1] = "-- " .. self.titles[i] end
    lines[#lines + 1] = line
    i = i + 1
  end
  add_reasons(self, lines)
  return lines
end

return M
