--- Errors of Swale's Lua half. There are two kinds: misuse (a wrong argument) raises with the
--- position of the caller's line; a fault of the environment (a file, the network) raises its
--- message alone, and `sw.try` turns it into nil, message, code.

local M = {}

--- The sources of Swale's own chunks begin with this; messages do not show their lines.
local LIBRARY = debug.getinfo(1, "S").source:gsub("errors%.lua$", "")

--- Names in other frameworks, and common misspellings.
local SYNONYMS = {
  learning_rate = "lr", learningRate = "lr", eta = "lr", epsilon = "lr", rate = "lr",
  batch = "batch_size", batchsize = "batch_size", batchSize = "batch_size", bs = "batch_size",
  wd = "weight_decay", weightDecay = "weight_decay", l2 = "weight_decay", decay = "weight_decay",
  mu = "momentum", criterion = "loss", loss_fn = "loss", net = "model", network = "model",
  dataset = "data", optimiser = "optimizer", optim = "optimizer", random_seed = "seed",
  n_epochs = "epochs", num_epochs = "epochs", iterations = "steps", updates = "steps",
  samples = "examples", base_lr = "min", max_lr = "max", step_size = "period", swa = "average",
  AdaptiveAvgPool2d = "GlobalAvgPool", TransformerEncoderLayer = "TransformerBlock",
  CosineAnnealingLR = "cosine", CosineAnnealingWarmRestarts = "cosine_restarts",
  LinearLR = "linear", StepLR = "step", MultiStepLR = "multi_step", OneCycleLR = "one_cycle",
  ExponentialLR = "exponential", PolynomialLR = "polynomial", CyclicLR = "triangular",
  CrossEntropyLoss = "cross_entropy", MSELoss = "mse", train = "fit", view = "reshape",
  xlabel = "x_label", ylabel = "y_label", color = "colour", linewidth = "line_width",
  size = "shape", measurements = "measure", trainset = "train", validation = "valid", val = "valid",
}

local script, launcher -- the file that a command runs, and the source of the command itself

---Notes that this is the command `swale`, whose own file is no position of a misuse.
function M.set_launcher()
  local level = 2
  while true do
    local info = debug.getinfo(level, "S")
    if not info then return end
    if info.what == "main" then launcher = info.source end
    level = level + 1
  end
end

---Sets the file that is run. `return sw.experiment { … }` is a tail call, whose line is not on the
---stack any more, and the first file above Swale's own is the command's.
---@param path string
function M.set_script(path)
  script = path
  M.set_launcher()
end

