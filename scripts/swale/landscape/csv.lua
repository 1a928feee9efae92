--- The numbers of a landscape as a csv file.
local core = require "swale.core"
local errors = require "swale.errors"

local M = {}

---Writes what the method table of an object returns.
---@param object { table: fun(self: table): string[], number[][] }
---@param file string
---@return table object
function M.save(object, file)
  local names, rows = object:table()
  errors.check(core.csv_write(core.tensor(rows, "float64"), file, names))
  return object
end

return M
