--- The runner that trains: makes steps up to the next mark, then what is due there, until the end.
local core = require "swale.core"
local evaluator = require "swale.trainer.evaluator"
local events = require "swale.trainer.events"
local faults = require "swale.trainer.faults"
local hooks = require "swale.trainer.hooks"
local hyper = require "swale.trainer.hyper"
local journals = require "swale.trainer.journal"
local loops = require "swale.trainer.loops"
local marks = require "swale.trainer.marks"
local scan = require "swale.trainer.scan"
local vitals = require "swale.trainer.vitals"

local M = {}

local WATCHED = 50 -- steps between two measurements of update ratios, at most

---@param engine swale.Engine
---@return swale.Loop|swale.CustomLoop
function M.new_loop(engine) return loops.new(engine) end

---@param o table
---@return swale.Evaluator
function M.new_evaluator(o) return evaluator.new(o) end

---Called with each new engine.
function M.begin() end

---@class swale.Fit        what events and faults of one fit need
---@field state swale.State
---@field loop swale.Loop|swale.CustomLoop
---@field evaluator swale.Evaluator
---@field measurements swale.Measurements
---@field clock swale.Clock
---@field journal swale.Journal
---@field hooks table<string, function[]>
---@field trainer swale.Trainer
---@field record swale.Duration     between lines of the record
---@field goal swale.Goal
---@field target swale.Mark         the end
---@field segments swale.Segment[]  of the weights
---@field train swale.Split
---@field of_run swale.FitOfRun|nil   of the run that is written
---@field look fun(line: table)     adds vitals to the line of an epoch

--- Adds the vitals of the network to a line; compiles their programs at the first call.
local function look_of(self)
  return function(line)
    self.vitals = self.vitals or vitals.new(self.evaluator, self.seed)
    self.vitals:look(line, self.loop, self.graph.segments, self.kept_ratios)
  end
end

local function fit_of(self, goal)
  local fit = { state = self.state, loop = self.loop, evaluator = self.evaluator,
    measurements = self.measurements, clock = self.clock, journal = self.journal,
    hooks = self.hooks, trainer = self.trainer, record = self.record, goal = goal,
    segments = self.graph.segments, train = self.data.train, look = look_of(self),
    reached = marks.is_reached(goal, self.state) }
  fit.target = marks.once(goal.scale, goal.at, function() fit.reached = true end)
  return fit
end

local function note_batch(self, fit, batch)
  local from = self.last_batch
  self.last_batch = batch
  if from then events.batch_changed(fit, from) end
end

-- ------------------------------------------------------------------ steps

--- Makes many steps at once, up to one of the two positions.
local function stride(self, fit, next_step, next_examples)
  local s = self.state
  local steps = math.min(next_step - s.step, self.measurements.most_steps)
  local why, message, code = self.loop:advance(steps, next_examples, s)
  if not why then faults.stopped(fit, why, message, code) end
  self.measurements:read(self.loop, s)
  if s.batch_size ~= self.last_batch then note_batch(self, fit, s.batch_size) end
end

--- Raises for what a stepper returned in place of a step: a rule and its value, or message and
--- code.
local function stumble(self, fit, rules, what, detail)
  if math.type(what) then hyper.refuse(rules[what], detail, self.state) end
  self.loop:state(self.state)
  faults.stopped(fit, nil, what, detail)
end

--- Reads what the stepper does not return.
local function read_rest(self, s)
  self.loop:state(s)
  self.measurements:read(self.loop, s)
end

--- Asks until_ whether the fit ends, and stops it.
local function ends(self, s)
  local why = self.until_(s)
  if why then self:stop(hooks.reason(self.until_, why)) end
  return self.stopped
end

--- Makes single steps, up to one of the two positions, or until a rule is replaced or the fit is
--- stopped. This loop is the cost of rules and hooks in Lua: it reads only what may have changed.
local function walk(self, fit, next_step, next_examples)
  local jumps, until_ = self.measurements:follows "lr" and self.measurements, self.until_
  local s, on_step, trainer, rules = self.state, self.hooks.step, self.trainer, self.rules
  local step, ask, mem = hyper.stepper(self.loop, rules), hyper.asker(rules)
  repeat
    local news, n, examples, epoch, loss, norm, lr, batch = step(ask(s, mem))
    if news == nil then stumble(self, fit, rules, n, examples) end
    s.step, s.examples, s.epoch, s.loss = n, examples, epoch, loss
    s.grad_norm, s.lr, s.batch_size = norm, lr, batch
    if news then read_rest(self, s) end
    if batch ~= self.last_batch then note_batch(self, fit, batch) end
    if jumps and jumps:jumped(lr) then events.changed(fit, "lr") end
    for i = 1, #on_step do
      local value = on_step[i](s, trainer)
      if value ~= nil then hooks.refuse(on_step[i], value) end
    end
  until n >= next_step or examples >= next_examples or self.stopped
    or until_ and ends(self, s) or self.rules ~= rules or news and core.interrupted()
