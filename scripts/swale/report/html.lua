--- Texts of a report as HTML, JSON and addresses. Names, messages and values may have any bytes in
--- them: nothing of them gets into a page but through these functions.
local core = require "swale.core"

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }

--- Bytes that are not UTF-8, and characters that HTML does not allow, as U+FFFD.
local function valid(text)
  if not utf8.len(text) then text = core.json_decode(core.json_encode { text })[1] end
  return (text:gsub("[%z\1-\8\11\12\14-\31\127]", "\u{FFFD}"))
end

---@param value any
---@return string
function M.escape(value) return (valid(tostring(value)):gsub("[&<>\"']", ENTITIES)) end

---Shortens a text to about `most` bytes, between two characters.
---@param text string
---@param most integer
---@return string
function M.clipped(text, most)
  if #text <= most then return text end
  local stop = most
  while stop > 0 and text:byte(stop + 1) & 0xC0 == 0x80 do stop = stop - 1 end
  return text:sub(1, stop) .. "…"
end

---Fills a form: {name} stands for a value, escaped; {{name}} for one that is HTML.
---@param form string
---@param values table<string, any>
---@return string
function M.fill(form, values)
  return (form:gsub("{({?)([%a_]+)}}?", function(raw, name)
    local value = values[name]
    assert(value ~= nil, name)
    return raw == "{" and value or M.escape(value)
  end))
end

---JSON for a script element: nothing in it looks like a tag.
---@param value any
---@return string
function M.json(value) return (core.json_encode(value):gsub("<", "\\u003c")) end

-- ------------------------------------------------------------------ addresses

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

---@param bytes string
---@return string
function M.base64(bytes)
  local result = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    for i = 0, 3 do
      local digit = (n >> (18 - 6 * i) & 63) + 1
      result[#result + 1] = i <= #bytes - at + 1 and DIGITS:sub(digit, digit) or "="
    end
  end
  return table.concat(result)
end

local KINDS = { png = "image/png", svg = "image/svg+xml" }

---The address of an image that has its bytes in it. Browsers run no script of such an SVG.
---@param bytes string
---@param kind "png"|"svg"
---@return string
function M.image(bytes, kind)
  if kind == "png" then return ("data:%s;base64,%s"):format(KINDS.png, M.base64(bytes)) end
  local text = bytes:gsub("[^%w%-_.~ =:/,;()]", function(c) return ("%%%02X"):format(c:byte()) end)
  return ("data:%s,%s"):format(KINDS.svg, text)
end

---What a Content-Security-Policy calls a script or style with this text.
---@param text string
---@return string
function M.source(text)
  local bytes = core.sha256(text):gsub("%x%x", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return ("'sha256-%s'"):format(M.base64(bytes))
end

return M
