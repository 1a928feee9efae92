--- swale batch FILES|FOLDERS… [--jobs N] [--seeds 1..3] [key=value …]
local cli = require "swale.cli"
local given = require "swale.batch.options"

local M = { summary = "run many experiments: swale batch FILES|FOLDERS… [--seeds 3] [key=value …]",
  order = 4 }

local function build_parser()
  local parser = cli.parser("batch", "Runs every script with every seed, each in a process of its"
    .. " own, so that they cannot affect each other. Failures are shown at once; the last line"
    .. " counts the outcomes. Work that is done is skipped, so the same command continues a batch"
    .. " that was interrupted.")
  parser:argument("words", "Scripts, folders of scripts, and parameters, which go to the scripts"
    .. " that declare them."):argname "FILE|FOLDER|key=value":args "+"
  given.add(parser)
  return parser
end

local function split(words)
  local paths, pairs_ = {}, {}
  for _, word in ipairs(words) do
    local list = word:find "^[%a_][%w_]*=" and pairs_ or paths
    list[#list + 1] = word
  end
  return paths, pairs_
end

local function is_several(value)
  return value:find "," or value:find "%d%.%.%-?%d" or value:find "^%a%w*:"
end

--- The command that runs several values of a parameter, which was refused here.
local function sweep_hint(overrides, args)
  for name, value in pairs(overrides) do
    if is_several(value) then
      local words = {}
      for i, word in ipairs(args) do words[i] = cli.quoted(word) end
      return ("\n  A batch takes one value for each parameter. Several values of %s are a sweep:\n"
        .. "  swale sweep %s"):format(name, table.concat(words, " "))
    end
  end
  return ""
end

---@param args string[]
---@return integer code
function M.main(args)
  local o = cli.parse(build_parser(), args)
  if not o then return 2 end
  require("swale.core").catch_signals()
  local paths, words = split(o.words)
  local overrides = cli.overrides(words)
  if not overrides then return 2 end
  if #paths == 0 then
    cli.say "batch: which scripts? Name files or folders."
    return 2
  end
  local scripts, problem = require("swale.batch.scripts").find(paths, overrides, cli.say)
  if not scripts then
    cli.say("%s%s", problem, sweep_hint(overrides, args))
    return 2
  end
  local options = given.read(o, "batch", args)
  options.source = require("swale.batch.source").of(scripts, o.seeds)
  return require("swale.batch").run(options)
end

return M
