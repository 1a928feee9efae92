--- swale batch: every script with every seed, each in a process of its own.
local batch = require "batch_harness"
local collections = require "swale.batch.collection"
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"
local seeds = require "swale.batch.seeds"

local contains, ends, last_line = batch.contains, batch.ends, batch.last_line

TestBatch = batch.class()

-- ------------------------------------------------------------------ what is run

function TestBatch:test_each_seed_has_a_run_and_a_row()
  self:write("a.lua", "run:summary { value = p.lr * run.seed }")
  local result = self:batch("a.lua", "--seeds", "2..4", "lr=0.25")
  ends(result, 0, "ran 3, skipped 0, failed 0")
  contains(result.out, "seed  status  time", "value\n", "0.75\n",
    "all runs  3 done  0.75 (0.129 to 1.371)\n\nran 3")
  local records = self:records()
  lu.assert_equals(records[3].summary, { value = 0.75 })
  lu.assert_equals(records[3].threads, 1)
  lu.assert_nil(records[1])
  contains(command.read(records[2].dir .. "/output.txt"), "run: ")
end

function TestBatch:test_a_number_of_seeds_counts_from_1()
  self:write("a.lua", "")
  ends(self:batch("a.lua", "--seeds", "2"), 0, "ran 2, skipped 0, failed 0")
  lu.assert_not_nil(self:records()[1])
  lu.assert_not_nil(self:records()[2])
end

function TestBatch:test_folders_give_their_experiments()
  self:write("many/a.lua", "")
  self:write("many/b.lua", "run:note('which', 'b')") -- else it is the same work
  command.write(self.dir .. "/many/helper.lua", "return { 1 }")
  command.write(self.dir .. "/many/other.lua", "return 'no experiment'")
  local result = self:batch("many", "many/a.lua")
  ends(result, 0, "ran 2, skipped 0, failed 0")
  contains(result.err, "many: skipped, because they return no experiment: helper.lua",
    "many/other.lua: skipped, because it returns no experiment")
end

function TestBatch:test_parameters_go_to_those_that_declare_them()
  self:write("a.lua", "run:summary { x = p.x }", "x = 1")
  self:write("b.lua", "run:summary { x = 0 }")
  local result = self:batch("a.lua", "b.lua", "x=7", "lr=2")
  ends(result, 0, "ran 2, skipped 0, failed 0")
  contains(result.err, "swale: x goes to a.lua; not declared by b.lua")
  lu.assert_not_str_contains(result.err, "lr goes")
  lu.assert_str_matches(result.out, ".*a%.lua +x=7 +1 +done [^\n]* 7\n.*")
end

function TestBatch:test_what_cannot_be_is_refused_before_anything_runs()
  self:write("a.lua", "", "batch = 3")
  self:write("b.lua", "", "width = 3")
  command.write(self.dir .. "/c.lua", "return 1")
  local function refused(words, ...)
    local result = self:batch(table.unpack(words))
    contains(result.err, ...)
    lu.assert_equals(result.code, 2, result.err)
  end
  refused({ "a.lua", "b.lua", "widht=1" },
    'no script declares "widht"; did you mean "width"? Declared are: batch, lr, width.')
  refused({ "a.lua", "b.lua", "width=x" }, "b.lua: parameter width takes a whole number, not x")
  refused({ "a.lua", "lr=1", "lr=2" }, "lr is given twice")
  refused({ "lr=1" }, "which scripts?")
  refused({ "c.lua" }, "c.lua does not return an experiment")
  refused({ "d.lua" }, "d.lua: no such file or folder")
  refused({ "many" }, "no script in many returns an experiment")
  for _, text in ipairs { "0", "3..1", "1,1", "2..5,4", "x", "1,", "-1" } do
    refused({ "a.lua", "--seeds", text }, "seed")
  end
  lu.assert_equals(folders.entries(self.dir .. "/runs"), {})
end

