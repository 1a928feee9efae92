--- swale reproduce PAPER [--quick|--pilot] [--jobs N] [--publish] …
local cli = require "swale.cli"

local M = { order = 6,
  summary = "run a paper's experiments and judge its claims: swale reproduce PAPER [--quick]" }

local function build_parser()
  local parser = cli.parser("reproduce", "Runs the experiments of a paper, each run in a process of"
    .. " its own, draws its figures and judges its claims. Work that is done is skipped, so the"
    .. " same command goes on after an interruption.")
  parser:argument("paper", "A folder with paper.lua and claims.lua, or a name below"
    .. " experiments/."):argname "PAPER"
  parser:mutex(
    parser:flag("--quick", "The small size, which shows that everything runs."),
    parser:flag("--pilot", "Seeds from 1000, and no verdicts: spread, and the seeds that each claim"
      .. " needs."))
  parser:option("--jobs", "Runs at a time; cores / threads."):argname "N"
    :convert(cli.whole(1, 4096))
  parser:option("--threads", "Threads of each process."):argname "N":convert(cli.thread_count)
    :default "1"
  parser:option("--only", "Runs this script alone."):argname "SCRIPT"
  parser:option("--retry", "Tries what was killed up to N times more."):argname "N"
    :convert(cli.whole(0, 1000)):default "0"
  parser:flag("--force", "Repeats what is done.")
  parser:flag("--dry-run", "Lists what would run and what would be skipped, and writes nothing.")
  parser:flag("--publish", "Writes table and figures into the paper's folder; full size only.")
  cli.add_traceback(parser)
  return parser
end

local function size_of(o) return o.quick and "quick" or o.pilot and "pilot" or "full" end

local function options_of(o, args, folder, plan)
  local cores = require("swale.core").cores()
  return { kind = "batch", name = folder.name, threads = o.threads, retry = o.retry,
    argv = table.move(args, 1, #args, 2, { "reproduce" }), force = o.force, dry_run = o.dry_run,
    jobs = o.jobs or math.max(1, cores // o.threads), tables = false,
    source = require("swale.paper.plan").source(plan),
    paper = { name = folder.name, size = plan.size, claims = folder.digests.digest },
    files = { ["claims.lua"] = folder.text },
    env = { SWALE_CLAIMS = require("swale.core").json_encode(folder.digests) } }
end

local ENDED = { [130] = true, [143] = true, [129] = true }

local function quoted(argv)
  local words = { "swale" }
  for i, word in ipairs(argv) do words[i + 1] = cli.quoted(word) end
  return table.concat(words, " ")
end

local function begun() return require("luv").hrtime() / 1e9 end

local function reproduce(o, args, folder, plan)
  local options, start = options_of(o, args, folder, plan), begun()
  local code, collection = require("swale.batch").run(options)
  if o.dry_run or ENDED[code] then return code end
  local judged, found = require("swale.paper.judgement").run { folder = folder, plan = plan,
    argv = options.argv, command = quoted(options.argv), collection = collection.id,
    wall_seconds = begun() - start }
  if o.publish and judged == 0 and require("swale.paper.plan").is_finished(plan) then
    judged = require("swale.paper.publish").write(folder, found, cli.say)
  elseif o.publish then
    cli.say "reproduce: nothing is published, because something failed"
  end
  return judged ~= 0 and judged or code
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  require("swale.core").catch_signals()
  local path, message = require("swale.paper.folder").find(o.paper)
  if not path then
    cli.say("%s", message)
    return 2
  end
  local failed, folder = cli.protect(o.traceback, require("swale.paper.folder").load, path)
  if failed then return failed end
  local plan
  plan, message = require("swale.paper.plan").new(folder, size_of(o), o.only)
  if not plan then
    cli.say("%s", message)
    return 2
  end
  if o.publish then
    local ok, why = require("swale.paper.publish").check(folder, o, plan)
    if not ok then
      cli.say("reproduce: %s", why)
      return 2
    end
  end
  return reproduce(o, args, folder, plan)
end

return M
