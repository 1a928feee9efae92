--- Batches that are killed or interrupted, and go on: no process is left behind, nothing is lost.
local batch = require "batch_harness"
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"

local contains, ends = batch.contains, batch.ends

TestBatchKills = batch.class()

-- ------------------------------------------------------------------ the end of the batch

local function alive(pid) return require("luv").kill(pid, 0) ~= nil end

--- Waits until f returns something.
local function eventually(f, seconds)
  local uv = require "luv"
  local till = uv.hrtime() + (seconds or 60) * 1e9
  repeat
    local value = f()
    if value then return value end
    uv.sleep(20)
  until uv.hrtime() > till
  error "waited in vain"
end

--- Pids that the script has written into files pid-*.
function TestBatchKills:pids()
  local list = {}
  for _, name in ipairs(folders.entries(self.dir)) do
    local pid = name:match "^pid%-(%d+)$"
    if pid then list[#list + 1] = math.tointeger(tonumber(pid)) end
  end
  return list
end

--- Starts a batch in the background and waits for n pids.
function TestBatchKills:start(words, n)
  local argv = table.move(words, 1, #words, #process.swale() + 2,
    table.move({ "batch" }, 1, 1, #process.swale() + 1, process.swale()))
  local handle, pid
  handle, pid = require("luv").spawn(argv[1], { args = table.move(argv, 2, #argv, 1, {}),
    cwd = self.dir, env = process.environment { SWALE_RUNS = self.dir .. "/runs" },
    detached = true }, function() handle:close() end)
  assert(handle, pid)
  eventually(function() return #self:pids() >= n end)
  return math.tointeger(pid), handle
end

local function wait_for(handle)
  while not handle:is_closing() do require("luv").run "once" end
end

--- Each run notes its pid and that of a grandchild, which ignores signals.
local WITH_GRANDCHILD = [[
  local luv = require "luv"
  local function note(pid) io.open(("pid-%d"):format(pid), "w"):close() end
  local _, pid = luv.spawn("sh", { args = { "-c",
    "trap '' TERM INT; while :; do sleep 0.1; done" } })
  note(pid)
  note(luv.os_getpid())
  ]]

function TestBatchKills:none_is_left()
  for _, pid in ipairs(self:pids()) do
    eventually(function() return not alive(pid) end)
  end
end

function TestBatchKills:test_what_a_run_leaves_behind_ends_with_it()
  self:write("a.lua", WITH_GRANDCHILD)
  ends(self:batch("a.lua", "--seeds", "2"), 0, "ran 2, skipped 0, failed 0")
  lu.assert_equals(#self:pids(), 4)
  self:none_is_left()
end

function TestBatchKills:test_a_batch_that_is_killed_leaves_no_orphans()
  self:write("a.lua", WITH_GRANDCHILD .. "while true do end")
  local pid, handle = self:start({ "a.lua", "--seeds", "4", "--jobs", "2" }, 4)
  require("luv").kill(pid, "sigkill")
  wait_for(handle)
  self:none_is_left()
  lu.assert_equals(self:records_that_are "interrupted", 2) -- SIGTERM let them end their records
  local record = self:collections()[1]
  local info = core.json_decode(command.read(record .. "/collection.json"))
  lu.assert_equals(require("swale.run.status").of(record, info), "killed")
end

function TestBatchKills:test_ctrl_c_twice_ends_at_once()
  self:write("a.lua", [[
    local luv = require "luv"
    luv.new_signal():start("sigint", function() end) -- ignored from here on
    luv.new_signal():start("sigterm", function() end)
    ]] .. WITH_GRANDCHILD .. "while true do end")
  local pid, handle = self:start({ "a.lua", "--seeds", "2", "--jobs", "1" }, 2)
  require("luv").kill(pid, "sigint")
  require("luv").sleep(20)
  local begun = require("luv").hrtime()
  require("luv").kill(pid, "sigint")
  wait_for(handle)
  lu.assert_true((require("luv").hrtime() - begun) / 1e9 < 14) -- the next signal comes after 15 s
  self:none_is_left()
  lu.assert_equals(self:records_that_are "killed", 1)
end

-- ------------------------------------------------------------------ killed and typed again

local ROUNDS = os.getenv "SWALE_TEST_LONG" and 60 or 4

--- The batch is killed at random moments, then typed again until it ends by itself. No work is
--- lost and none is done twice; what was killed says so. Every fourth round has another script.
function TestBatchKills:test_the_same_command_after_kills()
  local words = { "a.lua", "--seeds", "10", "--jobs", "2" }
  local random, uv = core.random(5, "kills"), require "luv"
  for round = 0, ROUNDS - 1 do
    self:write("a.lua", ("-- %d\nrun:summary { x = 1 }\nrequire('luv').sleep(20)"):format(
      round // 4))
    local pid, handle = self:start(words, 0)
    uv.sleep(math.floor(random:uniform() * 500))
    uv.kill(pid, "sigkill")
    wait_for(handle)
  end
  local result = self:batch(table.unpack(words))
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "10 done")
  local done = {}
  for _, dir in ipairs(self:runs()) do
    local info = runs.read_info(dir)
    lu.assert_not_nil(({ done = 1, killed = 1, interrupted = 1 })[info.status])
    local work = info.seed .. info.key
    if info.status == "done" then done[work] = (done[work] or 0) + 1 end
  end
  for work, n in pairs(done) do lu.assert_equals({ work, n }, { work, 1 }) end
end

-- ------------------------------------------------------------------ going on

--- All lines of metrics but for their seconds.
local function lines_of(dir)
  return (command.read(dir .. "/metrics.jsonl"):gsub('"seconds":[^,}]*', ""))
end

--- Two fits, killed in the second one the first time: the end of the first one is saved.
local KILLED_ONCE = [[
  local killed = io.open "killed"
  trainer:on("step", function(s)
    if killed or s.epoch < 2.5 then return end
    io.open("killed", "w"):close()
    require("luv").kill(require("luv").os_getpid(), "sigkill")
  end)
  trainer:fit { epochs = 2, run = run }
  trainer:fit { epochs = 2, run = run }]]

function TestBatchKills:test_a_run_goes_on_where_it_was_killed()
  command.write_script(self.dir .. "/a.lua", KILLED_ONCE)
  local first = self:batch("a.lua")
  ends(first, 1, "ran 1, skipped 0, failed 1")
  local id = self:runs()[1]:match "[^/]+$"
  local output = command.read(self:runs()[1] .. "/output.txt")
  lu.assert_str_contains(self:batch("a.lua", "--dry-run").out,
    "run   a.lua seed 1: goes on with " .. id)
  ends(self:batch("a.lua"), 0, "ran 1, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 1)
  lu.assert_equals(command.read(self:runs()[1] .. "/output.txt"), output)
  lu.assert_true(folders.exists(self:runs()[1] .. "/output-2.txt"))
  local resumed = lines_of(self:runs()[1])
  ends(self:batch("a.lua", "--force"), 0, "ran 1, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 2)
  for _, dir in ipairs(self:runs()) do lu.assert_equals(lines_of(dir), resumed) end
  lu.assert_equals(#runs.read_info(self.dir .. "/runs/" .. id).resumed, 1)
end

function TestBatchKills:test_another_attempt_goes_on_from_the_checkpoint()
  command.write_script(self.dir .. "/a.lua", KILLED_ONCE)
  local result = self:batch("a.lua", "--retry", "1")
  ends(result, 0, "ran 1, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 1)
  local dir = self:runs()[1]
  lu.assert_equals(#runs.read_info(dir).resumed, 1)
  lu.assert_true(folders.exists(dir .. "/output.txt") and folders.exists(dir .. "/output-2.txt"))
end

--- A run that a full disk ended goes on when there is room.
function TestBatchKills:test_a_run_that_ended_by_a_full_disk()
  command.write_script(self.dir .. "/a.lua", KILLED_ONCE)
  ends(self:batch("a.lua"), 1, "ran 1, skipped 0, failed 1")
  local path = self:runs()[1] .. "/run.json"
  local text, n = command.read(path):gsub('"status": "killed"', '"status": "failed: disk full"')
  lu.assert_equals(n, 1)
  command.write(path, text)
  ends(self:batch("a.lua"), 0, "ran 1, skipped 0, failed 0")
  lu.assert_equals(#self:runs(), 1)
end

--- A run that cannot go on, because its checkpoints are damaged, begins anew.
function TestBatchKills:test_a_run_that_cannot_go_on()
  command.write_script(self.dir .. "/a.lua", KILLED_ONCE)
  ends(self:batch("a.lua"), 1, "ran 1, skipped 0, failed 1")
  local folder = self:runs()[1] .. "/checkpoints/"
  for _, name in ipairs(folders.entries(folder)) do command.write(folder .. name, "damaged") end
  local result = self:batch("a.lua")
  ends(result, 0, "ran 1, skipped 0, failed 0")
  contains(result.err, "no checkpoint can be used", "It is tried again.")
  lu.assert_equals({ self:records_that_are "done", self:records_that_are "killed" }, { 1, 1 })
end
