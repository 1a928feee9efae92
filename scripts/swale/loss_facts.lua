--- Facts about the library's loss functions, besides their values.
local M = {}

---@class swale.LossFacts
---@field name string              "cross_entropy"
---@field one_output? boolean      a model with one output tells two classes apart, by its sign
---@field ignore_index? integer    labels of this value do not count
---@field coupled? string          why examples of a batch depend on each other, and the remedy
---@field remedy? fun(labels: boolean, positions: integer): string|false|nil   where it and the data
---do not match: whether these are labels, and how many more axes the outputs have

local facts = setmetatable({}, { __mode = "k" })
local NONE = {}

---@param loss function
---@param known swale.LossFacts
---@return function loss
function M.note(loss, known)
  facts[loss] = known
  return loss
end

---@param loss function
---@return swale.LossFacts       empty for a custom function
function M.of(loss) return facts[loss] or NONE end

return M
