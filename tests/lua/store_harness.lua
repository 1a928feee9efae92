--- A store of made runs, for tests: their files are written as a run writes them.
local core = require "swale.core"
local folders = require "swale.folders"

local M = {}

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

M.write = write

---A folder of runs that stands for SWALE_RUNS until tearDown; for a class of tests.
---@return table
function M.in_a_root()
  return { setUp = M.set_up, tearDown = M.tear_down }
end

function M.set_up(self)
  self.root = require("temporary").folder()
  self.getenv = os.getenv
  rawset(os, "getenv", function(name)
    return name == "SWALE_RUNS" and self.root or self.getenv(name)
  end)
end

function M.tear_down(self)
  rawset(os, "getenv", self.getenv)
  folders.remove(self.root)
end

---Makes a run.
---@param root string
---@param id string
---@param info table       fields of run.json besides the usual ones
---@param records? table[] lines of metrics.jsonl
---@return string dir
function M.run(root, id, info, records)
  local dir = root .. "/" .. id
  assert(folders.make_folder(dir))
  local whole = { format = 1, id = id, experiment = "small", params = {}, seed = 1,
    status = "done", started = "2026-11-28T10:00:00Z" }
  for name, value in pairs(info) do whole[name] = value end
  write(dir .. "/run.json.new", core.json_encode(whole, 2) .. "\n")
  assert(folders.rename(dir .. "/run.json.new", dir .. "/run.json"))
  local lines = {}
  for i, record in ipairs(records or {}) do lines[i] = core.json_encode(record) .. "\n" end
  if records then write(dir .. "/metrics.jsonl", table.concat(lines)) end
  return dir
end

return M
