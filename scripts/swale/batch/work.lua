--- A piece of work: a script with parameters and a seed. Its names in messages and files, and the
--- command that does it.
local process = require "swale.process"

local M = {}

---@class swale.Work
---@field script string
---@field overrides string[]           "lr=0.2"
---@field seed integer
---@field params? table<string, any>   all parameters, resolved; without them nothing is known of
---earlier runs
---@field resume? string               the directory of a run that is to be continued

---@class swale.WorkResult
---@field status string        done, failed, diverged, interrupted, killed, timeout, not started
---@field code integer
---@field run? string          its directory
---@field info? table          its run.json
---@field log? string          what it printed
---@field note? string         what the log cannot say
---@field seconds number
---@field attempt integer
---@field skipped? boolean     it was done before
---@field stopped? string      what had ended the batch before

---Returns "lr=0.2 batch=8 seed 3".
---@param work swale.Work
---@return string
function M.settings(work)
  local words = table.move(work.overrides, 1, #work.overrides, 1, {})
  words[#words + 1] = ("seed %d"):format(work.seed)
  return table.concat(words, " ")
end

---Returns "a.lua lr=0.2 seed 3", without control characters.
---@param work swale.Work
---@return string
function M.name(work)
  return require("swale.table").plain(work.script .. " " .. M.settings(work))
end

---Returns a text that is the same for the same script, overrides and seed, in whatever order.
---@param work { script: string, overrides: string[], seed: integer }
---@return string
function M.identity(work)
  local words = table.move(work.overrides, 1, #work.overrides, 1, {})
  table.sort(words)
  return ("%s\0%d\0%s"):format(work.script, work.seed, table.concat(words, "\0"))
end

---The file that gets what a child prints.
---@param folder string
---@param number integer
---@param work swale.Work
---@param attempt integer
---@return string path
function M.output(folder, number, work, attempt)
  local name = work.script:match "([^/]*)$":gsub("%.lua$", ""):gsub("[^%w%-_.]+", "-"):sub(1, 80)
  return ("%s/%04d_%s_seed%d%s.txt"):format(folder, number, name, work.seed,
    attempt > 1 and "_attempt" .. attempt or "")
end

--- A path that is not taken for an option.
local function path_word(path) return path:find "^%-" and "./" .. path or path end

---Returns the words of the command.
---@param work swale.Work
---@param o { threads: integer, memory?: integer, tensorboard?: boolean }
---@return string[]
function M.command(work, o)
  local words = process.swale()
  local function add(...) table.move({ ... }, 1, select("#", ...), #words + 1, words) end
  add("--child-of", ("%d"):format(require "luv".os_getpid()))
  if o.memory then add("--memory", ("%d"):format(o.memory)) end
  if work.resume then
    add("resume", path_word(work.resume), "--threads", tostring(o.threads))
    return words
  end
  add("run", path_word(work.script), "--seed", tostring(work.seed), "--threads",
    tostring(o.threads))
  if o.tensorboard then add "--tensorboard" end
  return table.move(work.overrides, 1, #work.overrides, #words + 1, words)
end

return M
