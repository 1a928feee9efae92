--- The command line: `swale COMMAND …`. Each command is a file here, swale/cli/COMMAND.lua, with
---
---     summary   one line for `swale --help`
---     order     its place there
---     main      function(args): args are the words after the command; returns the exit status
---
--- Exit status: 0 success, 1 failure, 2 a command line that is not understood, 3 a run that
--- diverged, 130 ended by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
local M = {}

local HELP = [[
Usage: swale COMMAND …

Commands:
%s

  swale COMMAND --help   explains one of them
  swale --version

Environment:
  SWALE_RUNS      where runs go: runs/ in the current folder, unless set
  SWALE_DATA      where data sets are kept: %s
  SWALE_DATA_URL  fetch data sets from this address only
  SWALE_CPU       use this instruction set; this machine has %s]]

---Writes a message to stderr, as `swale: …`.
---@param fmt string
---@param ... any
function M.say(fmt, ...)
  local text = select("#", ...) > 0 and fmt:format(...) or fmt
  io.stderr:write("swale: ", text, "\n")
end

---Writes a message that is not a format.
---@param text string
function M.note(text) M.say("%s", text) end

---Returns the folder of the commands.
local function folder()
  return package.searchpath("swale.cli", package.path):match "^(.*)/[^/]*$"
end

