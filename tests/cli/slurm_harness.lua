--- What tests of `swale batch --executor slurm` share. self.env is the environment that has Slurm.
local batch = require "batch_harness"
local command = require "command"
local process = require "swale.process"

local M = {}

local Slurm = {}

function Slurm:slurm(...)
  return command.swale(self.dir, { "batch", "--executor", "slurm", ... }, self.env)
end

--- Starts a batch that goes on while the test does. Returns its handle and its pid.
function Slurm:begin(...)
  local args = { "-c", 'exec "$@" >out.txt 2>err.txt', "bash", "lua5.4",
    os.getenv "SWALE_HOME" .. "/scripts/bin/swale.lua", "batch", "--executor", "slurm", ... }
  local changes = setmetatable({ SWALE_RUNS = self.dir .. "/runs", CI = "true" },
    { __index = self.env })
  for name, value in pairs(self.env) do changes[name] = value end
  local uv, ended = require "luv", {}
  local handle, pid = uv.spawn("bash", { args = args, cwd = self.dir,
    env = process.environment(changes) }, function(code, signal)
    ended.code, ended.signal = code, signal
  end)
  return { handle = handle, pid = pid, ended = ended }
end

--- Waits for a fact.
function M.wait(what, fact)
  local uv = require "luv"
  for _ = 1, 1200 do
    uv.run "nowait"
    if fact() then return end
    uv.sleep(50)
  end
  error("not in a minute: " .. what)
end

function Slurm:finish(child)
  M.wait("the end of the batch", function() return child.ended.code end)
  child.handle:close()
  return { code = child.ended.code, out = command.read(self.dir .. "/out.txt"),
    err = command.read(self.dir .. "/err.txt") }
end

---A class of tests, each in a folder of its own, self.dir.
---@return table
function M.class()
  local class = batch.class()
  for name, f in pairs(Slurm) do class[name] = f end
  return class
end

return M
