--- swale resume: runs that were killed end as if they had not been; what is refused.
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local resumes = require "resumes"
local runs = require "swale.run"

TestResumes = {}

local COUNT = os.getenv "SWALE_TEST_LONG" and 200 or 10

function TestResumes:test_killed_at_any_moment_and_resumed()
  lu.assert_true(resumes.many { count = COUNT, seed = 3 } > COUNT // 3)
end

TestResume = command.in_a_folder()

local FITS = [[
    run:print("begins")
    trainer:fit { epochs = p.epochs, run = run }
    run:print("loss %.17g", trainer:evaluate("last").loss)
    run:summary { loss = trainer:evaluate("last").loss }]]

--- A run of a script, ended by `body` after some of its epochs.
function TestResume:run(body, args)
  command.write_script(self.dir .. "/small.lua", body or FITS)
  local words = { "run", "small.lua" }
  local result = command.swale(self.dir, table.move(args or {}, 1, #(args or {}), 3, words))
  return command.only_run(self.dir), result
end

function TestResume:resume(...) return command.swale(self.dir, { "resume", "last", ... }) end

--- Writes the status of a run that is over, as a kill leaves it.
local function mark_killed(run)
  local text = command.read(run .. "/run.json"):gsub('"status": "%w+"', '"status": "running"')
  command.write(run .. "/run.json", text)
end

function TestResume:test_a_longer_run_goes_on_from_the_end_of_a_done_one()
  local run = self:run(nil, { "epochs=4" })
  local longer = runs.read_info(run).summary
  command.remove(self.dir .. "/runs")
  run = self:run(nil, { "epochs=2" })
  local result = self:resume "epochs=4"
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "parameter epochs: 4, was 2")
  lu.assert_str_contains(result.err, "fit 1 takes 4 epochs instead of 2 epochs")
  local info = runs.read_info(run)
  lu.assert_equals(info.summary, longer)
  lu.assert_equals({ info.params.epochs, info.status, #info.resumed }, { 4, "done", 1 })
  lu.assert_nil(info.key)
  local _, begins = command.read(run .. "/log.txt"):gsub("begins", "")
  lu.assert_equals(begins, 1)
end

-- The first process takes half a second more than the second, which starts from its checkpoint.
function TestResume:test_processor_time_is_the_sum_of_both_parts()
  local run = self:run([[
    local marked = io.open("marked")
    if not marked then
      io.open("marked", "w"):close()
      while os.clock() < 0.5 do end
    end
    trainer:fit { epochs = p.epochs, run = run }
    run:summary { own = os.clock() }]], { "epochs=2" })
  local first = runs.read_info(run)
  lu.assert_true(first.cpu_seconds >= 0.4, first.cpu_seconds)
  lu.assert_equals(self:resume("epochs=4").code, 0)
  local info = runs.read_info(run)
  local before = info.cpu_seconds - info.summary.own
  lu.assert_almost_equals(before, first.cpu_seconds, 0.2)
end

--- A done run whose record was cut when the process was killed is one that can go on.
function TestResume:test_killed_when_the_record_was_cut()
  self:run([[
    if os.getenv "DIE" then
      local luv = require "luv"
      local cut = luv.fs_ftruncate
      rawset(luv, "fs_ftruncate", function(...)
        cut(...)
        luv.kill(luv.os_getpid(), "sigkill")
      end)
    end]] .. FITS, { "epochs=1" })
  local words = { "resume", "last", "epochs=2" }
  lu.assert_not_equals(command.swale(self.dir, words, { DIE = "1" }).code, 0)
  lu.assert_equals(runs.read_info(command.only_run(self.dir)).status, "killed")
  local result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  local info = runs.read_info(command.only_run(self.dir))
  lu.assert_equals({ info.status, info.params.epochs }, { "done", 2 })
end

function TestResume:test_refusals()
  local run = self:run(nil, { "epochs=2" })
  local before = command.read(run .. "/metrics.jsonl")
  for _, case in ipairs {
    { "is done" }, { "epochs=1", "is behind the end of 1 epoch" },
    { "lr=0.1", "lr of fit 1 was 0.05 and is 0.1 now" },
    { "batch=8", "batch_size of fit 1 was 32" },
    { "nothing=1", 'no parameter "nothing"' }, { "lr", "not of the form key=value" },
  } do
    local result = case[2] and self:resume(case[1]) or self:resume()
    lu.assert_not_equals(result.code, 0)
    for i = case[2] and 2 or 1, #case do lu.assert_str_contains(result.err, case[i]) end
    lu.assert_not_str_contains(result.err, "stack traceback")
    lu.assert_equals(command.read(run .. "/metrics.jsonl"), before)
    lu.assert_equals(runs.read_info(run).status, "done")
  end
end

function TestResume:test_a_schedule_that_would_be_rescaled()
  self:run([[
    trainer.lr = sw.schedule.cosine { from = 0.1, to = 0, epochs = p.epochs }
    trainer:fit { epochs = p.epochs, run = run }]], { "epochs=2" })
  local result = self:resume "epochs=3"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "lr of fit 1 would be rescaled")
  lu.assert_str_contains(result.err, "--rescale")
  result = self:resume("epochs=3", "--rescale")
  lu.assert_equals(result.code, 0, result.err)
end

function TestResume:test_a_script_that_has_changed()
  local run = self:run(nil, { "epochs=2" })
  mark_killed(run)
  command.write(self.dir .. "/small.lua", command.read(self.dir .. "/small.lua") .. "-- more\n")
  local result = self:resume()
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "small.lua has changed")
  result = self:resume "--changed"
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(runs.read_info(run).resumed[1].changed, "small.lua has changed")
end

function TestResume:test_a_script_that_does_other_things_leaves_the_record_as_it_is()
  local run = self:run([[
    trainer:fit { epochs = 1, run = run }
    local other = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
      lr = p.lr }
    local first = os.getenv "OTHER" and trainer or other
    if not os.getenv "NOTHING" then first:fit { epochs = 1, run = run } end]])
  mark_killed(run)
  local before = command.read(run .. "/metrics.jsonl")
  for name, words in pairs { OTHER = "is one of trainer 1, and was one of trainer 2",
    NOTHING = "the script ended before fit 2" } do
    local result = command.swale(self.dir, { "resume", "last" }, { [name] = "1" })
    lu.assert_equals(result.code, 1)
    lu.assert_str_contains(result.err, words)
    lu.assert_str_contains(result.err, "Nothing was changed")
    lu.assert_equals(command.read(run .. "/metrics.jsonl"), before)
    lu.assert_equals(runs.read_info(run).status, "killed")
  end
end

function TestResume:test_a_run_that_is_running()
  local run = self:run(nil, { "epochs=1" })
  mark_killed(run)
  local lock = assert(core.hold(run .. "/.lock"))
  local result = self:resume()
  lock:release()
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "is running")
end

