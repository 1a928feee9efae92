--- swale fork and swale measure: what is done with the checkpoints of a run.
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local resumes = require "resumes"
local runs = require "swale.run"

require "swale" -- methods of tensors

local BODY = [[
    local trainer = sw.Trainer { data = data, lr = p.lr, batch_size = 32,
      model = sw.nn.Sequential { sw.nn.Linear(data.features, os.getenv "WIDTH" and 9 or 8),
        sw.nn.ReLU(), sw.nn.Linear(os.getenv "WIDTH" and 9 or 8, data.classes) },
      optimizer = os.getenv "ADAM" and sw.optim.Adam {} or sw.optim.SGD { momentum = 0.9 },
      measure = { drift = sw.measurement { every = 1, function(m)
        return m.weights:distance(m.start)
      end } } }
    trainer:fit { epochs = 1, run = run }
    run:print("first %d", math.random(1000))
    trainer:fit { epochs = p.epochs, run = run }
    run:summary { loss = trainer:evaluate("last").loss, random = math.random(1000) }]]

--- A folder with a run of two fits, made once for each class: 38 steps, then up to step 113.
local function with_a_run()
  local class = {}
  function class:setUp()
    self.dir = command.folder()
    command.write_script(self.dir .. "/small.lua", BODY)
    local result = command.swale(self.dir, { "run", "small.lua" })
    lu.assert_equals(result.code, 0, result.err)
    self.run = command.only_run(self.dir)
  end
  function class:tearDown() command.remove(self.dir) end
  function class:swale(...) return command.swale(self.dir, { ... }) end
  --- The run that is not self.run.
  function class:other()
    for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
      local dir = self.dir .. "/runs/" .. name
      if dir ~= self.run and name ~= "index.sqlite" then return dir end
    end
  end
  return class
end

local function weights(dir, name)
  local tensors = core.safetensors_read(("%s/checkpoints/%s.safetensors"):format(dir, name))
  return tensors.weights
end

