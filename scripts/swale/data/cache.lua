--- Data sets on this machine. Each is converted once, from its files into one file of tensors below
--- SWALE_DATA (by default the user's cache folder), written under a temporary name and renamed;
--- from then on it is mapped, so that all runs share one copy and start at once.
local core = require "swale.core"
local digest = require "swale.data.digest"
local download = require "swale.data.download"
local errors = require "swale.errors"
local folders = require "swale.folders"
local formats = require "swale.data.formats"
local inputs = require "swale.run.inputs"
local manifests = require "swale.data.manifests"

local M = {}

local FORMAT = 1 -- of the converted files, part of their names

local function set(name) return manifests.sets[name] end

---@return string
function M.folder()
  local given = os.getenv "SWALE_DATA"
  if given and given ~= "" then return given end
  local cache = os.getenv "XDG_CACHE_HOME"
  if not (cache or ""):match "^/" then cache = folders.home() .. "/.cache" end -- as XDG says
  return cache .. "/swale"
end

---The path of a data set's converted file, whether it exists or not.
---@param name string
---@return string
function M.path(name) return ("%s/%s-v%d.safetensors"):format(M.folder(), name, FORMAT) end

--- Files that are part of Swale are beside this one.
local function shipped_folder()
  return debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
end

--- The path of a file, plain or gzipped, in a folder or in the one that an archive unpacks to.
local function find_file(folder, file, manifest)
  local inside = folder .. "/" .. (manifest.archive and manifest.archive.folder or ".")
  for _, place in ipairs { folder, inside } do
    for _, path in ipairs { place .. "/" .. file.name, place .. "/" .. file.name .. ".gz" } do
      if folders.exists(path) then return path end
    end
  end
  return nil
end

local function format_of(manifest) return formats[manifest.format] end

--- Whether a folder has the files of a set, or as many as its format needs.
local function has_files(folder, manifest)
  return format_of(manifest).complete(manifest, function(key)
    return find_file(folder, manifest.files[key], manifest) ~= nil
  end)
end

---The folder of this machine that has the files of a data set, if there is one. With SWALE_DATA_URL
---set, only the user's own is searched.
---@param name string
---@return string|nil
function M.local_folder(name)
  local manifest = set(name)
  if manifest.shipped then return shipped_folder() end
  local candidates = { M.folder() .. "/" .. name }
  if (os.getenv "SWALE_DATA_URL" or "") == "" then
    table.move(manifest.folders or {}, 1, #(manifest.folders or {}), 2, candidates)
  end
  for _, folder in ipairs(candidates) do
    if has_files(folder, manifest) then return folder end
  end
  return nil
end

---"cached", "shipped", "here" (files to be converted on first use) or "missing".
---@param name string
---@return "cached"|"shipped"|"here"|"missing" state, string|nil where
function M.state(name)
  if set(name).shipped then return "shipped" end
  if folders.exists(M.path(name)) then return "cached", M.path(name) end
  local folder = M.local_folder(name)
  if folder then return "here", folder end
  return "missing"
end

-- ------------------------------------------------------------------ reading and converting

local function decompressed(path, file, scratch)
  if not path:match "%.gz$" then return path end
  local plain = scratch .. "/" .. file.name
  errors.check(digest.gunzip(path, plain, file.bytes))
  return plain
end

local said = {}

local function say_once(text)
  if not said[text] then io.stderr:write("swale: ", text, "\n") end
  said[text] = true
end

--- The files of a set by its keys, decompressed, and whether all exist and are as published. A
--- format that reads published files only refuses others.
local function find_files(folder, manifest, scratch)
  local paths, whole, strict = {}, true, format_of(manifest).as_published
  for key, file in pairs(manifest.files) do
    local path = find_file(folder, file, manifest)
    paths[key] = path and decompressed(path, file, scratch)
    local ok, message, code = nil, nil, nil
    if path then ok, message, code = digest.check(paths[key], file, strict and path or nil) end
    if strict then errors.check(ok, message, code) end
    whole = whole and ok or false
  end
  return paths, whole
end

--- Files that are not the published ones are inputs themselves; the others are by their manifest.
local function note_files(folder, manifest)
  for _, key in ipairs(errors.sorted_keys(manifest.files)) do
    local path = find_file(folder, manifest.files[key], manifest)
    if path then inputs.file(path, "data") end
  end
end

--- Tensors, metadata, and whether to cache them.
local function read_set(name, folder, scratch)
  local manifest = set(name)
  local format = format_of(manifest)
  local paths, whole = find_files(folder, manifest, scratch)
  local tensors = format.read(paths, manifest)
  if not whole then
    note_files(folder, manifest)
    local test = tensors["test.x"]
    say_once(("%s: %s has %d training and %d test images, in files that are not all the published"
      .. " ones; they are used as they are"):format(name, folder, #tensors["train.x"],
      test and #test or 0))
  end
  local metadata = whole and format.metadata(tensors) or {}
  metadata.licence = manifest.licence
  return tensors, metadata, whole
end

local function file_names(manifest)
  local names = {}
  for _, file in pairs(manifest.files) do names[#names + 1] = file.name end
  table.sort(names)
  return table.concat(names, ", ")
end

local function missing(name, why)
  local manifest = set(name)
  local remedy = ("put its files into %s/%s"):format(M.folder(), name)
  if manifest.archive then
    remedy = ("%s, or name their folder: sw.data.load(%q, { path = … }). They are %s, of %s")
      :format(remedy, name, file_names(manifest), manifest.archive.name)
  elseif manifest.package then
    remedy = ("install the package %s, or "):format(manifest.package) .. remedy
  end
  if download.is_possible(name, manifest) then
    remedy = ("with a network `swale data get %s` fetches it; else %s"):format(name, remedy)
  end
  return ("%s is not on this machine: %s.\n  %s."):format(name, why,
    (remedy:gsub("^%l", string.upper)))
end

--- Removes scratch folders of killed processes: the user's own, whose lock is free.
local function clear_scratch(parent)
  local uv = require "luv"
  for _, name in ipairs(folders.entries(parent)) do
    local path = parent .. "/" .. name
    if name:find "^%.swale%-%w%w%w%w%w%w$" and (uv.fs_lstat(path) or {}).uid == uv.getuid()
        and core.is_held(path .. "/.lock") == false then
      folders.remove(path)
    end
  end
end

--- Calls f with a scratch folder, which is removed afterwards, also on errors.
local function with_scratch(parent, f)
  clear_scratch(parent)
  local scratch = errors.check(folders.temporary_folder(parent))
  local lock = core.hold(scratch .. "/.lock")
  local results = table.pack(pcall(f, scratch))
  folders.remove(scratch)
  if lock then lock:release() end
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

local function write_cache(name, parts, metadata)
  local ok, message = core.safetensors_write(M.path(name), parts, metadata)
  if not ok then say_once("the data cannot be cached, going on without: " .. message) end
  return ok
end

local function obtain(name, scratch)
  local folder = M.local_folder(name)
  if not folder then
    local ok, message, code = download.all(name, set(name), scratch)
    if not ok then errors.environment(missing(name, message), code) end
    folder = scratch
  end
  return read_set(name, folder, scratch)
end

--- Converts the files of a set, into the cache if that can be written.
local function convert(name)
  local ok, message = folders.make_folder(M.folder())
  local parent = M.folder()
  if not ok or not require "luv".fs_access(parent, "W") then
    ok, message = nil, message or parent .. " is not writable"
    parent = require "luv".os_tmpdir()
  end
  return with_scratch(parent, function(scratch)
    local parts, metadata, whole = obtain(name, scratch)
    if whole and not ok then
      say_once(("the data cannot be cached, going on without: %s (SWALE_DATA names another folder)")
        :format(message))
    end
    return parts, metadata, ok and whole and write_cache(name, parts, metadata) or false
  end)
end

--- The files in a folder that a user names are read each time, and never cached.
local function read_named(name, folder)
  local manifest = set(name)
  if not has_files(folder, manifest) then
    errors.environment(("%s: no files of %s in it; they are %s"):format(folder, name,
      file_names(manifest)), "ENOENT")
  end
  return with_scratch(require "luv".os_tmpdir(), function(scratch)
    local parts, metadata = read_set(name, folder, scratch)
    return parts, metadata
  end)
end

local function read_cache(name)
  local parts, metadata, code = core.safetensors_read(M.path(name), true)
  if parts then return parts, metadata end
  errors.environment(("%s\n  `swale data get %s` makes it anew."):format(metadata, name), code)
end

---The digest of what a data set holds, from its manifest.
---@param name string
---@return string
function M.digest(name)
  local files, lines = set(name).files, { name }
  for _, key in ipairs(errors.sorted_keys(files)) do
    lines[#lines + 1] = ("%s %d %s"):format(key, files[key].bytes, files[key].sha256)
  end
  return core.sha256(table.concat(lines, "\n"))
end

---@param name string
---@param path? string   a folder with its files
---@return table<string, swale.Tensor> parts, table<string, string> metadata
function M.load(name, path)
  local manifest = set(name)
  inputs.set(name, M.digest(name))
  if path then return read_named(name, path) end
  if manifest.shipped then
    local paths = {}
    for key, file in pairs(manifest.files) do
      paths[key] = shipped_folder() .. "/" .. file.name .. ".gz"
    end
    return format_of(manifest).read(paths, manifest), {}
  end
  if folders.exists(M.path(name)) then return read_cache(name) end
  local converted = table.pack(convert(name))
  if not converted[3] then return converted[1], converted[2] end
  converted[1] = nil -- else the set would be in memory twice, mapped and read
  collectgarbage()
  return read_cache(name)
end

---Fetches and converts a data set, unless it is cached already.
---@param name string
---@return string|nil path   of the cached file; nil where nothing is cached
function M.get(name)
  if set(name).shipped then return nil end
  if core.safetensors_read(M.path(name), true) then return M.path(name) end
  folders.remove(M.path(name))
  local _, _, cached = convert(name)
  return cached and M.path(name) or nil
end

return M