function TestResume:test_a_run_that_diverged()
  local _, first = self:run(FITS, { "lr=1e38" })
  lu.assert_equals(first.code, 3)
  local result = self:resume()
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "diverged")
  lu.assert_str_contains(result.err, "swale fork")
end

--- An interrupt between two steps leaves a checkpoint that says what was due there.
function TestResume:test_interrupted_at_the_end_of_an_epoch()
  local body = [[
    local luv, first = require "luv", not os.getenv "WHOLE"
    trainer:on("step", function(s)
      if first and s.step == 38 then luv.kill(luv.os_getpid(), "sigterm") end
    end)
    trainer:fit { epochs = 3, run = run }]]
  command.write_script(self.dir .. "/small.lua", body)
  local result = command.swale(self.dir, { "run", "small.lua" }, { WHOLE = "1" })
  lu.assert_equals(result.code, 0, result.err)
  assert(folders.rename(command.only_run(self.dir), self.dir .. "/whole"))
  result = command.swale(self.dir, { "run", "small.lua" })
  lu.assert_equals(result.code, 143, result.err)
  local run = command.only_run(self.dir)
  lu.assert_equals(runs.read_info(run).status, "interrupted")
  result = command.swale(self.dir, { "resume", run }, { WHOLE = "1" })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "from step 38")
  resumes.compare(self.dir .. "/whole", run)
end

--- The number of fits is a duration, too.
function TestResume:test_more_fits()
  local body = [[
    for round = 1, p.epochs do
      trainer:fit { epochs = 0.5, run = run }
      run:print("%d: %.17g", round, trainer:evaluate("last").loss)
    end]]
  local whole = self.dir .. "/whole"
  assert(folders.rename(self:run(body, { "epochs=4" }), whole))
  local run = self:run(body, { "epochs=2" })
  local result = self:resume "epochs=4"
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "from the end of fit 2")
  lu.assert_equals(command.read(run .. "/log.txt"), command.read(whole .. "/log.txt"))
  result = self:resume "epochs=3"
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "the script ended before fit 4")
end

--- A fit inside a hook has no checkpoint to go on from: that of the fit around it is taken.
function TestResume:test_a_fit_in_a_hook()
  local body = [[
    local inner = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
      lr = 0.1 }
    trainer:on("epoch", function(s)
      inner:fit { epochs = 1, run = run }
      if s.epoch > 2 and os.getenv "DIE" then
        require("luv").kill(require("luv").os_getpid(), "sigkill")
      end
    end)
    trainer:fit { epochs = 3, run = run }
    trainer:fit { epochs = 2, run = run }]]
  command.write_script(self.dir .. "/small.lua", body)
  lu.assert_equals(command.swale(self.dir, { "run", "small.lua" }, { DIE = "1" }).code, 137)
  local run = command.only_run(self.dir)
  lu.assert_equals(command.swale(self.dir, { "resume", "last" }, { DIE = "1" }).code, 137)
  local result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "from step 38 of fit 1")
  mark_killed(run)
  result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "from the end of fit 2")
  lu.assert_equals(runs.read_info(run).status, "done")
