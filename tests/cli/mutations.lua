--- Mutants of the shipped scripts. Each runs in a process of its own, with little memory and time;
--- it must end well or in an error that names a line of the script, never by a signal.
---
---     ./swale lua tests/cli/mutations.lua 10000 [seed [jobs]]
---
--- A mutant depends on the seed and its number alone. Those that end wrong are kept.
local core = require "swale.core"
local folders = require "swale.folders"
local pool = require "swale.batch.pool"
local process = require "swale.process"

local M = {}

local MEMORY = 1500 * 1024     -- KiB of address space
local SECONDS = 10             -- for one mutant; an endless loop is ended then and is no fault

-- ------------------------------------------------------------------ tokens

local PATTERNS = { "^%-%-%[%[.-%]%]", "^%-%-[^\n]*", "^%s+", "^%[%[.-%]%]", '^"[^"\n]*"',
  "^'[^'\n]*'", "^[%a_][%w_]*", "^0[xX]%x+", "^%d+%.?%d*[eE][+-]?%d+", "^%d+%.%d+", "^%d+",
  "^%.%.%.", "^%.%.", "^[=~<>]=", "^//", "^::", "^." }

local function next_token(text, at)
  for _, pattern in ipairs(PATTERNS) do
    local first, last = text:find(pattern, at)
    if first then return text:sub(first, last), last + 1 end
  end
end