function TestBatch:test_seeds_are_read_and_given_out()
  local function listed(text)
    local list = {}
    for seed in seeds.each(assert(seeds.parse(text))) do list[#list + 1] = seed end
    lu.assert_equals(seeds.count(assert(seeds.parse(text))), #list)
    return list
  end
  lu.assert_equals(listed "3", { 1, 2, 3 })
  lu.assert_equals(listed "0..2", { 0, 1, 2 })
  lu.assert_equals(listed "9,1,4..5", { 9, 1, 4, 5 })
  lu.assert_equals(listed "7..7", { 7 })
end

-- ------------------------------------------------------------------ what fails

function TestBatch:test_failures_are_isolated_and_shown()
  self:write("a.lua", "if run.seed == 2 then error 'not this one' end")
  command.write(self.dir .. "/b.lua", "local experiment = = 3")
  local result = self:batch("a.lua", "b.lua", "--seeds", "3", "--jobs", "2", "lr=1")
  ends(result, 1, "ran 6, skipped 0, failed 4")
  contains(result.err, "failed: a.lua lr=1 seed 2, run ", "  | swale: a.lua:3: not this one",
    "/output.txt\n", "b.lua:1: unexpected symbol near '='")
  lu.assert_equals(self:records_that_are "done", 2)
  for log in result.err:gmatch "  log: ([^\n]+)" do
    lu.assert_true(folders.exists(log), log)
  end
end

function TestBatch:test_a_child_that_is_killed_is_called_so()
  self:write("a.lua", [[
    if run.seed == 1 then require("luv").kill(require("luv").os_getpid(), "sigkill") end]])
  local result = self:batch("a.lua", "--seeds", "2")
  ends(result, 1, "ran 2, skipped 0, failed 1")
  contains(result.err, "killed: a.lua seed 1, run ", ": ended by SIGKILL")
  lu.assert_str_matches(result.out, ".* 1 +killed .*")
  lu.assert_equals(self:records_that_are "killed", 1)
end

function TestBatch:test_a_child_out_of_memory()
  self:write("a.lua", "local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end")
  local result = command.shell(self.dir, 'ulimit -v 400000; "$@"', { "batch", "a.lua" })
  ends(result, 1, "ran 1, skipped 0, failed 1")
  contains(result.err, "not enough memory")
end

function TestBatch:test_one_that_diverges_has_a_word_of_its_own()
  command.write_script(self.dir .. "/a.lua")
  local result = self:batch("a.lua", "lr=1e38")
  ends(result, 1, "ran 1, skipped 0, failed 1")
  contains(result.err, "diverged: a.lua lr=1e38 seed 1, run ", "the loss is")
end

-- ------------------------------------------------------------------ how it is run

--- Losses of all steps of all runs, by seed.
function TestBatch:losses()
  local all = {}
  for seed, info in pairs(self:records()) do
    all[seed] = {}
    for _, record in ipairs(runs.read_metrics(info.dir)) do
      table.insert(all[seed], record.loss)
    end
  end
  return all
end

function TestBatch:test_results_do_not_depend_on_the_number_of_jobs()
  command.write_script(self.dir .. "/a.lua")
  ends(self:batch("a.lua", "--seeds", "4", "--jobs", "1", "epochs=1"), 0,
    "ran 4, skipped 0, failed 0")
  local one = self:losses()
  command.remove(self.dir .. "/runs")
  ends(self:batch("a.lua", "--seeds", "4", "--jobs", "4", "epochs=1", "--threads", "2"), 0,
    "ran 4, skipped 0, failed 0")
  lu.assert_true(#one[1] > 3 and #one[4] > 3)
  lu.assert_equals(self:losses(), one)
end

function TestBatch:test_outputs_of_two_jobs_do_not_mix()
  self:write("a.lua", "for i = 1, 2000 do print(run.seed) io.write(run.seed, '\\n') end")
  local result = self:batch("a.lua", "--seeds", "2", "--jobs", "2")
  ends(result, 0, "ran 2, skipped 0, failed 0")
  lu.assert_true(#result.out < 200, result.out)
  for seed, info in pairs(self:records()) do
    local text = command.read(info.dir .. "/output.txt"):gsub("^run: [^\n]*\n", "")
    lu.assert_equals(text, (seed .. "\n"):rep(4000))
  end
end

function TestBatch:test_a_hundred_jobs()
  self:write("a.lua", "")
  ends(self:batch("a.lua", "--seeds", "100", "--jobs", "8"), 0, "ran 100, skipped 0, failed 0")
end

--- One run is done, two are running, three are waiting; Ctrl-C once the two have begun.
function TestBatch:test_ctrl_c_ends_the_children_in_good_order()
  command.write_script(self.dir .. "/a.lua", [[
    trainer:fit { epochs = run.seed == 1 and 1 or 1e6, run = run }]])
  local result = assert(process.run({ "bash", "-mc", [[
    lua5.4 "$SWALE_HOME/scripts/bin/swale.lua" batch a.lua --seeds 6 --jobs 2 >out 2>err & pid=$!
    for i in $(seq 200); do
      sleep 0.05
      set -- $(ls -d runs/*small*/metrics.jsonl 2>/dev/null)
      [ $# -lt 3 ] || break
    done
    sleep 0.3
    kill -INT $pid
    wait $pid]] },
    { cwd = self.dir, env = { SWALE_RUNS = self.dir .. "/runs" }, timeout = 60 }))
  local out, err = command.read(self.dir .. "/out"), command.read(self.dir .. "/err")
  lu.assert_equals(result.code, 130, out .. err)
  lu.assert_equals(last_line(out), "ran 3, skipped 0, failed 2", out .. err)
  contains(err, "swale: ending: 2 runs may write a checkpoint first",
    "swale: interrupted; 3 of 6 were not started: a.lua seed 4, a.lua seed 5")
  lu.assert_equals(self:records_that_are "interrupted", 2)
  lu.assert_equals(self:records_that_are "done", 1)
end

-- ------------------------------------------------------------------ what is done

function TestBatch:test_work_that_is_done_is_skipped()
  self:write("a.lua", "if run.seed == 2 and not io.open 'mended' then error 'no' end")
  ends(self:batch("a.lua", "--seeds", "3"), 1, "ran 3, skipped 0, failed 1")
  command.write(self.dir .. "/mended", "")
  local again = self:batch("a.lua", "--seeds", "4")
  ends(again, 0, "ran 2, skipped 2, failed 0")
  contains(again.err, "swale: skipped: a.lua seed 1: done by ", "--force repeats it")
  contains(again.out, "  done before\n")
  ends(self:batch("a.lua", "--seeds", "4"), 0, "ran 0, skipped 4, failed 0")
  ends(self:batch("a.lua", "--seeds", "2", "lr=0.25"), 0, "ran 2, skipped 0, failed 0")
  ends(self:batch("a.lua", "--seeds", "2", "--force"), 0, "ran 2, skipped 0, failed 0")
  self:write("a.lua", "-- another script")
  ends(self:batch("a.lua", "--seeds", "2"), 0, "ran 2, skipped 0, failed 0")
  lu.assert_false(folders.exists(self.dir .. "/runs/.claims"))
end

function TestBatch:test_a_dry_run_lists_and_writes_nothing()
  self:write("a.lua", "")
  local first = self:batch("a.lua", "--seeds", "2", "--dry-run")
  lu.assert_equals({ first.code, first.out }, { 0,
    "run   a.lua seed 1\nrun   a.lua seed 2\nwould run 2, skip 0\n" })
  lu.assert_false(folders.exists(self.dir .. "/runs"))
  self:batch("a.lua")
  local before = folders.entries(self.dir .. "/runs")
  local second = self:batch("a.lua", "--seeds", "2", "--dry-run")
  lu.assert_equals(second.out, ("skip  a.lua seed 1: done by %s\nrun   a.lua seed 2\n"
    .. "would run 1, skip 1\n"):format(self:runs()[1]:match "[^/]+$"))
  lu.assert_equals(folders.entries(self.dir .. "/runs"), before)
end

--- Both begin at once with the same command: each piece of work is done by one of them.
function TestBatch:test_two_batches_share_the_work()
  self:write("a.lua", "")
  local result = command.shell(self.dir, [[
    "$@" >out1 2>err1 & first=$!
    "$@" >out2 2>err2; second=$?
    wait $first; echo "$? $second"]], { "batch", "a.lua", "--seeds", "12", "--jobs", "2" })
  lu.assert_equals(result.out, "0 0\n")
  lu.assert_equals(#self:runs(), 12)
  local ran, skipped = 0, 0
  for _, name in ipairs { "out1", "out2" } do
    local a, b = last_line(command.read(self.dir .. "/" .. name)):match "ran (%d+), skipped (%d+)"
    ran, skipped = ran + a, skipped + b
  end
  lu.assert_equals({ ran, skipped }, { 12, 12 })
end

-- ------------------------------------------------------------------ records

function TestBatch:test_a_batch_has_a_record_that_its_runs_name()
  self:write("a.lua", [[
    run:summary { env = io.popen("env | grep -cE '^SWALE_(COLL|TAG|ATT)'"):read "l" }]])
  ends(self:batch("a.lua", "--seeds", "2", "--tag", "night"), 0, "ran 2, skipped 0, failed 0")
  local record = self:collections()[1]
  local id, info = record:match "[^/]+$", self:records()[2]
  lu.assert_equals({ info.collection, info.tag, info.attempt, info.summary.env },
    { id, "night", 1, "0" })
  local whole = core.json_decode(command.read(record .. "/collection.json"))
  lu.assert_equals({ whole.format, whole.kind, whole.id, whole.status, whole.total, whole.counts },
    { 1, "batch", id, "done", 2, { ran = 2, skipped = 0, failed = 0 } })
  lu.assert_equals(whole.argv, { "batch", "a.lua", "--seeds", "2", "--tag", "night" })
  local last = {}
  for event in collections.events(record) do last[event.seed] = event end
  lu.assert_equals({ last[2].run, last[2].status, last[2].script },
    { info.dir:match "[^/]+$", "done", "a.lua" })
  lu.assert_equals(folders.entries(record), { "collection.json", "members.jsonl" })
end

function TestBatch:test_a_record_of_a_newer_release_is_not_guessed_at()
  self:write("a.lua", "")
  folders.make_folder(self.dir .. "/runs/later")
  command.write(self.dir .. "/runs/later/collection.json", '{"format": 2}')
  local result = self:batch("a.lua", "--failed")
  lu.assert_equals(result.code, 1)
  contains(result.err, "runs/later/collection.json: format 2 is newer than this release")
end

function TestBatch:test_several_values_are_a_sweep()
  self:write("a.lua", "")
  for _, word in ipairs { "lr=0.1,0.2", "lr=1..5", "lr=log10:0.1..1" } do
    local result = self:batch("a.lua", "--seeds", "2", word)
    lu.assert_equals(result.code, 2)
    contains(result.err, "swale sweep a.lua --seeds 2 " .. word)
  end
end

function TestBatch:test_options_that_are_not_understood()
  self:write("a.lua", "")
  for _, words in ipairs { { "--timeout", "5x" }, { "--timeout", "0" }, { "--timeout", "1h1" },
    { "--memory", "2" }, { "--memory", "G" }, { "--retry", "-1" },
    { "--fail-fast", "--keep-going" } } do
    local result = self:batch("a.lua", table.unpack(words))
    lu.assert_equals({ result.code, #self:runs() }, { 2, 0 }, table.concat(words, " "))
  end
end

--- A name that a terminal or a shell would take for something else.
function TestBatch:test_names_of_scripts_are_only_names()
  self:write("-a $(touch x);\27[2J'.lua", "")
  local result = self:batch("./-a $(touch x);\27[2J'.lua")
  ends(result, 0, "ran 1, skipped 0, failed 0")
  lu.assert_nil(result.err:find "\27")
  lu.assert_false(folders.exists(self.dir .. "/x"))
end

-- ------------------------------------------------------------------ the runner

--- Runs a batch of a source of the test's own, in a process.
function TestBatch:run_source(source)
  command.write(self.dir .. "/own.lua", ([[
    require("swale.core").catch_signals()
    local function work(seed, lr)
      return { script = "a.lua", overrides = { "lr=" .. lr }, params = { lr = lr }, seed = seed }
    end
    local source, told = { settings = { "lr" } }, {}
    %s
    os.exit(require("swale.batch").run { kind = "sweep", name = "own", argv = { "own" },
      source = source, jobs = 2, threads = 1, retry = 1 }, true)]]):format(source))
  return command.swale(self.dir, { "lua", "own.lua" })
end

--- The source waits for the results of a first half, which decide the second one.
function TestBatch:test_a_source_is_told_the_results_of_its_work()
  self:write("a.lua", [[
    local again = io.open "again"
    io.open("again", "w"):close()
    if not again then require("luv").kill(require("luv").os_getpid(), "sigkill") end
    run:summary { value = p.lr * run.seed }]])
  local result = self:run_source [[
    local given = {}
    function source.next()
      if #given < 2 then
        given[#given + 1] = work(#given + 1, 0.5)
        return given[#given]
      elseif #told < 2 then
        return "wait"
      elseif #given == 2 then
        given[3] = work(9, told[1] + told[2])
        return given[3]
      end
    end
    function source.told(w, found)
      assert(w == given[1] or w == given[2] or w == given[3], "another work")
      told[#told + 1] = found.info.summary.value
    end]]
  ends(result, 0, "ran 3, skipped 0, failed 0")
  lu.assert_str_contains(result.out, "lr=1.5       9  done")
  lu.assert_str_contains(self:collections()[1], "_sweep_own_")
end

function TestBatch:test_a_source_that_waits_for_nothing()
  self:write("a.lua", "")
  local result = self:run_source 'function source.next() return "wait" end'
  ends(result, 1, "ran 0, skipped 0, failed 0")
  contains(result.err, "the source of the work waits for a result, but nothing runs")
end
