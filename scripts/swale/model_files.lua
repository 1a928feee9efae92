--- Methods of models: weights in files, by PyTorch's names.
local core = require "swale.core"
local errors = require "swale.errors"
local inputs = require "swale.run.inputs"
local options = require "swale.options"
local segments = require "swale.segments"

local M = {}

local LAYOUT = { choice = { "swale", "pytorch" }, "swale" }

local function arrangements(self, o)
  if o.layout == "swale" then return {} end
  return require("swale.layouts").pytorch(self.layer, o.input)
end

--- A parameter may be rearranged in one way only.
local function check_alike(tie, arranged)
  local a, b = arranged[tie.first], arranged[tie.path]
  if (a == nil) ~= (b == nil) or a and (table.concat(a.split, " ") ~= table.concat(b.split, " ")
    or table.concat(a.perm, " ") ~= table.concat(b.perm, " ")) then
    errors.misuse('layout: "%s" and "%s" are one parameter (nn.shared), but would lie differently'
      .. " in PyTorch", tie.first, tie.path)
  end
end

local function are_equal(a, b)
  return errors.shape_text(a:shape()) == errors.shape_text(b:shape())
    and (a:to("float64") - b:to("float64")):norm() == 0
end

--- The name in a file's metadata of the input shape that its layout is for: shapes do not show it.
local NOTE = "swale.layout"

local function note_of(input) return "pytorch " .. table.concat(input, " ") end

local function noted(metadata, input)
  if not input then return metadata end
  local new = {}
  for key, value in pairs(metadata or {}) do new[key] = value end
  new[NOTE] = note_of(input)
  return new
end

local function check_note(path, note, input)
  if not note or input and note == note_of(input) then return end
  local written = note:gsub("^pytorch ", ""):gsub(" ", ", ")
  errors.misuse('model:load: %s was saved with layout = "pytorch", input = { %s }: load it with'
    .. " the same", path, written)
end

--- Further places of shared parameters.
local function ties_of(self) return select(3, segments.of(self.layer)) end

--- PyTorch's state_dict has shared weights under every path.
local function add_ties(self, tensors, arranged)
  for _, tie in ipairs(ties_of(self)) do
    check_alike(tie, arranged)
    tensors[tie.path] = tensors[tie.first]
  end
end

--- Removes shared weights under further paths, which must be equal to those under the first.
local function drop_ties(self, path, tensors, arranged)
  for _, tie in ipairs(ties_of(self)) do
    check_alike(tie, arranged)
    local again, first = tensors[tie.path], tensors[tie.first]
    if again and first and not are_equal(again, first) then
      errors.environment(('%s: "%s" and "%s" differ, but are one parameter of the model'
        .. " (nn.shared)"):format(path, tie.first, tie.path), "ECORRUPT")
    end
    tensors[tie.first], tensors[tie.path] = first or again, nil
  end
end

local SAVE = { layout = LAYOUT, input = "table?", metadata = "table?" }

---@class swale.SaveOptions
---@field layout? "swale"|"pytorch"   "swale"; they differ in kernels, and behind flattened images
---@field input? table                for "pytorch": shape of an example, { height, width,
---channels }, or by these names
---@field metadata? table<string, string>

---Writes the weights as safetensors, by path, as in PyTorch's state_dict: "0.weight" (out, in).
---@param self swale.Model
---@param path string
---@param o? swale.SaveOptions
---@return swale.Model self
function M.save(self, path, o)
  options.value("model:save", "path", path, "string")
  o = options.check("model:save", o, SAVE)
  local tensors = self:state_dict()
  local arranged, input = arrangements(self, o)
  for name, a in pairs(arranged) do
    if tensors[name] then tensors[name] = require("swale.layouts").to_file(tensors[name], a) end
  end
  if o.layout == "pytorch" then add_ties(self, tensors, arranged) end
  errors.check(core.safetensors_write(path, tensors, noted(o.metadata, input)))
  return self
end

-- ------------------------------------------------------------------ loading

--- A run's checkpoint has one flat vector; its metadata has the segments.
local function slices(flat, list)
  local state = {}
  for _, s in ipairs(list) do
    local size = 1
    for _, d in ipairs(s.shape) do size = size * d end
    state[s.path] = flat:narrow(1, s.offset, size):reshape(s.shape)
  end
  return state
end

--- The buffers of the last weights, or those that were re-estimated for an average.
local function buffers_of(tensors, which)
  local own = which ~= "weights" and "buffers." .. which
  return own and tensors[own] or tensors.buffers
end

local function from_checkpoint(path, tensors, metadata, which)
  local flat, buffers = tensors[which], buffers_of(tensors, which)
  if not flat then errors.environment(('%s: no "%s" in it'):format(path, which), "ECORRUPT") end
  local ok, state = pcall(slices, flat, core.json_decode(metadata.segments))
  if ok and buffers and metadata.buffer_segments then
    local kept
    ok, kept = pcall(slices, buffers, core.json_decode(metadata.buffer_segments))
    for name, t in pairs(ok and kept or {}) do state[name] = t end
  end
  if ok then return state end
  errors.environment(path .. ": its segments are not those of a checkpoint", "ECORRUPT")
