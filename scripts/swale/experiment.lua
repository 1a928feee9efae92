--- Experiments: a name, declared parameters, a function. Executed, one becomes a run, whose record
--- is kept however it ends.
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

local M = {}

---@class swale.Choice
---@field [integer] string|number|boolean
local Choice = { __name = "swale.Choice" }

---@class swale.Experiment
---@field name string
---@field params table<string, string|number|boolean|swale.Choice>   defaults; their types bind
---@field run fun(run: swale.Run, p: table<string, any>)
local Experiment = { __name = "swale.Experiment" }
Experiment.__index = Experiment

---A parameter that takes one of some values, the first unless told otherwise.
---@param values (string|number|boolean)[]
---@return swale.Choice
function M.choice(values)
  if type(values) ~= "table" or #values == 0 then
    errors.misuse('choice: needs a list of values, such as choice { "lr", "batch" }')
  end
  return setmetatable(table.move(values, 1, #values, 1, {}), Choice)
end

local function is_choice(value) return getmetatable(value) == Choice end

local PARAMETER_TYPES = { number = true, string = true, boolean = true }

local function check_params(params)
  for name, default in pairs(params) do
    if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
      errors.misuse("experiment: a parameter's name is a word, not %s", tostring(name))
    elseif not is_choice(default) and not PARAMETER_TYPES[type(default)] then
      errors.misuse("experiment: parameter %s is a %s; it must be a number, a string, a boolean or"
        .. " a choice { … }", name, type(default))
    end
  end
end

local SPEC = { name = "string", params = "table?", run = "function" }

---Declares an experiment; a script returns it.
---@param o { name: string, params?: table<string, any>, run: fun(run: swale.Run, p: table) }
---@return swale.Experiment
function M.experiment(o)
  o = options.check("experiment", o, SPEC)
  if o.name == "" then errors.misuse("experiment: the name is empty") end
  o.params = o.params or {}
  check_params(o.params)
  return setmetatable(o, Experiment)
end

---@param value any
---@return boolean
function M.is_experiment(value) return getmetatable(value) == Experiment end

-- ------------------------------------------------------------------ parameters

local function words_of(choice)
  local words = {}
  for i, value in ipairs(choice) do words[i] = tostring(value) end
  return table.concat(words, ", ")
end

local function from_choice(choice, given)
  for _, value in ipairs(choice) do
    if value == given or tostring(value) == given then return value end
  end
  local near = type(given) == "string" and errors.nearest(given, choice)
  return nil, "one of " .. words_of(choice), near and ('; did you mean "%s"?'):format(near)
end

local function from_number(default, given)
  local number = tonumber(given)
  if math.type(default) == "float" then
    if number and number - number == 0 then return number + 0.0 end
    return nil, "a number"
  end
  local whole = number and math.tointeger(number)
  if whole then return whole end
  return nil, "a whole number", number and
    (", as its default is (%d; %d.0 would make it any number)"):format(default, default)
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

--- The value that `given`, a text or a value, stands for; nil, what is wanted, a hint.
local function typed(default, given)
  if is_choice(default) then return from_choice(default, given) end
  if type(default) == "number" then return from_number(default, given) end
  if type(default) == "string" then return tostring(given) end
  local value = given
  if type(given) == "string" then value = BOOLEANS[given] end
  if type(value) == "boolean" then return value end
  return nil, "true or false"
end

local function declared(self)
  local names = errors.sorted(self.params)
  return #names == 0 and "It declares none." or "It declares: " .. table.concat(names, ", ") .. "."
end

---The defaults, with overrides in: texts, as from the command line, or values.
---@param overrides? table<string, any>
---@param called? string   what the experiment is called in messages: the script
---@return table<string, any>|nil params, string? message
function Experiment:resolve(overrides, called)
  called = called or self.name
  local params = {}
  for name, default in pairs(self.params) do
    if is_choice(default) then params[name] = default[1] else params[name] = default end
  end
  for _, name in ipairs(errors.sorted(overrides or {})) do
    if self.params[name] == nil then
      return nil, ('%s has no parameter "%s"%s %s'):format(called, name,
        errors.suggestion(name, self.params), declared(self))
    end
    local value, wanted, hint = typed(self.params[name], overrides[name])
    if value == nil then
      return nil, ("%s: parameter %s takes %s, not %s%s"):format(called, name, wanted,
        tostring(overrides[name]), hint or "")
    end
    params[name] = value
  end
  return params
end

-- ------------------------------------------------------------------ executing

--- math.random and math.randomseed on a stream of ours, with Lua's meaning of the arguments.
local function randoms(seed)
  local stream = core.random(seed, "script", 1) -- 0 is sw.rand's
  local function whole(low, high)
    if low > high then error("bad argument to 'random' (interval is empty)", 3) end
    local span = high - low + 1
    if span > 0 and span < 2 ^ 31 then return low + stream:integer(span) - 1 end
    return low + math.floor(stream:uniform() * ((high - low) + 1.0))
  end
  local function random(low, high)
    if not low then return stream:uniform() end
    if low == 0 and not high then return stream:integer(1 << 30) << 34 ~ stream:integer(1 << 30) end
    if not high then low, high = 1, low end
    return whole(math.tointeger(low) or math.floor(low), math.tointeger(high) or math.floor(high))
  end
  local function randomseed(n) stream = core.random(seed, "script", math.tointeger(n) or 1) end
  return random, randomseed
end

--- While an experiment runs, math.random draws from the stream "script" of its seed, and what is
--- printed is logged. Gives the function that ends this.
local function borrow_globals(run)
  local random, randomseed, print_before = math.random, math.randomseed, print
  local function set(r, rs, p)
    rawset(math, "random", r)
    rawset(math, "randomseed", rs)
    rawset(_G, "print", p)
  end
  local new_random, new_randomseed = randoms(run.seed)
  set(new_random, new_randomseed, function(...) run:print_all(...) end)
  return function() set(random, randomseed, print_before) end
end

---@class swale.Outcome
---@field status string
---@field code integer       exit status: 0 done, 1 failed, 3 diverged, 130 interrupted
---@field message string?
---@field traceback string?

local function has_kind(value, kind)
  return type(value) == "table" and value ~= core.INTERRUPTED and value.kind == kind
end

local function classify(run, failure)
  local value = failure.value
  if value == core.INTERRUPTED then
    local at = run.last_step and " at step " .. run.last_step or ""
    return { status = "interrupted", code = 130, message = "swale: interrupted" .. at }
  elseif has_kind(value, "diverged") then
    return { status = "diverged", code = 3, message = tostring(value.message) }
  end
  local status = run.disk_full and "failed: disk full" or "failed"
  local text = type(value) == "string" and value or value == nil and "error without a message"
    or tostring(value)
  return { status = status, code = 1, message = "swale: " .. text, traceback = failure.traceback }
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

--- Ends the run's record and says how it went. The exit status.
local function conclude(run, outcome, o)
  if outcome.message then
    run.progress_bar:clear()
    say(o, outcome.message, "\n")
    if outcome.traceback and o.traceback then say(o, outcome.traceback, "\n") end
    log(run, outcome.message .. "\n" .. (outcome.traceback or ""))
  end
  local ok, why = run:finish(outcome.status, outcome.message and without_name(outcome.message))
  if outcome.message then say(o, kept(run), "\n") end
  if not ok then
    say(o, "swale: how the run ended could not be written: ", why, "\n")
    return outcome.code == 0 and 1 or outcome.code
  end
  return outcome.code
end

local function catch(value)
  return { value = value, traceback = debug.traceback(nil, 2) }
end

local function perform(self, run, params)
  local create = require "swale.create"
  local give_back, seed_before = borrow_globals(run), create.default_seed()
  create.set_default_seed(run.seed)
  local ok, failure = xpcall(self.run, catch, run,
    errors.strict(params, "the experiment declares"))
  create.set_default_seed(seed_before)
  give_back()
  if core.interrupted() then
    core.clear_interrupt()
    if ok or not has_kind(failure.value, "diverged") then failure = { value = core.INTERRUPTED } end
    ok = false
  end
  if ok then return { status = "done", code = 0 } end
  if type(failure) ~= "table" then failure = { value = failure } end -- an error in catch itself
  return classify(run, failure)
end

---@class swale.ExecuteOptions
---@field seed? integer        1
---@field script? string       the file that returned the experiment
---@field argv? string[]       recorded
---@field traceback? boolean   show where errors come from
---@field quiet? boolean       say nothing on stderr

local EXECUTE = { seed = { "integer", 1 }, script = "string?", argv = "table?",
  traceback = { "boolean", false }, quiet = { "boolean", false } }

---Makes a run of the experiment. Nothing is raised: what goes wrong is said on stderr.
---@param overrides? table<string, any>
---@param o? swale.ExecuteOptions
---@return integer code        0 done, 1 failed, 2 a wrong parameter, 3 diverged, 130 interrupted
---@return swale.Run? run
function Experiment:execute(overrides, o)
  o = options.check("execute", o, EXECUTE)
  local params, message = self:resolve(overrides, o.script)
  if not params then
    say(o, "swale: ", message, "\n")
    return 2
  end
  core.catch_signals()
  local ok, run = pcall(require("swale.run").create, { experiment = self.name, params = params,
    seed = o.seed, script = o.script, argv = o.argv })
  if not ok then
    say(o, "swale: ", tostring(run), "\n")
    return 1
  end
  say(o, "run: ", run.dir, "\n")
  return conclude(run, perform(self, run, params), o), run
end

return M
