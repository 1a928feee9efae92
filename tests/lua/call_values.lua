--- Arguments of random calls: plain values of every kind, and a pool of Swale's objects, to which
--- the results of calls are added. Draws depend on the stream alone.
local core = require "swale.core"
local sw = require "swale"

local M = {}

local KEPT = 12 -- objects of one class

local NUMBERS = { 0, 1, 2, 3, 5, 10, -1, -2, -7, 100, 1000, 0.5, -0.5, 1.5, 1e-3, 0.1, 0.9, 1e-10,
  1e-320, 1e10, 1e39, 1e300, -1e300, 0 / 0, 1 / 0, -1 / 0, -0.0, 255, 256, 257, 65536, 2 ^ 31,
    2147483648,
  -2147483649, 2 ^ 32, 2 ^ 53, 9007199254740993, 2 ^ 63, math.maxinteger, math.mininteger,
  math.maxinteger - 2 }

local STRINGS = { "", "a", "b", "float32", "float64", "int32", "uint8", "batch", "2*batch", "train",
  "valid", "test", "last", "best", "swa", "ema", "lr", "momentum", "real", "index", "x.npy",
    "x.csv",
  "x.safetensors", "x.idx", "nowhere/x.npy", "digits", "train ", "same", "feature", "channel",
  "\0", "a\0b", "%s%d%n", "a\nb", "\xff\xfe", "é", "1", "0x10", "nan", "[1,2]", '{"a":[]}',
  ("x"):rep(300), "weight", "1.weight", "step", "epoch", "pytorch", "." }

local DTYPES = { "float32", "float32", "float64", "int32", "uint8" }

local SHAPES = { {}, { 0 }, { 1 }, { 3 }, { 4 }, { 2, 3 }, { 3, 4 }, { 4, 4 }, { 0, 3 }, { 3, 0 },
  { 1, 1 },
  { 2, 3, 4 }, { 2, 4, 4, 1 }, { 2, 4, 4, 3 }, { 3, 3, 3, 3 }, { 1, 2, 1, 2, 1, 2 }, { 6, 4 },
    { 10 },
  { 64 }, { 10, 64 } }

local Values = {}
Values.__index = Values

---A pool without objects.
---@param stream swale.Random   what is drawn comes from here
function M.new(stream)
  return setmetatable({ stream = stream, objects = {}, classes = {} }, Values)
end

