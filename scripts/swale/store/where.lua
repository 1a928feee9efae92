--- Conditions on runs, as `swale list --where` and `sw.runs` take them, compiled to SQL:
---
---     lr > 0.1 and (status = 'done' or test_accuracy >= 0.97) and not tag in ('old', 'wrong')
---
--- Comparisons are = != < <= > >=, `in` a list, `like` a pattern with % and _. `= null` is true for
--- runs without the value, `= nan` for a NaN. A run without the value meets no other comparison;
--- neither does a text that is compared with a number. Names are those of swale.store.names, in
--- backquotes if they have other characters than letters, digits, _ and points.
---
--- Values of a condition are always parameters of the SQL, never part of its text.
local errors = require "swale.errors"
local names = require "swale.store.names"

local M = {}

local MOST = 4096 -- bytes of a condition

-- ------------------------------------------------------------------ words

local WORDS = { ["and"] = true, ["or"] = true, ["not"] = true, ["in"] = true, like = true,
  ["is"] = true }
local VALUES = { ["true"] = 1, ["false"] = 0, inf = math.huge, nan = "nan", null = "null",
  ["nil"] = "null" }
local SIGNS = { "<=", ">=", "!=", "~=", "<>", "==", "=", "<", ">", "(", ")", "," }
local SAME = { ["=="] = "=", ["~="] = "!=", ["<>"] = "!=" }

local function refuse(self, at, words)
  errors.misuse("where: %s, at character %d of: %s", words, at, self.text)
end

--- A number, read as Lua reads it, with a sign.
local function number_at(text, at)
  local sign, digits = text:match("^([-+]?)(%d+%.?%d*[eE][-+]?%d+)", at)
  if not digits then sign, digits = text:match("^([-+]?)(%d+%.?%d*)", at) end
  if not digits then sign, digits = text:match("^([-+]?)(%.%d+)", at) end
  if not digits then
    sign = text:match("^([-+])inf%f[^%w_]", at)
    return sign and (sign == "-" and -math.huge or math.huge), sign and at + 4
  end
  local value = tonumber(digits)
  return sign == "-" and -value or value, at + #sign + #digits
end

