--- Experiments: a name, declared parameters, a function. Each execution makes a run, whose record
--- is kept however it ends.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local globals = require "swale.experiment.globals"
local objectives = require "swale.run.objective"
local options = require "swale.options"
local parameters = require "swale.experiment.parameters"
local process = require "swale.process"

local function runs() return require "swale.run" end

local M = {}

---@class swale.Experiment
---@field name string
---@field params table<string, string|number|boolean|swale.Choice>   defaults; their types bind
---@field run fun(run: swale.Run, p: table<string, any>)
---@field objective? swale.Objective   what its runs are judged by
local Experiment = class.new("experiment", { fields = { "objective" } })

local SPEC = { name = "string", params = "table?", run = "function",
  objective = "table?" }

---@class swale.ExperimentOptions
---@field name string
---@field params? table<string, any>           defaults, by name
---@field run fun(run: swale.Run, p: table)
---@field objective? { [1]: string, [2]: "min"|"max" }   what its runs are judged by: a value of
---run:summary or, without one, the last of the epochs' records: { "valid_loss", "min" }

---Declares an experiment; a script returns it.
---@param o swale.ExperimentOptions
---@return swale.Experiment
function M.experiment(o)
  o = options.check("experiment", o, SPEC)
  if o.name == "" then errors.misuse("experiment: the name is empty") end
  o.params = o.params or {}
  parameters.check(o.params)
  o.objective = objectives.declare(o.objective)
  return setmetatable(o, Experiment)
end

---@param value any
---@return boolean
function M.is_experiment(value) return getmetatable(value) == Experiment end

---Returns the parameters: the defaults, replaced by overrides, which are texts of the command line
---or values.
---@param overrides? table<string, any>
---@param called? string   the name of the experiment in messages: its script
---@return table<string, any>|nil params, string? message
function Experiment:resolve(overrides, called)
  options.value("experiment:resolve", "overrides", overrides, "table?")
  return parameters.resolve(self.params, overrides, called or self.name)
end

-- ------------------------------------------------------------------ executing

---@class swale.Outcome
---@field status string
---@field code integer       exit status: 0 done, 1 failed, 3 diverged; interrupted: 130, 143, 129
---@field message string?
---@field traceback string?

local function has_kind(value, kind)
  return type(value) == "table" and value ~= core.INTERRUPTED and rawget(value, "kind") == kind
end

local SIGNALS = { [129] = " by SIGHUP", [143] = " by SIGTERM" }

local function classify(run, failure)
  local value = failure.value
  if value == core.INTERRUPTED then
    local at = run.last_step and " at step " .. run.last_step or ""
    local code = core.interrupt_status()
    return { status = "interrupted", code = code,
      message = ("swale: interrupted%s%s"):format(SIGNALS[code] or "", at) }
  elseif has_kind(value, "diverged") then
    return { status = "diverged", code = 3, message = tostring(value.message) }
  end
  local status = run.disk_full and "failed: disk full" or "failed"
  return { status = status, code = 1, message = "swale: " .. errors.failure(value),
    traceback = failure.traceback }
end

