// The page: theme, tables that sort, filter and unfold, buttons that copy.
"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const charts = [];

  // ---------------------------------------------------------------- theme

  const button = document.getElementById("theme");
  const kept = { get() { try { return localStorage.getItem("swale-theme"); } catch (_) { return null; } },
    set(v) { try { localStorage.setItem("swale-theme", v); } catch (_) { /* not kept */ } } };

  function set_theme(name) {
    root.dataset.theme = name;
    root.style.colorScheme = name;
    button.textContent = name === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `switch to the ${button.textContent} theme`);
    for (const chart of charts) chart.again();
  }

  const prefers = matchMedia("(prefers-color-scheme: dark)");
  set_theme(kept.get() || (prefers.matches ? "dark" : "light"));
  prefers.addEventListener("change", () => { if (!kept.get()) set_theme(prefers.matches ? "dark" : "light"); });
  button.addEventListener("click", () => {
    set_theme(root.dataset.theme === "dark" ? "light" : "dark");
    kept.set(root.dataset.theme);
  });
  let before_print = null;
  addEventListener("beforeprint", () => { before_print = root.dataset.theme; set_theme("light"); });
  addEventListener("afterprint", () => { if (before_print) set_theme(before_print); });

  // ---------------------------------------------------------------- sorting

  const key_of = (body, column) => {
    const cell = body.rows[0].cells[column], text = cell.dataset.sort === undefined ? cell.textContent : cell.dataset.sort;
    const number = text === "" ? NaN : Number(text.replace(/^(-?)inf$/, "$1Infinity"));
    return { text, number, empty: text === "" || text === "nan" };
  };

  // Numbers before texts; what has no value comes last, either way.
  function compare(a, b, sign) {
    if (a.empty !== b.empty) return a.empty ? 1 : -1;
    const numbers = [a.number, b.number].filter(v => !isNaN(v)).length;
    if (numbers === 2) return sign * (a.number - b.number || 0);
    if (numbers === 1) return isNaN(a.number) ? 1 : -1;
    return sign * a.text.localeCompare(b.text);
  }

  function sort(table, header) {
    const column = header.cellIndex, up = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const bodies = Array.from(table.tBodies, body => ({ body, key: key_of(body, column) }));
    bodies.sort((a, b) => compare(a.key, b.key, up ? 1 : -1));
    for (const { body } of bodies) table.appendChild(body);
  }

  // ---------------------------------------------------------------- filtering

  const TESTS = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
    "=": (a, b) => a === b, "!=": (a, b) => a !== b };

  // "lr>0.1" of a setting's values; null if it is no condition on one of them.
  function condition(word, names) {
    const m = /^([^<>=!]+)(<=|>=|!=|==|=|<|>)(.+)$/.exec(word);
    if (!m || !names.has(m[1])) return null;
    const [, name, sign, text] = m, test = TESTS[sign === "==" ? "=" : sign], number = Number(text);
    return values => {
      const v = values[name];
      if (v === undefined) return false;
      if (typeof v === "number") return !isNaN(number) && test(v, number);
      return test(String(v), text);
    };
  }

  const words_of = text => (text.replace(/\s*(<=|>=|!=|==|=|<|>)\s*/g, "$1").match(/\S+/g) || [])
    .filter(word => word.toLowerCase() !== "and");

  function filter(section) {
    const names = new Set();
    for (const setting of section.data.settings) for (const name in setting.values) names.add(name);
    const words = words_of(section.input.value);
    const conditions = words.map(word => condition(word, names));
    section.away.clear();
    let count = 0;
    for (const body of section.table.tBodies) {
      const g = Number(body.dataset.setting), values = section.data.settings[g].values;
      const text = body.textContent.toLowerCase();
      const keep = words.every((word, i) => conditions[i] ? conditions[i](values) : text.includes(word.toLowerCase()));
      body.hidden = !keep;
      if (keep) count++; else section.away.add(g);
    }
    const all = section.table.tBodies.length;
    section.count.textContent = (words.length ? `${count} of ${all}` : all) + (all === 1 ? " setting" : " settings");
    if (section.chart) section.chart.again();
  }

  // ---------------------------------------------------------------- folding, copying

  function unfold(button, on) {
    const row = document.getElementById(button.getAttribute("aria-controls"));
    row.hidden = !on;
    button.setAttribute("aria-expanded", on);
    button.textContent = on ? "−" : "+";
  }

  function copy(button) {
    const said = words => {
      button.textContent = words;
      setTimeout(() => (button.textContent = "copy"), 1500);
    };
    const by_hand = () => {
      const area = document.createElement("textarea");
      area.value = button.dataset.copy;
      button.after(area);
      area.select();
      const ok = document.execCommand("copy");
      area.remove();
      said(ok ? "copied" : "not copied");
    };
    if (navigator.clipboard && isSecureContext)
      navigator.clipboard.writeText(button.dataset.copy).then(() => said("copied"), by_hand);
    else by_hand();
  }

  // A link to a run unfolds its setting.
  function reveal() {
    const item = location.hash && document.getElementById(location.hash.slice(1));
    const row = item && item.closest("tr.runs");
    if (!row) return;
    unfold(document.querySelector(`[aria-controls="${row.id}"]`), true);
    item.scrollIntoView();
  }

  function start(section_data) {
    const element = document.getElementById(section_data.id);
    const section = { data: section_data, away: new Set(), table: element.querySelector(".wide > table:not(.claims)"),
      input: element.querySelector(".filter"), count: element.querySelector(".count") };
    for (const header of section.table.tHead.rows[0].cells) {
      const sorter = header.querySelector(".sort");
      if (sorter) sorter.addEventListener("click", () => sort(section.table, header));
    }
    section.input.addEventListener("input", () => filter(section));
    const all = element.querySelector(".unfold-all");
    all.addEventListener("click", () => {
      const on = all.getAttribute("aria-pressed") !== "true";
      all.setAttribute("aria-pressed", on);
      all.textContent = on ? "fold all" : "unfold all";
      for (const b of section.table.querySelectorAll(".unfold")) unfold(b, on);
    });
    section.table.addEventListener("click", event => {
      const b = event.target;
      if (b.classList.contains("unfold")) unfold(b, b.getAttribute("aria-expanded") !== "true");
      if (b.classList.contains("copy")) copy(b);
    });
    filter(section);
    section.chart = Curves.start(element.querySelector(".curves"), section_data, data.factors, section.away);
    if (section.chart) charts.push(section.chart);
  }

  for (const section of data.sections) start(section);
  addEventListener("hashchange", reveal);
  reveal();
  root.dataset.ready = "true";
})();