--- A text in quotation marks, which are doubled within.
local function text_at(self, at, mark)
  local from, parts = at + 1, {}
  while true do
    local stop = self.text:find(mark, from, true)
    if not stop then refuse(self, at, "a text has no end") end
    parts[#parts + 1] = self.text:sub(from, stop - 1)
    if self.text:sub(stop + 1, stop + 1) ~= mark then
      return table.concat(parts, mark), stop + 1
    end
    from = stop + 2
  end
end

local QUOTED = { ["'"] = "text", ['"'] = "text", ["`"] = "name" }

local function word_token(word)
  if WORDS[word:lower()] then return { kind = "sign", value = word:lower() } end
  local value = VALUES[word:lower()]
  if value == "nan" or value == "null" then return { kind = value } end
  if value then return { kind = "number", value = value } end
  return { kind = "name", value = word }
end

local function sign_at(text, at)
  for _, sign in ipairs(SIGNS) do
    if text:sub(at, at + #sign - 1) == sign then return sign end
  end
  return nil
end

--- The token at a place, and the place behind it.
local function token_at(self, at)
  local kind = QUOTED[self.text:sub(at, at)]
  if kind then
    local value, stop = text_at(self, at, self.text:sub(at, at))
    return { kind = kind, value = value }, stop
  end
  local number, stop = number_at(self.text, at)
  if number then return { kind = "number", value = number }, stop end
  local word = self.text:match("^[%a_][%w_.]*", at)
  if word then return word_token(word), at + #word end
  local sign = sign_at(self.text, at)
  if not sign then refuse(self, at, ("%q is not understood"):format(self.text:sub(at, at))) end
  return { kind = "sign", value = SAME[sign] or sign }, at + #sign
end

local function tokens_of(self)
  local list, at = {}, self.text:match "^%s*()"
  while at <= #self.text do
    local token, stop = token_at(self, at)
    token.at = at
    list[#list + 1] = token
    at = self.text:match("^%s*()", stop)
  end
  list[#list + 1] = { kind = "end", at = #self.text + 1 }
  return list
end

-- ------------------------------------------------------------------ grammar

local either -- the rule of a whole condition

local function peek(self) return self.tokens[self.next] end

local function take(self, sign)
  local token = peek(self)
  if token.kind ~= "sign" or token.value ~= sign then return false end
  self.next = self.next + 1
  return true
end

local function expect(self, sign)
  if not take(self, sign) then refuse(self, peek(self).at, ('"%s" is missing'):format(sign)) end
end

--- A name or a value: { kind, sql, type? }.
local function operand(self)
  local token = peek(self)
  self.next = self.next + 1
  if token.kind == "name" then
    local found = names.resolve(self.scope, token.value)
    return { kind = "name", sql = found.value, type = found.type }
  elseif token.kind == "number" or token.kind == "text" then
    return { kind = token.kind, sql = names.bound(self.scope, token.value) }
  elseif token.kind == "null" or token.kind == "nan" then
    return { kind = token.kind, at = token.at }
  end
  refuse(self, token.at, "a name or a value is missing")
end

--- `x = null` and `x = nan`.
local function special(self, a, op, b)
  if a.kind ~= "name" then a, b = b, a end
  local what = b.kind
  if a.kind ~= "name" or what ~= "nan" and what ~= "null" or op ~= "=" and op ~= "!=" then
    refuse(self, b.at or a.at or 1, "null and nan are compared by = or != with a name")
  end
  local test = what == "nan" and "(%s IS 'nan')" or "(%s IS NULL AND %s IS NOT 'nan')"
  test = what == "nan" and test:format(a.type) or test:format(a.sql, a.type)
  return op == "=" and test or "(NOT " .. test .. ")"
end

--- Texts and numbers are never ordered among each other, though SQLite would.
local comparison
function comparison(self, a, op, b)
  for _, side in ipairs { a, b } do
    if side.kind == "null" or side.kind == "nan" then return special(self, a, op, b) end
  end
  if op == "!=" then return "(NOT " .. comparison(self, a, "=", b) .. ")" end
  return ([[(SELECT CASE WHEN v IS NULL OR w IS NULL THEN NULL
    ELSE (typeof(v) = 'text') = (typeof(w) = 'text') AND v %s w END
    FROM (SELECT %s AS v, %s AS w))]]):format(op, a.sql, b.sql)
end

local COMPARISONS = { ["="] = true, ["!="] = true, ["<"] = true, ["<="] = true, [">"] = true,
  [">="] = true }

local function list_of(self)
  expect(self, "(")
  local values = {}
  repeat
    local b = operand(self)
    if b.kind ~= "number" and b.kind ~= "text" then
      refuse(self, self.tokens[self.next - 1].at, "a list has numbers and texts")
    end
    values[#values + 1] = b.sql
  until not take(self, ",")
  expect(self, ")")
  return table.concat(values, ", ")
end

local function pattern(self, a)
  local b = operand(self)
  if b.kind ~= "text" then
    refuse(self, self.tokens[self.next - 1].at, "like takes a text")
  end
  return ("(%s LIKE %s)"):format(a.sql, b.sql)
end

local function test(self)
  if take(self, "(") then
    local inner = either(self)
    expect(self, ")")
    return inner
  end
  local a = operand(self)
  local negated, token = take(self, "not"), peek(self)
  local sql
  if not negated and take(self, "is") then
    return special(self, a, take(self, "not") and "!=" or "=", operand(self))
  elseif a.kind == "name" and take(self, "in") then
    sql = ("(%s IN (%s))"):format(a.sql, list_of(self))
  elseif a.kind == "name" and take(self, "like") then
    sql = pattern(self, a)
  elseif not negated and token.kind == "sign" and COMPARISONS[token.value] then
    self.next = self.next + 1
    return comparison(self, a, token.value, operand(self))
  else
    refuse(self, token.at, "a comparison is missing (= != < <= > >= in like)")
  end
  return negated and "(NOT " .. sql .. ")" or sql
end

local function negation(self)
  if take(self, "not") then return "(NOT " .. negation(self) .. ")" end
  return test(self)
end

local function both(self)
  local parts = {}
  repeat parts[#parts + 1] = negation(self) until not take(self, "and")
  return "(" .. table.concat(parts, " AND ") .. ")"
end

function either(self)
  local parts = {}
  repeat parts[#parts + 1] = both(self) until not take(self, "or")
  return "(" .. table.concat(parts, " OR ") .. ")"
end

---Compiles a condition on the row r of runs; its values are added to the scope's. Raises for what
---it does not understand, and for unknown names.
---@param text string
---@param scope swale.NameScope
---@return string sql
function M.compile(text, scope)
  local self = { text = text, scope = scope, next = 1 }
  if #text > MOST then errors.misuse("where: a condition has at most %d characters", MOST) end
  self.tokens = tokens_of(self)
  local sql = either(self)
  local token = peek(self)
  if token.kind ~= "end" then
    refuse(self, token.at, 'a condition ends here; "and" or "or" joins two')
  end
  return sql
end

return M
