--- Tables as text: aligned columns, numbers to the right.
local M = {}

---Returns a text without control characters, which would break a line or move the cursor.
---@param text string
---@return string
function M.plain(text) return (text:gsub("%c", " "):gsub("\xC2[\x80-\x9F]", " ")) end

local function text_of(value)
  if value == nil then return "" end
  if math.type(value) == "float" then return ("%.4g"):format(value) end
  return M.plain(tostring(value))
end

local function width_of(text) return utf8.len(text) or #text end

local function padded(text, width, right)
  local gap = (" "):rep(width - width_of(text))
  return right and gap .. text or text .. gap
end

--- A column is aligned right if every cell in it is empty, a number, or a text that is one.
local function is_numeric(rows, column)
  for _, row in ipairs(rows) do
    local cell = row[column]
    if cell ~= nil and cell ~= "" and not tonumber((tostring(cell):gsub("[%%,]", ""))) then
      return false
    end
  end
  return true
end

---@param header string[]
---@param rows any[][]      numbers that are not whole are shown with four digits; format your own
---@return string           lines, without a newline at the end
function M.render(header, rows)
  local widths, numeric, lines = {}, {}, {}
  for c, title in ipairs(header) do
    widths[c], numeric[c] = width_of(text_of(title)), is_numeric(rows, c)
    for _, row in ipairs(rows) do widths[c] = math.max(widths[c], width_of(text_of(row[c]))) end
  end
  local function add(row)
    local cells = {}
    for c = 1, #header do cells[c] = padded(text_of(row[c]), widths[c], numeric[c]) end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  add(header)
  for _, row in ipairs(rows) do add(row) end
  return table.concat(lines, "\n")
end

---Returns a text of at most so many characters.
---@param text string
---@param columns integer
---@return string
function M.cut(text, columns)
  local n = utf8.len(text)
  if not n then return text:sub(1, columns) end
  return n <= columns and text or text:sub(1, utf8.offset(text, columns) - 1) .. "…"
end

return M
