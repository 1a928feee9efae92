--- swale list [--where CONDITION] [--sort NAME] [--columns NAMES] [-q | --json]
local cli = require "swale.cli"

local M = { summary = "list the runs: swale list [--where \"lr > 0.1 and status = 'done'\"]",
  order = 6 }

local function build_parser()
  local parser = cli.parser("list", "Lists the runs below SWALE_RUNS, or runs/, in the order of"
    .. " their beginning. Names are parameters, results of run:summary, fields of run.json (id,"
    .. " experiment, status, seed, started, wall_seconds, tag, collection, …) and metrics:"
    .. " valid_loss (the last value), valid_loss.min, .max, .count.")
  parser:option("--where -w", "Only runs that meet a condition: lr > 0.1 and status = 'done'. It"
    .. " has and, or, not, parentheses, = != < <= > >=, in ('a', 'b'), like 'a%', = null, = nan.")
    :argname "CONDITION"
  parser:option("--experiment", "Only runs of this experiment."):argname "NAME"
  parser:option("--collection", "Only runs of this batch or sweep."):argname "COLLECTION"
  parser:option("--sort", "Sort by this name."):argname "NAME"
  parser:flag("--reverse", "The other way round.")
  parser:option("--limit", "At most so many."):argname "N":convert(cli.whole(1))
  parser:option("--columns", "Show these: id,lr,valid_loss.min."):argname "NAMES"
    :convert(cli.parts)
  parser:flag("-q --quiet", "Only the names of the runs, one a line.")
  parser:flag("--json", "A JSON list, with exact numbers.")
  return parser
end

local function collection_of(o)
  if not o.collection then return nil end
  local dir, problem = require("swale.store").find_collection(o.collection)
  if not dir then require("swale.errors").environment(problem, "EIO") end
  return dir:match "[^/]+$"
end

local function print_json(list)
  local json = require("swale.core").json_encode
  for i, record in ipairs(list) do list[i] = json(record) end
  print(("[%s]"):format(table.concat(list, ",\n")))
end

local function print_columns(store, chosen, o)
  local listing, shown = require "swale.store.listing", require "swale.store.shown"
  store:refresh()
  if store:is_empty() then return 0 end
  listing.check(store, o.columns)
  local rows = listing.rows(store, chosen, o.columns)
  for i, row in ipairs(rows) do
    local record = {}
    for c, name in ipairs(o.columns) do
      record[name] = row[c]
      row[c] = shown.short(row[c])
    end
    rows[i] = o.json and record or row
  end
  if o.json then return print_json(rows) end
  print(require("swale.table").render(o.columns, rows))
end

local function print_views(views, o)
  local listing = require "swale.store.listing"
  if o.quiet then
    for _, view in ipairs(views) do print(view.id) end
  elseif o.json then
    local records = {}
    for i, view in ipairs(views) do records[i] = listing.record(view) end
    print_json(records)
  elseif #views > 0 then
    print(listing.table(views))
  end
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  local store = require("swale.store").open()
  local chosen = { where = o.where, experiment = o.experiment, collection = collection_of(o),
    sort = o.sort, descending = o.reverse, limit = o.limit }
  local views
  if o.columns then
    print_columns(store, chosen, o)
  else
    views = store:runs(chosen)
    print_views(views, o)
  end
  store:tell(cli.note)
  if store:is_empty() then
    cli.say("there are no runs below %s", store.root)
  elseif views and #views == 0 and not o.quiet then
    cli.say "no run meets the condition"
  end
  return 0
end

return M
