--- swale batch: every script with every seed, each in a process of its own.
local command = require "command"
local folders = require "swale.folders"
local lu = require "luaunit"
local process = require "swale.process"
local runs = require "swale.run"
local seeds = require "swale.batch.seeds"

TestBatch = command.in_a_folder()

function TestBatch:setUp()
  self.dir = command.folder()
  folders.make_folder(self.dir .. "/many")
end

function TestBatch:batch(...) return command.swale(self.dir, { "batch", ... }) end

--- An experiment that takes no time; body has run and p.
function TestBatch:write(name, body, params)
  command.write(("%s/%s"):format(self.dir, name), ([[
    local sw = require "swale"
    return sw.experiment { name = "quick", params = { lr = 0.5, %s }, run = function(run, p)
      %s
    end }]]):format(params or "", body))
end

local function last_line(text) return text:match "([^\n]*)\n$" end

local function ends(result, code, line)
  lu.assert_equals({ result.code, last_line(result.out) }, { code, line }, result.err)
end

local function contains(text, ...)
  for _, part in ipairs { ... } do lu.assert_str_contains(text, part) end
end

--- Directories below runs/ that have such a file.
function TestBatch:with(file)
  local list = {}
  for _, name in ipairs(folders.entries(self.dir .. "/runs")) do
    local dir = ("%s/runs/%s"):format(self.dir, name)
    if folders.exists(dir .. "/" .. file) then list[#list + 1] = dir end
  end
  return list
end

function TestBatch:runs() return self:with "run.json" end

function TestBatch:collections() return self:with "collection.json" end

--- run.json of every run, by seed.
function TestBatch:records()
  local list = {}
  for _, dir in ipairs(self:runs()) do
    local info = runs.read_info(dir)
    list[info.seed] = info
    info.dir = dir
  end
  return list
end

-- ------------------------------------------------------------------ what is run

function TestBatch:test_each_seed_has_a_run_and_a_row()
  self:write("a.lua", "run:summary { value = p.lr * run.seed }")
  local result = self:batch("a.lua", "--seeds", "2..4", "lr=0.25")
  ends(result, 0, "ran 3, skipped 0, failed 0")
  contains(result.out, "script  seed  status  time", "value\n", "0.75\n",
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
  lu.assert_str_matches(result.out, ".*a%.lua +1 +done [^\n]* 7\n.*")
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

function TestBatch:records_that_are(status)
  local count = 0
  for _, dir in ipairs(self:runs()) do
    if runs.read_info(dir).status == status then count = count + 1 end
  end
  return count
end

function TestBatch:test_a_child_that_is_killed_is_called_so()
  self:write("a.lua", [[
    if run.seed == 1 then require("luv").kill(require("luv").os_getpid(), "sigkill") end]])
  local result = self:batch("a.lua", "--seeds", "2")
  ends(result, 1, "ran 2, skipped 0, failed 1")
  contains(result.err, "killed: a.lua seed 1, run ", ": ended by SIGKILL")
  lu.assert_str_matches(result.out, ".*a%.lua +1 +killed .*")
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
  contains(err, "swale: interrupted; 3 of 6 were not started: a.lua seed 4, a.lua seed 5")
  lu.assert_equals(self:records_that_are "interrupted", 2)
  lu.assert_equals(self:records_that_are "done", 1)
end
