--- Tensors in files, by the extension: .safetensors (named tensors), .npy (one array, NumPy's) and
--- .csv (a table of numbers).
local core = require "swale.core"
local errors = require "swale.errors"
local inputs = require "swale.run.inputs"
local options = require "swale.options"

local M = {}

--- For each format: how it is read, how it is written, which options it has.
local FORMATS = {
  safetensors = {
    options = { mapped = { "boolean", false } },
    load = function(path, o) return core.safetensors_read(path, o.mapped) end,
    save = function(path, tensors, metadata)
      if type(tensors) ~= "table" then
        errors.misuse("save: safetensors are written from a table of tensors by name, not %s",
          errors.shown(tensors))
      end
      return core.safetensors_write(path, tensors, metadata)
    end,
  },
  npy = { options = {}, load = core.npy_read,
    save = function(path, tensor) return core.npy_write(tensor, path) end },
  csv = {
    options = { separator = "string?", header = "boolean?", label = "string|place?",
      classes = "list?", dtype = { choice = { "float32", "float64" }, "float32" },
      missing = { choice = { "refuse", "nan" }, "refuse" } },
    load = core.csv_read,
    save = function(path, tensor, names) return core.csv_write(tensor, path, names) end,
  },
}

local function format_of(where, path)
  path = options.value(where, "path", path, "string")
  local name = path:match "%.([^./]+)$"
  return FORMATS[name] or errors.misuse('%s: "%s": the name ends in .safetensors, .npy or .csv',
    where, path)
end

---@class swale.FileOptions
---@field mapped? boolean           safetensors: views of the file, read only
---@field separator? string         csv: one character; nil: found from the first line
---@field header? boolean           csv: whether the first line has names; nil: inferred
---@field dtype? "float32"|"float64"    csv
---@field missing? "refuse"|"nan"   csv: what an empty field, NA, N/A or null is
---@field label? string|integer     csv: the column of labels, its name or place (-1: the last)
---@field classes? string[]         csv: the labels' words; nil: labels are whole numbers from 0

---Reads a file. safetensors (a run's checkpoint, for instance): tensors by name, metadata. npy: a
---tensor. csv: a tensor (rows, columns); the labels, int32, or false; the names of the columns.
---Numbers of csv are decimal, 1, -2.5, +1e-3, nan, -inf, in double quotes or not; lines end in LF,
---CRLF or CR. core/io/csv.h has all rules.
---@param path string
---@param o? swale.FileOptions
---@return any values, any more, any names
function M.load(path, o)
  local format = format_of("load", path)
  o = options.check("load", o, format.options)
  local values, more, names = errors.check(format.load(path, o))
  inputs.file(path, "load")
  return values, more, names
end

---Writes a file. An old file of that name stays until the new one is complete.
---@param path string
---@param value any                 safetensors: a table of tensors by name; npy, csv: a tensor
---@param more? table               safetensors: metadata, texts by name; csv: names of the columns
function M.save(path, value, more)
  errors.check(format_of("save", path).save(path, value, more))
  inputs.wrote(path)
end

return M
