--- Swale: a laboratory for the dynamics of stochastic gradient descent.
---
--- `local sw = require "swale"`. A module is loaded when its name is used first, so that a script
--- that only prints a schedule starts fast.
if _VERSION ~= "Lua 5.4" then error("swale runs under Lua 5.4, this is " .. _VERSION, 0) end

local core = require "swale.core"
require("swale.locale").keep_the_point()

---@class swale
---@field _VERSION string
---@field nn swale.nn
---@field loss swale.loss
---@field optim swale.optim
---@field schedule swale.schedule
---@field average swale.average
---@field scaling swale.scaling
---@field rules swale.rules
---@field data swale.data
---@field zoo swale.zoo
---@field ops swale.ops
---@field linalg swale.linalg
---@field measure swale.measure
---@field stats swale.stats
---@field landscape swale.landscape
---@field fit swale.fit
---@field Trainer fun(o: swale.TrainerOptions): swale.Trainer
---@field experiment fun(o: table): swale.Experiment
---@field choice fun(choices: any[]): table
---@field paper fun(o: table): swale.Paper
---@field claims fun(list: swale.Claim[]): swale.Claims
---@field rule fun(initial: number, f: fun(s: swale.State, mem: table): number): swale.Rule
---@field every fun(d: swale.DurationLike): swale.Duration
---@field measurement fun(o: swale.MeasurementOptions): swale.Measurement
---@field estimate fun(fields?: table): swale.Estimate
---@field nqm fun(o: swale.NQMOptions): swale.NQM
---@field svag fun(o: swale.SVAGOptions): swale.SVAG
---@field compile fun(loss: function, model: swale.Model|swale.Layer, o?: table): swale.Compiled
---@field check_gradient fun(f: swale.Compiled|swale.Model, batch?: table, o?: table): number
---@field plot fun(o: swale.FigureOptions): string
---@field try fun(f: function, ...): any
---@field tensor fun(values: number|table, dtype?: swale.dtype): swale.Tensor
---@field zeros fun(shape: integer|integer[], dtype?: swale.dtype): swale.Tensor
---@field ones fun(shape: integer|integer[], dtype?: swale.dtype): swale.Tensor
---@field full fun(shape: integer|integer[], value: number, dtype?: swale.dtype): swale.Tensor
---@field arange fun(...: number|swale.dtype): swale.Tensor
---@field linspace fun(first: number, last: number, n: integer, dtype?: swale.dtype): swale.Tensor
---@field rand fun(shape: integer|integer[], dtype?: any, stream?: swale.Random): swale.Tensor
---@field randn fun(shape: integer|integer[], dtype?: any, stream?: swale.Random): swale.Tensor
---@field random fun(seed?: integer, name?: string, n?: integer): swale.Random
---@field runs fun(o?: swale.RunsOptions): swale.RunView[]
---@field load fun(path: string, o?: swale.FileOptions): any, any, any
---@field save fun(path: string, value: any, more?: table)
---@field set_threads fun(n: integer)
---@field threads fun(): integer
local M = { _VERSION = "0.1.0" }

if core._VERSION ~= M._VERSION then
  error(("swale: these Lua files are of version %s, but swale.core is of version %s; one of the two"
    .. " is left over from another build or installation"):format(M._VERSION, core._VERSION), 0)
end

local here = debug.getinfo(1, "S").source:match "^@(.*)init%.lua$"
if here then core.set_library(here) end

require "swale.class" -- sets how the core refuses unknown names
require "swale.ops" -- the methods of tensors and nodes

local MODULES = { nn = true, loss = true, optim = true, schedule = true, average = true,
  scaling = true, rules = true, data = true, ops = true, zoo = true, measure = true,
  linalg = true, stats = true, landscape = true, fit = true }

local PARTS = {
  Trainer = { "swale.trainer", "new" },
  experiment = { "swale.experiment", "experiment" },
  choice = { "swale.experiment.parameters", "choice" },
  rule = { "swale.schedule", "rule" }, every = { "swale.duration", "every" },
  paper = { "swale.paper", "paper" }, claims = { "swale.paper.claims", "claims" },
  measurement = { "swale.measurements", "measurement" },
  estimate = { "swale.estimate", "new" },
  nqm = { "swale.nqm", "new" }, svag = { "swale.svag", "new" },
  compile = { "swale.compiled", "compile" },
  check_gradient = { "swale.compiled", "check_gradient" },
  plot = { "swale.plot.figure", "plot" },
  try = { "swale.errors", "try" },
  tensor = { "swale.create", "tensor" }, zeros = { "swale.create", "zeros" },
  arange = { "swale.create", "arange" }, linspace = { "swale.create", "linspace" },
  ones = { "swale.create", "ones" }, full = { "swale.create", "full" },
  rand = { "swale.create", "rand" }, randn = { "swale.create", "randn" },
  random = { "swale.create", "random" }, runs = { "swale.store", "runs" },
  load = { "swale.files", "load" }, save = { "swale.files", "save" },
  set_threads = { "swale.core", "set_threads" }, threads = { "swale.core", "threads" },
}

--- All names, for messages and for the test of the annotations.
local function names()
  local list = { "_VERSION" }
  for name in pairs(MODULES) do list[#list + 1] = name end
  for name in pairs(PARTS) do list[#list + 1] = name end
  return list
end

local function find(_, name)
  local value
  if MODULES[name] then
    value = require("swale." .. name)
    require("swale.errors").strict(value, ("sw.%s has"):format(name))
  elseif PARTS[name] then
    value = require(PARTS[name][1])[PARTS[name][2]]
  else
    local errors = require "swale.errors"
    errors.misuse("swale has no %s%s", errors.shown(name), errors.suggestion(name, names()))
  end
  rawset(M, name, value)
  return value
end

local function iterate()
  local list = names()
  table.sort(list)
  local i = 0
  return function()
    i = i + 1
    if list[i] then return list[i], M[list[i]] end
  end
end

return setmetatable(M, { __index = find, __pairs = iterate, __name = "swale" })
