--- The cells of this folder's work, for its claims and figures: their parameters at each size.
local M = {}

--- Settings of pair.lua.
local PAIRS = {
  batch = { network = "mlp", norm = "batch", equal = "epochs" },
  none = { network = "mlp", norm = "none", optimizer = "adam" },
  sgd = { optimizer = "sgd" },
  updates = { equal = "updates" },
  F1 = { network = "F1", examples = 10000 },
  F1_whole = { network = "F1", examples = 55000 },
  C1 = { network = "C1" },
}

---@param runs swale.PaperRuns
---@param name string
---@return table<string, any> where
function M.pair(runs, name)
  if runs.size ~= "quick" or name ~= "F1" then return PAIRS[name] end
  return { network = "F1" }
end

---A result of both ends of a pair: the large batch's, the small batch's.
---@param runs swale.PaperRuns
---@param name string
---@param result string
---@return swale.PaperValues large, swale.PaperValues small
function M.both(runs, name, result)
  local where = M.pair(runs, name)
  return runs:values("pair", where, "large." .. result),
    runs:values("pair", where, "small." .. result)
end

--- The batch sizes of a size.
local function batches(runs)
  if runs.size == "quick" then return { small = 10, large = 50, others = { 20, 100 } } end
  return { small = 32, large = 500, others = { 64, 128, 1000, 2500 } }
end

---A result at each batch size, with batch norm and Adam at 0.001: batch_size.lua has those that
---pair.lua has not.
---@param runs swale.PaperRuns
---@param result string
---@return swale.PaperValues rows, integer[] levels
function M.by_batch(runs, result)
  local b, cells = batches(runs), {}
  local large, small = M.both(runs, "batch", result)
  cells[b.small], cells[b.large] = small, large
  for _, batch in ipairs(b.others) do
    cells[batch] = runs:values("batch_size", { batch = batch, lr = 0.001 }, result)
  end
  local levels, columns = {}, {}
  for batch in pairs(cells) do levels[#levels + 1] = batch end
  table.sort(levels)
  for k, batch in ipairs(levels) do columns[k] = cells[batch] end
  return runs:join(table.unpack(columns)), levels
end

---A result of both ends with the rates that are best on validation.
---@param runs swale.PaperRuns
---@param norm "batch"|"none"
---@param result string
---@return swale.PaperValues large, swale.PaperValues small
function M.tuned(runs, norm, result)
  local b = batches(runs)
  local function at(batch)
    return runs:values("batch_size", { norm = norm, lr = 0.003, batch = batch }, result)
  end
  if norm == "batch" then return at(b.large), at(b.small) end
  local _, small = M.both(runs, "none", result)
  return at(b.large), small
end

---A result with SGD: the large batch's of the pair, and the small batch's at 0.03, which ties with
---the pair's 0.01.
---@param runs swale.PaperRuns
---@param result string
---@return swale.PaperValues large, swale.PaperValues small
function M.sgd_03(runs, result)
  local large = M.both(runs, "sgd", result)
  return large, runs:values("batch_size", { norm = "none", optimizer = "sgd", lr = 0.03 }, result)
end

return M
