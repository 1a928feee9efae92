--- Results as text: a line for each quantity that is there.
local M = {}

---@param self table
---@param names { [1]: string, [2]: string? }[]   a field, and how it is called: its own name
---@return string                    without a newline at the end
function M.of(self, names)
  local lines, width = {}, 0
  for _, name in ipairs(names) do width = math.max(width, #(name[2] or name[1])) end
  for _, name in ipairs(names) do
    local value = self[name[1]]
    if value ~= nil then
      local text = math.type(value) == "float" and ("%.4g"):format(value) or tostring(value)
      lines[#lines + 1] = ("%-" .. width .. "s  %s"):format(name[2] or name[1], text)
    end
  end
  return table.concat(lines, "\n")
end

return M
