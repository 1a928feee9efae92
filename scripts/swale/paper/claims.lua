--- What a paper's folder claims: each claim with the test that decides it, its margin and the
--- function that gives the values.
local class = require "swale.class"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Claim
---@field id string
---@field section string          of the paper
---@field text string             the claim as it is tested, in a sentence
---@field paper string            the paper's number, in words
---@field here string             what stands for the paper's setting
---@field unconfirmed? string     settings that no source confirmed
---@field kind "greater"|"equivalent"|"slope"|"interior_peak"|"monotone"|"shown"
---@field ratio? boolean          greater, equivalent: of a / b, as margin and smallest are
---@field seeds? integer          declared
---@field power? string           what the pilot said
---@field data fun(runs: swale.PaperRuns): any, any
---@field beside? fun(runs: swale.PaperRuns): string   what could mislead, in words: train loss, …
---@field [string] any            options of the test, as in sw.stats

---@class swale.Claims
---@field list swale.Claim[]
local Claims = class.new("claims", { fields = { "list" } })

local KINDS = { "greater", "equivalent", "slope", "interior_peak", "monotone", "shown" }

local COMMON = { id = "string", section = "string", text = "string", paper = "string",
  here = "string", unconfirmed = "string?", kind = { choice = KINDS }, seeds = "count?",
  power = "string?", data = "function", beside = "function?" }

--- Options of each kind's test.
M.OPTIONS = {
  greater = { ratio = "boolean?", margin = "number?", smallest = "number?", by = "string?" },
  equivalent = { ratio = "boolean?", margin = "positive", by = "string?" },
  slope = { above = "number?", below = "number?", log = "boolean?", by = "string?" },
  interior_peak = { smallest = "nonnegative?", by = "string?" },
  monotone = { direction = "string?", margin = "nonnegative?" },
  shown = {},
}

local function spec_of(kind)
  local spec = {}
  for name, entry in pairs(COMMON) do spec[name] = entry end
  for name, entry in pairs(M.OPTIONS[kind] or {}) do spec[name] = entry end
  return spec
end

local function check_ratio(where, claim)
  if not claim.ratio then return end
  local margin, smallest = claim.margin or 1, claim.smallest or claim.margin or 1
  if margin <= 0 or smallest <= 0 then
    errors.misuse("%s: with ratio = true margin and smallest are ratios a / b, above 0", where)
  elseif claim.kind == "equivalent" and margin <= 1 then
    errors.misuse("%s: with ratio = true margin must be above 1: 1.1 takes ratios from 1/1.1 to 1.1"
      .. " for the same", where)
  end
end

local function check(i, claim, seen)
  options.value("claims", ("[%d]"):format(i), claim, "table")
  local where = type(claim.id) == "string" and ("claim %s"):format(claim.id)
    or ("claims: [%d]"):format(i)
  if not M.OPTIONS[claim.kind] then
    errors.misuse('%s: kind must be "%s", not %s', where, table.concat(KINDS, '", "'),
      errors.shown(claim.kind))
  end
  options.check(where, claim, spec_of(claim.kind))
  if not claim.id:find "^[%a_][%w_]*$" then
    errors.misuse("%s: id must be a word", where)
  elseif seen[claim.id] then
    errors.misuse("%s: there are two claims of this id", where)
  elseif claim.smallest and claim.kind == "greater"
    and claim.smallest < (claim.margin or (claim.ratio and 1 or 0)) then
    errors.misuse("%s: smallest must be at least margin", where)
  end
  check_ratio(where, claim)
  seen[claim.id] = true
end

---Declares claims; claims.lua returns it. They are judged together, by Holm's correction.
---@param list swale.Claim[]
---@return swale.Claims
function M.claims(list)
  options.value("claims", "the claims", list, "list")
  local seen = {}
  for i, claim in ipairs(list) do check(i, claim, seen) end
  return setmetatable({ list = list }, Claims)
end

---@param value any
---@return boolean
function M.is_claims(value) return getmetatable(value) == Claims end

---How many claims are judged: all but those that are only shown.
---@param claims swale.Claims
---@return integer
function M.family(claims)
  local n = 0
  for _, claim in ipairs(claims.list) do if claim.kind ~= "shown" then n = n + 1 end end
  return n
end

return M
