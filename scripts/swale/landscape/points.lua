--- Evaluates the points of a grid, and keeps each finished one in a file, if there is one: a grid
--- that was killed goes on where it ended. A line is one write; the first one has the key, which
--- names the grid, its vectors, and the losses at its first point, so that other weights, data or
--- networks are refused instead of mixed.
local core = require "swale.core"
local errors = require "swale.errors"
local files = require "swale.run.lines"
local folders = require "swale.folders"

local M = {}

--- Exact in text; JSON has no NaN and no infinity.
local function text_of(v) return ("%.17g"):format(v) end

local SPECIAL = { nan = 0 / 0, ["-nan"] = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }

local function number_of(text) return SPECIAL[text] or tonumber(text) end

local function encode_row(i, row)
  local values = {}
  for name, v in pairs(row) do values[name] = text_of(v) end
  return core.json_encode { point = i, values = values } .. "\n"
end

local function decode_row(line, n)
  local entry = core.json_decode(line)
  if type(entry) ~= "table" or math.type(entry.point) ~= "integer" or entry.point < 1
    or entry.point > n or type(entry.values) ~= "table" then
    return nil
  end
  local row = {}
  for name, text in pairs(entry.values) do
    row[name] = number_of(text)
    if row[name] == nil then return nil end
  end
  return entry.point, row
end

--- Ten digits of what identifies a vector: its length and its products with fixed random numbers.
local function mark_of(v)
  local random = core.zeros({ v:numel() }, "float64")
  core.random(1, "measure/landscape key"):fill_normal(random, 0, 1)
  return ("%d %.10g %.10g"):format(v:numel(), v:norm(), v:dot(random))
end

local function key_of(scene, job, first)
  local parts = { job.name, scene.batch_norm, scene.dtype, tostring(#job.list) }
  for _, v in ipairs(job.vectors) do parts[#parts + 1] = mark_of(v) end
  for _, x in ipairs(job.numbers) do parts[#parts + 1] = ("%.10g"):format(x) end
  for _, column in ipairs(scene.columns) do
    parts[#parts + 1] = ("%s %.6g"):format(column, first[column])
  end
  return table.concat(parts, ", ")
end

--- The first line of a file.
local function header_of(key) return core.json_encode { landscape = key } .. "\n" end

--- The rows that a file has. A line that is not complete, the last one, is cut off.
local function read(path, key, n)
  if not folders.exists(path) then return {}, 0 end
  local text, message, code = folders.read(path)
  if not text then errors.environment("landscape: " .. message, code) end
  local whole, header = text:match "^.*\n", header_of(key)
  if not whole and header:sub(1, #text) == text then return {}, 0 end
  if text:sub(1, #header) ~= header then
    errors.misuse("landscape: %s has points of something else: other weights, data, grid or"
      .. " options; give another name, or remove it", errors.shown(path))
  end
  local rows = {}
  for line in whole:gmatch "[^\n]+" do
    local i, row = decode_row(line, n)
    if i then rows[i] = row end
  end
  return rows, #whole
end

--- Holds the file, so that two processes do not write it together.
local function hold(path)
  local lock, message = core.hold(path)
  if lock then return lock end
  errors.environment(("landscape: %s cannot be held, another process may be writing it: %s"):format(
    path, message), "EIO")
end

--- Appends a line. What is in the file stays in it if that fails.
local function append(lines, text, rows, n)
  local ok, message, code = lines:write(text)
  if ok then return end
  local kept = 0
  for _ in pairs(rows) do kept = kept + 1 end
  errors.environment(("landscape: %s cannot be written: %s; it keeps %d of %d points, and the same"
    .. " call goes on from there"):format(lines.path, message, kept, n), code)
end

--- Opens the file behind its complete lines.
local function open(path, bytes)
  local lines, message, code = files.open(path)
  if not lines then errors.environment("landscape: " .. message, code or "EIO") end
  require("luv").fs_ftruncate(lines.fd, bytes)
  lines.bytes = bytes
  return lines
end

---@class swale.PointsJob
---@field name string                 "plane"
---@field list any[]                  points
---@field weights fun(point: any): swale.Tensor
---@field vectors swale.Tensor[]      what the points are made of
---@field numbers number[]            and their coordinates

--- first: the row of the first point, if it is known.
local function evaluate(scene, job, rows, first, lines)
  local left = {}
  for i = 1, #job.list do if not rows[i] and (i > 1 or not first) then left[#left + 1] = i end end
  local function keep(i, row)
    if lines then append(lines, encode_row(i, row), rows, #job.list) end
    rows[i] = row
  end
  if first and not rows[1] then keep(1, first) end
  local group = scene:group(#left)
  for from = 1, #left, group do
    local part = table.move(left, from, math.min(from + group - 1, #left), 1, {})
    local weights = {}
    for k, i in ipairs(part) do weights[k] = job.weights(job.list[i]) end
    for k, row in ipairs(scene:several(weights)) do keep(part[k], row) end
  end
  return rows
end

---Evaluates all points that are not finished.
---@param scene swale.Scene
---@param job swale.PointsJob
---@param file? string
---@return table<string, number>[] rows    one for each point
function M.run(scene, job, file)
  if not file then return evaluate(scene, job, {}) end
  local first = scene:at(job.weights(job.list[1]))
  local key = key_of(scene, job, first)
  local lock = hold(file)
  local rows, lines
  local ok, problem = pcall(function()
    local bytes
    rows, bytes = read(file, key, #job.list)
    lines = open(file, bytes)
    if bytes == 0 then append(lines, header_of(key), rows, #job.list) end
    evaluate(scene, job, rows, first, lines)
  end)
  if lines then lines:close() end
  lock:release()
  if not ok then error(problem, 0) end
  return rows
end

return M
