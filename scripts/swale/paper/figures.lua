--- Draws the figures of a paper into the judgement's plots/.
local core = require "swale.core"
local errors = require "swale.errors"
local folders = require "swale.folders"
local runs_of = require "swale.paper.runs"

local M = {}

---@class swale.FigureRow
---@field file string
---@field caption string
---@field why string|nil       there is none, because
---@field broken boolean|nil   it should be there

local function caught(fault)
  if fault == core.INTERRUPTED or runs_of.is_missing(fault) then return fault end
  return errors.failure(fault)
end

local function draw(figure, runs, file, row)
  local ok, answer = xpcall(figure[3], caught, runs, file)
  if not ok and answer == core.INTERRUPTED then error(answer, 0) end
  if not ok then
    row.why, row.broken = tostring(answer), not runs_of.is_missing(answer) or nil
  elseif not folders.exists(file) then
    row.why = type(answer) == "string" and answer or "it wrote no file"
    row.broken = type(answer) ~= "string" or nil
  end
end

---@param paper swale.Paper
---@param runs swale.PaperRuns
---@param dir string   of the judgement
---@return swale.FigureRow[]
function M.draw(paper, runs, dir)
  local rows = {}
  for i, figure in ipairs(paper.figures) do
    errors.check(folders.make_folder(dir .. "/plots"))
    rows[i] = { file = figure[1], caption = figure[2] }
    draw(figure, runs, dir .. "/plots/" .. figure[1], rows[i])
  end
  return rows
end

return M
