--- A run as its files show it: what `sw.runs`, `swale list`, reports and sweeps read.
local class = require "swale.class"
local errors = require "swale.errors"
local folders = require "swale.folders"
local options = require "swale.options"

local M = {}

---@class swale.RunView
---@field id string                   the name of its directory
---@field dir string
---@field info table                  what run.json holds
---@field status string               done, failed, diverged, running, killed, … (docs/runs.md)
---@field experiment string
---@field params table<string, any>   all parameters, those given and the defaults
---@field summary table<string, any>  what the script gave to run:summary
---@field seed integer
---@field started string              UTC
---@field collection string|nil       id of the batch or sweep that it is of
---@field tag string|nil
---@field objective { name: string, goal: "min"|"max" }|nil
---@field history string|nil          of a fork, or of a run that was resumed with other parameters:
---what it was before, in words. Its parameters alone do not say what was trained.
local RunView = class.new("run view", { name = "swale.RunView", fields = { "id", "dir", "info",
  "status", "experiment", "params", "summary", "seed", "started", "collection", "tag",
  "objective", "history" } })

local function table_of(value) return type(value) == "table" and value or {} end

local function text_of(value) return type(value) == "string" and value or nil end

local function objective_of(value)
  local o = table_of(value)
  local is_one = type(o.name) == "string" and (o.goal == "min" or o.goal == "max")
  return is_one and o or nil
end

local function words_of(values)
  local words = {}
  for i, name in ipairs(errors.sorted_keys(values)) do
    words[i] = ("%s = %s"):format(name, require("swale.store.shown").short(values[name]))
  end
  return table.concat(words, ", ")
end

--- "fork at step 300 of lr = 0.1"; nil if it is none.
local function fork_words(parent)
  if not parent.step then return nil end
  local before = words_of(table_of(parent.params))
  return ("fork at step %s%s"):format(tostring(parent.step),
    before ~= "" and " of " .. before or "")
end

--- "resumed with epochs = 20", with what changed since the run began anew the last time.
local function resumed_words(resumed)
  local list = {}
  for _, entry in ipairs(resumed) do
    entry = table_of(entry)
    if entry.step == 0 then
      list = {}
    else
      list[#list + 1] = next(table_of(entry.params)) and words_of(entry.params) or nil
      list[#list + 1] = entry.changed and "other files" or nil
    end
  end
  return #list > 0 and "resumed with " .. table.concat(list, ", then ") or nil
end

local function history_of(info)
  local fork, resumed = fork_words(table_of(info.parent)), resumed_words(table_of(info.resumed))
  return fork and resumed and fork .. ", " .. resumed or fork or resumed
end

---@param dir string
---@param info table     what its run.json holds
---@param status string  which may be "killed" where run.json has "running"
---@return swale.RunView
function M.known(dir, info, status)
  status = tostring(status)
  info.status = status
  return setmetatable({ dir = dir, id = dir:match "([^/]+)/*$", info = info, status = info.status,
    experiment = tostring(info.experiment), params = table_of(info.params),
    summary = table_of(info.summary), seed = math.tointeger(info.seed),
    started = tostring(info.started or ""),
    collection = text_of(info.collection), tag = text_of(info.tag),
    objective = objective_of(info.objective), history = history_of(info) }, RunView)
end

---Reads a run.
---@param dir string
---@return swale.RunView|nil view, string? message, string? code
function M.read(dir)
  local info, message, code = errors.try(require("swale.run").read_info, dir)
  if not info then return nil, message, code end
  return M.known(dir, info, info.status)
end

-- ------------------------------------------------------------------ metrics

local METRICS = { columns = "list?", kind = { "string", "epoch" }, points = "count?" }

---@class swale.RunMetricsOptions
---@field kind? string        of lines: "epoch" (the default), "step", "measurement", …
---@field columns? string[]   all, unless given; lines that have none of them are left out
---@field points? integer     about so many lines, which keep each column's least and greatest

---The numbers of metrics.jsonl as columns: m.loss[i], m.step[i]. All columns are equally long; what
---a line does not have is nan.
---@param o? swale.RunMetricsOptions
---@return table<string, number[]>
function RunView:metrics(o)
  o = options.check("run view:metrics", o, METRICS)
  return require("swale.store.metrics").read(self, o)
end

local CURVES = { columns = "list?", kind = { "string", "step" }, points = { "count", 500 },
  x = { "list", { "step", "examples", "epoch", "seconds" } } }

---Columns of metrics.jsonl as curves, each with lines of its own, so that it has at most `points`
---of them, its least and greatest values among them: c.loss.loss[i] over c.loss.step[i].
---@param o? { kind?: string, columns?: string[], x?: string[], points?: integer }   kind: "step"
---@return table<string, table<string, number[]>>
function RunView:curves(o)
  return require("swale.store.metrics").curves(self, options.check("run view:curves", o, CURVES))
end

---All lines of metrics.jsonl as tables, with their texts.
---@return table[]
function RunView:records()
  if not folders.exists(self.dir .. "/metrics.jsonl") then return {} end
  return require("swale.run").read_metrics(self.dir)
end

---A result by name: what run:summary got, else the last value in the lines of epochs.
---@param name string
---@return number|nil   nil where there is none; nan and infinities come as numbers
function RunView:value(name)
  local metrics, objective = require "swale.store.metrics", self.objective
  local value = metrics.number(self.summary[name])
    or objective and objective.name == name and metrics.number(objective.value)
  if value then return value end
  local column = metrics.column(self, name)
  return column and column[#column]
end

---@param dir string
---@return fun(name: string): string   its path
local function below(dir) return function(name) return dir .. "/checkpoints/" .. name end end

---The checkpoints of steps, the first one first; sw.load reads one.
---@return { step: integer, path: string }[]
function RunView:checkpoints()
  local list, path_of = {}, below(self.dir)
  for _, name in ipairs(folders.entries(self.dir .. "/checkpoints")) do
    local step = name:match "^step%-(%d+)%.safetensors$"
    if step then
      list[#list + 1] = { step = math.tointeger(tonumber(step)), path = path_of(name) }
    end
  end
  table.sort(list, function(a, b) return a.step < b.step end)
  return list
end

---A checkpoint's tensors and metadata, as sw.load gives them.
---@param which? "last"|"best"|integer   or its step; the last one
---@return table<string, swale.Tensor> tensors, table<string, string> metadata
function RunView:checkpoint(which)
  local path = which == "best" and below(self.dir) "best.safetensors"
  local steps = {}
  for i, entry in ipairs(self:checkpoints()) do
    steps[i] = tostring(entry.step)
    if which == nil or which == "last" or which == entry.step then path = entry.path end
  end
  if not path or not folders.exists(path) then
    errors.misuse("run view:checkpoint: %s has no checkpoint %s; of steps there are: %s", self.id,
      errors.shown(which or "last"), #steps > 0 and table.concat(steps, ", ") or "none")
  end
  local tensors, metadata = require("swale.files").load(path)
  return tensors, metadata
end

function RunView:__tostring()
  return ("%s (%s, seed %s)"):format(self.id, self.status, tostring(self.seed))
end

return M
