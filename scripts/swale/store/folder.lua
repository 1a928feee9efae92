--- What is in the folder of runs, by names and sizes alone: runs have a run.json, batches and
--- sweeps a collection.json.
local M = {}

---@class swale.StoreEntry
---@field id string          the directory's name
---@field kind "run"|"collection"
---@field stamp string       changes whenever the JSON file does

local KINDS = { { "run", "/run.json" }, { "collection", "/collection.json" } }

---Identifies the contents of a file by size and time of writing; nil if there is none.
---@param path string
---@return string|nil
function M.stamp(path)
  local stat = require "luv".fs_stat(path)
  if not stat then return nil end
  local time = stat.mtime
  -- the inode: a file that is replaced within the clock's resolution has another one
  return ("%d %d.%09d %d"):format(stat.size, time.sec, time.nsec, stat.ino)
end

---@param root string
---@return swale.StoreEntry[]   sorted by id
function M.list(root)
  local found = {}
  for _, id in ipairs(require("swale.folders").entries(root)) do
    for _, kind in ipairs(id:find "^%." and {} or KINDS) do
      local dir = root .. "/" .. id
      local stamp = M.stamp(dir .. kind[2])
      if stamp then
        local members = kind[1] == "collection" and M.stamp(dir .. "/members.jsonl")
        found[#found + 1] = { id = id, kind = kind[1],
          stamp = members and stamp .. " " .. members or stamp }
        break
      end
    end
  end
  return found
end

return M
