--- Constructors of optimizers. A Trainer runs them natively on the flat weights; each is a function
--- as well, for loops of your own: opt(w, g, state, { lr = 0.1 }). lbfgsb and newton minimise whole
--- functions, such as the loss of a small network on all its examples.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local options = require "swale.options"

---@class swale.optim
---@field lbfgsb fun(f: swale.Objective, x0: swale.Tensor, o?: swale.LbfgsbMinimiseOptions):
---swale.Minimum
---@field newton fun(f: swale.Objective, x0: swale.Tensor, o?: swale.NewtonOptions): swale.Minimum
local M = {}

---@class swale.ParameterGroup
---@field match string|fun(path: string): any   a Lua pattern found in the path, or a function of it
---@field lr? number                 factor of the rate; 1
---@field weight_decay? number       factor of the decay; 1
---@field frozen? boolean            not trained, and not in the gradient's norm; false

---@class swale.Optimizer
---@field kind string               its name in core.optimizers; "function" for one written in Lua
---@field row swale.OptimizerRow    of core.optimizers; "none" for one written in Lua
---@field title string
---@field momentum swale.Hyperparameter|nil
---@field momentum_name? string     its name in the optimizer's paper: beta1
---@field weight_decay swale.Hyperparameter|nil
---@field lr? swale.Hyperparameter
---@field clip_norm? number
---@field groups? swale.ParameterGroup[]
---@field defaults table             momentum and weight_decay where none is given
---@field step? function             of an optimizer written in Lua
---@field dampening? number          this and what follows: fields of its row
---@field nesterov? boolean
---@field beta2? number
---@field eps? number
local ROWS <const>, HYPERS <const> = core.optimizers(), core.hyperparameters()

local FIELDS = { "kind", "title", "row", "momentum", "momentum_name", "weight_decay", "lr",
  "clip_norm", "groups", "defaults", "step" }
