--- Teacher and student: a random network answers Gaussian inputs, another is to learn it.
---
---     x ~ N(0, I),   y = argmax f(x), with probability `noise` another class instead
---                    y = f(x) + noise z,  if the network has one output
---
---     known.model     the teacher
---     known.rule(x)   its labels, int32, or its outputs
---     known.bayes()   with classes: the best accuracy there is, 1 - noise, and 0, its error
---     known.loss      with one output: the expected squared error of the teacher, noise^2
---
--- Where noise changes labels, split.clean_y has the teacher's own.
local core = require "swale.core"
local errors = require "swale.errors"
local model = require "swale.model"
local nn = require "swale.nn"
local ops = require "swale.ops"
local options = require "swale.options"
local sampling = require "swale.data.sampling"
local sets = require "swale.data.set"

local M = {}

---@class swale.TeacherOptions: swale.SizeOptions
---@field sizes? integer[]          { inputs, …, outputs } of a ReLU network, He's initialisation
---@field model? swale.Layer|swale.Model    or a network of your own, with
---@field features? integer         its inputs
---@field noise? number             0

local SPEC = sampling.spec { sizes = "table?", model = "any?", features = "count?",
  noise = { "nonnegative", 0 } }

local function relu_network(sizes)
  local list = {}
  if #sizes < 2 then errors.misuse "teacher: sizes are { inputs, …, outputs }" end
  for i = 2, #sizes do
    if i > 2 then list[#list + 1] = nn.ReLU() end
    list[#list + 1] = nn.Linear(sizes[i - 1], sizes[i], { init = "kaiming_normal", bias_init = 0 })
  end
  return nn.Sequential(list)
end

--- Its own seed: a student of the same shape and seed must not start as the teacher.
local function network(o)
  if o.sizes and o.model then errors.misuse "teacher: takes either sizes or model" end
  local seed = core.random(o.seed, "teacher"):integer(1 << 31)
  if o.sizes then return model.of("teacher", relu_network(o.sizes), seed), o.sizes[1] end
  if not o.model or not o.features then
    errors.misuse "teacher: needs sizes, or a model with features, the number of its inputs"
  end
  return model.of("teacher", o.model, seed), o.features
end

local function noisy_labels(clean, classes, noise, stream)
  if noise == 0 then return clean end
  local labels = clean:table()
  for i, label in ipairs(labels) do
    if stream:uniform() < noise then labels[i] = (label + stream:integer(classes - 1)) % classes end
  end
  return core.tensor(labels, "int32")
end

local function classifier(teacher, features, classes, o)
  local function rule(x) return ops.argmax(teacher:forward(x)) end
  if o.noise > (classes - 1) / classes then
    errors.misuse("teacher: with noise %g the teacher's class is not the most likely one", o.noise)
  end
  return rule, function(n, stream)
    local x = sampling.normal({ n, features }, stream, 1)
    local clean = rule(x)
    return { x = x, y = noisy_labels(clean, classes, o.noise, stream),
      clean_y = o.noise > 0 and clean or nil }
  end
end

local function regressor(teacher, features, o)
  local function rule(x) return teacher:forward(x) end
  return rule, function(n, stream)
    local x = sampling.normal({ n, features }, stream, 1)
    return { x = x, y = rule(x):clone():add(1, sampling.normal({ n, 1 }, stream, o.noise)) }
  end
end

---@param o swale.TeacherOptions
---@return swale.Data
function M.new(o)
  o = options.check("teacher", o, SPEC)
  local teacher, features = network(o)
  local outputs = teacher:forward(core.zeros { 1, features }):shape()[2] or 1
  local known, rule, draw = { model = teacher }
  if outputs > 1 then
    rule, draw = classifier(teacher, features, outputs, o)
    known.bayes = function() return 1 - o.noise, 0 end
  else
    rule, draw = regressor(teacher, features, o)
    known.loss = o.noise ^ 2
  end
  known.rule = rule
  return sets.new { name = "teacher", parts = sampling.parts("teacher", o, draw), known = known,
    classes = outputs > 1 and outputs or nil,
    refuse = function(split, why) errors.misuse("teacher: %s: %s", split, why) end }
end

return M
