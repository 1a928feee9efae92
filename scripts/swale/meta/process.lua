---@meta _
-- swale.core: threads, memory, signals, locks.

---@class swale.core
local core = {}

---@return string variant          "avx2", "scalar"
function core.variant() end
---@return string[] variants        those that this machine can run, the best first
function core.variants() end
---@return string description      "OpenBLAS 0.3.21 Zen"
function core.blas() end
---@return integer
function core.threads() end
---@param n integer                at least 1
function core.set_threads(n) end
---@return integer
function core.cores() end
---Does nothing but multiply-adds, in registers, on one thread: for measuring the processor's peak.
---@param rounds integer
---@return integer                   multiply-adds done
function core.multiply_adds(rounds) end
---The folder whose Lua files are Swale's own: positions in errors skip them.
---@param path string
function core.set_library(path) end
---@return { live_bytes: integer, live_blocks: integer, peak_bytes: integer, calls: integer }
function core.memory() end
---For tests: makes the n-th allocation of the core from now fail, with persistent also all after it. 0 ends it.
---@param n integer
---@param persistent? boolean
function core.fail_allocation(n, persistent) end
---Makes Ctrl-C set a flag instead of ending the process (a second one ends it). Lua code of the main coroutine then
---raises core.INTERRUPTED at once, and a full disk or closed pipe is an error instead of a signal.
---@param only_sigint? boolean      false: SIGTERM and SIGHUP, too, unless they are ignored
function core.catch_signals(only_sigint) end
---@return boolean
function core.interrupted() end
function core.clear_interrupt() end
---@param on boolean                 true: core.INTERRUPTED is not raised before this is false again
---@return boolean before
function core.defer_interrupt(on) end
---@return boolean                   SIGUSR1, which catch_signals catches unless it takes SIGINT alone, came since the last call
function core.checkpoint_asked() end
---@return integer                   130, 143 or 129: the exit status after the latest interrupt
function core.interrupt_status() end
---@param signal "sigint"|"sigterm"|"sighup"
---@return boolean
function core.is_ignored(signal) end

---@class swale.Lock
local Lock = {}
function Lock:release() end

---@param path string                created if it does not exist
---@return swale.Lock|nil, string? message, string? code   nil: "EHELD", by another process; a fault
function core.hold(path) end
---@param path string
---@return boolean|nil, string? message, string? code      nil: that cannot be told
function core.is_held(path) end
---@param pid integer                of the parent; this process gets SIGTERM when that ends
function core.die_with_parent(pid) end
---@return integer|nil columns, integer? rows   of the terminal on stderr; 0: not known; nil: none
function core.terminal_size() end
---@param bytes integer              that this process may allocate; mapped files do not count
---@return true|nil, string? message, string? code
function core.limit_memory(bytes) end
