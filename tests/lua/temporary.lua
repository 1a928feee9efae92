--- Temporary folders and files of tests, below the folder that `swale test` gives and then removes.
local M = {}

---A new folder, which the test removes: folders.remove.
---@return string
function M.folder()
  return assert(require("swale.folders").temporary_folder())
end

---Quotes any text as one word for a shell.
---@param text string
---@return string
function M.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

---Calls f with a folder that is removed again.
---@param f fun(folder: string)
function M.with_folder(f)
  local folder = M.folder()
  local ok, why = pcall(f, folder)
  require("swale.folders").remove(folder)
  if not ok then error(why, 0) end
end

return M
