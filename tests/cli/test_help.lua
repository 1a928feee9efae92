--- swale help NAME.
local lu = require "luaunit"
local command = require "command"
local manual = require "swale.manual"
local sw = require "swale"

TestHelp = {}

local function said(name) return command.swale(".", { "help", name }) end

function TestHelp:test_a_function_with_its_options()
  local r = said "schedule.cyclic"
  lu.assert_equals(r.code, 0, r.err)
  for _, part in ipairs { "sw.schedule.cyclic(o)", "Izmailov", "period", "length of a cycle" } do
    lu.assert_str_contains(r.out, part)
  end
end

--- MLPOptions extends DenseOptions.
function TestHelp:test_options_of_the_class_that_is_extended()
  local page = manual.page "zoo.mlp"
  for _, name in ipairs { "layers?", "features?", "norm?", "scale?" } do
    lu.assert_str_contains(page, "\n  " .. name)
  end
end

function TestHelp:test_methods_and_classes()
  for name, part in pairs { ["Trainer:fit"] = "continues", Model = "weights",
    ["Tensor:sum"] = "axes",
    ["Compiled:hvp"] = "batch", ["sw.nn"] = "Conv2d" } do
    local r = said(name)
    lu.assert_equals(r.code, 0, name .. r.err)
    lu.assert_str_contains(r.out, part)
  end
end

function TestHelp:test_an_unknown_name_gets_the_nearest()
  local r = said "schedule.cyclc"
  lu.assert_equals(r.code, 1)
  lu.assert_equals(r.err,
    'swale: there is no help for "schedule.cyclc"; did you mean "schedule.cyclic"?\n')
  lu.assert_str_contains(said("Trainer:fti").err, '"Trainer:fit"')
end

--- Names as the table of the README has them, without their modules.
function TestHelp:test_names_without_their_modules()
  for short, title in pairs { csv = "sw.data.csv(", SWA = "sw.average.SWA(", relu = "sw.ops.relu(",
    Conv2d = "sw.nn.Conv2d(", ["model:load"] = "Model:load(", model = "Model has" } do
    lu.assert_equals((manual.page(short) or ""):sub(1, #title), title)
  end
  local page, problem = manual.page "cross_entropy"
  lu.assert_nil(page)
  lu.assert_equals(problem,
    '"cross_entropy" is the name of several: loss.cross_entropy, ops.cross_entropy')
end

--- What rules read: the state, and the measurements of Swale.
function TestHelp:test_classes_of_fields_and_measurements()
  for name, parts in pairs { State = { "grad_norm", "epoch_examples" },
    noise_scale = { "interval" }, Estimate = { "low", "above" }, run = { "dir", "summary" } } do
    local page = manual.page(name) or ""
    for _, part in ipairs(parts) do lu.assert_str_contains(page, part) end
  end
end

function TestHelp:test_every_public_name_has_a_page()
  for name, value in pairs(sw) do
    if name ~= "_VERSION" then lu.assert_is_string((manual.page(name)), name) end
    for key, part in pairs(type(value) == "table" and value or {}) do
      if type(part) == "function" then
        lu.assert_is_string((manual.page(name .. "." .. key)), name .. "." .. key)
      end
    end
  end
end
