--- For tests of whole commands: a folder of their own, commands run in it, servers.
local folders = require "swale.folders"
local process = require "swale.process"
local temporary = require "temporary"

local M = {}

local HOME = os.getenv "SWALE_HOME"
local TIMEOUT = 240 -- seconds; `swale test` allows a file 300

M.folder, M.quote = temporary.folder, temporary.quote
M.remove = folders.remove

---A class of tests, each in a folder of its own, self.dir.
---@return table
function M.in_a_folder()
  return { setUp = function(self) self.dir = M.folder() end,
    tearDown = function(self) M.remove(self.dir) end }
end

---@param path string
---@param text string
function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

---@param path string
---@return string
function M.read(path) return assert(folders.read(path)) end

local function environment(dir, changes)
  local env = { SWALE_RUNS = dir .. "/runs", CI = "true", SWALE_DATA_URL = false }
  for name, value in pairs(changes or {}) do env[name] = value end
  return env
end

local function words(args)
  local argv = { "lua5.4", HOME .. "/scripts/bin/swale.lua" }
  return table.move(args, 1, #args, #argv + 1, argv)
end

---Runs `swale …` in a folder, its runs below it.
---@param dir string
---@param args string[]
---@param env? table<string, string|false>
---@return swale.ProcessResult
function M.swale(dir, args, env)
  local o = { cwd = dir, env = environment(dir, env), timeout = TIMEOUT }
  return assert(process.run(words(args), o))
end

---The same through bash: `line` has "$@" in place of the command.
---@param dir string
---@param line string
---@param args string[]
---@param env? table<string, string|false>
---@return swale.ProcessResult
function M.shell(dir, line, args, env)
  local argv = { "bash", "-c", line, "bash" }
  table.move(words(args), 1, 2 + #args, 5, argv)
  return assert(process.run(argv, { cwd = dir, env = environment(dir, env), timeout = TIMEOUT }))
end

---The only run below a folder.
---@param dir string
---@return string
function M.only_run(dir)
  local names = folders.entries(dir .. "/runs")
  assert(#names == 1, ("%d runs, not one"):format(#names))
  return dir .. "/runs/" .. names[1]
end

---Ends a program that a test started.
---@param handle userdata
function M.stop(handle)
  local uv = require "luv"
  handle:kill "sigterm"
  handle:close()
  uv.run "nowait"
end

---@param seconds number
function M.sleep(seconds) require("luv").sleep(math.floor(seconds * 1000)) end

--- A small training on the digits, for runs that go wrong. %s: statements that use trainer, run and
--- p.
local SCRIPT = [[
local sw = require "swale"
return sw.experiment {
  name = "small",
  params = { lr = 0.05, epochs = 2, batch = 32, sort = sw.choice { "a", "b" }, loud = false },
  run = function(run, p)
    local data = sw.data.load "digits"
    local trainer = sw.Trainer {
      model = sw.nn.Linear(data.features, data.classes), data = data, lr = p.lr,
      batch_size = p.batch,
    }
    %s
  end,
}
]]

---Writes a script that trains on the digits.
---@param path string
---@param body? string
function M.write_script(path, body)
  local script = SCRIPT:gsub("%%s", function()
    return body or "trainer:fit { epochs = p.epochs, run = run }"
  end)
  M.write(path, script)
end

return M