for _, row in pairs(ROWS) do
  for _, field in ipairs(row.fields) do FIELDS[#FIELDS + 1] = field.name end
end
local Optimizer = class.new("optimizer", { fields = FIELDS })

function Optimizer:__tostring()
  local function shown(name)
    local x = self[name] or self.defaults[name]
    return type(x) == "number" and ("%g"):format(x) or "scheduled"
  end
  return ("%s { momentum = %s, weight_decay = %s%s }"):format(self.title, shown "momentum",
    shown "weight_decay", self.nesterov and ", nesterov = true" or "")
end

---The optimizer as core.loop and core.update take it, put into their options.
---@param o? table
---@return table o
function Optimizer:options(o)
  o = options.value("optimizer:options", "o", o, "table?") or {}
  o.optimizer = self.row.name
  for _, field in ipairs(self.row.fields) do o[field.name] = self[field.name] end
  return o
end

local function number(self, hyper, name)
  local value = hyper[name] or self[name] or self.defaults[name]
  if type(value) ~= "number" then
    errors.misuse("optim: %s must be a number in a loop of your own: opt(w, g, state, { %s = … })",
      name, name)
  end
  return value
end

local KEYS = { step = true } -- of hyper
for _, row in ipairs(HYPERS) do KEYS[row.name] = true end

--- Raises for what one update would ignore: options of a Trainer, unknown keys.
local function check_call(self, hyper)
  if self.clip_norm or self.groups then
    errors.misuse("optim: clip_norm and groups are for a Trainer; in a loop of your own, scale"
      .. " g before opt(w, g, state, hyper), and call it for the parts of w and g")
  end
  for key in pairs(hyper) do
    if not KEYS[key] then errors.no_name("optim: hyper has", key, KEYS) end
  end
end

---One update of w, in place, in a loop of your own; the same bits as in a Trainer.
---@param w swale.Tensor       contiguous; updated
---@param g swale.Tensor       like w; left as it is
---@param state table          its memory, empty at first: the vectors it keeps, by name, and step
---@param hyper table          lr; momentum, weight_decay and step, which have defaults
function Optimizer:__call(w, g, state, hyper)
  options.value("optimizer", "w", w, "tensor")
  options.value("optimizer", "g", g, "tensor")
  options.value("optimizer", "state", state, "table")
  options.value("optimizer", "hyper", hyper, "table")
  if self.step then return self.step(w, g, state, hyper) end
  check_call(self, hyper)
  local made = options.value("optimizer", "state.step", state.step, "integer?") or 0
  local numbers = { step = hyper.step or made + 1 }
  for _, row in ipairs(HYPERS) do
    if not row.whole then numbers[row.name] = number(self, hyper, row.name) end
  end
  errors.check(core.update(self:options(), w, g, state, numbers))
  state.step = numbers.step
end

local HYPER = "nonnegative|Schedule|Rule|function"

--- An optimizer of a row of the core's. decay: its weight decay where none is given.
local function new(title, kind, o, decay)
  o.kind, o.title, o.row = kind, title, ROWS[kind]
  o.defaults = { momentum = o.row.momentum.default, weight_decay = decay }
  return setmetatable(o, Optimizer)
end

--- A field that a row has: its default and range.
local function field(kind, name)
  for _, found in ipairs(ROWS[kind].fields) do
    if found.name == name then return found end
  end
  error(("optim: the row of %s has no field %s"):format(kind, name))
end

local function check_range(where, name, range, value)
  if value >= range.least and value <= range.most and not (range.open and value == range.most) then
    return
  end
  errors.misuse("%s: %s must be %g %s %g, not %g", where, name, range.least,
    range.open and "or more and below" or "to", range.most, value)
end

---@class swale.SGDOptions
---@field momentum? swale.Hyperparameter        0; at most 1
---@field dampening? number                     0; at most 1
---@field nesterov? boolean                     false; needs momentum and no dampening
---@field weight_decay? swale.Hyperparameter    0; added to the gradient, before momentum
---@field lr? swale.Hyperparameter              here or in the Trainer, not in both
---@field clip_norm? number                     likewise: the gradient is scaled down to this norm
---@field groups? swale.ParameterGroup[]        likewise; the first one that matches counts

local SGD = { momentum = { HYPER, 0 },
  dampening = { "nonnegative", field("sgd", "dampening").default }, nesterov = { "boolean", false },
  weight_decay = { HYPER, 0 }, lr = HYPER .. "?", clip_norm = "positive?", groups = "table?" }

---Stochastic gradient descent, in PyTorch's order:
---    g = gradient + weight_decay w
---    m = momentum m + (1 - dampening) g        (m = g at the first step)
---    w = w - lr (nesterov and g + momentum m or m)
---At a step where a schedule has momentum at 0 the update is w - lr g, and m stays what it was: the
---next step with momentum goes on from it. That is PyTorch's, too.
---@param o? swale.SGDOptions
---@return swale.Optimizer
function M.SGD(o)
  o = options.check("optim.SGD", o, SGD)
  check_range("optim.SGD", "dampening", field("sgd", "dampening"), o.dampening)
  if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
    errors.misuse("optim.SGD: nesterov needs a momentum above 0 and no dampening")
  end
  return new("SGD", "sgd", o, 0)
end

local ADAM = { betas = "table?", eps = { "positive", field("adam", "eps").default },
  weight_decay = HYPER .. "?", lr = HYPER .. "?", clip_norm = "positive?", groups = "table?" }

--- Options with betas: the first is the momentum, the second the field beta2.
local function with_betas(where, o, spec, kind)
  o = options.check(where, o, spec)
  local betas = o.betas or {}
  local ranges = { ROWS[kind].momentum, field(kind, "beta2") }
  for i = 1, 2 do
    local name = ("betas[%d]"):format(i)
    local beta = options.value(where, name, betas[i], "nonnegative?")
    if beta then check_range(where, name, ranges[i], beta) end
  end
  o.momentum_name = "beta1"
  o.momentum, o.beta2, o.betas = betas[1], betas[2] or field(kind, "beta2").default, nil
  return o
end

---@class swale.AdamOptions
---@field betas? number[]                       { 0.9, 0.999 }; a Trainer's momentum is the first
---@field eps? number                           1e-8, added outside the root
---@field weight_decay? swale.Hyperparameter    Adam: 0; AdamW: 0.01
---@field lr? swale.Hyperparameter              here or in the Trainer, not in both
---@field clip_norm? number                     likewise
---@field groups? swale.ParameterGroup[]        likewise

---Adam, with weight decay in the gradient (Kingma & Ba 2015):
---    g = gradient + weight_decay w,  m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
---    w = w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
---@param o? swale.AdamOptions
---@return swale.Optimizer
function M.Adam(o)
  return new("Adam", "adam", with_betas("optim.Adam", o, ADAM, "adam"), 0)
end

---Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019):  w = w (1 - lr
---weight_decay)  before the update.
---@param o? swale.AdamOptions
---@return swale.Optimizer
function M.AdamW(o)
  return new("AdamW", "adamw", with_betas("optim.AdamW", o, ADAM, "adamw"), 0.01)
end

---An optimizer written in Lua; a Trainer takes the bare function, too. After each gradient it is
---called as f(w, g, state, hyper): it changes w in place and may change g; state is its own, empty
---at first; hyper has lr, momentum, weight_decay, batch_size and step (from 1).
---@param f fun(w: swale.Tensor, g: swale.Tensor, state: table, hyper: table)
---@return swale.Optimizer
function M.of(f)
  options.value("optim.of", "f", f, "function")
  local optimizer = new("a Lua function", "none", { step = f }, 0)
  optimizer.kind = "function"
  return optimizer
end

-- ------------------------------------------------------------------ whole functions

M.lbfgsb = require("swale.optim.lbfgsb").lbfgsb
M.newton = require("swale.optim.newton").newton

return M