---@return string[]
function M.names()
  local names = {}
  for _, file in ipairs(require("swale.folders").entries(folder())) do
    local name = file:match "^([%w_-]+)%.lua$"
    if name and name ~= "init" then names[#names + 1] = name end
  end
  return names
end

local function listing()
  local commands, lines, width = {}, {}, 0
  for _, name in ipairs(M.names()) do
    local command = require("swale.cli." .. name)
    width = math.max(width, #name)
    commands[#commands + 1] = { name = name, summary = command.summary,
      order = command.order or 99 }
  end
  table.sort(commands, function(a, b)
    return a.order < b.order or a.order == b.order and a.name < b.name
  end)
  for i, c in ipairs(commands) do
    lines[i] = ("  %s%s  %s"):format(c.name, (" "):rep(width - #c.name), c.summary)
  end
  return table.concat(lines, "\n")
end

local function help()
  print(HELP:format(listing(), require("swale.data.cache").folder(),
    table.concat(require("swale.core").variants(), ", ")))
  return 0
end

local function version()
  local core = require "swale.core"
  print(("swale %s (%s, %s, %s)"):format(core._VERSION, _VERSION, core.variant(), core.blas()))
  return 0
end

local function unknown(name)
  local errors, names = require "swale.errors", M.names()
  table.move({ "--help", "--version" }, 1, 2, #names + 1, names)
  M.say('there is no command "%s"%s `swale --help` lists them.', name,
    errors.suggestion(name, names))
  return 2
end

---Returns an argument parser for a command. M.parse reports what a user types wrong.
---@param name string
---@param summary string
---@return table parser   of lua-argparse
function M.parser(name, summary)
  local parser = require "argparse"("swale " .. name, summary)
  parser:add_help { description = "Show this help." }
  return parser
end

---Parses the arguments. Prints why and returns nil if they are not understood.
---@param parser table
---@param args string[]
---@return table|nil result
function M.parse(parser, args)
  local ok, result = parser:pparse(args)
  if ok then return result end
  io.stderr:write("swale: ", tostring(result), "\n", parser:get_usage(), "\n")
  return nil
end

---A word as a shell takes it, for commands in messages.
---@param word string
---@return string
function M.quoted(word)
  return word:find "^[%w_./=,:+-]+$" and word or "'" .. word:gsub("'", "'\\''") .. "'"
end

---For argparse: a whole number, at least `least`.
---@param least integer
---@param most? integer
---@return fun(text: string): integer|nil, string?
function M.whole(least, most)
  local words = most and ("from %d to %d"):format(least, most) or "of at least " .. least
  return function(text)
    local n = math.tointeger(tonumber(text))
    if n and n >= least and n <= (most or n) then return n end
    return nil, ("'%s' is not a whole number %s"):format(text, words)
  end
end

---For argparse: seconds, 0 or more.
---@param text string
---@return number|nil, string?
function M.seconds(text)
  local x = tonumber(text)
  if x and x >= 0 and x < math.huge then return x end
  return nil, ("'%s' is not a number of seconds"):format(text)
end

---Adds the flag --traceback.
---@param parser table
function M.add_traceback(parser)
  parser:flag("--traceback", "Show where an error came from.")
end

---Adds the option --checkpoint SECONDS.
---@param parser table
function M.add_checkpoint(parser)
  parser:option("--checkpoint", "At most so many seconds pass between two checkpoints; 600.")
    :argname "SECONDS":convert(M.seconds)
end

---For argparse: the parts of a list such as 1,2.
---@param text string
---@return string[]
function M.parts(text)
  local parts = {}
  for part in text:gmatch "[^,]+" do parts[#parts + 1] = part end
  return parts
end

---What a RUN may be, for the help of commands.
M.RUN = "A run: its directory, its name below SWALE_RUNS, a unique part of one, or last."

---For argparse: a number of threads.
M.thread_count = M.whole(1, 1024)

---Adds --threads; M.set_threads applies it.
---@param parser table
function M.add_threads(parser)
  parser:option("--threads", "Threads to compute with."):argname "N":convert(M.thread_count)
end

---@param n integer|nil
function M.set_threads(n)
  if n then require("swale.core").set_threads(n) end
end

---Parses "lr=0.2" to { lr = "0.2" }. Prints why and returns nil if a word has another form.
---@param words string[]
---@return table<string, string>|nil
function M.overrides(words)
  local overrides = {}
  for _, word in ipairs(words) do
    local name, value = word:match "^([%a_][%w_]*)=(.*)$"
    if not name then
      M.say('"%s" is not of the form key=value', word)
      return nil
    elseif overrides[name] then
      M.say("%s is given twice", name)
      return nil
    end
    overrides[name] = value
  end
  return overrides
end

local function traced(value)
  local core = package.loaded["swale.core"]
  if core and value == core.INTERRUPTED then return value end
  return { text = require("swale.errors").failure(value), traceback = debug.traceback(nil, 2) }
end

---Calls f(...). Prints an error to stderr, with its traceback if that is wanted.
---@param with_traceback boolean
---@param f function
---@param ... any
---@return integer|nil code   nil: f returned
---@return any ...            what it returned
function M.protect(with_traceback, f, ...)
  local results = table.pack(xpcall(f, traced, ...))
  if results[1] then return nil, table.unpack(results, 2, results.n) end
  local failure = results[2]
  local core = package.loaded["swale.core"]
  if core and failure == core.INTERRUPTED then
    core.clear_interrupt()
    M.say "interrupted"
    return core.interrupt_status()
  end
  M.say("%s", failure.text)
  if with_traceback then io.stderr:write(failure.traceback, "\n") end
  return 1
end

--- Source text without the mark of UTF-8 and a first line for the shell.
local function code_of(text) return (text:gsub("^\xEF\xBB\xBF", ""):gsub("^#[^\n]*", "")) end

--- A searcher for require that loads source text only: compiled code is not checked by Lua. Modules
--- are those of a run's source/, where stored(name) gives their paths.
local function searcher(stored)
  local inputs, folders = require "swale.run.inputs", require "swale.folders"
  return function(name)
    local path, problem = package.searchpath(name, package.path)
    local kept = stored and stored(name)
    if not path and not kept then return problem end
    local text, message = folders.read(kept or path)
    local chunk
    if text then chunk, message = load(code_of(text), "@" .. (path or kept), "t") end
    if not chunk then error(("cannot load module %q: %s"):format(name, message), 0) end
    inputs.module(name, path or kept, text)
    return chunk, path or kept
  end
end

--- The modules that a run stored.
local function stored_modules(dir)
  local source, folders = require "swale.run.source", require "swale.folders"
  return function(name)
    local path = source.module_path(dir, name)
    return folders.exists(path) and path or nil
  end
end

local function read_script(path)
  local file, problem = io.open(path)
  if not file then return nil, problem end
  local text = file:read "a" -- once: a pipe cannot be read again
  file:close()
  return text, not text and path .. ": not a file" or nil
end

---Loads a user's Lua file. Modules in its folder are found by require.
---@param path string
---@param dir? string   of a run: the script and its modules are those that it stored
---@return function|nil chunk, string? message
function M.load_script(path, dir)
  local stored = dir and require("swale.run.source").script_path(dir, path)
  local text, problem = read_script(stored or path)
  if not text then return nil, problem end
  package.path = (path:match "^(.*/)[^/]*$" or "./") .. "?.lua;" .. package.path
  package.searchers[2] = searcher(dir and stored_modules(dir))
  require("swale.errors").set_script(path)
  require("swale.run.inputs").script(path, text)
  text = code_of(text)
  if text:sub(1, 4) == "\x1bLua" then
    return nil, path .. ": compiled Lua is not run; give the text"
  end
  return load(text, "@" .. path, "t")
end

---Returns the experiment that a script returns; prints why and returns nil if there is none.
---@param path string
---@param with_traceback boolean
---@param dir? string   of a run, whose stored source is loaded
---@return swale.Experiment|nil experiment, integer? code   the exit status
function M.load_experiment(path, with_traceback, dir)
  local chunk, message = M.load_script(path, dir)
  if not chunk then
    M.say("%s", message)
    return nil, 1
  end
  local failed, experiment = M.protect(with_traceback, chunk, path)
  if failed then return nil, failed end
  if not require("swale.experiment").is_experiment(experiment) then
    M.say("%s does not return an experiment. It should end with\n"
      .. "  return sw.experiment { name = …, run = function(run, p) … end }\n"
      .. "`swale lua %s` runs any Lua file.", path, path)
    return nil, 1
  end
  return experiment
end

---A parser for a command that takes an experiment: FILE, key=value, --seed, --threads, --traceback.
---@param name string
---@param summary string
---@return table parser   of lua-argparse
function M.experiment_parser(name, summary)
  local parser = M.parser(name, summary)
  parser:argument("file", "The script."):argname "FILE"
  parser:argument("overrides", "Parameters, such as lr=0.2."):argname "key=value":args "*"
  parser:option("--seed", "Seed of all random numbers."):argname "N":convert(M.whole(0))
    :default "1"
  M.add_threads(parser)
  M.add_traceback(parser)
  return parser
end

---Parses the arguments of such a command, sets the threads and loads the script.
---@param parser table
---@param args string[]
---@return swale.Experiment|nil experiment    nil if there is none, which is printed
---@return table|integer o                    options, with overrides as a table; or the exit status
function M.parse_experiment(parser, args)
  local o = M.parse(parser, args)
  if not o then return nil, 2 end
  o.overrides = M.overrides(o.overrides)
  if not o.overrides then return nil, 2 end
  M.set_threads(o.threads)
  local experiment, code = M.load_experiment(o.file, o.traceback)
  if not experiment then return nil, code or 1 end
  return experiment, o
end

---Parses the arguments of a command that takes a RUN, sets the threads and finds the run; says why
---there is none.
---@param parser table        with the argument run; overrides and --threads, if any
---@param args string[]
---@return string|nil dir
---@return table|integer o    options, with overrides as a table; or the exit status
function M.parse_run(parser, args)
  local o = M.parse(parser, args)
  if not o then return nil, 2 end
  o.overrides = M.overrides(o.overrides or {})
  if not o.overrides then return nil, 2 end
  local dir, problem = require("swale.store").find(o.run)
  if not dir then
    M.say("%s", problem)
    return nil, 1
  end
  M.set_threads(o.threads)
  return dir, o
end

---A function that loads the script of a run, as load_experiment does.
---@param o { traceback?: boolean }
---@return fun(path: string): swale.Experiment|nil, integer?
function M.loader(o)
  return function(path) return M.load_experiment(path, o.traceback) end
end

--- Handles the first arguments of a child of a batch: "--child-of PID": this process ends with the
--- one that started it; "--memory BYTES": what it may allocate.
local function take_parent(args)
  if args[1] ~= "--child-of" then return args end
  local core = require "swale.core"
  core.die_with_parent(assert(math.tointeger(tonumber(args[2]))))
  require("swale.run.origin").get()
  if args[3] ~= "--memory" then return table.move(args, 3, #args, 1, {}) end
  assert(core.limit_memory(assert(math.tointeger(tonumber(args[4])))))
  return table.move(args, 5, #args, 1, {})
end

---@param args string[]
---@return integer code   exit status
function M.main(args)
  args = take_parent(args)
  require("swale.errors").set_launcher()
  local name = args[1]
  local bare_help = name == "help" and not args[2]
  if not name or name == "--help" or name == "-h" or bare_help then return help() end
  if name == "--version" or name == "-v" then return version() end
  if not name:match "^%l[%w_-]*$" or not package.searchpath("swale.cli." .. name, package.path) then
    return unknown(name)
  end
  local rest = table.move(args, 2, #args, 1, {})
  local failed, code = M.protect(false, function()
    return require("swale.cli." .. name).main(rest)
  end)
  return failed or code or 0
end

return M
