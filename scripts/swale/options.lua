--- Checks tables of options. Unknown keys, wrong types and missing options are refused by name,
--- with the nearest known one. Every table of options that a user writes is checked here.
local errors = require "swale.errors"
local types = require "swale.types"

local M = {}

local function choice_words(choices)
  local quoted = {}
  for i, word in ipairs(choices) do quoted[i] = ("%q"):format(word) end
  return "one of " .. table.concat(quoted, ", ")
end

--- Parses an entry of a spec: alternatives, whether it is optional, its default.
local function parse(entry)
  if type(entry) == "string" then entry = { entry } end
  if entry.choice then return { choices = entry.choice, default = entry[1], optional = true } end
  local text = entry[1]
  local rule = { default = entry[2], optional = entry[2] ~= nil or text:sub(-1) == "?" }
  for name in text:gmatch "[%a_]+" do rule[#rule + 1] = types.named(name) end
  return rule
end

local function expected(rule)
  if rule.choices then return choice_words(rule.choices) end
  local words = {}
  for i, t in ipairs(rule) do words[i] = t.words end
  local last = table.remove(words)
  return #words == 0 and last or table.concat(words, ", ") .. " or " .. last
end

local function chosen(rule, value)
  for _, word in ipairs(rule.choices) do if word == value then return value end end
  return nil
end

local function convert(rule, value, where)
  if rule.choices then return chosen(rule, value) end
  for _, t in ipairs(rule) do
    local kept = types.keep(t, value, where)
    if kept ~= nil then return kept end
  end
  return nil
end

local function refuse_value(where, name, rule, value)
  local hint = ""
  if rule.choices and type(value) == "string" then
    local near = errors.nearest(value, rule.choices)
    hint = near and ('; did you mean "%s"?'):format(near) or ""
  end
  errors.misuse("%s: %s must be %s, not %s%s", where, name, expected(rule), errors.shown(value),
    hint)
end

local function refuse_unknown(where, key, spec)
  local takes = " It takes: " .. table.concat(errors.sorted(spec), ", ") .. "."
  if type(key) ~= "string" then
    errors.misuse("%s: options have names; there is a value without one at [%s].%s", where,
      errors.shown(key), takes)
  end
  errors.misuse('%s: unknown option "%s"%s%s', where, key, errors.suggestion(key, spec), takes)
end

---Checks a single value by a type expression: "positive", "schedule|number".
---@param where string
---@param name string
---@param value any
---@param expression string
---@return any
function M.value(where, name, value, expression)
  local rule = parse(expression)
  if value == nil and rule.optional then return nil end
  local kept = convert(rule, value, where .. ": " .. name)
  if kept == nil then refuse_value(where, name, rule, value) end
  return kept
end

local parsed = setmetatable({}, { __mode = "k" })

local function rules_of(spec)
  local rules = parsed[spec]
  if not rules then
    rules = {}
    for name, entry in pairs(spec) do rules[name] = parse(entry) end
    parsed[spec] = rules
  end
  return rules
end

local function take(where, name, rule, value)
  if value == nil then
    if not rule.optional then
      errors.misuse("%s: needs %s, %s", where, name, expected(rule))
    end
    value = rule.default
    if value == nil then return nil end
  end
  local kept = convert(rule, value, where .. ": " .. name)
  if kept == nil then refuse_value(where, name, rule, value) end
  return kept
end

---Checks a table of options. An entry of spec is
---    "number"             required
---    "number?"            optional
---    { "number", 0.9 }    optional, with a default
---    { choice = { "a", "b" }, "a" }
---Types are those of swale.types: number, count, duration, …, and classes by their names (Schedule,
---Rule, Model); "number|Schedule|function" takes any of these. Durations come back as
---swale.Duration.
---@param where string           in messages: "Trainer"
---@param o table|nil
---@param spec table<string, string|table>
---@return table                 a new one, with the defaults in
function M.check(where, o, spec)
  if o == nil then o = {} end
  if type(o) ~= "table" then
    errors.misuse("%s: takes a table of options, not %s. It takes: %s.", where, errors.shown(o),
      table.concat(errors.sorted(spec), ", "))
  end
  local rules, result = rules_of(spec), {}
  for key in pairs(o) do if not rules[key] then refuse_unknown(where, key, spec) end end
  for _, name in ipairs(errors.sorted(spec)) do
    result[name] = take(where, name, rules[name], o[name])
  end
  return result
end

return M
