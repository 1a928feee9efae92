// The curves of a section: which metric, against what, with which band, and the data as a file.
"use strict";
const Curves = (() => {
  const drawer = typeof ByUplot === "undefined" ? Plain : ByUplot;
  // Distinct for the colour-blind (after Okabe and Ito), for either theme; then other dashes.
  const COLOURS = {
    light: ["#0072b2", "#d55e00", "#009e73", "#b0578d", "#a67c00", "#3a9bd1", "#6b6b6b", "#222222"],
    dark: ["#56b4e9", "#ff8a4c", "#2fc79a", "#e59ac6", "#e6b800", "#9fd3f2", "#a0a0a0", "#f0f0f0"],
  };
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const SHOWN = 8; // settings at first
  const AXES = [["step", "steps"], ["examples", "examples"], ["epoch", "epochs"], ["seconds", "time (s)"]];
  const BANDS = [["interval", "95 % interval of the mean"], ["range", "least to greatest seed"],
    ["none", "mean alone"], ["runs", "each run"]];
  const WINDOWS = [["1", "off"], ["5", "5 points"], ["15", "15 points"], ["51", "51 points"]];

  function make(parent, name, attributes, text) {
    const e = document.createElement(name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (text !== undefined) e.textContent = text;
    if (parent) parent.appendChild(e);
    return e;
  }

  function choice(parent, label, cls, options, change) {
    const wrap = make(parent, "label", {}, label + " ");
    const select = make(wrap, "select", { class: cls });
    for (const [value, text] of options) make(select, "option", { value }, text);
    select.addEventListener("change", () => change(select.value));
    return select;
  }

  function tick(parent, label, cls, change) {
    const wrap = make(parent, "label", {});
    const box = make(wrap, "input", { type: "checkbox", class: cls });
    wrap.append(" " + label);
    box.addEventListener("change", () => change(box.checked));
    return box;
  }

  function theme_colours() { return COLOURS[document.documentElement.dataset.theme] || COLOURS.light; }
  const colour_of = g => theme_colours()[g % SHOWN];
  const dash_of = g => DASHES[Math.floor(g / SHOWN) % DASHES.length];

  // Positions of a curve, from its steps.
  function positions(curve, axis) {
    if (!curve.steps) {
      let sum = 0;
      curve.steps = curve.step.map(d => (sum += d));
    }
    const p = curve[axis];
    if (axis === "step") return curve.steps;
    return Array.isArray(p) ? p : curve.steps.map(s => p === null ? null : s * p);
  }

  // A running mean over w points, where they are all there.
  function smooth(list, w) {
    if (w < 2 || !list) return list;
    const half = (w - 1) / 2;
    return list.map((v, i) => {
      const k = Math.min(half, i, list.length - 1 - i);
      let sum = 0;
      for (let j = i - k; j <= i + k; j++) {
        if (list[j] === null || !isFinite(list[j])) return v;
        sum += list[j];
      }
      return sum / (2 * k + 1);
    });
  }

  // Mean and band of runs, where all of them have a finite value.
  function statistics(runs, n, band, factors) {
    const mean = [], low = [], high = [], k = runs.length;
    for (let i = 0; i < n; i++) {
      let sum = 0, least = Infinity, most = -Infinity;
      for (const y of runs) {
        const v = y[i] === null ? NaN : y[i];
        sum += v;
        if (!(v >= least)) least = v;
        if (!(v <= most)) most = v;
      }
      if (!isFinite(sum)) { mean.push(null); low.push(null); high.push(null); continue; }
      const m = sum / k;
      let squares = 0;
      for (const y of runs) squares += (y[i] - m) * (y[i] - m);
      const half = k > 1 ? factors[k - 1] * Math.sqrt(squares / (k - 1)) : null;
      mean.push(m);
      low.push(band === "range" ? least : half === null ? null : m - half);
      high.push(band === "range" ? most : half === null ? null : m + half);
    }
    return { mean, low, high };
  }

  // Points whose x ascends; a line of uPlot needs that.
  function ascending(line) {
    const keep = [];
    let last = -Infinity;
    line.x.forEach((v, i) => { if (v !== null && v > last) { keep.push(i); last = v; } });
    if (keep.length === line.x.length) return line;
    const take = list => list && keep.map(i => list[i]);
    return Object.assign(line, { x: take(line.x), y: take(line.y), low: take(line.low), high: take(line.high) });
  }

  function lines_of(s) {
    const lines = [];
    for (const curve of s.data.curves[s.metric] || []) {
      if (!s.on.has(curve.g) || s.away.has(curve.g)) continue;
      const x = positions(curve, s.axis), base = { g: curve.g, colour: colour_of(curve.g), width: 2 };
      const counted = curve.runs.filter(r => s.data.runs[r.r].counts);
      const alone = s.band === "runs" || !counted.length ? curve.runs : [];
      for (const r of alone)
        lines.push(ascending(Object.assign({}, base, { x, y: smooth(r.y, s.window), width: 1.2,
          dash: s.data.runs[r.r].status === "done" ? dash_of(curve.g) : [2, 3] })));
      if (s.band === "runs" || !counted.length) continue;
      const found = statistics(counted.map(r => r.y), x.length, s.band, s.factors);
      const line = Object.assign(base, { x, y: smooth(found.mean, s.window), dash: dash_of(curve.g) });
      if (s.band !== "none" && counted.length > 1)
        Object.assign(line, { low: smooth(found.low, s.window), high: smooth(found.high, s.window) });
      lines.push(ascending(line));
    }
    return lines;
  }

  // ---------------------------------------------------------------- legend

  function nearest(line, x) {
    let low = 0, high = line.x.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (line.x[middle] <= x) low = middle; else high = middle;
    }
    return Math.abs(line.x[high] - x) < Math.abs(line.x[low] - x) ? high : low;
  }

  function swatch(button, g) {
    const svg = Plain.element(button, "svg", { viewBox: "0 0 26 10", "aria-hidden": "true" });
    Plain.element(svg, "line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour_of(g), "stroke-width": 3,
      "stroke-dasharray": dash_of(g).join(" ") });
  }

  function legend(s) {
    s.legend.replaceChildren();
    s.values = new Map();
    for (const curve of s.data.curves[s.metric] || []) {
      const g = curve.g;
      if (s.away.has(g)) continue;
      const button = make(s.legend, "button", { type: "button", "aria-pressed": s.on.has(g), "data-g": g });
      swatch(button, g);
      make(button, "span", {}, s.data.settings[g].label);
      s.values.set(g, make(button, "span", { class: "value" }));
      button.addEventListener("click", () => {
        if (s.on.has(g)) s.on.delete(g); else s.on.add(g);
        button.setAttribute("aria-pressed", s.on.has(g));
        draw(s);
      });
    }
  }

  function hover(s, x) {
    for (const value of s.values.values()) value.textContent = "";
    if (x === null) return;
    for (const line of s.lines) {
      if (!line.x.length) continue;
      const v = line.y[nearest(line, x)], value = s.values.get(line.g);
      if (value && v !== null && v !== undefined) value.textContent = Plain.text_of(v);
    }
  }

  // ---------------------------------------------------------------- drawing

  const NOTES = { interval: "Lines are means over seeds, bands their 95 % intervals (Student's t). They are drawn where every seed has a finite value.",
    range: "Lines are means over seeds, bands reach from the least to the greatest seed. They are drawn where every seed has a finite value.",
    none: "Lines are means over seeds, drawn where every seed has a finite value.",
    runs: "Each line is a run; runs that are not done are dotted." };

  function draw(s) {
    if (s.plot) s.plot.destroy();
    s.plot = null;
    s.box.replaceChildren();
    s.lines = lines_of(s);
    const width = Math.max(260, Math.floor(s.box.clientWidth));
    const axis = AXES.find(a => a[0] === s.axis)[1];
    if (s.lines.length)
      s.plot = drawer.draw({ box: s.box, width, height: width < 560 ? 260 : 340, lines: s.lines, logx: s.logx,
        logy: s.logy, xlabel: axis, ylabel: s.data.metrics[s.metric], hover: x => hover(s, x) });
    if (!s.plot) make(s.box, "p", { class: "nothing" }, s.lines.length
      ? "No value can be drawn" + (s.logx || s.logy ? " on a logarithmic axis." : ".") : "No curve is chosen.");
    s.title.textContent = `${s.data.metrics[s.metric]} against ${axis}`;
    s.said.textContent = NOTES[s.band] + (s.window > 1 ? ` Smoothed over ${s.window} points.` : "");
    s.box.dataset.lines = s.lines.length;
    s.box.dataset.drawer = drawer.name;
  }

  // Whether a metric is positive and its lines cover a factor of 30: then its axis is logarithmic.
  function spans_decades(s) {
    let low = Infinity, high = 0;
    for (const line of lines_of(s))
      for (const v of line.y) if (v !== null && isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    return low > 0 && high > 30 * low;
  }

  // ---------------------------------------------------------------- data as a file

  const field = v => {
    const text = v === null || v === undefined ? "nan" : String(v).replace("Infinity", "inf");
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };

  function csv(s) {
    const rows = ["setting,run,seed,status,metric,step,examples,epoch,seconds,value"];
    for (const curve of s.data.curves[s.metric] || []) {
      if (!s.on.has(curve.g) || s.away.has(curve.g)) continue;
      const at = AXES.map(a => positions(curve, a[0]));
      for (const r of curve.runs) {
        const run = s.data.runs[r.r];
        const head = [s.data.settings[curve.g].label, run.id, run.seed, run.status, s.data.metrics[s.metric]].map(field).join(",");
        r.y.forEach((v, i) => rows.push(head + "," + at.map(p => field(p[i])).join(",") + "," + field(v)));
      }
    }
    return rows.join("\n") + "\n";
  }

  function download(s) {
    const link = make(null, "a", { download: "curves.csv" });
    link.href = URL.createObjectURL(new Blob([csv(s)], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ---------------------------------------------------------------- controls

  function show_all(s, on) {
    for (const curve of s.data.curves[s.metric] || [])
      if (!s.away.has(curve.g)) { if (on) s.on.add(curve.g); else s.on.delete(curve.g); }
    legend(s);
    draw(s);
  }

  function controls(s, box) {
    const again = name => value => { s[name] = value; draw(s); };
    choice(box, "curve", "metric", s.data.metrics.map((name, i) => [i, name]), value => {
      s.metric = Number(value);
      s.again(true);
    });
    choice(box, "against", "axis", AXES, again("axis"));
    choice(box, "band", "band", BANDS, again("band"));
    choice(box, "smoothing", "window", WINDOWS, value => { s.window = Number(value); draw(s); });
    tick(box, "log x", "logx", again("logx"));
    s.logy_box = tick(box, "log y", "logy", again("logy"));
    make(box, "button", { type: "button", class: "all" }, "all").addEventListener("click", () => show_all(s, true));
    make(box, "button", { type: "button", class: "none" }, "none").addEventListener("click", () => show_all(s, false));
    make(box, "button", { type: "button", class: "csv" }, "data as CSV").addEventListener("click", () => download(s));
  }

  // Curves in `parent`; away is a set of settings that a filter hides.
  function start(parent, data, factors, away) {
    if (!data.metrics.length) {
      make(parent, "p", { class: "quiet" }, "The runs recorded no curves.");
      return null;
    }
    const s = { data, factors, away, metric: 0, axis: "step", band: "interval", window: 1, logx: false, logy: false,
      on: new Set(data.settings.keys()) };
    for (const g of data.settings.keys()) if (g >= SHOWN) s.on.delete(g);
    controls(s, make(parent, "div", { class: "controls" }));
    s.title = make(parent, "p", { class: "title" });
    s.box = make(parent, "div", { class: "chart" });
    s.legend = make(parent, "div", { class: "legend", role: "group", "aria-label": "settings drawn" });
    s.said = make(parent, "p", { class: "said" });
    s.again = anew => {
      if (anew) s.logy_box.checked = s.logy = spans_decades(s);
      legend(s);
      draw(s);
    };
    s.csv = () => csv(s);
    s.again(true);
    let width = s.box.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(s.box.clientWidth - width) < 2) return;
      width = s.box.clientWidth;
      draw(s);
    }).observe(s.box);
    return s;
  }

  return { start };
})();