---Whether a function on the stack is of Swale's own files.
---@param level integer   1: the caller of this one
---@return boolean
function M.is_library(level)
  local info = debug.getinfo(level, "S")
  return info ~= nil and info.source:sub(1, #LIBRARY) == LIBRARY
end

---Returns the line of the first caller outside of Swale's own files.
---@return string position   "file:line: ", "file: " if the line is not known, "" if there is none
function M.position()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    if launcher and info.source == launcher then return script and script .. ": " or "" end
    if info.currentline > 0 and info.source:sub(1, #LIBRARY) ~= LIBRARY then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

---Raises for a wrong use of the library: "file:line: message".
---@param fmt string   as for string.format
---@param ... any
function M.misuse(fmt, ...)
  error(M.position() .. fmt:format(...), 0)
end

---@class swale.Error      a raised error that carries a code; tostring gives its message
---@field message string
---@field code string
local Error = { __name = "swale.Error" }

function Error:__tostring() return self.message end
function Error:__len() return #self.message end
function Error.__concat(a, b) return tostring(a) .. tostring(b) end

--- The methods of strings, applied to the message: scripts may treat the error as a text.
function Error:__index(key)
  local f = string[key]
  return f and function(first, ...)
    return f(rawequal(first, self) and self.message or first, ...)
  end
end

---Raises for a wrong use of the library, as misuse does, with a code: callers branch on
---errors.code(value), never on a message's text.
---@param code string    "ELIVE": a rule was asked for a value outside of a training
---@param fmt string
---@param ... any
function M.coded(code, fmt, ...)
  error(setmetatable({ code = code, message = M.position() .. fmt:format(...) }, Error), 0)
end

---The code of what was raised; nil where it has none.
---@param value any
---@return string|nil
function M.code(value) return getmetatable(value) == Error and value.code or nil end

---Returns its arguments, or raises the nil, message of a core function as misuse.
---@param ok any
---@param message? any
---@param ... any
---@return any ...
function M.possible(ok, message, ...)
  if ok == nil then M.misuse("%s", message) end
  return ok, message, ...
end

local last_fault = {} -- the fault raised last; try recognises it by its message

---Raises a fault of the environment: the message alone, without a position.
---@param message string
---@param code? string   "EIO", "ECORRUPT", …
function M.environment(message, code)
  last_fault.message, last_fault.code = message, code
  error(message, 0)
end

local LONGEST = 60 -- bytes of a text that is shown whole

local function shown_text(text)
  if #text > LONGEST then text = text:sub(1, LONGEST - 1) .. "…" end
  return (("%q"):format(text):gsub("\\\n", "\\n"))
end

---"an average", "a tensor"
---@param noun string
---@return string
function M.with_article(noun) return (noun:find "^[aeioAEIO]" and "an " or "a ") .. noun end

--- Tables and userdata: their text, if it is one line, or the name of their class.
local function shown_object(value)
  local class = type(value) == "userdata" and require("swale.core").type(value)
  if class then return M.with_article(class) end
  local meta = getmetatable(value)
  if type(meta) ~= "table" then return M.with_article(type(value)) end
  if type(value) == "table" and rawget(meta, "__tostring") then
    local ok, text = pcall(tostring, value)
    if ok and not text:find "\n" then return text end
  end
  local name = rawget(meta, "__name")
  return M.with_article(type(name) == "string" and name:gsub("^swale%.", ""):lower() or type(value))
end

---A value in a message: texts in quotation marks, objects by their class, no addresses.
---@param value any
---@return string
function M.shown(value)
  local kind = type(value)
  if kind == "string" then return shown_text(value) end
  if value ~= value then return "nan" end
  if kind == "table" or kind == "userdata" then return shown_object(value) end
  if kind == "function" or kind == "thread" then return "a " .. kind end
  return tostring(value)
end

---Returns what was raised as text; scripts may raise tables or nil.
---@param value any
---@return string
function M.failure(value)
  if type(value) == "string" then return value end
  if value == nil then return "an error without a message" end
  local meta = type(value) == "table" and getmetatable(value)
  local ok, text
  local told = meta == nil or type(meta) == "table" and rawget(meta, "__tostring")
  if type(value) == "table" and told then
    ok, text = pcall(require("swale.repl.show").text, value)
  end
  if ok and meta then return text end
  return "error: " .. (ok and text or M.shown(value))
end

---A shape in a message: "(batch, 10)".
---@param shape (integer|string)[]
---@return string
function M.shape_text(shape)
  local sizes = {}
  for i, size in ipairs(shape) do
    sizes[i] = type(size) == "string" and size or M.shown(size)
  end
  return "(" .. table.concat(sizes, ", ") .. ")"
end

---Returns its arguments, or raises the nil, message, code of a core function.
---@param ok any
---@param message? any
---@param code? any
---@param ... any
---@return any ...
function M.check(ok, message, code, ...)
  if ok == nil then M.environment(message or "unknown fault", code) end
  return ok, message, code, ...
end

local function pair(ok, message, ...)
  if ok then return message, ... end
  if message == last_fault.message then return nil, message, last_fault.code end
  error(message, 0)
end

---Calls f(...); a fault of the environment is returned instead of raised. Misuse still raises.
---@param f function
---@param ... any
---@return any ...   what f gives, or nil, message, code
function M.try(f, ...)
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    M.misuse("try: f must be a function, got %s", M.shown(f))
  end
  last_fault.message, last_fault.code = nil, nil
  return pair(pcall(f, ...))
end

---@class swale.Diverged
---@field kind "diverged"
---@field message string
local diverged = { __name = "swale.Diverged" }

function diverged:__tostring() return self.message end

---Returns the error value for a loss that is not finite, which ends a run as "diverged".
---@param message string
---@return swale.Diverged
function M.diverged(message)
  return setmetatable({ kind = "diverged", message = message }, diverged)
end

-- ------------------------------------------------------------------ names

local function is_swap(a, i, b, j)
  return i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
end

---Returns the number of insertions, deletions, replacements and swaps of neighbours from a to b.
---@param a string
---@param b string
---@return integer
function M.distance(a, b)
  local before, last = nil, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local replaced = last[j - 1] + (a:byte(i) == b:byte(j) and 0 or 1)
      row[j] = math.min(replaced, last[j] + 1, row[j - 1] + 1)
      if is_swap(a, i, b, j) then row[j] = math.min(row[j], before[j - 2] + 1) end
    end
    before, last = last, row
  end
  return last[#b]
end

---The keys of a table, sorted.
---@param t table
---@return string[]
function M.sorted_keys(t)
  local list = {}
  for key in pairs(t) do list[#list + 1] = tostring(key) end
  table.sort(list)
  return list
end

---Names of a list or keys of a table, sorted.
---@param names table
---@return string[]
function M.sorted(names)
  local list = {}
  for key, value in pairs(names) do
    list[#list + 1] = type(key) == "number" and tostring(value) or tostring(key)
  end
  table.sort(list)
  return list
end

local function contains(list, name)
  for _, known in ipairs(list) do if known == name then return true end end
  return false
end

local function is_start(a, b)
  return math.min(#a, #b) >= 3 and (a:sub(1, #b) == b or b:sub(1, #a) == a)
end

---Returns the nearest known name, if one is near enough.
---@param name string
---@param names table                          a list, or a table whose keys are the names
---@param synonyms? table<string, string>      besides the usual ones
---@return string|nil
function M.nearest(name, names, synonyms)
  local list = M.sorted(names)
  local meant = synonyms and synonyms[name] or SYNONYMS[name]
  if meant and contains(list, meant) then return meant end
  local best
  local least = math.max(1, math.min(2, #name // 2), #name // 3) + 1
  for _, known in ipairs(list) do
    local d = M.distance(name:lower(), known:lower())
    if d < least then best, least = known, d end
  end
  if best then return best end
  for _, known in ipairs(list) do if is_start(name, known) then return known end end
  return nil
end

---"; did you mean "lr"?" or "", for the end of a message.
---@param name any
---@param names table
---@param synonyms? table<string, string>
---@return string
function M.suggestion(name, names, synonyms)
  local near = type(name) == "string" and M.nearest(name, names, synonyms)
  return near and ('; did you mean "%s"?'):format(near) or "."
end

---Raises for a name that is not there.
---@param what string    with a verb: "sw.loss has"
---@param name any
---@param names table
function M.no_name(what, name, names)
  M.misuse("%s no %s%s There are: %s.", what, M.shown(name), M.suggestion(name, names),
    table.concat(M.sorted(names), ", "))
end

---Makes reading an unknown name of a table raise, instead of giving a nil that fails later.
---@param t table
---@param what string    as for no_name
---@return table t
function M.strict(t, what)
  return setmetatable(t, { __index = function(_, key)
    if type(key) == "string" then M.no_name(what, key, t) end
  end })
end

return M
