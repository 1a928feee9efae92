--- Ends runs, by SIGKILL between two of their writes and by several signals at random moments,
--- resumes them, and compares all that is left with a run that was not disturbed.
---
---     ./swale lua tests/cli/resumes.lua 200 [seed]
package.path = (os.getenv "SWALE_HOME" or ".") .. "/tests/lua/?.lua;" .. package.path
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local process = require "swale.process"
local runs = require "swale.run"

local M = {}

local HANGS = 120 -- seconds

--- The head of each script: it ends itself before its n-th call that changes a file, n from the
--- environment; of a checkpoint half is there then.
M.HEAD = [[
local sw = require "swale"
local core, luv = require "swale.core", require "luv"
local calls, last = 0, tonumber(os.getenv "SWALE_TEST_DIE_AT" or "") or math.huge
local counted = os.getenv "SWALE_TEST_CALLS"
local function note()
  local file = io.open(counted, "w")
  file:write(calls)
  file:close()
end
local function count(half)
  calls = calls + 1
  if counted then note() end
  if calls < last then return end
  if half then half() end
  luv.kill(luv.os_getpid(), "sigkill")
end
local function watch(module, name, half)
  local f = module[name]
  rawset(module, name, function(...)
    local words = table.pack(...)
    count(half and function() half(table.unpack(words)) end)
    return f(...)
  end)
end
watch(core, "safetensors_write", function(path)
  local file = io.open(("%s.tmp.%d"):format(path, math.tointeger(luv.os_getpid())), "wb")
  file:write(("\xff"):rep(5000))
  file:close()
end)
watch(core, "write_file")
for _, name in ipairs { "fs_write", "fs_ftruncate", "fs_link", "fs_rename", "fs_unlink" } do
  watch(luv, name)
end
]]

local SCRIPTS = {}

--- Rules with memories, three fits of two trainers, averages side by side, dropout, measurements,
--- random numbers of the script in hooks and between fits.
SCRIPTS.fits = [[
return sw.experiment { name = "fits", params = { epochs = 3, lr = 0.02 }, run = function(run, p)
  local data = sw.data.load "digits"
  print("begins", math.random(1000), sw.rand({ 1 }):item(), run.seed)
  local trainer = sw.Trainer {
    model = sw.nn.Sequential { sw.nn.Linear(data.features, 12), sw.nn.ReLU(), sw.nn.Dropout(0.2),
      sw.nn.Linear(12, data.classes) },
    data = data, optimizer = sw.optim.Adam {},
    lr = function(_, mem)
      mem.n = (mem.n or 0) + 1
      return p.lr / (1 + mem.n / 100)
    end,
    batch_size = sw.rule(16, function(s, mem)
      mem.seen = s.noise_scale.value == s.noise_scale.value and s.noise_scale.value or mem.seen
      return s.epoch > 1.5 and 32 or 16
    end),
    average = { sw.average.SWA { start = 1, every = 1 },
      ema = sw.average.EMA { decay = 0.9, every = { steps = 3 } },
      tail = sw.average.LastK { k = 3, every = { steps = 10 } } },
    measure = { noise_scale = sw.every { steps = 5 }, weight_norm = sw.every { steps = 30 },
      drift = sw.measurement { at = "epoch", function(m) return m.weights:distance(m.start) end } },
  }
  trainer:on("epoch", function(s) print("epoch", s.step, math.random(1000)) end)
  trainer:on("end", function(s) run:note("end", s.step + math.random()) end)
  trainer:fit { epochs = p.epochs, run = run }
  print("between", math.random(1000), trainer:evaluate("last").loss, trainer:state().step)
  run:summary { first = trainer:evaluate("last").loss }
  local other = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
    lr = sw.schedule.cyclic { max = 0.1, min = 0.01, period = { epochs = 1 } }, batch_size = 16 }
  other:fit { epochs = 2, run = run }
  trainer:fit { epochs = 1, run = run }
  trainer:report(run)
  print("ends", math.random(1000), sw.rand({ 1 }):item())
  run:summary { last = trainer:evaluate("last").loss, other = other:evaluate().loss }
end }
]]

