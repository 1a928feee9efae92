--- The lines of Swale in docs/from_pytorch.md run.
local lu = require "luaunit"
local sw = require "swale"

TestFromPytorch = {}

local PAGE = debug.getinfo(1, "S").source:match "^@(.-)tests/lua/[^/]*$" .. "docs/from_pytorch.md"

--- Names that the lines use.
local function environment()
  local env = setmetatable({ sw = sw }, { __index = _G })
  env.x, env.y = sw.randn { 6, 3 }, sw.randn { 6, 3 }
  env.t = sw.tensor({ 0, 1, 2, 0, 1, 2 }, "int32")
  env.data = sw.data.from_tensors { train = { x = sw.randn { 40, 3 },
    y = sw.ops.argmax(sw.randn { 40, 3 }, 2) }, classes = 3 }
  env.net = sw.nn.Linear(3, 3)
  env.model = env.net:build { seed = 1 }
  env.w = env.model:weights()
  env.f = sw.compile(sw.loss.cross_entropy, env.model)
  env.batch = { x = env.x, y = env.t }
  env.trainer = sw.Trainer { model = env.net, data = env.data, lr = 0.1 }
  env.f:value(env.w, env.batch)
  return env
end

--- The second column of each table, a code span each.
local function lines()
  local list = {}
  for line in io.lines(PAGE) do
    local cell = line:match "^| .- | (`.-`) | "
    if cell then
      local code = {}
      for span in cell:gmatch "`([^`]+)`" do code[#code + 1] = span end
      list[#list + 1] = table.concat(code, ", ")
    end
  end
  return list
end

local function in_empty_folder(f)
  local folder = os.tmpname()
  os.remove(folder)
  assert(require("luv").fs_mkdir(folder, 448))
  local before = require("luv").cwd()
  require("luv").chdir(folder)
  local ok, problem = pcall(f)
  require("luv").chdir(before)
  os.remove(folder .. "/m.safetensors")
  os.remove(folder)
  if not ok then error(problem, 0) end
end

function TestFromPytorch:test_every_line_of_swale_runs()
  local found = lines()
  lu.assert_true(#found > 50, #found .. " lines found")
  in_empty_folder(function()
    for _, code in ipairs(found) do
      local chunk = assert(load("return " .. code, code, "t", environment()))
      local ok, value = pcall(chunk)
      lu.assert_true(ok and value ~= nil, code .. "\n" .. tostring(value))
    end
  end)
end

--- What the third column says of a few of them.
function TestFromPytorch:test_what_differs()
  local x = sw.tensor { { 1, 2 }, { 3, 6 } }
  lu.assert_equals(x:sum(1):table(), { 4, 8 })
  lu.assert_equals(x:argmax(2):table(), { 1, 1 })
  lu.assert_equals(x:var(1, { correction = 0 }):table(), { 1, 4 })
  lu.assert_equals(x:var(1):table(), { 2, 8 })
  lu.assert_error_msg_contains("lt", function() return x < x end)
end