end

--- An interrupt in the midst of an evaluation leaves weights, but no point: the run starts anew, or
--- goes on from the checkpoint before.
function TestResume:test_interrupted_in_the_midst_of_a_step()
  local body = [[
    local luv, count = require "luv", 0
    trainer:on("epoch", function(s)
      count = count + 1
      if count == tonumber(os.getenv "INTERRUPT") then luv.kill(luv.os_getpid(), "sigterm") end
    end)
    trainer:fit { epochs = 3, run = run }
    run:note("resuming", run.resuming or false)]]
  command.write_script(self.dir .. "/small.lua", body)
  for at, words in pairs { ["1"] = "from its beginning", ["2"] = "from step 38 of fit 1" } do
    local result = command.swale(self.dir, { "run", "small.lua" }, { INTERRUPT = at })
    lu.assert_equals(result.code, 143, result.err)
    local run = command.only_run(self.dir)
    result = self:resume()
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_str_contains(result.err, words)
    lu.assert_not_str_contains(result.err, "not used")
    lu.assert_equals(runs.read_info(run).notes, { resuming = false })
    command.remove(self.dir .. "/runs")
  end
end

--- A fit that ended by an error has no checkpoint of its end.
function TestResume:test_an_error_of_a_fit_that_the_script_caught()
  local body = [[
    for _, lr in ipairs { 1e38, p.lr } do
      local one = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
        lr = lr, batch_size = 32 }
      local ok, fault = pcall(one.fit, one, { epochs = p.epochs, run = run })
      print(ok and one:evaluate("last").loss or fault.kind)
    end]]
  local run = self:run(body, { "epochs=2" })
  local log = command.read(run .. "/log.txt")
  lu.assert_str_contains(log, "diverged")
  mark_killed(run)
  local result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "fit 1 has no checkpoint of its end: it is trained again")
  lu.assert_str_contains(result.err, "from the end of fit 2")
  lu.assert_equals(command.read(run .. "/log.txt"), log)
  result = command.swale(self.dir, { "fork", run })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.out, "diverged")
end

--- What no file holds is computed again, if a later fit has a checkpoint.
function TestResume:test_a_fit_whose_memory_cannot_be_kept()
  local run = self:run([[
    trainer.lr = function(_, mem)
      mem.f = mem.f or function(x) return x / 2 end
      return mem.f(p.lr)
    end
    trainer:fit { epochs = p.epochs, run = run }
    local other = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
      lr = 0.1 }
    other:fit { epochs = 1, run = run }
    print(trainer:evaluate("last").loss, other:evaluate("last").loss)]], { "epochs=1" })
  local log = command.read(run .. "/log.txt")
  mark_killed(run)
  local result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "fit 1 has no checkpoint of its end that can be used")
  lu.assert_str_contains(result.err, "mem.f is a function): it is trained again")
  lu.assert_equals(command.read(run .. "/log.txt"), log)
end

--- Lua looks the method up before it calls what trains.
function TestResume:test_the_point_is_among_the_arguments_of_a_method()
  local run = self:run [[
    local function train()
      trainer:fit { epochs = 1, run = run }
      return trainer:evaluate("last").loss
    end
    run:summary { loss = train() }
    run:print("%.17g", train())]]
  local info, log = runs.read_info(run), command.read(run .. "/log.txt")
  for _, first in ipairs { 2, 1 } do
    if first == 1 then
      for _, name in ipairs { "fit-0002", "step-00000075" } do
        command.remove(("%s/checkpoints/%s.safetensors"):format(run, name))
      end
    end
    mark_killed(run)
    local result = self:resume()
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_str_contains(result.err, ("from the end of fit %d"):format(first))
    lu.assert_equals(runs.read_info(run).summary, info.summary)
    lu.assert_equals(command.read(run .. "/log.txt"), log)
  end
end

function TestResume:test_a_damaged_record()
  local run = self:run(nil, { "epochs=1" })
  mark_killed(run)
  local text = command.read(run .. "/run.json")
  for field, words in pairs { status = "status is 5, expected a text", seed = "seed is ",
    params = "expected an object or list", cwd = "cwd is ", files = "an entry of files",
    script = "names no script", resumed = "resumed is ", given = "given is " } do
    local info = core.json_decode(text)
    info[field] = ({ files = { 1 }, seed = 0.5, cwd = {}, params = "x" })[field] or 5
    if field == "script" then info.script = nil end
    local damaged = core.json_encode(info)
    command.write(run .. "/run.json", damaged)
    for _, name in ipairs { "resume", "fork" } do
      local result = command.swale(self.dir, { name, "last" })
      lu.assert_equals(result.code, 1, name .. " " .. field)
      lu.assert_str_contains(result.err, words)
      lu.assert_nil(result.err:match "%.lua:%d+:", result.err)
      lu.assert_equals(command.read(run .. "/run.json"), damaged)
    end
  end
