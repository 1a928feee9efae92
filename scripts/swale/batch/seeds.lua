--- Parses seeds of a command line: "3" is 1..3, "5..9" a range, "1,5,9" a list, whose entries may
--- be ranges.
local M = {}

---@class swale.SeedRange
---@field first integer
---@field last integer

local function whole(text) return math.tointeger(tonumber(text:match "^%d+$")) end

local function range_of(part)
  local a, b = part:match "^(%d+)%.%.(%d+)$"
  local first, last = whole(a or part), whole(b or part)
  if not first or not last then
    return nil, ("'%s' is not a seed: write 3 (for 1..3), 5..9 or 1,5,9"):format(part)
  elseif first > last then
    return nil, ("%s: there are no seeds from %d to %d"):format(part, first, last)
  end
  return { first = first, last = last }
end

local function find_twice(ranges)
  local sorted = table.move(ranges, 1, #ranges, 1, {})
  table.sort(sorted, function(a, b) return a.first < b.first end)
  for i = 2, #sorted do
    if sorted[i].first <= sorted[i - 1].last then return sorted[i].first end
  end
  return nil
end

---@param text string
---@return swale.SeedRange[]|nil ranges, string? message
function M.parse(text)
  if whole(text) then
    if whole(text) == 0 then return nil, "no seeds: --seeds 3 means the seeds 1, 2 and 3" end
    return { { first = 1, last = whole(text) } }
  end
  local ranges = {}
  for part in (text .. ","):gmatch "([^,]*)," do
    local range, message = range_of(part)
    if not range then return nil, message end
    ranges[#ranges + 1] = range
  end
  local twice = find_twice(ranges)
  if twice then return nil, ("seed %d is given twice"):format(twice) end
  return ranges
end

---@param ranges swale.SeedRange[]
---@return integer
function M.count(ranges)
  local n = 0
  for _, range in ipairs(ranges) do n = n + range.last - range.first + 1 end
  return n
end

---Returns an iterator over the seeds.
---@param ranges swale.SeedRange[]
---@return fun(): integer|nil
function M.each(ranges)
  local i, seed = 1, ranges[1].first - 1
  return function()
    if not ranges[i] then return nil end
    seed = seed + 1
    if seed > ranges[i].last then
      i = i + 1
      seed = ranges[i] and ranges[i].first
    end
    return seed
  end
end

return M
