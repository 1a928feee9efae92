--- An append-only file of lines. A line is one write; an incomplete one is cut off. lost() returns
--- whether the file was deleted, replaced or cut by others.
local M = {}

local Lines = {}
Lines.__index = Lines

local function uv() return require "luv" end

--- libuv's codes of a full disk; it has no name for EDQUOT.
local FULL = { ENOSPC = true, EFBIG = true, ["Unknown system error -122"] = true }

---@class swale.Lines
---@field path string
---@field bytes integer   in the file

---@param path string
---@param bytes? integer   of a file that is written on: what follows is cut off
---@return swale.Lines|nil lines, string? message
function M.open(path, bytes)
  local fd, problem = uv().fs_open(path, "a", 438) -- rw-rw-rw-, less the umask
  if not fd then return nil, problem end
  local ok, problem_of_cut = true, nil
  if bytes then ok, problem_of_cut = uv().fs_ftruncate(fd, bytes) end
  local stat = ok and uv().fs_fstat(fd)
  if stat then return setmetatable({ path = path, fd = fd, bytes = stat.size }, Lines) end
  uv().fs_close(fd)
  return nil, problem_of_cut or path .. ": cannot be opened"
end

---@param text string
---@return true|nil ok, string? message, string? code   ENOSPC: also quotas, limits
function Lines:write(text)
  local done = 0
  while done < #text do
    local n, problem, code = uv().fs_write(self.fd, done == 0 and text or text:sub(done + 1), -1)
    if not n then
      if done > 0 then uv().fs_ftruncate(self.fd, self.bytes) end
      return nil, problem, FULL[code] and "ENOSPC" or code
    end
    done = done + n
  end
  self.bytes = self.bytes + done
  return true
end

---Returns what happened to the file, if the lines written are not in it any more.
---@return string|nil
function Lines:lost()
  local mine, there = uv().fs_fstat(self.fd), uv().fs_stat(self.path)
  if not there then return "it was deleted or moved" end
  if not mine or mine.ino ~= there.ino or mine.dev ~= there.dev then return "it was replaced" end
  if mine.size < self.bytes then return "it was cut short" end
  return nil
end

function Lines:close()
  if self.fd then uv().fs_close(self.fd) end
  self.fd = nil
end

return M