end

function TestResume:test_a_record_that_cannot_be_written()
  local run = self:run([[
    if os.getenv "REFUSE" then
      rawset(require "swale.core", "write_file", function(path)
        return nil, path .. ": cannot write: Read-only file system", "EIO"
      end)
    end
    trainer:fit { epochs = p.epochs, run = run }]], { "epochs=1" })
  mark_killed(run)
  local before, log = command.read(run .. "/run.json"), command.read(run .. "/log.txt")
  local result = command.swale(self.dir, { "resume", run }, { REFUSE = "1" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "Read-only file system")
  lu.assert_str_contains(result.err, "Nothing was changed")
  lu.assert_not_str_contains(result.err, "ended before")
  lu.assert_equals(command.read(run .. "/run.json"), before)
  lu.assert_equals(command.read(run .. "/log.txt"), log)
  lu.assert_equals(self:resume().code, 0)
end

--- Writes a checkpoint again with other metadata.
local function rewrite(path, change)
  local tensors, metadata = core.safetensors_read(path)
  change(metadata)
  command.remove(path) -- it may be one of two names
  assert(core.safetensors_write(path, tensors, metadata))
end

function TestResume:test_damaged_checkpoints()
  local run = self:run(nil, { "epochs=2" })
  local last = { run .. "/checkpoints/step-00000075.safetensors",
    run .. "/checkpoints/fit-0001.safetensors" }
  mark_killed(run)
  for _, path in ipairs(last) do
    rewrite(path, function(metadata)
      metadata.run = metadata.run:gsub('"step":%d+', '"step":"x"')
    end)
  end
  local result = self:resume()
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_str_contains(result.err, "75.safetensors: what it says of its run is damaged")
  lu.assert_str_contains(result.err, "from step 38 of fit 1")
  for words, text in pairs { ["a part has no name"] = "[1]", ["parts are missing"] = "[]",
    ["is there twice"] = '[["loop","",1],["loop","step",1]]' } do
    mark_killed(run)
    for _, path in ipairs(last) do
      rewrite(path, function(metadata) metadata.state = text end)
    end
    result = self:resume()
    lu.assert_equals(result.code, 1)
    lu.assert_str_contains(result.err, words)
    lu.assert_str_contains(result.err, "Nothing was changed")
  end
end

--- Scripts and data are named from the folder where the run began.
function TestResume:test_from_another_folder()
  local run = self:run(nil, { "epochs=1" })
  mark_killed(run)
  local log = command.read(run .. "/log.txt")
  assert(folders.make_folder(self.dir .. "/elsewhere"))
  local result = command.swale(self.dir .. "/elsewhere", { "resume", run })
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_equals(command.read(run .. "/log.txt"), log)
end

--- A kill while a done run is made longer loses neither what it was nor what it becomes.
function TestResume:test_killed_as_it_goes_on()
  command.write(self.dir .. "/own.lua", resumes.HEAD .. [[
return sw.experiment { name = "own", params = { epochs = 1 }, run = function(run, p)
  local data = sw.data.load "digits"
  local trainer = sw.Trainer { model = sw.nn.Linear(data.features, data.classes), data = data,
    lr = 0.05 }
  trainer:fit { epochs = p.epochs, run = run }
  run:print("ends %.17g", trainer:evaluate("last").loss)
end }]])
  lu.assert_equals(command.swale(self.dir, { "run", "own.lua" }).code, 0)
  local run, done = command.only_run(self.dir), self.dir .. "/done"
  local function copy(from, to)
    command.remove(to)
    command.shell(self.dir, ("cp -a %s %s"):format(from, to), {})
  end
  copy(run, done)
  lu.assert_equals(self:resume("epochs=2").code, 0)
  local log = command.read(run .. "/log.txt")
  for at = 1, 7 do
    copy(done, run)
    local result = resumes.killed(self.dir, { "resume", run, "epochs=2" }, { calls = at })
    lu.assert_equals(result.signal, 9, result.err)
    local status = runs.read_info(run).status
    lu.assert_true(status == "killed" or command.read(run .. "/log.txt"):find "ends" ~= nil)
    result = self:resume "epochs=2"
    lu.assert_equals(result.code, 0, result.err)
    lu.assert_equals(command.read(run .. "/log.txt"), log)
  end
end
