--- swale rerun RUN
local cli = require "swale.cli"
local folders = require "swale.folders"
local repeated = require "swale.run.repeated"
local source = require "swale.run.source"

local M = { summary = "repeat a run, from the source that it stored: swale rerun RUN", order = 3 }

local function build_parser()
  local parser = cli.parser("rerun", "Repeats a run as a new one: the script and modules that it"
    .. " stored, the same parameters and seed. Says what is different today, and in the end"
    .. " whether the same was recorded.")
  parser:argument("run", cli.RUN):argname "RUN"
  parser:flag("--here", "Take the script as it is now.")
  cli.add_threads(parser)
  parser:flag("--traceback", "Show where an error came from.")
  return parser
end

--- Where the script is now: as it was named, or from the folder where the run began.
local function present(info)
  local there = tostring(info.cwd) .. "/" .. info.script
  return not folders.exists(info.script) and folders.exists(there) and there or info.script
end

local function revision_of(dir, info)
  local path = source.changes_path(dir)
  return { commit = info.commit, dirty = info.dirty,
    changes_file = folders.exists(path) and path or nil }
end

local function say_differences(dir, info)
  for _, line in ipairs(repeated.differences(info)) do cli.say("%s", line) end
  if info.status ~= "done" then cli.say("%s: its status is %s", dir, tostring(info.status)) end
end

--- Parameters as they were resolved then; those that the stored script had by default are so again.
local function parameters_of(info, here)
  return (here or type(info.given) ~= "table") and info.params or info.given
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local dir, problem = require("swale.store").find(o.run)
  local info = dir and require("swale.run").read_info(dir)
  problem = problem or not o.here and repeated.problem(dir, info)
  if not problem and type(info.script) ~= "string" then
    problem = "its record names no script"
  end
  if problem then
    cli.say("%s%s", problem, dir and not o.here
      and "\n  `swale rerun --here` takes the script as it is now." or "")
    return 1
  end
  cli.set_threads(o.threads)
  say_differences(dir, info)
  local script = o.here and present(info) or info.script
  local experiment, code = cli.load_experiment(script, o.traceback, not o.here and dir or nil)
  if not experiment then return code or 1 end
  table.insert(args, 1, "rerun")
  local run
  code, run = experiment:execute(parameters_of(info, o.here), { seed = info.seed, script = script,
    argv = args, traceback = o.traceback, repeats = { id = dir:match "[^/]+$",
      revision = not o.here and revision_of(dir, info) or nil } })
  if run and code == 0 then
    io.stderr:write(("against %s: %s\n"):format(dir, repeated.comparison(dir, run.dir)))
  end
  return code
end

return M
