--- What tests of `swale batch` share: a folder with scripts, and what a batch has left there.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local runs = require "swale.run"

local M = {}

local Batch = {}

function Batch:setUp()
  self.dir = command.folder()
  folders.make_folder(self.dir .. "/many")
end

function Batch:batch(...) return command.swale(self.dir, { "batch", ... }) end

--- An experiment that takes no time; body has run and p.
function Batch:write(name, body, params)
  command.write(("%s/%s"):format(self.dir, name), ([[
    local sw = require "swale"
    return sw.experiment { name = "quick", params = { lr = 0.5, %s }, run = function(run, p)
      %s
    end }]]):format(params or "", body))
end

--- Directories below runs/ that have such a file.
function Batch:with(file)
  local list = {}
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = ("%s/runs/%s"):format(self.dir, name)
    if folders.exists(dir .. "/" .. file) then list[#list + 1] = dir end
  end
  return list
end

function Batch:runs() return self:with "run.json" end

function Batch:collections() return self:with "collection.json" end

--- run.json of every run, by seed.
function Batch:records()
  local list = {}
  for _, dir in ipairs(self:runs()) do
    local info = runs.read_info(dir)
    list[info.seed] = info
    info.dir = dir
  end
  return list
end

function Batch:records_that_are(status)
  local count = 0
  for _, dir in ipairs(self:runs()) do
    if runs.read_info(dir).status == status then count = count + 1 end
  end
  return count
end

---A class of tests, each in a folder of its own, self.dir.
---@return table
function M.class()
  local class = command.in_a_folder()
  for name, f in pairs(Batch) do class[name] = f end
  return class
end

---@param text string
---@return string
function M.last_line(text) return text:match "([^\n]*)\n$" end

--- Checks exit status and last line.
function M.ends(result, code, line)
  lu.assert_equals({ result.code, M.last_line(result.out) }, { code, line }, result.err)
end

---@param text string
---@param ... string
function M.contains(text, ...)
  for _, part in ipairs { ... } do lu.assert_str_contains(text, part) end
end

return M
