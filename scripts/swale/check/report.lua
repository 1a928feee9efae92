--- The text that `swale check` prints for a planned fit.
local count = require("swale.schedule.count").count
local footprint = require "swale.trainer.footprint"
local hyper = require "swale.trainer.hyper"
local layers = require "swale.check.layers"
local look = require "swale.data.look"
local measured = require "swale.check.measured"
local progress = require "swale.progress"
local sets = require "swale.data.set"
local timing = require "swale.check.timing"

local M = {}

--- 1234567 as "1,234,567".
local function whole(n)
  local text = ("%d"):format(n)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function size(bytes)
  if bytes < 2 ^ 20 then return ("%.1f KiB"):format(bytes / 2 ^ 10) end
  if bytes < 2 ^ 30 then return ("%.1f MiB"):format(bytes / 2 ^ 20) end
  return ("%.2f GiB"):format(bytes / 2 ^ 30)
end

---Returns the layers of a model as a table.
---@param engine swale.Engine
---@return string
function M.layers(engine)
  local cells, total = {}, 0
  for i, row in ipairs(layers.rows(engine.model.layer, engine.example)) do
    cells[i] = { row.path, tostring(row.layer), row.shape, whole(row.weights) }
    total = total + row.weights
  end
  cells[#cells + 1] = { "", "total", "", whole(engine.weights:numel()) }
  return require("swale.table").render({ "", "layer", "output", "weights" }, cells)
end

local PARTS = { { "weights", "weights" }, { "gradient", "gradient" }, { "optimizer", "optimizer" },
  { "average", "average" }, { "workspace", "workspace (batch %d)" },
  { "evaluation", "evaluation (batch %d)" }, { "data", "data" } }

local function memory(engine, plan)
  local bytes, rows = footprint.of(engine, plan.largest), {}
  local batch = { workspace = math.max(1, plan.largest), evaluation = engine.eval_batch }
  for _, part in ipairs(PARTS) do
    if bytes[part[1]] > 0 then
      rows[#rows + 1] = { "  " .. part[2]:format(batch[part[1]]), size(bytes[part[1]]) }
    end
  end
  return require("swale.table").render({ "memory", size(bytes.total) }, rows)
end

local function work(fit)
  local plan, length = fit.plan, tostring(fit.length) .. (fit.ends_early and " at most" or "")
  if plan.live then
    return ("fit: %s, in a number of updates that depends on a live rule%s"):format(length,
      plan.at_initial and (": %s, if the batch stays at %d"):format(whole(plan.at_initial),
        plan.largest) or "")
  end
  local batch = plan.smallest == plan.largest and ("a batch of %d"):format(plan.largest)
    or ("batches of %d to %d"):format(plan.smallest, plan.largest)
  return ("fit: %s: %s updates with %s, %s examples"):format(length, whole(plan.updates), batch,
    whole(plan.examples))
end

local function position_of_last(fit)
  local begun, plan = fit.begun, fit.plan
  local updates, examples = plan.updates or plan.at_initial, plan.examples or plan.examples_wanted
  if not updates or not examples or updates == 0 then return nil end
  local batch = plan.last_batch or 0
  return { step = begun.step + updates - 1,
    examples = math.floor(begun.examples + examples - batch),
    next_examples = math.floor(begun.examples + examples), epoch_examples = begun.epoch_examples }
end

local function value_text(x) return x and ("%.6g"):format(x) or "depends on a live rule" end

local function setting(fit, name)
  local x = fit.engine.settings[name]
  if type(x) == "number" then return ("%s: %g"):format(name, x) end
  local begun = { step = fit.begun.step, examples = fit.begun.examples,
    next_examples = fit.begun.examples + fit.plan.smallest,
    epoch_examples = fit.begun.epoch_examples }
  local first, last = count.value(x, begun), position_of_last(fit)
  last = last and count.value(x, last)
  if not first then return name .. ": depends on a live rule" end
  return ("%s: first %s, last %s"):format(name, value_text(first), value_text(last))
end

local function time(fit)
  local plan = fit.plan
  if plan.largest == 0 then return "time: not known, as no batch size is" end
  local t = timing.of(fit.engine, plan)
  local each = ("%.3g ms a step of %d"):format(t.smallest * 1e3, plan.smallest)
  if plan.largest > plan.smallest then
    each = each .. (", %.3g ms of %d"):format(t.largest * 1e3, plan.largest)
  end
  return ("time: about %s%s\n  (by %d steps on a copy of the weights: %s; evaluations %s)"):format(
    progress.seconds(t.seconds), plan.live and " if the batch stays as it begins" or "", t.steps,
    each, progress.seconds(t.evaluations))
end

--- How the data are read, and what may be wrong with them.
local function data_lines(data)
  local kind, train = data.normalisation and data.normalisation.kind, data.train
  local lines = { ("data: %s%s"):format(tostring(data), data.vocabulary and "" or
    (", standardise = %q"):format(kind or "none")) }
  if not kind and train.x:dtype() == "uint8" and not data.vocabulary then
    local seen = look.at(train.x)
    if seen.most > 1 then
      lines[2] = ('  values of train.x are read as %g to %g: standardise = "unit" divides by 255,'
        .. ' "global" makes mean 0 and deviation 1'):format(seen.least, seen.most)
    end
  end
  for _, name in ipairs(sets.SPLITS) do
    local faults = data[name] and look.split(data[name])
    if faults then lines[#lines + 1] = ("  %s.%s"):format(name, faults) end
  end
  return lines
end

---@param fit swale.DryFit
---@param timed boolean
---@return string[]
function M.lines(fit, timed)
  local lines = data_lines(fit.engine.data)
  lines[#lines + 1] = work(fit)
  for _, name in ipairs(hyper.NAMES) do
    lines[#lines + 1] = setting(fit, name)
  end
  lines[#lines + 1] = memory(fit.engine, fit.plan)
  for _, line in ipairs(measured.lines(fit, timed)) do lines[#lines + 1] = line end
  if timed then lines[#lines + 1] = time(fit) end
  return lines
end

return M
