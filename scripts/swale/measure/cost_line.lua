--- A line through the times of steps by batch size, a line a round, and the ratio of its constant
--- and slope.
local core = require "swale.core"
local estimate = require "swale.estimate"

local M = {}

--- The line t = step + example B through the times, by least squares of relative errors.
local function line(sizes, times)
  local s, sb, sbb, st, sbt = 0, 0, 0, 0, 0
  for i, batch in ipairs(sizes) do
    local t = times[i]
    local w = 1 / (t * t)
    s, sb, sbb = s + w, sb + w * batch, sbb + w * batch * batch
    st, sbt = st + w * t, sbt + w * batch * t
  end
  local det = s * sbb - sb * sb
  return (sbb * st - sb * sbt) / det, (s * sbt - sb * st) / det
end

local function mean(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

local function moments(a, b)
  local n, ma, mb, vaa, vab, vbb = #a, mean(a), mean(b), 0, 0, 0
  for i = 1, n do
    local da, db = a[i] - ma, b[i] - mb
    vaa, vab, vbb = vaa + da * da, vab + da * db, vbb + db * db
  end
  local over = n * (n - 1)
  return { a = ma, b = mb, vaa = vaa / over, vab = vab / over, vbb = vbb / over, signed = true,
    t = core.student_quantile(0.975, n - 1) }
end

--- The largest relative distance of a mean time from the line.
local function misfit(sizes, times, step, example)
  local most = 0
  for i, batch in ipairs(sizes) do
    local here = {}
    for round = 1, #times do here[round] = times[round][i] end
    local t = mean(here)
    most = math.max(most, math.abs(step + example * batch - t) / t)
  end
  return most
end

---The ratio of the line's constant and slope, from times by round and batch size.
---@param sizes integer[]
---@param times number[][]
---@return swale.Estimate
function M.of(sizes, times)
  local steps, examples = {}, {}
  for round, row in ipairs(times) do steps[round], examples[round] = line(sizes, row) end
  local m = moments(steps, examples)
  local status, value, low, high = core.ratio(m)
  return estimate.new { status = status, value = value, low = low, high = high, signed = true,
    target = "cost of an update in examples, on this machine", batch_sizes = sizes,
    step_seconds = m.a, example_seconds = m.b, misfit = misfit(sizes, times, m.a, m.b) }
end

return M
