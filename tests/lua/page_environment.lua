--- The environment of examples in pages and annotations: named objects, and a folder of their own.
local luv = require "luv"
local sw = require "swale"
local temporary = require "temporary"

local M = {}

---Returns a new environment: sw, nn, x, y, t, data, net, model, w, d, g, f, batch, trainer.
---@return table
function M.environment()
  local env = setmetatable({ sw = sw, nn = sw.nn }, { __index = _G })
  env.x, env.y = sw.randn { 6, 3 }, sw.randn { 6, 3 }
  env.t = sw.tensor({ 0, 1, 2, 0, 1, 2 }, "int32")
  env.data = sw.data.from_tensors { train = { x = sw.randn { 1200, 3 },
    y = sw.ops.argmax(sw.randn { 1200, 3 }, 2) }, classes = 3 }
  env.net = sw.nn.Linear(3, 3)
  env.model = env.net:build { seed = 1 }
  env.w = env.model:weights()
  env.d, env.g = sw.randn(#env.w), sw.randn(#env.w)
  env.f = sw.compile(sw.loss.cross_entropy, env.model)
  env.batch = { x = env.x, y = env.t }
  env.trainer = sw.Trainer { model = env.net, data = env.data, lr = 0.1 }
  env.f:value(env.w, env.batch)
  return env
end

---Calls f(folder) in a temporary folder, which is removed.
---@param f fun(folder: string)
function M.in_empty_folder(f)
  local before = luv.cwd()
  temporary.with_folder(function(folder)
    luv.chdir(folder)
    local ok, problem = pcall(f, folder)
    luv.chdir(before)
    if not ok then error(problem, 0) end
  end)
end

return M
