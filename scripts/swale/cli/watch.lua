--- swale watch [RUN|BATCH|SWEEP …]
local cli = require "swale.cli"

local M = { summary = "a table of runs that is kept up to date: swale watch [RUNS]", order = 10 }

local INTERVAL = 1000 -- ms between two looks

local ENTER, LEAVE = "\27[?1049h\27[?25l", "\27[?25h\27[?1049l" -- the other screen, no cursor

local CODES = { sigint = 0, sigterm = 143, sighup = 129 }

local function uv() return require "luv" end

local function source(words)
  local store = require("swale.store").open()
  return function()
    store:refresh()
    if #words == 0 then return store:runs {} end
    local views, problem = require("swale.store.chosen").runs(store, words)
    if not views then require("swale.errors").environment(problem, "ENOENT") end
    return views
  end
end

local function draw(watch)
  local columns, rows = require("swale.progress").terminal_size()
  local lines = watch:lines(uv().hrtime() / 1e9, columns, rows - 1)
  io.stdout:write("\27[H", table.concat(lines, "\27[K\r\n"), "\27[K\27[J")
  io.stdout:flush()
end

--- Calls ended(reason) at q and Ctrl-C, which is a byte in raw mode. nil: stdin is no terminal.
local function keys(ended)
  if uv().guess_handle(0) ~= "tty" then return nil end
  local tty = uv().new_tty(0, true)
  if not tty then return nil end
  tty:set_mode(1)
  tty:read_start(function(_, data)
    if not data or data:find "[qQ\3\4]" then ended "q" end
  end)
  return tty
end

--- Redraws until a key or a signal ends it.
local function loop(watch)
  local reason, due = nil, true
  local function ended(why) reason = reason or why end
  local handles = require("swale.batch.pool").on_signals({ "sigint", "sigterm", "sighup" }, ended)
  local resized, timer = uv().new_signal(), uv().new_timer()
  resized:start("sigwinch", function() due = true end)
  timer:start(INTERVAL, INTERVAL, function() due = true end)
  local tty = keys(ended)
  table.move({ resized, timer, tty }, 1, 3, #handles + 1, handles)
  local _ <close> = setmetatable({}, { __close = function()
    if tty then tty:set_mode(0) end
    for _, handle in ipairs(handles) do handle:close() end
    uv().run "nowait"
  end })
  while not reason do
    if due then draw(watch) end
    due = false
    uv().run "once"
  end
  return CODES[reason] or 0
end

--- The terminal is as it was, however this ends.
local function on_terminal(watch)
  io.stdout:write(ENTER)
  local _ <close> = setmetatable({}, { __close = function()
    io.stdout:write(LEAVE)
    io.stdout:flush()
  end })
  return loop(watch)
end

---@param args string[]
---@return integer code
function M.main(args)
  local parser = cli.parser("watch", "Shows runs, those that run first, and the loss of the first"
    .. " one as a curve; looks again each second. q or Ctrl-C ends it. Where the output is no"
    .. " terminal it prints the table once.")
  parser:argument("runs", "Runs, batches and sweeps; all runs, unless given."):argname "RUN"
    :args "*"
  local o = cli.parse(parser, args)
  if not o then return 2 end
  require("swale.core").catch_signals()
  local watch = require("swale.watch").new(source(o.runs))
  if uv().guess_handle(1) ~= "tty" or os.getenv "TERM" == "dumb" then
    print(table.concat(watch:lines(uv().hrtime() / 1e9), "\n"))
    return 0
  end
  return on_terminal(watch)
end

return M
