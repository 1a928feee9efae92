--- swale export csv|jsonl|tensorboard [RUNS] [--metrics] [--out FILE]
local cli = require "swale.cli"

local M = { order = 13,
  summary = "write runs for other programs: swale export csv|jsonl|tensorboard [RUNS]" }

local function build_parser()
  local parser = cli.parser("export", "Writes a line for each run, or with --metrics for each line"
    .. " of their metrics. Numbers are exact; nan and inf are kept. For TensorBoard, an event file"
    .. " for each run, below the folder --out.")
  parser:argument("format", "csv, jsonl or tensorboard."):argname "FORMAT"
    :choices { "csv", "jsonl", "tensorboard" }
  parser:argument("runs", "Runs, batches and sweeps; all runs, unless given."):argname "RUN"
    :args "*"
  parser:option("--where -w", "Only runs that meet a condition, as of swale list.")
    :argname "CONDITION"
  parser:flag("--metrics", "The metrics instead of the runs.")
  parser:option("--out -o", "The file; standard output, unless given. Of tensorboard: a folder.")
    :argname "FILE"
  return parser
end

--- nil where a run is not there, which is printed.
local function views_of(store, o)
  if #o.runs == 0 then return store:runs { where = o.where } end
  local views, problem = require("swale.store.chosen").runs(store, o.runs)
  if not views then
    cli.say("%s", problem)
    return nil
  elseif not o.where then
    return views
  end
  local ids = {}
  for i, view in ipairs(views) do ids[i] = view.id end
  return store:runs { ids = ids, where = o.where }
end

--- Writes the lines into a file, which has its name only when it is complete, or to stdout.
local function write_all(o, views)
  local export, errors = require "swale.store.export", require "swale.errors"
  local part = o.metrics and "metrics" or "runs"
  local temporary = o.out and ("%s.part.tmp.%d"):format(o.out, require("luv").os_getpid())
  local file = temporary and errors.check(io.open(temporary, "wb")) or io.stdout
  local function write(line) errors.check(file:write(line, "\n")) end
  local ok, fault = pcall(export.write, o.format, part, views, write)
  if not o.out then
    if not ok then error(fault, 0) end
    return
  end
  local closed, why = file:close()
  if ok and closed then ok, fault = pcall(errors.check, os.rename(temporary, o.out)) end
  if ok and closed then return end
  os.remove(temporary)
  error(ok and why or fault, 0)
end

--- An event file for each run, in a folder of the run's name.
local function write_boards(o, views)
  local board, errors = require "swale.run.board", require "swale.errors"
  for _, view in ipairs(views) do
    local folder = ("%s/%s"):format(o.out, view.id)
    errors.check(require("swale.folders").make_folder(folder))
    board.write(folder, view.info, view:records())
  end
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local boards = o.format == "tensorboard"
  if boards and not o.out then
    cli.say "export tensorboard: into which folder? --out FOLDER"
    return 2
  end
  local store = require("swale.store").open()
  local views = views_of(store, o)
  store:tell(cli.note)
  if not views then return 1 end
  if boards then write_boards(o, views) else write_all(o, views) end
  if o.out then cli.say("%s: %d runs", o.out, #views) end
  return 0
end

return M
