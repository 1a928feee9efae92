--- swale data list | get NAME
local cli = require "swale.cli"

local M = { summary = "data sets: swale data list, swale data get NAME", order = 20 }

local function build_parser()
  local parser = cli.parser("data", "Lists the data sets that Swale can load, or fetches one.")
  parser:command_target "action"
  parser:command("list", "List the data sets, and which of them are on this machine.")
  local get = parser:command("get", "Fetch a data set, check it and keep it in the cache.")
  get:argument("name", "Such as mnist."):argname "NAME"
  return parser
end

local STATES = { cached = "cached", shipped = "part of Swale", missing = "to be fetched" }

local function state_of(name, manifest)
  local cache = require "swale.data.cache"
  local state, where = cache.state(name)
  if state == "here" then return "in " .. where end
  if state == "missing" and manifest.package then
    return STATES.missing .. ", or package " .. manifest.package
  end
  return STATES[state]
end

local function list()
  local manifests = require "swale.data.manifests"
  local rows = {}
  for _, name in ipairs(require("swale.data").names()) do
    local set = manifests.sets[name]
    rows[#rows + 1] = { name, ("%d/%d/%d"):format(set.split.train, set.split.valid, set.split.test),
      table.concat(set.shape, "x"), set.classes, state_of(name, set), set.licence }
  end
  print(require("swale.table").render(
    { "name", "train/valid/test", "shape", "classes", "state", "licence" }, rows))
  print("\nCache: " .. require("swale.data.cache").folder())
  return 0
end

local function get(name)
  local data = require "swale.data"
  local known = require("swale.data.manifests").sets
  if not known[name] then
    cli.say('there is no data set "%s"%s There are: %s', name,
      require("swale.errors").suggestion(name, known), table.concat(data.names(), ", "))
    return 2
  end
  require("swale.core").catch_signals()
  local path = data.get(name)
  if path then
    print(("%s: %s"):format(name, path))
  elseif known[name].shipped then
    print(name .. ": part of Swale, nothing to fetch")
  else
    cli.say("%s was read, but could not be written to the cache", name)
    return 1
  end
  return 0
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  if o.action == "get" then return get(o.name) end
  return list()
end

return M
