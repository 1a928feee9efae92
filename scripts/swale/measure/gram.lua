--- The Gram matrix of the examples' gradients as an object: the spectrum of their covariance, and
--- what single examples contribute.
local class = require "swale.class"
local core = require "swale.core"
local errors = require "swale.errors"
local factors = require "swale.measure.gram_factors"
local ops = require "swale.ops"
local options = require "swale.options"
local subjects = require "swale.measure.subject"

local M = {}

local WHERE = "measure.gram"

---@class swale.Gram
---@field matrix swale.Tensor     (n, n), float64: g_i'g_j
---@field n integer
---@field signal number           |G|^2 of the mean gradient of the sample
---@field noise number            tr(Sigma), n - 1 in its denominator
---@field square number           tr(Sigma^2)
---@field b_simple number         tr(Sigma) / |G|^2 of the sample
---@field centred swale.Tensor    (n, n): (g_i - G)'(g_j - G)
local Gram = class.new("gram", { fields = { "matrix", "n", "signal", "noise", "square", "b_simple",
  "centred" } })

function Gram:__tostring()
  return ("Gram matrix of %d gradients: |G|^2 %.4g, tr(Sigma) %.4g, tr(Sigma^2) %.4g"):format(
    self.n, self.signal, self.noise, self.square)
end

local function new(matrix, n, more)
  local rows = ops.mean(matrix, 2)
  local signal = ops.mean(rows):item()
  local centred = matrix - rows:reshape { n, 1 } - rows:reshape { 1, n } + signal
  local trace = 0
  for i = 1, n do trace = trace + centred:get(i, i) end
  return setmetatable({ matrix = matrix, n = n, centred = centred, signal = signal,
    noise = trace / (n - 1), square = ops.sum(centred * centred):item() / (n - 1) ^ 2,
    b_simple = trace / (n - 1) / signal, hits = more.hits, noisy = more.noisy }, Gram)
end

---The eigenvalues of Sigma that are not 0 for lack of examples, the largest first: n - 1 of them.
---@return swale.Tensor           float64 (n - 1)
function Gram:spectrum()
  local values = require("swale.linalg").eigvalsh(self.centred)
  local out = core.zeros({ self.n - 1 }, "float64")
  for i = 1, self.n - 1 do out:set(i, values:get(self.n + 1 - i) / (self.n - 1)) end
  return out
end

---Draws the spectrum, largest first, on logarithmic axes.
---@param file string             .svg, .png or .pdf
---@return string file
function Gram:plot(file)
  options.value("gram:plot", "file", file, "string")
  local x, y, spectrum = {}, {}, self:spectrum()
  local least = 1e-12 * spectrum:get(1)
  for i = 1, #spectrum do
    if spectrum:get(i) > least then x[#x + 1], y[#y + 1] = i, spectrum:get(i) end
  end
  return require("swale.plot.figure").plot { x = x, y = y, x_log = true, y_log = true, file = file,
    x_label = "rank", y_label = "eigenvalue",
    title = ("covariance of the gradients of %d examples"):format(self.n) }
end

---@class swale.Memorised
---@field examples integer
---@field fitted number           the fraction whose predicted class is their label, changed or not
---@field noise number            their share of tr(Sigma)

---How well examples are fitted, by whether their label was changed (data:label_noise): a network
---that predicts changed labels has memorised them.
---@return { clean: swale.Memorised, noisy: swale.Memorised|nil }   noisy: if some were changed
function Gram:memorised()
  if not self.hits then
    errors.misuse "gram:memorised: the sample has no class labels"
  end
  local groups = {}
  for i = 1, self.n do
    local name = self.noisy and self.noisy[i] and "noisy" or "clean"
    local group = groups[name] or { examples = 0, fitted = 0, noise = 0 }
    group.examples, groups[name] = group.examples + 1, group
    group.fitted = group.fitted + self.hits:get(i, 1)
    group.noise = group.noise + self.centred:get(i, i) / (self.n - 1) / self.noise
  end
  for _, group in pairs(groups) do group.fitted = group.fitted / group.examples end
  return groups
end

--- For each example whether its label was changed; nil if none could be.
local function changed(sample)
  if not (sample.source and sample.clean_y) or sample.y:ndim() > 1 then return nil end
  local list = {}
  for i = 1, #sample do list[i] = sample.y:get(i) ~= sample.clean_y:get(i) end
  return list
end

local OPTIONS = subjects.spec { mode = { choice = { "eval" }, "eval" } }

---The Gram matrix of the gradients of each example's loss, exactly:
---    local gram = sw.measure.gram(model, data.train:sample(500))
---    print(gram.b_simple, gram:spectrum():get(1))
---Costs a gradient of each example, and for a linear layer or convolution with k numbers in a row,
---m outputs and T positions n^2 min(T^2 (k + m), k m) operations. Rows or gradients of one layer
---must fit into 1 GiB. Norms take n^2 operations a channel; embeddings and layers that are called
---twice n gradients of one example alone, which are kept. Memory for some (n, n) in float64.
---@param model swale.Model
---@param sample swale.Split|swale.Batch
---@param o? swale.SubjectOptions         mode "eval" alone; weight_decay changes no covariance
---@return swale.Gram
function M.gram(model, sample, o)
  o = options.check(WHERE, o, OPTIONS)
  local subject = subjects.of(WHERE, model, sample, o)
  if subject.whole then
    errors.misuse("%s: the loss couples the examples: none has a gradient of its own", WHERE)
  elseif subject.n < 2 then
    errors.misuse("%s: one example has no covariance: 2 are needed", WHERE)
  elseif o.weight_decay ~= 0 then
    errors.misuse("%s: weight_decay adds the same to each gradient: leave it out", WHERE)
  end
  local matrix, hits = factors.matrix(subject)
  return new(matrix, subject.n, { hits = hits, noisy = changed(sample) })
end

return M
