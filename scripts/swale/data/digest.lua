--- Decompresses and checks files, by the system's gzip and by SHA-256.
local core = require "swale.core"
local folders = require "swale.folders"
local process = require "swale.process"

local M = {}

---Decompresses a file, and refuses one that becomes longer than expected.
---@param from string   a gzipped file
---@param to string
---@param bytes integer   that are expected at most
---@return true|nil ok, string? message, string? code
function M.gunzip(from, to, bytes)
  local result, message, code = process.run({ "gzip", "-dc", "--", from },
    { output = to, limit = bytes })
  if not result then return nil, message, code end
  if result.too_long then
    local words = "%s: more than %d bytes when decompressed: not the file meant"
    return nil, words:format(from, bytes), "ECORRUPT"
  end
  if result.code == 0 then return true end
  local why = result.err:match ": ([^:\n]+)%s*$" or "it cannot be decompressed"
  return nil, ("%s: damaged or cut short: %s"):format(from, why), "ECORRUPT"
end

---Checks a plain file by the size and digest of the manifest.
---@param path string
---@param file swale.ManifestFile
---@param called? string   the name for messages, if not path
---@return true|nil ok, string? message, string? code
function M.check(path, file, called)
  called = called or path
  local bytes = folders.size(path)
  if bytes ~= file.bytes then
    return nil, ("%s: %s bytes when decompressed, expected %d: cut short or not the file meant")
      :format(called, bytes or "no", file.bytes), "ECORRUPT"
  end
  local digest, message, code = core.file_sha256(path)
  if not digest then return nil, message, code end
  if digest == file.sha256 then return true end
  return nil, ("%s: wrong SHA-256: %s…, expected %s…"):format(called, digest:sub(1, 16),
    file.sha256:sub(1, 16)), "ECORRUPT"
end

return M