end

--- What is due at a mark. until_ is asked after the events, so that it sees what was measured
--- there. An interrupt ends it at once.
local function happen(self, fit, list, deferred)
  core.defer_interrupt(deferred)
  local at_mark = marks.fire(list, self.state)
  if at_mark and self.until_ and not (fit.reached or self.stopped) then ends(self, self.state) end
  core.defer_interrupt(true)
end

--- Notes where events happened last.
local function note_fired(self, at) self.fired.step, self.fired.examples = at.step, at.examples end

--- Makes steps up to the next mark. An interrupt that comes meanwhile is raised between two.
local function go(self, fit, list)
  local how = self.stepwise and walk or stride
  self.clock:time(how, self, fit, marks.nearest(list, "step"), marks.nearest(list, "examples"))
  if not core.interrupted() then return end
  fit.journal.between = true
  error(core.INTERRUPTED, 0)
end

--- Makes steps until the target fires or the fit is stopped. Where a checkpoint was restored that
--- an interrupt wrote at a mark, what is due there comes first.
local function drive(self, fit, list)
  local deferred, journal, s = core.defer_interrupt(true), fit.journal, self.state
  local _ <close> = setmetatable({}, { __close = function() core.defer_interrupt(deferred) end })
  self.driving = true
  local due = self.fired.step ~= s.step
  while due or not fit.reached and not self.stopped do
    if not due then go(self, fit, list) end
    due = false
    happen(self, fit, list, deferred)
    note_fired(self, s)
    if not (fit.reached or self.stopped) and journal:is_due() then journal:checkpoint_between() end
  end
  self.driving = false
end

-- ------------------------------------------------------------------ a fit

--- Goes to where the fit was when a checkpoint of it was written. Returns whether it was over.
local function go_to(self, fit, run, restored)
  run.fits:restore(self, fit, restored)
  self.goal = fit.goal
  fit.reached = marks.is_reached(fit.goal, self.state)
  run.fits:arrive(restored)
  note_fired(self, restored.fired)
  self:pace()
  return restored.over
end

--- What begins a fit, unless it goes on from a checkpoint.
local function begin(self, fit)
  note_fired(self, fit.state)
  if fit.state.step == 0 then events.changed(fit, "start") end
end

local function finish(self, fit)
  faults.check(fit)
  fit.journal:step(fit.state, fit.loop)
  if self.stopped then fit.journal:event("stop", fit.state, { reason = self.stopped }) end
  events.changed(fit, "end")
  fit.journal:cost(fit.loop)
  fit.journal:conclude()
  hooks.call(self.hooks["end"], fit.state, self.trainer)
  fit.journal:diagnose()
  fit.journal:finish(fit.of_run)
end

local function run_to(self, fit, run, restored)
  scan.fit(self, fit.state, fit.goal)
  self.goal = fit.goal
  self:pace()
  if restored and go_to(self, fit, run, restored) then return end
  fit.journal:aim(fit.goal, fit.state)
  self.measurements:begin_fit(fit.loop)
  if not restored then begin(self, fit) end
  drive(self, fit, events.plan(fit, self.fired))
  finish(self, fit)
end

--- Starts the record of a run. Means start at 0, unless a snapshot was restored. Update ratios are
--- measured at least once an epoch.
local function begin_record(self, run)
  self.journal = journals.new(self, run)
  local journal, loop = self.journal, self:ready()
  self.measurements:begin_record()
  if run then self.clock:compare(self) end
  journal.along, journal.measured = self.clock:along(loop), loop:state({}).measurements
  local batch = math.max(1, self.state.batch_size)
  journal.watch = math.max(1, math.min(WATCHED, self.state.epoch_examples // batch))
  loop:watch_updates(run and journal.watch or 0)
  if self.journal_state then
    journal:restore(self.journal_state)
    self.journal_state = nil
  else
    loop:take_mean()
    journal.taken = self.state.examples
  end
end

---@param self swale.Engine
---@param length swale.Duration
---@param run table|nil
function M.fit(self, length, run)
  if not self.journal or self.journal.run ~= run then begin_record(self, run) end
  self:ready()
  self.journal:begin_fit()
  local fit, restored = fit_of(self, marks.goal(self.state, self.goal, length)), nil
  if run then fit.of_run, restored = run.fits:begin(self, length) end
  local _ <close> = setmetatable({}, { __close = function()
    if run then run.fits:leave(fit.of_run) end
  end })
  local ok, fault = pcall(run_to, self, fit, run, restored)
  if not ok then faults.conclude(fit, fault) end
end

return M
