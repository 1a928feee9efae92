--- What a set of runs says about its objective, in words.
local groups = require "swale.store.groups"
local lu = require "luaunit"
local verdict = require "swale.store.verdict"

TestVerdict = {}

--- A run as groups sees it; value nil: it diverged.
local function run(params, seed, value)
  return { id = ("%s %d"):format(params.lr, seed), experiment = "e", params = params, seed = seed,
    started = "1", status = value and "done" or "diverged",
    objective = { name = "loss", goal = "min" }, value = function() return value end }
end

--- Runs with seeds 1, 2, … of each learning rate.
local function runs_of(values)
  local list = {}
  for _, lr in ipairs(require("swale.errors").sorted_keys(values)) do
    for seed, value in ipairs(values[lr]) do
      list[#list + 1] = run({ lr = tonumber(lr) }, seed, value or nil)
    end
  end
  return list
end

local function lines(values, o)
  local text = verdict.lines(groups.of(runs_of(values), o))
  return text and table.concat(text, "\n")
end

local CLEAR = { ["0.1"] = { 1.0, 1.1, 1.2 }, ["0.2"] = { 1.5, 1.61, 1.69 } }

function TestVerdict:test_a_difference_above_chance()
  lu.assert_equals(lines(CLEAR),
    "best by loss (least): lr = 0.1, mean 1.1 (95 %: 0.8516 to 1.348) over 3 seeds\n"
    .. "next: lr = 0.2, worse by 0.5 (95 %: 0.4752 to 0.5248)\n"
    .. "The difference is above chance.")
end

function TestVerdict:test_the_other_goal()
  lu.assert_str_contains(lines(CLEAR, { metric = "loss", goal = "max" }),
    "best by loss (greatest): lr = 0.2, mean 1.6 (95 %: 1.363 to 1.837) over 3 seeds\n"
    .. "next: lr = 0.1, worse by 0.5 (95 %: 0.4752 to 0.5248)")
end

--- 0.3 and 0.4 differ by paired t at 95 %, but not after Holm's correction for 20 settings.
function TestVerdict:test_many_comparisons_are_corrected()
  local values = { ["0.1"] = { 1.0, 1.0, 1.0 }, ["0.2"] = { 1.2, 1.31, 1.39 } }
  lu.assert_str_contains(lines(values), "above chance")
  for i = 1, 19 do values[tostring(i)] = { 1.4, 1.55, 1.6 } end
  lu.assert_str_contains(lines(values), "Corrected for 20 comparisons, it cannot be told"
    .. " from: lr = 0.2; lr = 1;")
  lu.assert_str_contains(lines(values), "14 more")
end

function TestVerdict:test_equal_settings()
  lu.assert_str_contains(lines { ["0.1"] = { 1.0 }, ["0.2"] = { 1.0 } },
    "next: lr = 0.2, worse by 0\n")
end

function TestVerdict:test_one_seed_tells_nothing()
  lu.assert_str_contains(lines { ["0.1"] = { 1.0 }, ["0.2"] = { 2.0 } },
    "over 1 seed\nnext: lr = 0.2, worse by 1\nOne seed cannot tell a difference from chance")
end

--- 0.3 has the least mean, of one lucky seed.
function TestVerdict:test_settings_that_are_not_complete_are_not_compared()
  local text = lines { ["0.1"] = { 1.0, 1.1, 1.2 }, ["0.2"] = { 1.5, 1.61, 1.69 },
    ["0.09"] = { 2.0, false, false }, ["0.3"] = { 0.1, false, false },
    ["9"] = { false, false, false } }
  lu.assert_str_contains(text, "best by loss (least): lr = 0.1")
  lu.assert_str_contains(text, "The difference is above chance.\nNot compared, because fewer of"
    .. " their seeds are done: lr = 0.3 (2 diverged, 1 done; its mean 0.1 is better);"
    .. " lr = 0.09 (2 diverged, 1 done); lr = 9 (3 diverged).")
end

function TestVerdict:test_nothing_to_compare()
  lu.assert_nil(lines { ["0.1"] = { 1.0 } })
  lu.assert_equals(lines { ["0.1"] = { false }, ["0.2"] = { false } },
    "no setting has a value of loss")
  lu.assert_nil(verdict.lines(groups.of({}, {})))
  local list = runs_of(CLEAR)
  list[1].experiment = "another"
  lu.assert_nil(verdict.lines(groups.of(list)))
end

--- The least loss is that of a short run, which is not compared.
function TestVerdict:test_halving_compares_the_longest_runs()
  local list = {}
  for seed = 1, 2 do
    list[#list + 1] = run({ lr = 0.1, epochs = 1 }, seed, 0.5)
    list[#list + 1] = run({ lr = 0.2, epochs = 1 }, seed, 0.1)
    list[#list + 1] = run({ lr = 0.1, epochs = 3 }, seed, 0.3 + seed / 100)
  end
  local text = table.concat(verdict.lines(groups.of(list),
    { kind = "halving", parameter = "epochs" }), "\n")
  lu.assert_str_contains(text, "best by loss (least): epochs = 3, lr = 0.1, mean 0.315")
  lu.assert_str_contains(text, "left out by their shorter runs (epochs)")
end
