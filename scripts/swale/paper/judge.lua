--- Judges the claims of a paper on its runs: tests each, corrects them together, and tells which
--- were changed after their runs.
local claims_of = require "swale.paper.claims"
local core = require "swale.core"
local errors = require "swale.errors"
local power = require "swale.paper.power"
local runs_of = require "swale.paper.runs"
local stats = require "swale.stats"
local tests = require "swale.paper.tests"
local words = require "swale.paper.words"

local M = {}

M.ALPHA = 0.05

---@class swale.ClaimRow   a claim as it was judged; part of the judgement's summary
---@field id string
---@field section string
---@field text string
---@field rule? string            what its interval must be
---@field power? string           what the pilot said
---@field paper string
---@field here string
---@field kind string
---@field ours string          the estimate with its interval, in words
---@field value number|nil
---@field interval number[]|nil   low and high, after Holm
---@field seeds string         "8 of 10"
---@field n integer
---@field verdict string       held, did not hold, unresolved; pilot, shown; missing, broken
---@field why string|nil       of the last two
---@field sides number[]|nil   means of a and b, geometric ones of a ratio
---@field would string|nil     the seeds that would decide
---@field p number|nil         after Holm, of the verdict
---@field unconfirmed string|nil
---@field amended string|nil   in which way
---@field beside string|nil
---@field deviation number|nil   over seeds, in the unit of the test

local function caught(fault)
  if fault == core.INTERRUPTED or runs_of.is_missing(fault) then return fault end
  return { text = errors.failure(fault) }
end

--- Calls a function of a claim. nil, fault.
local function called(f, runs)
  local result = table.pack(xpcall(f, caught, runs))
  if result[1] then return table.move(result, 2, result.n, 1, {}) end
  if result[2] == core.INTERRUPTED then error(core.INTERRUPTED, 0) end
  return nil, result[2]
end

--- In which way a claim was changed since the runs that it read. Only asked of the full size: a
--- pilot is there to change claims by.
local function amended(claim, digests, used)
  local changed, without, n = 0, 0, 0
  for _, view in pairs(used) do
    n = n + 1
    local then_ = type(view.info.claims) == "table" and view.info.claims.of
    local digest = type(then_) == "table" and then_[claim.id]
    if not digest then without = without + 1 elseif digest ~= digests.of[claim.id] then
      changed = changed + 1
    end
  end
  if changed > 0 then return ("changed after %d of %d runs"):format(changed, n) end
  if without > 0 then return ("not declared when %d of %d runs began"):format(without, n) end
  return nil
end

local function row_of(claim)
  return { id = claim.id, section = claim.section, text = claim.text, paper = claim.paper,
    here = claim.here, kind = claim.kind, rule = words.rule(claim),
    unconfirmed = claim.unconfirmed, power = claim.power, ours = "", seeds = "", n = 0 }
end

--- "10", "8 of 10", or "20 (10 declared)": more than were declared could be chosen by a look.
local function seeds_text(n, asked, declared)
  if declared and n > declared then return ("%d (%d declared)"):format(n, declared) end
  return (not asked or asked <= n) and tostring(n) or ("%d of %d"):format(n, asked)
end

--- The seeds that were declared, or that paper.lua asks for.
local function wanted(claim, size, asked)
  if size ~= "full" or not claim.seeds then return asked end
  return math.max(claim.seeds, asked or 0)
end

local function fail(row, fault)
  row.verdict = runs_of.is_missing(fault) and "missing" or "broken"
  row.why = runs_of.is_missing(fault) and tostring(fault) or fault.text
end

--- A claim without a test.
local function show(claim, runs, row, data)
  local answer, fault = called(function() return tests.shown(data) end)
  if not answer then return fail(row, fault) end
  local found = answer[1]
  row.verdict = "shown"
  words.shown(row, found)
  if type(found) == "table" then
    row.seeds = seeds_text(found.n, wanted(claim, runs.size, found.asked),
      runs.size == "full" and claim.seeds)
  end
end

--- Reads and tests a claim alone.
local function examine(claim, runs, row)
  local data, fault = called(claim.data, runs)
  if not data then return fail(row, fault) end
  if claim.kind == "shown" then return show(claim, runs, row, data) end
  local answer
  answer, fault = called(function() return tests.test(claim, M.ALPHA, data) end)
  if not answer then return fail(row, fault) end
  local result, asked, why, n = table.unpack(answer, 1, 4)
  row.n = result and result.n or n
  row.seeds = seeds_text(row.n, wanted(claim, runs.size, asked),
    runs.size == "full" and claim.seeds)
  if not result then row.verdict, row.why = "missing", why end
  row.test = result
end

local function add_beside(claim, runs, row)
  if not claim.beside then return end
  local found, fault = called(claim.beside, runs)
  if found then
    row.beside = found[1] ~= nil and tostring(found[1]) or nil
  elseif not runs_of.is_missing(fault) then
    fail(row, fault)
  end
end

--- Holm's correction over all claims that are judged, those without values among them.
local function correct(claims, rows)
  local list, places = {}, {}
  for i, claim in ipairs(claims.list) do
    if claim.kind ~= "shown" then
      list[#list + 1] = rows[i].test and rows[i].test.finding or tests.nothing(M.ALPHA)
      places[#list] = i
    end
  end
  if #list == 0 then return end
  for k, found in ipairs(stats.holm(list, { alpha = M.ALPHA })) do
    rows[places[k]].found = found
  end
end

local function conclude(claim, row, family, size)
  local test, found = row.test, row.found
  row.test, row.found = nil, nil
  if not test or row.verdict then return end
  words.estimate(claim, test, found, row)
  local n, deviation = power.seeds(claim, test, M.ALPHA / family)
  row.deviation = deviation
  row.verdict = size == "pilot" and "pilot" or found.verdict
  if row.verdict == "unresolved" and n then n = math.max(n, row.n + 1) end
  if row.verdict == "unresolved" or row.verdict == "pilot" then row.would = power.words(n) end
  row.p = found.verdict == "did not hold" and found.p_against_adjusted or found.p_adjusted
end

---@param folder swale.PaperFolder
---@param runs swale.PaperRuns
---@return swale.ClaimRow[]
function M.judge(folder, runs)
  local rows, claims = {}, folder.claims
  for i, claim in ipairs(claims.list) do
    rows[i] = row_of(claim)
    runs_of.forget(runs)
    examine(claim, runs, rows[i])
    add_beside(claim, runs, rows[i])
    if runs.size == "full" then rows[i].amended = amended(claim, folder.digests, runs.used) end
  end
  correct(claims, rows)
  for i, claim in ipairs(claims.list) do
    conclude(claim, rows[i], claims_of.family(claims), runs.size)
  end
  return rows
end

return M