local function kept(run)
  local what = {}
  if run.last_step then what[1] = "metrics up to step " .. run.last_step end
  if run.saved_step then what[#what + 1] = ("weights of step %d"):format(run.saved_step) end
  local detail = #what > 0 and " (" .. table.concat(what, ", ") .. ")" or ""
  return ('The run is kept as "%s": %s%s.'):format(run.status, run.dir, detail)
end

local function say(o, ...)
  if not o.quiet then io.stderr:write(...) end
end

local function log(run, text)
  pcall(function() run.log:write(text, "\n") end)
end

local function without_name(message) return (message:gsub("^swale: ", "")) end

--- A run whose records were deleted has failed, whatever its end was.
local function with_losses(run, outcome)
  local lost = runs().lost(run)
  if not lost then return outcome end
  local text = "swale: " .. lost
  if outcome.code == 0 then return { status = "failed", code = 1, message = text } end
  if outcome.message ~= text then outcome.message = outcome.message .. "\n" .. text end
  return outcome
end

--- A run that did not reach the point from which it goes on has failed, whatever its end was.
local function with_missed(run, outcome)
  if not run.replay or outcome.code ~= 0 then return outcome end
  return { status = "failed", code = 1, message = "swale: " .. run.replay:missed() }
end

--- A run that did not reach the point from which it was to go on: the record of one that was to be
--- resumed stays as it is, that of a fork, which has trained nothing, is removed.
local function abandon(run, outcome, o)
  local fork = run.replay.fork
  say(o, outcome.message, "\n")
  if outcome.traceback and o.traceback then say(o, outcome.traceback, "\n") end
  say(o, (fork and "Nothing was trained: %s is removed\n" or "Nothing was changed: %s\n"):format(
    run.dir))
  if fork and not run.info.resumed then runs().remove(run) end
  return outcome.code
end

--- Ends the record of the run, prints the outcome and returns the exit status.
local function conclude(run, outcome, o)
  runs().come_home(run)
  outcome = with_losses(run, with_missed(run, outcome))
  if run.replay and outcome.code ~= 0 then return abandon(run, outcome, o) end
  if outcome.message then
    run.progress_bar:clear()
    say(o, outcome.message, "\n")
    if outcome.traceback and o.traceback then say(o, outcome.traceback, "\n") end
    log(run, outcome.message .. "\n" .. (outcome.traceback or ""))
  end
  local message = outcome.message and without_name(outcome.message)
  local ok, why = runs().finish(run, outcome.status, message)
  if outcome.message then say(o, kept(run), "\n") end
  if not ok then
    say(o, "swale: the outcome of the run could not be written: ", why, "\n")
    return outcome.code == 0 and 1 or outcome.code
  end
  return outcome.code
end

local function catch(value)
  core.defer_interrupt(true)
  return { value = value, traceback = debug.traceback(nil, 2) }
end

--- os.exit of the script: ends the record before the process. Returns the exit status.
local function finish_before_exit(run, code)
  core.defer_interrupt(true)
  runs().come_home(run)
  local good, lost = code == nil or code == true or code == 0, runs().lost(run)
  local why = lost or not good and ("os.exit(%s)"):format(code) or nil
  local written, problem = runs().finish(run, why and "failed" or "done", why)
  if lost then io.stderr:write("swale: ", lost, "\n") end
  if not written then
    io.stderr:write("swale: the outcome of the run could not be written: ", problem, "\n")
  end
  return good and (lost or not written) and 1 or code
end

local function tabbed(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  return table.concat(texts, "\t")
end

local function borrow_globals(run)
  return globals.borrow(run.seed, {
    print = function(...) run:print("%s", tabbed(...)) end,
    before_exit = function(code) return finish_before_exit(run, code) end,
  })
end

--- Calls the experiment's function. Signals raise only inside it, so that one that arrives before
--- or after it does not prevent the outcome from being recorded.
local function call(self, run, params)
  local given = errors.strict(params, "the experiment declares")
  return xpcall(function()
    core.defer_interrupt(false)
    self.run(run, given)
    core.defer_interrupt(true)
  end, catch)
end

local function perform(self, run, params)
  local create = require "swale.create"
  local give_back, seed_before = borrow_globals(run), create.default_seed()
  create.set_default_seed(run.seed)
  local ok, failure = call(self, run, params)
  create.set_default_seed(seed_before)
  give_back()
  if core.interrupted() or run.interrupted then
    core.clear_interrupt()
    if ok or not has_kind(failure.value, "diverged") then failure = { value = core.INTERRUPTED } end
    ok = false
  end
  if ok then return { status = "done", code = 0 } end
  if type(failure) ~= "table" then failure = { value = failure } end -- an error in catch itself
  return classify(run, failure)
end

--- Opens the record of a run and executes the experiment in it.
local function execute(self, params, open, o)
  core.catch_signals()
  local _ <close> = process.deferred_interrupt()
  local ok, run = pcall(open)
  if not ok then
    say(o, "swale: ", tostring(run), "\n")
    return 1
  end
  run.checkpoint_seconds = o.checkpoint
  if not run.info.resumed then say(o, "run: ", run.dir, "\n") end
  return conclude(run, perform(self, run, params), o), run
end

---@class swale.ExecuteOptions
---@field seed? integer        1
---@field script? string       the file that returned the experiment
---@field argv? string[]       recorded
---@field traceback? boolean   show where errors come from
---@field quiet? boolean       say nothing on stderr
---@field repeats? swale.Repeated the run that this one repeats
---@field checkpoint? number   at most so many seconds between two checkpoints
---@field tensorboard? boolean  write an event file of TensorBoard

local EXECUTE = { seed = { "integer", 1 }, script = "string?", argv = "table?",
  traceback = { "boolean", false }, quiet = { "boolean", false }, repeats = "table?",
  checkpoint = "nonnegative?", tensorboard = { "boolean", false } }

---Executes the experiment as a run. Raises nothing; faults are printed to stderr.
---@param overrides? table<string, any>
---@param o? swale.ExecuteOptions
---@return integer code        0 done, 1 failed, 2 a wrong parameter, 3 diverged; interrupted: 130
---by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP
---@return swale.Run? run
function Experiment:execute(overrides, o)
  o = options.check("execute", o, EXECUTE)
  local params, message = self:resolve(overrides, o.script)
  if not params then
    say(o, "swale: ", message, "\n")
    return 2
  end
  return execute(self, params, function()
    local given = {}
    for name in pairs(overrides or {}) do given[name] = params[name] end
    return runs().create { experiment = self.name, params = params, given = given,
      seed = o.seed, script = o.script, argv = o.argv, objective = self.objective,
      repeats = o.repeats, tensorboard = o.tensorboard }
  end, o)
end

local CONTINUE = { open = "function", traceback = { "boolean", false },
  quiet = { "boolean", false }, checkpoint = "nonnegative?" }

---Executes the experiment in a run that `open` gives: one that goes on, or a fork.
---@param params table<string, any>    all of them
---@param o { open: (fun(): swale.Run), traceback?: boolean, quiet?: boolean,
---checkpoint?: number }
---@return integer code                as execute
---@return swale.Run? run
function Experiment:continue(params, o)
  o = options.check("continue", o, CONTINUE)
  return execute(self, params, o.open, o)
end

return M
