--- Folders and whole files. Uses libuv (lua-luv), which is loaded on first use.
local M = {}

local function uv() return require "luv" end

---@param path string
---@return boolean
function M.exists(path) return uv().fs_stat(path) ~= nil end

---@param path string
---@return integer|nil bytes
function M.size(path)
  local stat = uv().fs_stat(path)
  return stat and stat.size
end

---@param path string
---@return boolean
function M.is_folder(path)
  local stat = uv().fs_stat(path)
  return stat ~= nil and stat.type == "directory"
end

---The last part of a path.
---@param path string
---@return string
function M.name(path) return path:match "([^/]*)/*$" end

---The words of a message of luv's, which is "ENOENT: no such file or directory: /a/b".
---@param message string
---@return string
function M.words(message) return (message:gsub("^%u+: ", ""):gsub(":.*", "")) end

local function temporary_place()
  local given = os.getenv "TMPDIR"
  return given and given ~= "" and given or "/tmp"
end

---Returns the user's home: $HOME; if that is unset or empty, the one in the user database; if that
---has none, a folder for temporary files.
---@return string
function M.home()
  local home = os.getenv "HOME"
  if home and home ~= "" then return home end
  local ok, user = pcall(uv().os_get_passwd)
  home = ok and user and user.homedir
  if home and home ~= "" and M.is_folder(home) then return home end
  return temporary_place()
end

---Makes a folder and those above it, if they do not exist.
---@param path string
---@return true|nil ok, string? message, string? code
function M.make_folder(path)
  if M.is_folder(path) then return true end
  local parent = path:match "^(.+)/[^/]+/*$"
  if parent then
    local ok, message, code = M.make_folder(parent)
    if not ok then return nil, message, code end
  end
  local ok, problem, code = uv().fs_mkdir(path, 511) -- rwxrwxrwx, less the umask
  if ok or M.is_folder(path) then return true end
  local words = code == "EEXIST" and "a file has that name" or M.words(problem)
  return nil, ("cannot make the folder %s: %s"):format(path, words), code
end

---Makes a new folder below parent for temporary files.
---@param parent? string          where temporary files go
---@return string|nil path, string? message, string? code
function M.temporary_folder(parent)
  parent = parent or temporary_place()
  local path, problem, code = uv().fs_mkdtemp(parent .. "/.swale-XXXXXX")
  if path then return path end
  return nil, ("cannot write in %s: %s"):format(parent, M.words(problem)), code
end

---Returns the names in a folder, sorted; none if it cannot be read.
---@param path string
---@return string[]
function M.entries(path)
  local request, names = uv().fs_scandir(path), {}
  local name = request and uv().fs_scandir_next(request)
  while name do
    names[#names + 1] = name
    name = uv().fs_scandir_next(request)
  end
  table.sort(names)
  return names
end

---Removes a file or a folder with its contents, if it exists.
---@param path string
function M.remove(path)
  local stat = uv().fs_lstat(path)
  if not stat then return end
  if stat.type ~= "directory" then
    uv().fs_unlink(path)
    return
  end
  for _, name in ipairs(M.entries(path)) do M.remove(path .. "/" .. name) end
  uv().fs_rmdir(path)
end

---@param from string
---@param to string
---@return true|nil ok, string? message, string? code
function M.rename(from, to)
  local ok, problem, code = uv().fs_rename(from, to)
  if ok then return true end
  return nil, ("cannot rename %s to %s: %s"):format(from, to, M.words(problem)), code
end

---Reads a file. Devices and pipes are refused: some of them never end.
---@param path string
---@return string|nil text, string? message, string? code
function M.read(path)
  local stat = uv().fs_stat(path)
  if stat and stat.type ~= "file" then
    return nil, path .. ": cannot be read: not a regular file", "EIO"
  end
  local file, problem = io.open(path, "rb")
  local text = file and file:read "a"
  if file then file:close() end
  if not text then return nil, problem or path .. ": cannot be read", "EIO" end
  return text
end

return M
