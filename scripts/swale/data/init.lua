--- Data sets: known ones by name, your own files and tensors, synthetic problems.
local cache = require "swale.data.cache"
local errors = require "swale.errors"
local load = require "swale.data.load"
local manifests = require "swale.data.manifests"

---@class swale.data
local M = {}

---Names that load knows.
---@return string[]
function M.names() return errors.sorted(manifests.sets) end

---Loads a data set by name, and fetches it if it is not on this machine. Rows are standardised by
---mean and deviation of the training split: of all values, of each feature or of each channel; or
---"unit".
---@param name string   one of sw.data.names(), such as "mnist"
---@param o? swale.LoadOptions
---@return swale.Data
function M.load(name, o) return load.load(name, o) end

---Fetches a data set into the cache, without loading it.
---@param name string
---@return string|nil path   of the cached file
function M.get(name)
  load.check_name(name)
  return cache.get(name)
end

---Whether a data set can be loaded without a network.
---@param name string
---@return boolean
function M.is_here(name)
  load.check_name(name)
  local here = cache.state(name) ~= "missing"
  if not here then require("swale.run.inputs").set(name, "missing") end
  return here
end

---Data from tensors: x (N, …) uint8 or float32, or indices, int32 or uint8 with vocabulary; y (N)
---or (N, …) int32 or uint8 labels, counted from 0, or float32 targets (N, …).
---@param o swale.TensorDataOptions
---@return swale.Data
function M.from_tensors(o) return require("swale.data.tensors").new(o) end

---A text, character by character: see swale.data.text.
---@param source string   a file, or the text itself
---@param o? swale.TextOptions
---@return swale.Data
function M.text(source, o) return require("swale.data.text").new(source, o) end

---Data from IDX files, plain or gzipped. The last `valid` examples of the training files become the
---validation split.
---@param o swale.IdxOptions
---@return swale.Data
function M.idx(o) return require("swale.data.idx").load(o) end

---Data from csv files: a row is an example, a column a feature, one column the labels, or some the
---targets:
---    sw.data.csv { train = "pets.csv", label = "kind", classes = { "cat", "dog" }, test = 20 }
---@param o swale.CsvOptions
---@return swale.Data
function M.csv(o) return require("swale.data.csv").load(o) end

-- ------------------------------------------------------------------ problems with known answers

---Clouds of Gaussian noise: see swale.data.mixture.
---@param o? swale.MixtureOptions
---@return swale.Data
function M.gaussian_mixture(o) return require("swale.data.mixture").new(o) end

---Gaussian inputs, labelled by a random network: see swale.data.teacher.
---@param o swale.TeacherOptions
---@return swale.Data
function M.teacher(o) return require("swale.data.teacher").new(o) end

---Two arms that wind around each other: see swale.data.spirals.
---@param o? swale.SpiralsOptions
---@return swale.Data
function M.two_spirals(o) return require("swale.data.spirals").new(o) end

---The noisy quadratic: see swale.data.quadratic, and with matrices swale.data.quadratic_dense.
---@param o swale.QuadraticOptions
---@return swale.Quadratic|swale.DenseQuadratic
function M.noisy_quadratic(o) return require("swale.data.quadratic").new(o) end

---Linear regression on Gaussian inputs: see swale.data.regression.
---@param o swale.RegressionOptions
---@return swale.Regression
function M.linear_regression(o) return require("swale.data.regression").new(o) end

return M
