--- swale rerun RUN
local cli = require "swale.cli"
local folders = require "swale.folders"
local repeated = require "swale.run.repeated"
local source = require "swale.run.source"

local M = { summary = "repeat a run, from the source that it stored: swale rerun RUN", order = 18 }

local function build_parser()
  local parser = cli.parser("rerun", "Repeats a run as a new one: the script and modules that it"
    .. " stored, the same parameters and seed. Says what is different today, and in the end"
    .. " whether the same was recorded.")
  parser:argument("run", cli.RUN):argname "RUN"
  parser:flag("--here", "Take the script as it is now.")
  cli.add_threads(parser)
  cli.add_traceback(parser)
  return parser
end

local function revision_of(dir, info)
  local path = source.changes_path(dir)
  return { commit = info.commit, dirty = info.dirty,
    changes_file = folders.exists(path) and path or nil }
end

local function say_differences(dir, info)
  for _, line in ipairs(repeated.differences(info)) do cli.say("%s", line) end
  local history = require("swale.store.view").known(dir, info, info.status).history
  if history then cli.say("%s: %s, so a run from its beginning differs", dir, history) end
  if info.status ~= "done" then cli.say("%s: its status is %s", dir, tostring(info.status)) end
end

--- Parameters as they were resolved then; those that the stored script had by default are so again.
--- A run that was resumed may have got others.
local function parameters_of(info, here)
  return (here or info.resumed or type(info.given) ~= "table") and info.params or info.given
end

--- The run that a word names, if it can be repeated; else prints why not.
local function find(o)
  local dir, problem = require("swale.store").find(o.run)
  local info = dir and require("swale.run").read_whole(dir)
  problem = problem or repeated.refusal(info)
  if not problem and not o.here then
    problem = repeated.problem(dir, info)
    problem = problem and problem .. "\n  `swale rerun --here` takes the script as it is now."
  end
  if not problem then return require("swale.run.place").enter(dir, info), info end
  cli.say("%s%s", dir and dir .. ": " or "", problem)
  return nil
end

local function execute(experiment, dir, info, o)
  local origin = { id = dir:match "[^/]+$",
    revision = not o.here and revision_of(dir, info) or nil }
  local code, run = experiment:execute(parameters_of(info, o.here), { seed = info.seed,
    script = info.script, argv = o.argv, traceback = o.traceback, repeats = origin })
  if run and code == 0 then
    io.stderr:write(("against %s: %s\n"):format(dir, repeated.comparison(dir, run.dir)))
  end
  return code
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local dir, info = find(o)
  if not dir then return 1 end
  cli.set_threads(o.threads)
  say_differences(dir, info)
  local experiment, code = cli.load_experiment(info.script, o.traceback, not o.here and dir or nil)
  if not experiment then return code or 1 end
  o.argv = table.move(args, 1, #args, 2, { "rerun" })
  return execute(experiment, dir, info, o)
end

return M
