--- The recipe "A schedule kind": inverse_time.
local CURVES = "core/train/schedule_curve.c"

return {
  adds = "schedule kind inverse_time",
  pieces = {
    { name = "word", file = "core/train/schedules.def", after = "SCHEDULE(inverse_sqrt)",
      text = "SCHEDULE(inverse_time)\n", dropped = 'kind must be .* got "inverse_time"' },
    { name = "curve", file = CURVES, before = "/* from -> max, max, max -> to in the given shape",
      text = [[
/* value / (1 + gamma t / period) */
static double inverse_time_at(const sw_schedule_spec *s, const swi_progress *p) {
  clock c = clock_of(s->period, p);
  return s->value / (1 + s->gamma * c.now / c.period);
}

]], dropped = "inverse_time_at" },
    { name = "row", file = CURVES, before = "/* from -> max, max, max -> to in the given shape",
      text = [[
const swi_schedule_row swi_schedule_inverse_time = {.name = "inverse_time",
                                                    .at = inverse_time_at, .fields = {
                                                        SWI_VALUE, SWI_PERIOD}};

]], dropped = "undefined reference to .swi_schedule_inverse_time" },
    { name = "field in the row", of = "row", file = CURVES,
      after = ".at = inverse_time_at, .fields = {",
      text = "                                                        SWI_GAMMA,\n",
      dropped = "schedule: inverse_time takes no gamma" },
    { name = "constructor", file = "scripts/swale/schedule/kinds.lua",
      before = "---@class swale.InverseSqrtOptions", text = [[
---@class swale.InverseTimeOptions
---@field value number              at the start
---@field gamma number              above 0
---@field period swale.DurationLike

---value / (1 + gamma t / period).
---@param o swale.InverseTimeOptions
---@return swale.Schedule
function M.inverse_time(o)
  return object.native("inverse_time",
    timed("schedule.inverse_time", o, { value = "number", gamma = "positive" }))
end

]], dropped = 'sw.schedule has no "inverse_time"' },
    { name = "test row", file = "tests/lua/test_schedule.lua", part = "test",
      before = "  scale = { function() return sch.scale(MADE.step(), 3) end,", text = [[
  inverse_time = { function() return sch.inverse_time { value = 2, gamma = 0.5, steps = 4 } end,
    function(t) return 2 / (1 + t / 8) end },
]], dropped = "FORMULAS has no inverse_time" },
    { name = "line of docs", file = "docs/reference.md", part = "docs",
      replace = "`inverse_sqrt`; of", text = "`inverse_sqrt` `inverse_time`; of",
      dropped = "reference.md names no inverse_time" },
  },
  tests = { { "core", "test_curves" }, { "core", "test_schedule" }, { "lua", "^test_schedule%." } },
}
