--- The store: which run a name means, runs as their files show them, groups over seeds.
local folders = require "swale.folders"
local groups = require "swale.store.groups"
local harness = require "store_harness"
local lu = require "luaunit"
local store = require "swale.store"
local sw = require "swale"

TestStore = harness.in_a_root()

function TestStore:made(id, info, records) return harness.run(self.root, id, info, records) end

local function ids(list)
  local names = {}
  for i, run in ipairs(list) do names[i] = run.id end
  return table.concat(names, " ")
end

-- ------------------------------------------------------------------ names

function TestStore:test_what_a_name_means()
  local a = self:made("2026-11-28_small_a1b2", {})
  self:made("2026-11-28_small_c3d4", {})
  lu.assert_equals(store.find(a), a)
  lu.assert_equals(store.find(a .. "//"), a)
  lu.assert_equals(store.find "2026-11-28_small_a1b2", a)
  lu.assert_equals(store.find "a1b", a)
  local dir, message = store.find "small"
  lu.assert_nil(dir)
  lu.assert_equals(message, '"small" is a part of the names of 2 runs: 2026-11-28_small_a1b2, '
    .. "2026-11-28_small_c3d4")
  lu.assert_equals(select(2, store.find "2026-11-28_smal_a1b2"), 'there is no run '
    .. ('"2026-11-28_smal_a1b2", neither at that path nor below %s; did you mean %s?'):format(
      self.root, "2026-11-28_small_a1b2"))
  lu.assert_nil(store.find "")
  lu.assert_nil(store.find ".*")
end

--- A name that another one begins with is itself.
function TestStore:test_a_whole_name_is_no_part()
  local short = self:made("run", {})
  self:made("run2", {})
  lu.assert_equals(store.find "run", short)
end

function TestStore:test_last()
  lu.assert_equals(select(2, store.find "last"), ("there is no run below %s yet"):format(self.root))
  self:made("b", { started = "2026-11-28T10:00:01Z" })
  local latest = self:made("a", { started = "2026-11-28T10:00:02Z" })
  lu.assert_equals(store.find "last", latest)
  local same_second = self:made("0", { started = "2026-11-28T10:00:02Z" })
  lu.assert_equals(store.find "last", same_second)
end

function TestStore:test_collections_are_no_runs()
  folders.make_folder(self.root .. "/2026-11-28_batch_x1y2")
  harness.write(self.root .. "/2026-11-28_batch_x1y2/collection.json", "{}")
  lu.assert_nil(store.find "x1y2")
  lu.assert_equals(store.find_collection "x1y2", self.root .. "/2026-11-28_batch_x1y2")
end

--- A batch's record of a made collection.
function TestStore:collected(id, started)
  folders.make_folder(self.root .. "/" .. id)
  local dir = self.root .. "/" .. id
  harness.write(dir .. "/collection.json", ('{ "started": "%s" }'):format(started))
  return dir
end

function TestStore:test_the_last_collection_is_the_one_that_began_last()
  local latest = self:collected("2026-11-28_sweep_a", "2026-11-28T10:00:09Z")
  self:collected("2026-11-28_sweep_b", "2026-11-28T10:00:01Z")
  lu.assert_equals(store.find_collection "last", latest)
end

--- For a set of runs, "last" is what a command began last.
function TestStore:test_the_last_set_of_runs()
  local any = require("swale.store.find").any
  lu.assert_equals(select(2, any "last"), ("there is no run below %s yet"):format(self.root))
  local sweep = self:collected("sweep_x", "2026-11-28T10:00:01Z")
  self:made("member", { started = "2026-11-28T10:00:02Z", collection = "sweep_x" })
  lu.assert_equals({ any "last" }, { sweep, "collection" })
  local run = self:made("later", { started = "2026-11-28T10:00:03Z" })
  lu.assert_equals({ any "last" }, { run, "run" })
  local skipped = self:collected("a_sweep_y", "2026-11-28T10:00:04Z")
  lu.assert_equals({ any "last" }, { skipped, "collection" })
  lu.assert_equals({ any "sweep_x" }, { sweep, "collection" })
  lu.assert_str_contains(select(2, any "sweep_"), '"sweep_" is a part of the names of 2')
