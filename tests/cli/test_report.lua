--- swale report: the page in a browser, with either way to draw curves; hostile names; its parts.
local browser = require "browser"
local command = require "command"
local core = require "swale.core"
local folders = require "swale.folders"
local lu = require "luaunit"
local store_harness = require "store_harness"

TestReport = command.in_a_folder()

--- Losses that fall from 2 to about `last`.
local function records(last, n)
  local list = {}
  for i = 1, n do
    local position = { step = 10 * i, examples = 320 * i, epoch = i / 10, seconds = 0.5 * i }
    local value = last + (2 - last) * math.exp(-5 * i / n)
    list[#list + 1] = { kind = "step", loss = value + 0.01 * (i % 3), lr = 0.1 }
    for name, x in pairs(position) do list[#list][name] = x end
    if i % 10 == 0 then
      list[#list + 1] = { kind = "epoch", valid_loss = value }
      for name, x in pairs(position) do list[#list][name] = x end
    end
  end
  return list
end

local LAST = { [0.05] = 0.5, [0.1] = 0.3, [0.2] = 0.31 } -- valid_loss by lr

function TestReport:make(id, info, list)
  if info.objective == nil then info.objective = { name = "valid_loss", goal = "min" } end
  return store_harness.run(self.dir .. "/runs", id, info, list)
end

--- Three rates with three seeds each, and a run that failed.
function TestReport:sweep()
  for lr, last in pairs(LAST) do
    for seed = 1, 3 do
      self:make(("run_%g_%d"):format(lr, seed), { seed = seed, params = { lr = lr, epochs = 3 },
        argv = { "run", "a b.lua", "lr=" .. lr }, commit = ("0123456789"):rep(4) },
        records(last + seed / 50, 30))
    end
  end
  self:make("run_broken", { seed = 4, params = { lr = 0.2, epochs = 3 }, status = "failed",
    error = "a.lua:3: no such thing" }, records(0.3, 12))
end

--- The page of a report, as a path.
function TestReport:report(...)
  local result = command.swale(self.dir, { "report", ... })
  lu.assert_equals({ result.code, result.err }, { 0, "" })
  return self.dir .. "/report.html"
end

local function is_clean(result)
  lu.assert_equals({ result.errors, result.blocked, result.outside, result.console },
    { {}, {}, {}, {} })
end

-- ------------------------------------------------------------------ in a browser

local CLICKS = [[
  const rows = () => $$("tbody").filter(b => !b.hidden).map(b => b.rows[0].cells[1].textContent);
  const header = $$("th").find(th => th.textContent === "lr"), box = $(".chart");
  result.drawer = box.dataset.drawer;
  result.first = $(".verdict .first").textContent;
  result.fault = $(".faults").textContent;
  result.order = rows();
  header.querySelector("button").click();
  result.sorted = [rows(), header.getAttribute("aria-sort")];
  header.querySelector("button").click();
  result.reversed = [rows(), header.getAttribute("aria-sort")];
  type($(".filter"), "lr > 0.05 and lr<=0.1");
  result.filtered = [rows(), $(".count").textContent, box.dataset.lines];
  type($(".filter"), "RUN_broken");
  result.by_word = rows();
  type($(".filter"), "");
  const unfold = $("tbody .unfold");
  const row = document.getElementById(unfold.getAttribute("aria-controls"));
  result.folded = row.hidden;
  unfold.click();
  result.unfolded = [row.hidden, unfold.getAttribute("aria-expanded"), row.getClientRects().length];
  result.copied = $(".copy", row).dataset.copy;
  const lines = () => Number(box.dataset.lines), legend = $(".legend button");
  result.lines = lines();
  const area = $("svg, .u-over", box), edge = area.getBoundingClientRect();
  const at = { clientX: edge.right - 13, clientY: edge.top + 50, bubbles: true };
  area.dispatchEvent(new PointerEvent("pointermove", at));
  result.mean = $(".legend .value").textContent;
  legend.click();
  result.toggled = [lines(), legend.getAttribute("aria-pressed")];
  legend.click();
  choose($(".band"), "runs");
  result.each_run = lines();
  choose($(".band"), "range");
  const label = () => $("[role=img]", box).getAttribute("aria-label");
  result.labels = [label()];
  for (const axis of ["examples", "epoch", "seconds"]) {
    choose($(".axis"), axis);
    result.labels.push(label());
  }
  $(".logx").click();
  choose($(".metric"), "1");
  result.logarithmic = [label(), lines()];
  $(".csv").click();
  result.csv = (await seen.blobs[0].text()).split("\n").slice(0, 2);
  result.download = seen.download;
  const theme = document.documentElement.dataset.theme;
  $("#theme").click();
  result.theme = [theme, document.documentElement.dataset.theme];
  result.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
]]

function TestReport:clicks(drawer)
  self:sweep()
  local result = browser.drive(self.dir, self:report("--curves", drawer), CLICKS)
  is_clean(result)
  lu.assert_equals(result.drawer, drawer)
  lu.assert_str_contains(result.first,
    "best by valid_loss (least): lr = 0.1, mean 0.3512 (95 %: 0.3018 to 0.4005) over 3 seeds")
  lu.assert_str_contains(result.fault, "a.lua:3: no such thing")
  lu.assert_equals(result.order, { "0.1", "0.2", "0.05" })
  lu.assert_equals(result.sorted, { { "0.05", "0.1", "0.2" }, "ascending" })
  lu.assert_equals(result.reversed, { { "0.2", "0.1", "0.05" }, "descending" })
  lu.assert_equals(result.filtered, { { "0.1" }, "1 of 3 settings", "1" })
  lu.assert_equals(result.by_word, { "0.2" })
  lu.assert_equals({ result.folded, result.unfolded }, { true, { false, "true", 1 } })
  lu.assert_str_contains(result.copied, "swale run 'a b.lua' lr=0.")
  lu.assert_equals({ result.lines, result.toggled, result.each_run }, { 3, { 2, "false" }, 10 })
  if drawer == "plain" then lu.assert_equals(result.mean, "0.3512") end
  lu.assert_equals(result.labels, { "valid_loss against steps", "valid_loss against examples",
    "valid_loss against epochs", "valid_loss against time (s)" })
  lu.assert_equals(result.logarithmic, { "loss against time (s)", 3 })
  lu.assert_equals(result.csv[1],
    "setting,run,seed,status,metric,step,examples,epoch,seconds,value")
  lu.assert_str_matches(result.csv[2], "lr = 0%.1,run_0%.1_%d,%d,done,loss,10,320,0%.1,0%.5,[%d.]+")
  lu.assert_equals(result.download, "curves.csv")
  lu.assert_equals(result.theme, { "light", "dark" })
  lu.assert_equals(result.wide, 0, "wider than the window")
end

function TestReport:test_a_page_with_its_own_curves_in_a_browser() self:clicks "plain" end

function TestReport:test_a_page_with_uplot_in_a_browser()
  if not require("swale.report.page").has_uplot() then
    local why = "the build has no uPlot: it needs npm and a network"
    if os.getenv "CI" == "true" then lu.fail(why) end
    lu.skip(why)
  end
  self:clicks "uplot"
end

-- ------------------------------------------------------------------ hostile records

local HOSTILE = { "</script><script>hacked=1</script>", "<img src=x onerror=hacked=1>", "\"'><b>",
  "\u{1F600} \u{202E}text", "a\1b\127", "{name} {{name}} %s %1", "__proto__", "=1+1,\"x\"\ny",
  ("long "):rep(2000) }

local SVG = [[<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10">
<script>parent.hacked = 1</script><image href="http://example.com/x.png"/></svg>]]

function TestReport:hostile_runs()
  for i, text in ipairs(HOSTILE) do
    local name = text:gsub("[/\1\xff\n]", ""):sub(1, 60)
    local list = records(0.3, 5)
    for k, value in ipairs { "nan", "inf", "-inf", 1e308, -1 } do
      list[k][text] = value
      list[k].loss = value
    end
    local dir = self:make("run_" .. i .. name, { experiment = HOSTILE[1], seed = i, error = text,
      status = i % 2 == 0 and "failed" or "done", params = { [text] = text, lr = text, n = i },
      argv = { "run", text, "x='" .. text }, commit = text, tag = text,
      summary = { [text] = 1, other = text, claims = { { text = text, holds = text } } } }, list)
    assert(folders.make_folder(dir .. "/plots"))
    command.write(dir .. "/plots/" .. name .. ".svg", SVG)
  end
end

function TestReport:test_hostile_names_stay_texts()
  self:hostile_runs()
  local page = self:report("--curves", "plain", "--objective", "valid_loss")
  local result = browser.drive(self.dir, page, [[
    for (const e of $$("details")) e.open = true;
    $(".unfold-all").click();
    for (const o of $$(".metric option")) choose($(".metric"), o.value);
    type($(".filter"), "<script>");
    result.found = $$("tbody").filter(b => !b.hidden && b.dataset.setting).length > 0;
    await Promise.all($$("img").map(i => i.decode().catch(() => 0)));
    result.pictures = $$("img").filter(i => i.naturalWidth === 10).length;
    result.bold = $$("main b").some(e => e.parentNode.closest("b"));
    result.hacked = typeof hacked;
    result.handlers = $$("[onerror]").length;]])
  is_clean(result)
  lu.assert_equals({ result.hacked, result.handlers, result.found, result.bold, result.pictures },
    { "undefined", 0, true, false, #HOSTILE })
end

--- Judgements of papers whose record has such texts, or no texts, in every field.
function TestReport:test_hostile_judgements_stay_texts()
  for i, text in ipairs(HOSTILE) do
    local claim = { verdict = text, would = text, unconfirmed = text, amended = text, here = text }
    for _, name in ipairs { "text", "section", "paper", "ours", "seeds" } do claim[name] = text end
    local dir = self:make("run_" .. i, { experiment = text, seed = 1, status = "done",
      params = { size = text }, machine = { cores = text, cpu = text },
      summary = { title = text, citation = text, command = text, withdrawn = { text, 1, {} },
        missing_runs = text, core_minutes = text, runs = text,
        claims = { claim, text, 3, { verdict = {}, text = { 1 } } },
        figures = { { file = text, caption = text }, text, { file = "../a.svg" },
          { file = "a.svg", caption = text }, { file = "b.svg", why = text } } } }, {})
    assert(folders.make_folder(dir .. "/plots"))
    command.write(dir .. "/plots/a.svg", SVG)
  end
  local result = browser.drive(self.dir, self:report("--curves", "plain"), [[
    for (const e of $$("details")) e.open = true;
    await Promise.all($$("img").map(i => i.decode().catch(() => 0)));
    result.papers = $$("section.paper").length;
    result.rows = $$(".claims tbody tr").length;
    result.pictures = $$("img").filter(i => i.naturalWidth === 10).length;
    result.hacked = typeof hacked;
    result.handlers = $$("[onerror]").length;]])
  is_clean(result)
  lu.assert_equals({ result.hacked, result.handlers, result.papers, result.rows, result.pictures },
    { "undefined", 0, #HOSTILE, 4 * #HOSTILE, #HOSTILE })
end

-- ------------------------------------------------------------------ without a browser

--- The data that a page has in it.
local function data_of(path)
  local text = command.read(path):match '<script type="application/json" id="data">(.-)</script>'
  return core.json_decode((text:gsub("1e999", '"inf"')))
end

function TestReport:test_curves_keep_least_and_greatest_in_500_points()
  local list = {}
  for i = 1, 4000 do
    local value = i == 1234 and 77 or i == 2345 and -5 or i % 7
    list[i] = { kind = "step", step = i, examples = 32 * i, loss = value }
  end
  self:make("long", { params = { lr = 1 } }, list)
  local section = data_of(self:report()).sections[1]
  local curve = section.curves[1][1]
  local y = curve.runs[1].y
  lu.assert_equals(section.metrics, { "loss" })
  lu.assert_is_true(#y <= 500 and #y > 200, #y)
  lu.assert_equals({ math.max(table.unpack(y)), math.min(table.unpack(y)) }, { 77, -5 })
  lu.assert_equals({ curve.examples, #curve.step }, { 32, #y })
end

--- A run that diverges has losses over many decades.
function TestReport:test_a_logarithmic_axis_over_many_decades_has_marks()
  if not require("swale.report.page").has_uplot() then lu.skip "the build has no uPlot" end
  local list = records(0.3, 12)
  for i, record in ipairs(list) do record.loss = 10 ^ (3 * i) end
  self:make("run_1", { params = {} }, list)
  local result = browser.drive(self.dir, self:report("--curves", "uplot"), [[
    if (!$(".logy").checked) $(".logy").click();
    choose($(".metric"), "0");
    while (!$("[data-ticks]")) await new Promise(next => setTimeout(next)); // it is drawn later
    result.ticks = $("[data-ticks]").dataset.ticks.split(" ");]])
  is_clean(result)
  lu.assert_true(#result.ticks >= 4, table.concat(result.ticks, " "))
  for _, tick in ipairs(result.ticks) do lu.assert_str_matches(tick, "1e?%d*") end
end

--- The page of runs of one epoch begins with the losses of their steps.
function TestReport:test_metrics_of_one_point_come_after_curves()
  self:make("run_1", { params = {} }, records(0.3, 12))
  local path = self:report("--curves", "plain")
  local metrics = core.json_decode(command.read(path):match '"metrics":(%b[])')
  lu.assert_equals({ metrics[1], metrics[2] }, { "loss", "valid_loss" })
end

function TestReport:test_runs_that_are_not_done_are_in_no_mean()
  self:sweep()
  local section = data_of(self:report()).sections[1]
  local counts = {}
  for _, run in ipairs(section.runs) do
    if run.status ~= "done" then counts[#counts + 1] = { run.id, run.counts } end
  end
  lu.assert_equals(counts, { { "run_broken", false } })
end

function TestReport:test_an_experiment_without_an_objective_says_by_what_it_is_judged()
  for seed = 1, 2 do
    self:make("run" .. seed, { seed = seed, objective = false, params = { lr = seed },
      summary = { test_accuracy = seed / 3 } })
  end
  local page = command.read(self:report())
  for _, words in ipairs { "declares no objective; test_accuracy is what all its runs have",
    "best by test_accuracy (greatest): lr = 2" } do
    lu.assert_is_true(page:find(words, 1, true) ~= nil, words)
  end
end

function TestReport:test_nothing_to_report_is_a_failure()
  local result = command.swale(self.dir, { "report" })
  lu.assert_equals(result.code, 1)
  lu.assert_str_contains(result.err, "there are no such runs")
  lu.assert_equals(folders.exists(self.dir .. "/report.html"), false)
  lu.assert_equals(command.swale(self.dir, { "report", "nothing" }).code, 1)
end

local RUNS, ROWS, SECONDS = 1000, 10000, 20

--- The processor's time, in this process; the files of ten runs stand for those of all.
function TestReport:test_a_thousand_runs_of_ten_thousand_lines_take_20_seconds()
  if os.getenv "SWALE_TEST_LONG" ~= "1" then return end
  local uv, root = require "luv", self.dir .. "/runs"
  for i = 1, RUNS do
    local id = ("run_%04d"):format(i)
    self:make(id, { seed = i % 5, params = { lr = i // 5 } },
      i <= 10 and records(i / 10, ROWS) or nil)
    if i > 10 then
      assert(uv.fs_link(("%s/run_%04d/metrics.jsonl"):format(root, i % 10 + 1),
        ("%s/%s/metrics.jsonl"):format(root, id)))
    end
  end
  local start = os.clock()
  local page = require("swale.report").html(require("swale.store").open(root):runs(), {})
  local seconds = os.clock() - start
  lu.assert_is_true(seconds < SECONDS, seconds)
  lu.assert_is_true(#page < 20e6, #page)
end