local function last_lines(dir, from)
  local list = {}
  for _, record in ipairs(runs.read_metrics(dir)) do
    record.seconds = nil
    if record.step and record.step > from and record.kind ~= "measurement" then
      list[#list + 1] = core.json_encode(record)
    end
  end
  return list
end

TestForkRuns = with_a_run()

--- Without other settings it makes the updates that the run made.
function TestForkRuns:test_the_same_settings_give_the_same_bits()
  local result = self:swale("fork", self.run, "--at", "75")
  lu.assert_equals(result.code, 0, result.err)
  local fork = self:other()
  lu.assert_equals(weights(fork, "step-00000113"):distance(weights(self.run, "step-00000113")), 0)
  lu.assert_equals(last_lines(fork, 75), last_lines(self.run, 75))
  local info, parent = runs.read_info(fork), runs.read_info(self.run)
  lu.assert_equals(info.summary, parent.summary)
  lu.assert_equals(info.parent, { run = parent.id, step = 75, fit = 2 })
  lu.assert_nil(info.key)
  lu.assert_str_contains(command.read(fork .. "/log.txt"), "first ")
end

function TestForkRuns:test_other_settings_and_other_seeds()
  for _, words in ipairs { { "lr=0.01" }, { "--seed", "5" }, { "epochs=3" } } do
    local result = self:swale("fork", self.run, "--at", "75", table.unpack(words))
    lu.assert_equals(result.code, 0, result.err)
    local fork = self:other()
    local first = runs.read_metrics(fork)[1]
    lu.assert_true(first.step > 75)
    local steps = words[1] == "epochs=3" and 150 or 113
    lu.assert_equals(runs.read_info(fork).last_step, steps)
    local same = weights(fork, "step-00000113"):distance(weights(self.run, "step-00000113")) == 0
    lu.assert_equals(same, words[1] == "epochs=3")
    command.remove(fork)
  end
end

--- The last checkpoint of a run that is done is the end of its last fit.
function TestForkRuns:test_a_fork_that_does_not_train_says_so()
  local words = "fit 2 ended at step 113, so the fork does not train in it"
  lu.assert_str_contains(self:swale("fork", self.run, "lr=0.01").err, words)
  lu.assert_not_str_contains(self:swale("fork", self.run, "--at", "38").err, "does not train")
end

function TestForkRuns:test_the_best_weights()
  local result = self:swale("fork", self.run, "--at", "best", "epochs=4", "lr=0.01")
  lu.assert_equals(result.code, 0, result.err)
  local _, best = core.safetensors_read(self.run .. "/checkpoints/best.safetensors")
  lu.assert_equals(runs.read_info(self:other()).parent.step, math.tointeger(tonumber(best.step)))
end

function TestForkRuns:test_what_cannot_be_forked_leaves_nothing()
  for _, case in ipairs {
    { "75", "the checkpoint has 0.weight (8, 64)", "has 0.weight (9, 64)", env = { WIDTH = "1" } },
    { "75", "the optimizer was SGD and is Adam now", env = { ADAM = "1" } },
    { "7", "no checkpoint of step 7; there are 38, 75, 113" },
    { "113", "is behind the end of 1 epoch", "epochs=1" },
  } do
    local words = { "fork", self.run, "--at", case[1], case[3] and case[3]:match "^epochs.*" }
    local result = command.swale(self.dir, words, case.env)
    lu.assert_equals(result.code, 1, result.err)
    for i = 2, #case do
      if not case[i]:find "^epochs" then lu.assert_str_contains(result.err, case[i]) end
    end
    lu.assert_nil(self:other())
  end
end

--- One that was killed before it had the checkpoint that it starts from does not begin anew.
function TestForkRuns:test_a_fork_without_the_checkpoint_that_it_starts_from()
  lu.assert_equals(self:swale("fork", self.run, "--at", "75").code, 0)
  local fork = self:other()
  for _, name in ipairs(folders.entries(fork .. "/checkpoints")) do
    command.remove(fork .. "/checkpoints/" .. name)
  end
  local text = command.read(fork .. "/run.json"):gsub('"status": "done"', '"status": "running"')
  command.write(fork .. "/run.json", text)
  local result = self:swale("resume", fork)
  lu.assert_equals(result.code, 1, result.err)
  lu.assert_str_contains(result.err, "the checkpoint that the fork starts from is missing")
  lu.assert_true(folders.size(fork .. "/metrics.jsonl") > 0)
end

--- A fork that is killed, too, has all it needs in its own directory.
function TestForkRuns:test_a_fork_is_resumed_without_its_parent()
  local words = { "fork", self.run, "--at", "75", "lr=0.01" }
  lu.assert_equals(command.swale(self.dir, words).code, 0)
  local whole = self.dir .. "/whole"
  assert(folders.rename(self:other(), whole))
  lu.assert_equals(command.swale(self.dir, words).code, 0)
  local fork = self:other()
  command.remove(self.run)
  for _, left in ipairs { "step-00000113", "all" } do
    for _, name in ipairs(folders.entries(fork .. "/checkpoints")) do
      local own = name:find "^step" or name == "fit-0002.safetensors"
      if own and (left == "all" or name:find "113" or name:find "fit") then
        command.remove(fork .. "/checkpoints/" .. name)
      end
    end
    local text = command.read(fork .. "/run.json"):gsub('"status": "done"', '"status": "running"')
    command.write(fork .. "/run.json", text)
    local result = self:swale("resume", fork)
    lu.assert_equals(result.code, 0, result.err)
    resumes.compare(whole, fork)
  end
end

TestMeasureRuns = with_a_run()

function TestMeasureRuns:test_all_kept_checkpoints()
  local before = command.read(self.run .. "/metrics.jsonl")
  local result = self:swale("measure", self.run, "weight_norm", "drift",
    "hessian_trace=probes:8,sample:100", "--plot")
  lu.assert_equals(result.code, 0, result.err)
  lu.assert_equals(command.read(self.run .. "/metrics.jsonl"), before)
  lu.assert_str_contains(result.out, "step  epoch  measured")
  local found = {}
  for line in io.lines(self.run .. "/measured.jsonl") do
    local record = core.json_decode(line)
    lu.assert_equals(record.format, 1)
    if record.name ~= "hessian_trace" then
      found[record.name .. record.step] = record[record.name]
    else
      lu.assert_equals(record.options, { probes = 8, sample = 100 })
    end
  end
  for _, step in ipairs { 38, 75, 113 } do
    local name = step == 38 and "fit-0001" or ("step-%08d"):format(step)
    lu.assert_almost_equals(found["weight_norm" .. step], weights(self.run, name):norm(), 1e-6)
  end
  for _, record in ipairs(runs.read_metrics(self.run)) do -- what the training itself measured
    local again = record.name == "drift" and found["drift" .. record.step]
    if again then lu.assert_equals(again, record.drift) end
  end
  lu.assert_true(folders.exists(self.run .. "/plots/measured.svg"))
end

function TestMeasureRuns:test_refusals()
  for words, text in pairs {
    nose = "there is no measurement", noise_scale = "noise_at_weights",
    ["sharpness=epsilom:1"] = 'did you mean "epsilon"?',
    ["sharpness=1"] = "options of sharpness are",
  } do
    local result = self:swale("measure", self.run, words)
    lu.assert_not_equals(result.code, 0)
    lu.assert_str_contains(result.err, text)
  end
  local result = self:swale("measure", self.run, "weight_norm", "--at", "5")
  lu.assert_str_contains(result.err, "no checkpoint 5; there are 38, 75, 113")
  result = command.swale(self.dir, { "measure", self.run, "weight_norm" }, { WIDTH = "1" })
  lu.assert_str_contains(result.err, "weights, the model of the script has")
end