--- An optimizer in Lua that counts, ghost batch norm, cropped and flipped images, settings made by
--- hooks, a fit that stops early, records and checkpoints of the script's own.
SCRIPTS.own = [[
local function images(data)
  local function part(split) return { x = split.x:reshape { #split, 8, 8, 1 }, y = split.y } end
  return sw.data.from_tensors { train = part(data.train), valid = part(data.valid),
    classes = 10, augment = { crop = 1, flip = true } }
end
return sw.experiment { name = "own", params = { epochs = 4 }, run = function(run, p)
  local data = images(sw.data.load "digits")
  local trainer = sw.Trainer {
    model = sw.nn.Sequential { sw.nn.Conv2d(1, 4, 3, { padding = 1 }), sw.nn.GhostBatchNorm(8)(4),
      sw.nn.ReLU(), sw.nn.Flatten(), sw.nn.Linear(256, 10) },
    data = data, lr = 0.05, batch_size = 32,
    optimizer = function(w, g, state, o)
      state.count = (state.count or 0) + 1
      state.m = state.m or g:clone():scale(0)
      state.m:scale(0.9):add(1, g)
      w:add(-o.lr / (1 + state.count / 200), state.m)
    end,
    average = sw.average.EMA { decay = 0.8, every = { steps = 2 } },
    measure = { noise_scale = { every = { steps = 4 } }, hessian_trace = { every = { epochs = 1 },
      sample = 32, probes = 4 } },
  }
  trainer:on("epoch", function(s, t)
    run:record { kind = "own", step = s.step, value = math.random() }
    t.lr = t.lr * 0.8
    run:checkpoint("own-" .. s.step, { weights = t:weights() }, { step = s.step })
  end)
  trainer:fit { epochs = p.epochs, run = run, until_ = function(s)
    return s.epoch >= 2.5 and "enough" or false
  end }
  print(trainer:stopped(), trainer.lr, trainer:state().step)
  for _ = 1, 2 do
    trainer:fit { epochs = 0.5, run = run }
    print(trainer:evaluate("ema").loss, sw.randn({ 2 }))
  end
  run:summary { loss = trainer:evaluate("last").loss, accuracy = trainer:evaluate().accuracy }
end }
]]

--- Errors of fits that the script catches, fits without a run, forks of trainers, fits in a
--- coroutine and of chance lengths, checkpoints after each step and those that stay.
SCRIPTS.caught = [[
return sw.experiment { name = "caught", params = { lr = 0.05 }, run = function(run, p)
  local data = sw.data.load "digits"
  local function trainer(o)
    o.model = sw.nn.Sequential { sw.nn.Linear(data.features, 6), sw.nn.Tanh(),
      sw.nn.Linear(6, data.classes) }
    o.data = data
    return sw.Trainer(o)
  end
  for _, lr in ipairs { 1e38, p.lr } do
    local first = trainer { lr = lr, batch_size = 64 }
    local ok, fault = pcall(first.fit, first, { epochs = 1, run = run,
      checkpoints = { seconds = 0 } })
    print(ok, ok and first:evaluate().loss or fault.kind, math.random())
  end
  local main = trainer { lr = sw.rule(p.lr, function(s, mem)
    mem[#mem + 1] = s.loss
    return p.lr / (1 + #mem / 50)
  end), batch_size = 32 }
  main:fit { epochs = 0.5 }
  main:on("step", function(s, t)
    if s.step % 7 == 0 then run:note("step", s.step) end
    if s.epoch > 1.4 and s.epoch < 2 then t:stop "far enough" end
  end)
  local steps = coroutine.wrap(function()
    for k = 1, 3 do
      main:fit { epochs = 0.3 + math.random(), run = run,
        checkpoints = { keep = "log", seconds = k == 2 and 0 or nil } }
      coroutine.yield(main:evaluate("last").loss)
    end
  end)
  for k = 1, 3 do
    run:record { kind = "loss", step = k, value = steps(), text = "ä\n\"" }
    run:print("%s", main:stopped())
  end
  local fork = main:fork()
  fork:fit { steps = 5, run = run }
  main:fit { steps = 5, run = run }
  print(fork:weights():distance(main:weights()), sw.randn({ 2 }))
  run:summary { fork = fork:evaluate().loss, main = main:evaluate().loss, r = math.random() }
end }
]]

M.NAMES = { "fits", "own", "caught" }

---Writes a script.
---@param dir string
---@param name string   of NAMES
---@return string name of the file
function M.write(dir, name)
  command.write(("%s/%s.lua"):format(dir, name), M.HEAD .. SCRIPTS[name])
  return name .. ".lua"
end

-- ------------------------------------------------------------------ comparing

--- The lines of metrics.jsonl without their seconds.
local function lines_of(dir)
  local list = {}
  for line in io.lines(dir .. "/metrics.jsonl") do
    local record = assert(core.json_decode(line), line)
    record.seconds = nil
    list[#list + 1] = core.json_encode(record)
  end
  return list
end

local function check_lines(a, b)
  local one, other = lines_of(a), lines_of(b)
  for i = 1, math.max(#one, #other) do
    assert(one[i] == other[i], ("metrics.jsonl:%d: %s, not %s"):format(i, other[i], one[i]))
  end
end

local FACTS <const> = { "status", "params", "summary", "notes", "last_step", "objective", "key" }

local function check_facts(a, b)
  local one = core.json_decode(command.read(a .. "/run.json"))
  local other = core.json_decode(command.read(b .. "/run.json"))
  for _, name in ipairs(FACTS) do
    local x, y = core.json_encode { one[name] }, core.json_encode { other[name] }
    assert(x == y, ("%s: %s, not %s"):format(name, y, x))
  end
end

local function check_tensors(name, one, other)
  for key, tensor in pairs(one) do
    local same = other[key]
      and core.json_encode(tensor:table()) == core.json_encode(other[key]:table())
    assert(same, ("%s: %s differs"):format(name, key))
  end
  for key in pairs(other) do assert(one[key], ("%s: %s is new"):format(name, key)) end
end

--- Names of the checkpoints, but of the last but one of a step: a signal writes one more.
local function checkpoints_of(dir)
  local names, last = {}, nil
  for _, name in ipairs(folders.entries(dir .. "/checkpoints")) do
    if name:find "^step" then last = name else names[#names + 1] = name end
  end
  names[#names + 1] = last
  return names
end

--- All but the text of the state, which has seconds, and that of the run, which has lengths of
--- files: what they say is seen where the training goes on.
local function check_checkpoints(a, b)
  local names = checkpoints_of(a)
  local x, y = table.concat(names, " "), table.concat(checkpoints_of(b), " ")
  assert(x == y, ("checkpoints are %s, not %s"):format(y, x))
  for _, name in ipairs(names) do
    local one, first = core.safetensors_read(a .. "/checkpoints/" .. name)
    local other, second = core.safetensors_read(b .. "/checkpoints/" .. name)
    check_tensors(name, one, other)
    for key, value in pairs(first) do
      local same = key == "state" or key == "run" or second[key] == value
      assert(same, ("%s: %s is %s, not %s"):format(name, key, second[key], value))
    end
  end
end

---Raises unless run b has the record of run a, but for seconds.
---@param a string
---@param b string
function M.compare(a, b)
  check_facts(a, b)
  check_lines(a, b)
  local one, other = command.read(a .. "/log.txt"), command.read(b .. "/log.txt")
  assert(one == other, ("log.txt is\n%s\nnot\n%s"):format(other, one))
  check_checkpoints(a, b)
end

-- ------------------------------------------------------------------ killing

---Starts a command and ends it: before its n-th change of a file, or by a signal after some
---seconds. Returns how it ended.
---@param dir string
---@param args string[]
---@param at { calls?: integer, seconds?: number, signal?: string }   empty: it is not ended
---@return { code: integer, signal: integer, err: string }
function M.killed(dir, args, at)
  local uv, argv, code, by = require "luv", process.swale(), nil, nil
  table.move(args, 1, #args, #argv + 1, argv)
  local err = assert(uv.fs_open(dir .. "/err", "w", 420))
  local out = assert(uv.fs_open(dir .. "/out", "w", 420))
  local env = process.environment { SWALE_RUNS = dir .. "/runs", CI = "true",
    SWALE_TEST_CALLS = at.counted or false,
    SWALE_TEST_DIE_AT = at.calls and tostring(at.calls) or false }
  local handle = assert(uv.spawn(argv[1], { args = table.move(argv, 2, #argv, 1, {}), cwd = dir,
    env = env, stdio = { nil, out, err } }, function(c, s) code, by = c, s end))
  uv.fs_close(err)
  uv.fs_close(out)
  local start = uv.hrtime()
  local function passed() return (uv.hrtime() - start) / 1e9 end
  local limit, sent = at.seconds or HANGS, not at.seconds
  while not code do
    uv.run "nowait"
    if not sent and passed() > limit then
      handle:kill(at.signal)
      sent = true
    end
    if passed() > limit + HANGS then handle:kill "sigkill" end
    uv.sleep(2)
  end
  handle:close()
  uv.run "nowait"
  return { code = code, signal = by, err = command.read(dir .. "/err") }
end

--- A command of a run: with few checkpoints, or one at each mark.
local function command_of(word, what, often)
  return { word, what, often and "--checkpoint" or nil, often and "0" or nil }
end

--- The run that is not killed, its changes of files and its seconds.
local function undisturbed(dir, name, often)
  local script, uv = M.write(dir, name), require "luv"
  local begun = uv.hrtime()
  local ended = M.killed(dir, command_of("run", script, often), { counted = dir .. "/calls" })
  assert(ended.code == 0, ended.err)
  local reference = { dir = dir .. "/undisturbed", seconds = (uv.hrtime() - begun) / 1e9 }
  assert(folders.rename(command.only_run(dir), reference.dir))
  reference.calls = assert(math.tointeger(tonumber(command.read(dir .. "/calls"))))
  return reference
end

--- A run that gets SIGUSR1 writes a checkpoint and goes on.
local SIGNALS <const> = { "sigkill", "sigterm", "sigterm", "sigusr1" }

local function moment(random, reference)
  if random:integer(2) == 1 then
    return { seconds = 0.03 + random:uniform() * reference.seconds,
      signal = SIGNALS[random:integer(#SIGNALS)] }
  end
  return { calls = random:integer(reference.calls) }
end

--- Ends a run, and resumes of it, up to three times, then resumes it to its end. Returns how many
--- signals hit something.
local function disturb(dir, name, reference, random)
  local often, kills = reference.often, 0
  local ended = M.killed(dir, command_of("run", name .. ".lua", often), moment(random, reference))
  if #folders.entries(dir .. "/runs") == 0 then return 0 end
  local run = command.only_run(dir)
  if not folders.exists(run .. "/run.json") then return 0 end -- it had not begun
  local function is_ended_by_signal() return ended.signal ~= 0 or ended.code > 128 end
  while is_ended_by_signal() and runs.read_info(run).status ~= "done" do
    kills = kills + 1
    local at = kills < 1 + random:integer(3) and moment(random, reference) or {}
    ended = M.killed(dir, command_of("resume", run, often), at)
  end
  assert(ended.code == 0 or is_ended_by_signal(), ended.err)
  M.compare(reference.dir, run)
  return kills
end

---Disturbs runs; raises at the first that is not as if it had not been.
---@param o { count: integer, seed: integer, say?: fun(line: string) }
---@return integer kills
function M.many(o)
  local references, kills = {}, 0
  for number = 1, o.count do
    local name, often = M.NAMES[number % #M.NAMES + 1], number // #M.NAMES % 2 == 1
    local kind = name .. (often and " often" or "")
    if not references[kind] then
      local home = command.folder()
      references[kind] = undisturbed(home, name, often)
      references[kind].home, references[kind].often = home, often
    end
    local dir, random = command.folder(), core.random(o.seed, "resumes", number)
    M.write(dir, name)
    local ok, result = xpcall(disturb, debug.traceback, dir, name, references[kind], random)
    if not ok then
      error(("seed %d, %s %d in %s: %s"):format(o.seed, kind, number, dir, result), 0)
    end
    command.remove(dir)
    kills = kills + result
    if o.say then o.say(("%d: %s, %d kills"):format(number, kind, result)) end
  end
  for _, reference in pairs(references) do command.remove(reference.home) end
  return kills
end

if arg and arg[0] and arg[0]:match "resumes%.lua$" then
  local count, seed = ...
  M.many { count = math.tointeger(tonumber(count)) or 20,
    seed = math.tointeger(tonumber(seed)) or 1, say = print }
end

return M
