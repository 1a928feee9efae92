---@meta swale.core
-- What the C module `swale.core` offers. Scripts use `require "swale"`, which is built on it.
-- The other files of this folder go on with it, a subject each.
--
-- Misuse raises, with the position of the first caller outside Swale's own Lua files. Faults of the
-- environment give `nil, message, code` (code: "EIO", "ENOSPC", "ECORRUPT", "ENOMEM", "ENAN", "EINTERRUPTED", …).
-- Axes, indices and ranges count from 1, negative ones from the end. Labels and argmax count from 0.

---@class swale.core
---@field _VERSION string          the version of libswale; `swale` refuses another one
local core = {}

---@alias swale.dtype "float32"|"float64"|"int32"|"uint8"
---@alias swale.size integer|"batch"|string   a size, the batch, or "2*batch"

---The error value raised after Ctrl-C.
core.INTERRUPTED = {}
---A NaN that is printed as nan: that of 0 / 0 has a sign on some machines.
core.NAN = 0 / 0
core.LOOP_NORMS = 32 -- measured steps whose norms a loop keeps
core.NOISE_MEASUREMENTS = 32 -- fewest that a noise scale is estimated from
core.NOISE_BLOCKS = 8 -- fewest blocks of its window

return core