end

local function read(path, which)
  local tensors, metadata = errors.check(core.safetensors_read(path))
  inputs.file(path, "load")
  if metadata.segments and tensors.weights then
    return from_checkpoint(path, tensors, metadata, which)
  elseif which ~= "weights" then
    errors.environment(('%s: no checkpoint of a run, which alone has "%s"'):format(path, which),
      "ECORRUPT")
  end
  return tensors, metadata[NOTE]
end

---@class swale.LoadReport           names, sorted
---@field missing string[]           parameters and buffers that the file does not have
---@field unexpected string[]        tensors of the file that are neither
---@field misshapen string[]         both have it, but of different shapes

local function all_segments(self)
  local list = table.move(self.segments, 1, #self.segments, 1, {})
  return table.move(self.buffer_segments, 1, #self.buffer_segments, #list + 1, list)
end

--- Compares the file with the model: a report, and what is wrong with shapes in words.
local function compare(self, tensors, arranged)
  local report, words = { missing = {}, unexpected = {}, misshapen = {} }, {}
  local left = {}
  for name in pairs(tensors) do left[name] = true end
  for _, s in ipairs(all_segments(self)) do
    local t, a = tensors[s.path], arranged[s.path]
    left[s.path] = nil
    local wanted = errors.shape_text(a and a.shape or s.shape)
    if not t then
      table.insert(report.missing, s.path)
    elseif errors.shape_text(t:shape()) ~= wanted then
      table.insert(report.misshapen, s.path)
      words[#words + 1] = ('"%s" is %s, the model needs %s'):format(s.path,
        errors.shape_text(t:shape()), wanted)
    end
  end
  report.unexpected = errors.sorted_keys(left)
  return report, words
end

local function quoted(names) return '"' .. table.concat(names, '", "') .. '"' end

--- Whether kernels are (out, in, rows, columns) instead of (out, rows, columns, in): PyTorch's.
local function is_pytorch(self, tensors)
  for _, s in ipairs(self.segments) do
    local t, k = tensors[s.path], s.shape
    local shape = t and #k == 4 and errors.shape_text(t:shape())
    if shape and shape ~= errors.shape_text(k) then
      return shape == errors.shape_text { k[1], k[4], k[2], k[3] }
    end
  end
  return false
end

local function refuse(path, report, words)
  local lines = { path .. ": does not fit the model" }
  if #report.missing > 0 then lines[#lines + 1] = "missing: " .. quoted(report.missing) end
  if #report.unexpected > 0 then lines[#lines + 1] = "unexpected: " .. quoted(report.unexpected) end
  if #words > 0 then lines[#lines + 1] = "of another shape: " .. table.concat(words, "; ") end
  errors.environment(table.concat(lines, "\n  "), "ECORRUPT")
end

local function take(self, tensors, arranged, report)
  local skip = {}
  for _, name in ipairs(report.missing) do skip[name] = true end
  for _, name in ipairs(report.misshapen) do skip[name] = true end
  for _, s in ipairs(all_segments(self)) do
    if not skip[s.path] then
      local t, a = tensors[s.path]:to "float32", arranged[s.path]
      if a then t = require("swale.layouts").from_file(t, a):reshape(s.shape) end
      local view = self.views[s.path] or self.buffer_views[s.path]
      view:copy(t)
    end
  end
end

local LOAD = { layout = LAYOUT, input = "table?", strict = { "boolean", true },
  which = { choice = { "weights", "average" }, "weights" } }

---@class swale.WeightsOptions
---@field layout? "swale"|"pytorch"   of the file
---@field input? table                for "pytorch": shape of an example, { height, width,
---channels }, or by these names
---@field strict? boolean             true; false: loads what fits and reports the rest
---@field which? "weights"|"average"  of a run's checkpoint

---Loads the weights of a file that save or PyTorch wrote, or of a run's checkpoint. Tensors that
---are missing, unexpected or of another shape are refused by name, and nothing is loaded, unless
---strict is false.
---@param self swale.Model
---@param path string
---@param o? swale.WeightsOptions
---@return swale.Model self, swale.LoadReport report
function M.load(self, path, o)
  options.value("model:load", "path", path, "string")
  o = options.check("model:load", o, LOAD)
  local arranged, input = arrangements(self, o)
  local tensors, note = read(path, o.which)
  drop_ties(self, path, tensors, arranged)
  local report, words = compare(self, tensors, arranged)
  local clean = #report.missing + #report.unexpected + #report.misshapen == 0
  if o.strict and not clean then
    if o.layout == "swale" and is_pytorch(self, tensors) then
      words[#words] = words[#words] .. '\n  these kernels lie as PyTorch\'s: layout = "pytorch"'
    end
    refuse(path, report, words)
  end
  check_note(path, note, input)
  take(self, tensors, arranged, report)
  return self, report
end

return M
