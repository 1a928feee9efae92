--- Rules of the learning rate.
local combine = require "swale.schedule.combine"
local object = require "swale.schedule.object"
local options = require "swale.options"
local scaling = require "swale.scaling"
local sure_of = require "swale.rules.sure"

---@class swale.RateRules
local M = {}

---@class swale.AdaScaleOptions
---@field lr number|swale.Schedule   of the reference batch
---@field reference integer          the batch size that lr is for

local ADASCALE = { lr = "number|Schedule|function", reference = "count" }

---AdaScale (Johnson et al. 2020): for a batch larger than the reference batch the rate is that of
---the schedule lr times the gain (scaling.adascale_gain), and at each update the schedule goes on
---by gain reference updates, which one such update is worth. The gain is taken at the sure lower
---end of the noise scale, and is 1 while nothing is known: the rate is never raised beyond what is
---sure. It follows the batch size of the last update. Valid for plain SGD. Needs noise_scale.
---@param o swale.AdaScaleOptions
---@return swale.Schedule
function M.adascale(o)
  o = options.check("rules.adascale", o, ADASCALE)
  local lr = combine.part("rules.adascale", o.lr)
  return object.of_function("adascale", function(s, mem)
    local gain = 1
    if s.step > 0 then
      gain = scaling.adascale_gain { noise_scale = sure_of(s.noise_scale), reference = o.reference,
        batch_size = math.max(s.batch_size, o.reference) }
    end
    local updates = mem.updates or 0 -- of the reference batch
    mem.updates = updates + gain
    return gain * lr:at { step = math.floor(updates), batch_size = o.reference,
      examples = math.floor(updates * o.reference), epoch_examples = s.epoch_examples }
  end, { live = true })
end

return M