end

-- ------------------------------------------------------------------ forks

--- A fork with lr = 0.1 is no repeat of the run with lr = 0.1, though it is later.
function TestStore:test_forks_are_settings_of_their_own()
  local function one(id, lr, value, more)
    local info = { params = { lr = lr }, summary = { loss = value }, started = id }
    for name, x in pairs(more or {}) do info[name] = x end
    self:made(id, info)
  end
  one("1", 0.1, 1)
  one("2", 0.3, 2)
  one("3", 0.1, 9, { parent = { run = "2", step = 16, fit = 1, params = { lr = 0.3 } } })
  one("4", 0.3, 8, { resumed = { { step = 7, params = { lr = "7" } }, { step = 0 }, -- anew
    { step = 5 }, { step = 7, params = { lr = "0.3" } }, { step = 9, changed = "a.lua" } } })
  local texts = {}
  for i, group in ipairs(groups.of(sw.runs(), { metric = "loss" })) do
    texts[i] = ("%s: %g of %d"):format(group.text, group.mean, #group.runs)
  end
  lu.assert_equals(texts, { "lr = 0.1: 1 of 1", "lr = 0.3: 2 of 1",
    "lr = 0.1, fork at step 16 of lr = 0.3: 9 of 1",
    "lr = 0.3, resumed with lr = 0.3, then other files: 8 of 1" })
  lu.assert_str_contains(require("swale.store.listing").table(sw.runs()), "run history")
  lu.assert_equals(groups.varied({}), {})
end

-- ------------------------------------------------------------------ views

function TestStore:test_runs_in_the_order_of_their_beginning()
  self:made("b", { started = "2026-11-28T10:00:01Z", experiment = "small", collection = "x" })
  self:made("a", { started = "2026-11-28T10:00:02Z", experiment = "small", params = { lr = 0.5 } })
  self:made("c", { started = "2026-11-28T10:00:03Z", experiment = "other" })
  lu.assert_equals(ids(sw.runs()), "b a c")
  lu.assert_equals(ids(sw.runs { experiment = "small" }), "b a")
  lu.assert_equals(ids(sw.runs { collection = "x" }), "b")
  lu.assert_equals(ids(sw.runs { where = function(run) return run.params.lr == 0.5 end }), "a")
  lu.assert_error_msg_contains('runs: unknown option "expriment"; did you mean "experiment"?',
    sw.runs, { expriment = "small" })
end

function TestStore:test_a_view_reads_the_files_of_a_run()
  self:made("a", { params = { lr = 0.1 }, summary = { accuracy = 0.5, loss = "nan" }, tag = "t" },
    { { kind = "step", step = 1, loss = 3 },
      { kind = "epoch", step = 10, valid_loss = 0.1 + 0.2 },
      { kind = "epoch", step = 20, valid_loss = "inf", name = "x" },
      { kind = "epoch", step = 30 } })
  local run = sw.runs()[1]
  lu.assert_equals({ run.id, run.status, run.params.lr, run.seed, run.tag },
    { "a", "done", 0.1, 1, "t" })
  lu.assert_equals(run:metrics { columns = { "valid_loss", "step" } }.step, { 10, 20, 30 })
  lu.assert_equals(run:metrics { columns = { "valid_loss" } }.valid_loss, { 0.1 + 0.2, math.huge })
  lu.assert_equals(run:metrics { kind = "step" }, { step = { 1 }, loss = { 3 } })
  lu.assert_equals(run:value "accuracy", 0.5)
  lu.assert_equals(run:value "valid_loss", math.huge)
  lu.assert_not_equals(run:value "loss", run:value "loss") -- nan
  lu.assert_nil(run:value "accurcy")
end

function TestStore:test_checkpoints_of_a_view()
  local dir = self:made("a", {})
  lu.assert_equals(sw.runs()[1]:checkpoints(), {})
  folders.make_folder(dir .. "/checkpoints")
  for _, step in ipairs { 200, 30 } do
    sw.save(("%s/checkpoints/step-%08d.safetensors"):format(dir, step),
      { weights = sw.tensor { step } })
  end
  local run = sw.runs()[1]
  lu.assert_equals(run:checkpoints()[2],
    { step = 200, path = dir .. "/checkpoints/step-00000200.safetensors" })
  lu.assert_equals(run:checkpoint().weights:table(), { 200 })
  lu.assert_equals(run:checkpoint(30).weights:table(), { 30 })
  lu.assert_error_msg_contains("a has no checkpoint 31; of steps there are: 30, 200",
    run.checkpoint, run, 31)
end

function TestStore:test_a_run_whose_writer_is_gone_was_killed()
  self:made("a", { status = "running", pid = 1 << 30, host = require("luv").os_gethostname() })
  lu.assert_equals(sw.runs()[1].status, "killed")
end

--- A record of a newer release is named, not guessed at; the others are there.
function TestStore:test_records_that_cannot_be_read()
  self:made("a", { format = 2 })
  self:made("b", {})
  harness.write(self:made("c", {}) .. "/run.json", "{ half")
  local it = store.open()
  lu.assert_equals(ids(it:runs()), "b")
  lu.assert_equals({ it.problems[1].id, it.problems[2].id }, { "a", "c" })
  lu.assert_str_contains(it.problems[1].message, "a/run.json: format 2 is newer than this release "
    .. "of Swale reads, which is 1; update Swale")
end

--- The same for batches, which `swale batch --failed` reads, and for a run by its name.
function TestStore:test_newer_formats_are_refused()
  assert(folders.make_folder(self.root .. "/c"))
  harness.write(self.root .. "/c/collection.json", '{"format": 2, "started": "x"}')
  local it = store.open():refresh()
  lu.assert_str_contains(it.problems[1].message, "c/collection.json: format 2 is newer than this")
  lu.assert_error_msg_contains("c/collection.json: format 2 is newer",
    require("swale.batch.collection").all)
  self:made("a", { format = "new" })
  lu.assert_error_msg_contains('a/run.json: its format is "new"; this release of Swale reads 1',
    store.run, "a")
  harness.write(self.root .. "/a/run.json", '{"status": "done"}') -- before there were formats
  lu.assert_equals(store.run("a").status, "done")
end

--- What changed is read again, what is gone is forgotten.
function TestStore:test_a_store_follows_the_folder()
  local it = store.open()
  self:made("a", { status = "failed" })
  lu.assert_equals(it:runs()[1].status, "failed")
  self:made("a", { status = "done" })
  self:made("b", {})
  lu.assert_equals(it:runs()[1].status, "done")
  folders.remove(self.root .. "/a")
  lu.assert_equals(ids(it:runs()), "b")
end

-- ------------------------------------------------------------------ groups

function TestStore:seeds(lr, values, more)
  for seed, value in ipairs(values) do
    local info = { params = { lr = lr, epochs = 2 }, seed = seed, summary = { loss = value } }
    for name, field in pairs(more or {}) do info[name] = field end
    self:made(("lr%g_%d%s"):format(lr, seed, more and more.status or ""), info)
  end
end

function TestStore:test_groups_by_what_varies()
  self:seeds(0.1, { 1, 2, 3 })
  self:seeds(0.2, { 1, 4 })
  local found = groups.of(sw.runs(), { metric = "loss" })
  lu.assert_equals({ found.settings, #found }, { { "lr" }, 2 })
  lu.assert_equals({ found[1].text, found[1].n, found[1].mean }, { "lr = 0.1", 3, 2 })
  lu.assert_equals(found[1].interval.low, sw.stats.mean { 1, 2, 3 }.low)
  local difference, n = groups.paired(found[1], found[2])
  lu.assert_equals({ difference.value, n }, { -1, 2 })
  lu.assert_equals(difference.low, sw.stats.paired({ 1, 2 }, { 1, 4 }).low)
end

--- Runs that did not end well are counted and stay out of the mean.
function TestStore:test_groups_count_what_is_not_done()
  self:seeds(0.1, { 1, 2 })
  self:seeds(0.1, { 100 }, { status = "failed" })
  self:made("nan", { params = { lr = 0.1, epochs = 2 }, seed = 7, summary = { loss = "nan" } })
  local found = groups.of(sw.runs(), { metric = "loss" })
  lu.assert_equals({ found[1].counts, found[1].n, found[1].mean, found[1].missing },
    { { done = 3, failed = 1 }, 2, 1.5, 1 })
  lu.assert_equals(found[1].text, "all runs")
end

function TestStore:test_a_repeated_seed_counts_once()
  local params = { lr = 0.1 }
  self:made("z", { params = params, summary = { loss = 5 }, started = "2026-11-28T10:00:00Z" })
  self:made("a", { params = params, summary = { loss = 7 }, started = "2026-11-28T11:00:00Z" })
  local found = groups.of(sw.runs(), { metric = "loss" })
  lu.assert_equals({ found[1].n, found[1].mean, found[1].repeats }, { 1, 7, 1 })
end

function TestStore:test_the_best_setting_and_what_it_cannot_be_told_from()
  local objective = { objective = { name = "loss", goal = "min" } }
  self:seeds(0.1, { 1.0, 1.1, 1.2 }, objective)
  self:seeds(0.2, { 1.1, 1.0, 1.25 }, objective)
  self:seeds(0.4, { 9.0, 9.1, 9.2 }, objective)
  local found = groups.of(sw.runs())
  lu.assert_equals({ found.metric, found.goal }, { "loss", "min" })
  local verdict = groups.best(found)
  lu.assert_equals({ verdict.best.text, verdict.next.text }, { "lr = 0.1", "lr = 0.2" })
  lu.assert_equals({ #verdict.open, verdict.open[1].text }, { 1, "lr = 0.2" })
  lu.assert_equals(groups.best(found, "max").best.text, "lr = 0.4")
end

--- Whole and other numbers of one value are one setting; texts and numbers are not.
function TestStore:test_equal_settings()
  for i, value in ipairs { 1, 1.0, "1" } do self:made("r" .. i, { params = { p = value } }) end
  local found = groups.of(sw.runs())
  lu.assert_equals({ #found, #found[1].runs }, { 2, 2 })
end

-- ------------------------------------------------------------------ curves

function TestStore:test_curves_are_thinned_each_by_itself()
  local records = {}
  for i = 1, 1000 do
    records[i] = { kind = "step", step = 10 * i, loss = i == 77 and 9 or 1 / i,
      rare = i % 10 == 0 and i or nil }
  end
  self:made("a", {}, records)
  local run = sw.runs()[1]
  local c = run:curves { columns = { "loss", "rare" }, x = { "step" }, points = 20 }
  lu.assert_true(#c.loss.loss <= 20 and #c.rare.rare <= 20)
  lu.assert_equals({ c.loss.step[1], c.loss.step[#c.loss.step] }, { 10, 10000 })
  for i, value in ipairs(c.loss.loss) do
    if value == 9 then lu.assert_equals(c.loss.step[i], 770) end
  end
  lu.assert_equals(math.max(table.unpack(c.loss.loss)), 9)
  local m = run:metrics { kind = "step", columns = { "loss", "rare" }, points = 40 }
  lu.assert_true(#m.loss <= 40 and #m.loss == #m.rare)
  lu.assert_equals(#run:metrics { kind = "step", columns = { "rare" } }.rare, 100)
end

-- ------------------------------------------------------------------ conditions

function TestStore:matches(where) return ids(sw.runs { where = where }) end

function TestStore:some_runs()
  self:made("a", { params = { lr = 0.1, rule = "grow", on = true }, summary = { acc = 0.5 } },
    { { kind = "epoch", step = 1, valid_loss = 3 }, { kind = "epoch", step = 2, valid_loss = 4 },
      { kind = "step", step = 1, valid_loss = 100 } })
  self:made("b", { params = { lr = 1, rule = "it's", on = false }, summary = { acc = "nan" },
    status = "diverged", seed = 2 })
  self:made("c", { params = { lr = "inf" }, summary = { acc = 1 }, tag = "t" },
    { { kind = "epoch", step = 1, valid_loss = "nan" } })
end

function TestStore:test_conditions()
  self:some_runs()
  for where, wanted in pairs {
    ["lr > 0.1"] = "b c", ["lr >= .1 and lr < 1e3"] = "a b", ["lr = 1"] = "b", ["lr=1.0"] = "b",
    ["lr = inf"] = "c", ["not lr > 0.1"] = "a", ["status = 'done'"] = "a c",
    ['status != "done"'] = "b", ["rule = 'it''s'"] = "b", ["rule = 'grow' or seed == 2"] = "a b",
    ["on = true"] = "a", ["on = false or on = null"] = "b c", ["acc = nan"] = "b",
    ["acc != nan"] = "a c", ["acc < 2"] = "a c", ["tag is not null"] = "c", ["tag = null"] = "a b",
    ["rule like '%R%'"] = "a", ["lr in (1, 0.1)"] = "a b", ["lr not in (1)"] = "a c",
    ["rule in ('grow', 'x')"] = "a", ["(lr > 5 or lr < 0.5) and not seed ~= 1"] = "a c",
    ["valid_loss = 4"] = "a", ["valid_loss.min = 3"] = "a", ["valid_loss.min_step = 1"] = "a",
    ["step.valid_loss.max = 100"] = "a", ["valid_loss = nan"] = "c", ["valid_loss.count > 1"] = "a",
    ["lr > 'a'"] = "", ["rule > 0.1"] = "", ["param.lr = 1"] = "b", ["`lr` = 1"] = "b",
    ["0.1 < lr"] = "b c", ["lr > acc"] = "c", ["id = 'a'"] = "a",
    ["lr > -1 AND lr<+2"] = "a b",
  } do
    lu.assert_equals(self:matches(where), wanted, where)
  end
end

function TestStore:test_conditions_that_are_not_understood()
  self:some_runs()
  for where, words in pairs {
    ["lrr > 1"] = 'no run has "lrr"; did you mean "lr"?',
    ["status = done"] = "A text is written in quotation marks: 'done'",
    ["lr >"] = "a name or a value is missing, at character 5 of: lr >",
    ["lr"] = "a comparison is missing", [""] = "a name or a value is missing",
    ["lr > 1 lr < 2"] = 'a condition ends here; "and" or "or" joins two, at character 8',
    ["(lr > 1"] = '")" is missing', ["lr > 'a"] = "a text has no end",
    ["lr; DROP TABLE runs"] = '";" is not understood', ["lr < nan"] = "compared by = or !=",
    ["lr in ()"] = "a name or a value is missing", ["lr like 3"] = "like takes a text",
    ["param.acc > 1"] = 'no run has "param.acc"',
    [("("):rep(5000)] = "at most 4096 characters",
  } do
    lu.assert_error_msg_contains(words, sw.runs, { where = where })
  end
end

--- Whatever a name or a text holds, it is never part of the SQL.
function TestStore:test_names_and_texts_are_parameters()
  local evil = [[x' OR 1=1; DROP TABLE runs; --]]
  self:made("a", { params = { [evil] = evil } })
  self:made("b", { params = { y = 1 } })
  lu.assert_equals(self:matches(("`%s` = '%s'"):format(evil, evil:gsub("'", "''"))), "a")
  lu.assert_equals(self:matches(("y = '%s'"):format(evil:gsub("'", "''"))), "")
  lu.assert_equals(self:matches "y = 1", "b")
end

function TestStore:test_a_name_that_two_parts_have()
  self:made("a", { params = { acc = 1 }, summary = { acc = 2 } })
  lu.assert_error_msg_contains('"acc" is a parameter of some runs and a result of some: write '
    .. "param.acc or summary.acc", sw.runs, { where = "acc > 0" })
  lu.assert_equals(self:matches "summary.acc = 2 and param.acc = 1", "a")
end

function TestStore:test_order_and_limit()
  self:some_runs()
  lu.assert_equals(ids(sw.runs { sort = "lr" }), "a b c")
  lu.assert_equals(ids(sw.runs { sort = "lr", descending = true, limit = 2 }), "c b")
  lu.assert_equals(ids(sw.runs { sort = "tag" }), "c a b")
  lu.assert_equals(ids(sw.runs { sort = "valid_loss.max" }), "a b c")
end
