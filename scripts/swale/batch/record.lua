--- A batch or a sweep as `swale show` prints it: what was asked for, how it ended, its tables.
local closing = require "swale.batch.closing"
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local format = require "swale.run.format"
local shown = require "swale.store.shown"

local M = {}

---What collection.json holds, with the status as it is now. Raises if it cannot be read.
---@param dir string
---@return table
function M.read(dir)
  local path = dir .. "/collection.json"
  local text = errors.check(folders.read(path))
  local info, message = core.json_decode(text)
  if type(info) ~= "table" then
    errors.environment(("%s: %s"):format(path, message or "not an object"), "EPARSE")
  end
  errors.check(format.check(path, info.format))
  info.status = require("swale.run.status").of(dir, info)
  return info
end

local function command_text(info)
  local words = {}
  for i, word in ipairs(type(info.argv) == "table" and info.argv or {}) do
    words[i] = require("swale.cli").quoted(tostring(word))
  end
  return #words > 0 and "swale " .. table.concat(words, " ") or nil
end

local function counts_text(info)
  local c = info.counts
  if type(c) ~= "table" then return nil end
  return ("ran %s, skipped %s, failed %s"):format(shown.short(c.ran), shown.short(c.skipped),
    shown.short(c.failed))
end

--- "random, 40 draws, seed 1"
local function strategy_text(strategy)
  if type(strategy) ~= "table" then return nil end
  local kind = shown.short(strategy.kind)
  if kind == "random" then
    return ("random, %s draws, seed %s"):format(shown.short(strategy.draws),
      shown.short(strategy.seed))
  elseif kind == "halving" and type(strategy.rungs) == "table" then
    local rungs = {}
    for i, value in ipairs(strategy.rungs) do rungs[i] = shown.short(value) end
    return ("halving, %s = %s"):format(shown.short(strategy.parameter), table.concat(rungs, ", "))
  elseif kind == "file" then
    return "file, " .. shown.short(strategy.path)
  end
  return kind
end

---Prints all about a batch or a sweep.
---@param dir string
function M.print(dir)
  local info = M.read(dir)
  local rows = {
    { "status", info.status }, { "command", command_text(info) }, { "in", info.cwd },
    { "started", shown.time(info.started) .. " UTC" },
    { "ended", info.ended and shown.time(info.ended) .. " UTC" },
    { "work", info.total }, { "outcome", counts_text(info) },
    { "strategy", strategy_text(info.strategy) }, { "executor", info.executor },
    { "tag", info.tag }, { "commit", info.commit and shown.short(info.commit):sub(1, 12) },
    { "directory", dir },
  }
  print(dir:match "[^/]+$")
  for _, row in ipairs(rows) do
    local name, text = row[1], shown.short(row[2])
    if text ~= "" then print(("  %-10s  %s"):format(name, text)) end
  end
  print ""
  closing.print(dir)
end

return M
