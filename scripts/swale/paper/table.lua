--- The table of claims in a terminal, and the notes below it.
local tables = require "swale.table"

local M = {}

local COLUMNS = {
  { "", 2 }, { "claim", 31 }, { "section", 8 }, { "paper", 15 }, { "here", 25 }, { "seeds", 6 },
  { "verdict", 14 },
}

local function width(text) return utf8.len(text) or #text end

--- Pieces of a word that is longer than a column.
local function pieces(word, columns)
  local list = {}
  while width(word) > columns do
    local at = (utf8.offset(word, columns + 1) or columns + 1) - 1
    list[#list + 1], word = word:sub(1, at), word:sub(at + 1)
  end
  list[#list + 1] = word
  return list
end

---Breaks a text into lines of at most so many characters.
---@param text string
---@param columns integer
---@return string[]
function M.wrapped(text, columns)
  local lines, line = {}, ""
  for word in tables.plain(text):gmatch "%S+" do
    for _, piece in ipairs(pieces(word, columns)) do
      if line ~= "" and width(line) + 1 + width(piece) > columns then
        lines[#lines + 1], line = line, piece
      else
        line = line == "" and piece or line .. " " .. piece
      end
    end
  end
  lines[#lines + 1] = line
  return lines
end

--- The verdict with what has to be said beside it.
---@param row swale.ClaimRow
---@return string
function M.verdict(row)
  local text = row.verdict
  if row.verdict == "unresolved" then
    text = row.would and ("unresolved; %s would tell"):format(row.would) or "unresolved"
  elseif row.verdict == "missing" then
    text = "not judged"
  elseif row.verdict == "pilot" then
    text = row.would and row.would .. " for power .8" or "seeds unknown"
  end
  return row.amended and text .. " (amended)" or text
end

---@param row swale.ClaimRow
---@return string
function M.ours(row) return row.why or row.ours end

local function render_row(out, cells)
  local columns, most = {}, 0
  for c, column in ipairs(COLUMNS) do
    columns[c] = M.wrapped(cells[c], column[2])
    most = math.max(most, #columns[c])
  end
  for i = 1, most do
    local parts = {}
    for c, column in ipairs(COLUMNS) do
      local text = columns[c][i] or ""
      parts[c] = text .. (" "):rep(column[2] - width(text))
    end
    out[#out + 1] = (table.concat(parts, "  "):gsub("%s+$", ""))
  end
end

---@param rows swale.ClaimRow[]
---@return string
function M.text(rows)
  local out, titles, total = {}, {}, 2 * (#COLUMNS - 1)
  for c, column in ipairs(COLUMNS) do titles[c], total = column[1], total + column[2] end
  render_row(out, titles)
  for i, row in ipairs(rows) do
    out[#out + 1] = ("-"):rep(total)
    render_row(out, { tostring(i), row.text, row.section, row.paper, M.ours(row), row.seeds,
      M.verdict(row) })
  end
  return table.concat(out, "\n")
end

local LABELS = { { "rule", "The test of the interval, for a against b" },
  { "here", "Here" }, { "unconfirmed", "Not confirmed by any source" },
  { "amended", "Amended" }, { "beside", "Beside it" }, { "power", "Declared with the pilot" } }

---"claims 1 to 8, 10"
---@param list integer[]   ascending
---@return string
function M.numbers(list)
  local parts, i = {}, 1
  while i <= #list do
    local last = i
    while list[last + 1] == list[last] + 1 do last = last + 1 end
    if last == i + 1 then last = i end
    parts[#parts + 1] = last == i and tostring(list[i]) or ("%d to %d"):format(list[i], list[last])
    i = last + 1
  end
  return (#list == 1 and "claim " or "claims ") .. table.concat(parts, ", ")
end

---Notes on claims, each text once: { label, claims, text }.
---@param rows swale.ClaimRow[]
---@param o? { size?: string, without?: string }   of the work; a field that is left out
---@return string[][]
function M.notes(rows, o)
  local list = {}
  for _, label in ipairs(LABELS) do
    local of, order = {}, {}
    for i, row in ipairs(rows) do
      local text = row[label[1]]
      if text then
        if not of[text] then of[text], order[#order + 1] = {}, text end
        table.insert(of[text], i)
      end
    end
    local name = label[2]
    if label[1] == "here" and o and o.size and o.size ~= "full" then name = "At the full size" end
    if o and o.without == label[1] then order = {} end
    for _, text in ipairs(order) do list[#list + 1] = { name, M.numbers(of[text]), text } end
  end
  return list
end

---The notes as indented text, each label once.
---@param rows swale.ClaimRow[]
---@param size string
---@return string
function M.notes_text(rows, size)
  local out, last = {}, nil
  for _, note in ipairs(M.notes(rows, { size = size, without = "power" })) do
    if note[1] ~= last then out[#out + 1] = note[1] .. ":" end
    last = note[1]
    for i, line in ipairs(M.wrapped(note[2] .. ": " .. note[3], 106)) do
      out[#out + 1] = (i == 1 and "  " or "    ") .. line
    end
  end
  return table.concat(out, "\n")
end

return M