--- Splits the text into tokens; solid: the positions of those that are neither blank nor comment.
local function tokens_of(text)
  local tokens, solid, at = {}, {}, 1
  while at <= #text do
    local token
    token, at = next_token(text, at)
    tokens[#tokens + 1] = token
    if not token:find "^%s" and not token:find "^%-%-" then solid[#solid + 1] = #tokens end
  end
  return tokens, solid
end

-- ------------------------------------------------------------------ what is done to them

local NUMBERS = { "0", "-1", "1", "2", "0.5", "-0.0", "1e-300", "1e300", "(0/0)", "(1/0)", "(-1/0)",
  "3.5", "1e6", "2147483648", "-2147483649", "4294967297", "9007199254740993", "math.mininteger",
  "math.maxinteger", "1e-45", "3.5e38" }

local VALUES = { "nil", "true", "{}", '""', "function() end", "sw", "run", "p", "data", "trainer",
  "print", "(...)", "sw.zeros(0)", "sw.zeros { 3, 2 }", "math.huge", "coroutine.wrap(print)" }

local function any(random, list) return list[random:integer(#list)] end

--- The positions of the solid tokens that match a pattern.
local function matching(tokens, solid, pattern)
  local list = {}
  for _, i in ipairs(solid) do
    if tokens[i]:find(pattern) then list[#list + 1] = i end
  end
  return list
end

local function replace_one(tokens, random, positions, texts)
  if #positions > 0 then tokens[any(random, positions)] = any(random, texts) end
end

local WAYS = {
  function(tokens, solid, random) tokens[any(random, solid)] = "" end,
  function(tokens, solid, random)
    local i = any(random, solid)
    tokens[i] = tokens[i] .. " " .. tokens[i]
  end,
  function(tokens, solid, random)
    local i, j = any(random, solid), any(random, solid)
    tokens[i], tokens[j] = tokens[j], tokens[i]
  end,
  function(tokens, solid, random)
    replace_one(tokens, random, matching(tokens, solid, "^%d"), NUMBERS)
  end,
  function(tokens, solid, random) -- an argument or an entry becomes something else
    local list = {}
    for n, i in ipairs(solid) do
      local before = n > 1 and tokens[solid[n - 1]] or ""
      if before:find "^[%(,={]$" and tokens[i]:find "^[%w_\"']" then list[#list + 1] = i end
    end
    replace_one(tokens, random, list, VALUES)
  end,
  function(tokens, solid, random) -- one name for another
    local names = matching(tokens, solid, "^[%a_]")
    if #names > 0 then tokens[any(random, names)] = tokens[any(random, names)] end
  end,
  function(tokens, solid, random) -- one operator for another
    replace_one(tokens, random, matching(tokens, solid, "^[%+%-%*/%%^<>]$"),
      { "+", "-", "*", "/", "//", "%", "^", "..", "<", "==", "or", "and" })
  end,
  function(tokens, solid, random) -- a name becomes a value
    replace_one(tokens, random, matching(tokens, solid, "^[%a_]"), VALUES)
  end,
}

--- Numbers are changed most often: they reach the core.
local CHOSEN = { 1, 2, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8 }

local TRIES = 5 -- at a mutant that compiles: others only test Lua

---The mutant of that number.
---@param text string
---@param seed integer
---@param number integer
---@return string
function M.mutate(text, seed, number)
  local random, mutant = core.random(seed, "mutations", number), nil
  for _ = 1, TRIES do
    local tokens, solid = tokens_of(text)
    for _ = 1, random:integer(3) do WAYS[any(random, CHOSEN)](tokens, solid, random) end
    mutant = table.concat(tokens)
    if load(mutant, "=mutant", "t") then break end
  end
  return mutant
end

-- ------------------------------------------------------------------ running them

local function scripts_below(folder, list)
  for _, name in ipairs(folders.entries(folder)) do
    local path = folder .. "/" .. name
    if folders.is_folder(path) then
      scripts_below(path, list)
    elseif name:match "%.lua$" then
      list[#list + 1] = { path = path, text = assert(folders.read(path)) }
    end
  end
  return list
end

--- Includes the script that `swale new` writes.
local function scripts(home, dir)
  local list = scripts_below(home .. "/experiments", {})
  local words = process.swale()
  table.move({ "new", dir .. "/template.lua" }, 1, 2, #words + 1, words)
  assert(process.run(words))
  list[#list + 1] = { path = "swale new", text = assert(folders.read(dir .. "/template.lua")) }
  return list
end

--- Small data and short trainings, unless the mutation changes that.
local function shortened(text)
  return (text:gsub('"fashion%-mnist"', '"digits"'):gsub('"mnist"', '"digits"')
    :gsub("epochs = %d+", "epochs = 1"))
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function command(path, plain)
  local words = process.swale()
  table.insert(words, plain and "lua" or "run")
  words[#words + 1] = path
  local line = ('ulimit -c 0; ulimit -v %d; ulimit -f 200000; exec "$@"'):format(MEMORY)
  return table.move(words, 1, #words, 5, { "bash", "-c", line, "bash" })
end

local function job_of(o, list, number)
  local script = list[number % #list + 1]
  local folder = ("%s/%d"):format(o.dir, number)
  assert(folders.make_folder(folder))
  local path = folder .. "/mutant.lua"
  write(path, M.mutate(shortened(script.text), o.seed, number))
  return { number = number, script = script.path, folder = folder, timeout = SECONDS,
    output = folder .. "/output.txt", cwd = folder,
    argv = command("mutant.lua", not script.text:find("sw.experiment", 1, true)),
    env = { SWALE_RUNS = folder .. "/runs", SWALE_DATA_URL = "http://127.0.0.1:9", CI = "true" } }
end

--- done, failed, a parameter, diverged, and the interrupts; a mutant may say os.exit itself.
local CODES = { [0] = true, true, true, true, [129] = true, [130] = true, [143] = true }

--- The fault of a mutant's end: a signal, an unknown status, or a message that shows a line inside
--- Swale; or nil.
local function wrong(job, result)
  if result.timed_out then return nil end
  if result.signal ~= 0 or result.problem then return "crashed" end
  local mutant = folders.read(job.folder .. "/mutant.lua")
  if not CODES[result.code] and not mutant:find("exit", 1, true) then return "odd status" end
  local output = folders.read(job.output) or ""
  return output:find "swale: [^\n]*scripts/swale/[%w_/]+%.lua:%d+:" and "a line inside Swale" or nil
end

local function judge(o, counts, job, result)
  local why = wrong(job, result)
  local kind = why and "wrong" or result.timed_out and "out of time"
    or result.code == 0 and "ended well" or "ended in an error"
  counts[kind] = (counts[kind] or 0) + 1
  if not why then return folders.remove(job.folder) end
  counts.list[#counts.list + 1] = job.folder
  o.say(("%s: mutant %d of %s: signal %d, status %d: %s"):format(why, job.number, job.script,
    result.signal, result.code, job.folder))
end

---@class swale.MutationOptions
---@field home string          of the source tree
---@field dir string           where mutants live; those that end wrong stay there
---@field count integer
---@field seed integer
---@field jobs integer
---@field say fun(line: string)

---@param o swale.MutationOptions
---@return table<string, any> counts   by how they ended; list: folders of those that ended wrong
function M.run(o)
  local list, counts, number = scripts(o.home, o.dir), { list = {} }, 0
  counts.stopped = pool.run {
    jobs = o.jobs,
    next = function()
      number = number + 1
      if number > 1 and number % 500 == 1 then o.say(("%d …"):format(number - 1)) end
      return number <= o.count and job_of(o, list, number) or nil
    end,
    ended = function(job, result) judge(o, counts, job, result) end,
  }
  return counts
end

local function text_of(counts)
  local parts = {}
  for _, kind in ipairs { "ended well", "ended in an error", "out of time", "wrong" } do
    parts[#parts + 1] = ("%d %s"):format(counts[kind] or 0, kind)
  end
  return table.concat(parts, ", ")
end

local function main(count, seed, jobs)
  local dir = assert(folders.temporary_folder())
  local counts = M.run { home = assert(os.getenv "SWALE_HOME", "run it by ./swale lua"), dir = dir,
    count = math.tointeger(tonumber(count)) or 1000, seed = math.tointeger(tonumber(seed)) or 1,
    jobs = math.tointeger(tonumber(jobs)) or core.cores(), say = print }
  print(text_of(counts))
  if #counts.list == 0 then folders.remove(dir) end
  os.exit(#counts.list == 0 and not counts.stopped and 0 or 1, true)
end

if arg and arg[0] and arg[0]:match "mutations%.lua$" then main(...) end

return M