function Values:whole(n) return self.stream:integer(n) end
function Values:one_in(n) return self.stream:integer(n) == 1 end
function Values:any_of(list) return list[self.stream:integer(#list)] end

--- The class of an object of Swale: "tensor", "swale.Layer"; nil for other values.
function M.class_of(value)
  if type(value) ~= "table" and type(value) ~= "userdata" then return nil end
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name or nil
end

---Adds an object; the oldest of many is dropped.
function Values:add(value)
  local class = M.class_of(value)
  if not class then return end
  if not self.objects[class] then
    self.objects[class] = { at = 0 }
    table.insert(self.classes, class)
  end
  local list = self.objects[class]
  list.at = list.at % KEPT + 1
  list[list.at] = value
end

---An object of a class; nil where there is none.
function Values:object(class)
  local list = self.objects[class]
  return list and self:any_of(list)
end

-- ------------------------------------------------------------------ plain values

function Values:number() return self:any_of(NUMBERS) end
function Values:string() return self:any_of(STRINGS) end
function Values:dtype() return self:any_of(DTYPES) end
function Values:shape()
  local shape = self:any_of(SHAPES)
  return table.move(shape, 1, #shape, 1, {})
end

--- Functions that return anything, or raise.
local function function_of(self)
  local kind, result = self:whole(4), self:any_of { 0.1, 1, 0 / 0, -1, "a", false }
  if kind == 1 then return function() error "a callback's own error" end end
  if kind == 2 then return function(x) return x end end
  return function() return result end
end

local function table_of(self, depth)
  local t = {}
  for i = 1, self:whole(4) - 1 do
    local kind = self:whole(4)
    local key = kind == 1 and self:string() or kind == 2 and self:whole(6) or i
    t[key] = self:value(depth + 1)
  end
  return t
end

---Anything at all.
---@param depth? integer   of the table in which it will be
function Values:value(depth)
  depth = depth or 0
  local kind = self:whole(14)
  if kind == 1 then return nil end
  if kind == 2 then return self:one_in(2) end
  if kind <= 5 then return self:number() end
  if kind <= 7 then return self:string() end
  if kind == 8 and depth < 3 then return table_of(self, depth) end
  if kind == 9 then return self:shape() end
  if kind == 10 then return function_of(self) end
  if kind == 11 then return self:tensor() end
  if #self.classes == 0 then return nil end
  return self:object(self:any_of(self.classes))
end

-- ------------------------------------------------------------------ tensors

---A small tensor; labels: whole numbers from 0 to 2.
function Values:tensor(shape, dtype)
  shape, dtype = shape or self:shape(), dtype or self:dtype()
  local t = core.zeros(shape, dtype)
  if dtype == "float32" or dtype == "float64" then return self.stream:fill_normal(t, 0, 1) end
  return t:fill(self:whole(3) - 1)
end

function Values:floats(shape) return self:tensor(shape, self:one_in(3) and "float64"
  or "float32") end

function Values:labels(n, classes)
  local values = {}
  for i = 1, n do values[i] = self:whole(classes) - 1 end
  return core.tensor(values, "int32")
end

---A Trainer's duration.
function Values:duration()
  local unit = self:any_of { "steps", "examples", "epochs" }
  return { [unit] = self:any_of { 1, 2, 3, 10 } }
end

-- ------------------------------------------------------------------ objects to begin with

local function small_data(self)
  return sw.data.from_tensors {
    train = { x = self:tensor({ 12, 4 }, "float32"), y = self:labels(12, 3) },
    valid = { x = self:tensor({ 6, 4 }, "float32"), y = self:labels(6, 3) }, classes = 3,
  }
end

local function small_images(self)
  return sw.data.from_tensors { train = { x = self:tensor({ 6, 4, 4, 3 }, "float32"),
    y = self:labels(6, 2) }, classes = 2, images = true }
end

local function small_layer(self)
  return self:any_of {
    sw.nn.Linear(4, 3),
    sw.nn.Sequential { sw.nn.Linear(4, 5), sw.nn.ReLU(), sw.nn.Linear(5, 3) },
    sw.nn.Sequential { sw.nn.Linear(4, 6), sw.nn.BatchNorm(6), sw.nn.Tanh(), sw.nn.Dropout(0.1),
      sw.nn.Linear(6, 3) },
    sw.nn.Sequential { sw.nn.LayerNorm(4), sw.nn.Residual { sw.nn.Linear(4, 4) }, sw.nn.Linear(4,
      3) },
  }
end

local ENOUGH = 40 -- steps of all fits of one trainer; a hook ends longer ones

---@return swale.Trainer
function Values:trainer()
  local trainer = sw.Trainer { model = small_layer(self), data = small_data(self), lr = 0.1,
    batch_size = self:any_of { 3, 4, 5, 12, 20 }, seed = self:whole(5),
    average = self:any_of { sw.average.SWA {}, { sw.average.EMA {},
      late = sw.average.LastK { k = 2 } } } }
  return M.limited(trainer)
end

---The same trainer; raises after many steps.
function M.limited(trainer)
  local steps = 0
  return trainer:on("step", function()
    steps = steps + 1
    if steps > ENOUGH then error("enough steps", 0) end
  end)
end

local function add_graph(self)
  local graph = core.graph()
  local x, labels = graph:input(1, "real", { "batch", 4 }), graph:input(2, "index", { "batch" })
  local w = graph:param(1, { 4, 3 })
  local logits = sw.ops.matmul(x, w)
  local loss = sw.ops.mean(sw.ops.cross_entropy(logits, labels))
  for _, node in ipairs { x, labels, w, logits, loss } do self:add(node) end
  self:add(graph)
  self:add(core.program(graph, { loss, graph:gradient(loss, { w })[1] }))
end

local function add_training(self)
  local trainer, state = self:trainer(), nil
  self:add(trainer)
  trainer.lr = function(s)
    state = s
    return 0.1
  end
  local measured = pcall(trainer.measure, trainer, "noise_scale", { steps = 1 })
  trainer:fit { steps = 3 }
  self:add(state)
  if measured then self:add(state.noise_scale) end -- not under a batch norm
  self:add(trainer.model)
  self:add(trainer.data)
  self:add(trainer.data.train)
  self:add(trainer.data.train.source)
  self:add(trainer:evaluate "last")
  self:add(trainer:plan { epochs = 1 })
  self:add(trainer.average)
  self:add(sw.compile(sw.loss.cross_entropy, trainer.model))
  self:add(trainer.model:loss_on(trainer.data.train))
end

---One object at least of each class.
function Values:fill()
  for _ = 1, 8 do self:add(self:tensor()) end
  for _ = 1, 2 do add_graph(self) end
  add_training(self)
  self:add(small_images(self))
  self:add(small_layer(self))
  self:add(sw.random(self:whole(5)))
  self:add(core.average(4))
  self:add(core.schedule { kind = "constant", value = 1 })
  self:add(sw.schedule.linear { from = 1, to = 0, epochs = 2 })
  self:add(sw.rule(1, function() return 1 end))
  self:add(sw.every { steps = 2 })
  self:add(sw.optim.SGD { lr = 0.1 })
  self:add(sw.choice { 1, 2 })
  self:add(sw.experiment { name = "a", run = function() end })
  self:add(sw.data.noisy_quadratic { dimensions = 3, n = 10 })
  self:add(sw.data.linear_regression { features = 3, n = 10 })
  return self
end

M.STRINGS = STRINGS
M.small_data, M.small_layer, M.small_images = small_data, small_layer, small_images

return M
