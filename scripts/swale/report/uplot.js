// Curves by uPlot: the drawer of plain.js, with a selection by the mouse that enlarges.
"use strict";
const ByUplot = (() => {
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const cut = (list, log) => list.map(v => v === null || !isFinite(v) || (log && v <= 0) ? null : v);

  function tables_of(spec) {
    return spec.lines.map(l => {
      const keep = l.x.map((v, i) => i).filter(i => !spec.logx || l.x[i] > 0);
      const take = list => cut(keep.map(i => list[i]), spec.logy);
      const table = [keep.map(i => l.x[i]), take(l.y)];
      if (l.low) table.push(take(l.low.map((v, i) => spec.logy && v !== null && v <= 0 ? l.y[i] / 1e3 : v)), take(l.high));
      return table;
    });
  }

  // The range of the lines; that of bands may be many times as wide, with few seeds.
  function y_range(spec) {
    return () => {
      let low = Infinity, high = -Infinity;
      for (const l of spec.lines) for (const v of cut(l.y, spec.logy))
        if (v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
      const share = spec.logy ? Math.pow(high / low, 0.05) || 1.1 : (high - low) * 0.1 || Math.abs(low) * 0.1 || 1;
      return spec.logy ? [low / (share > 1 ? share : 1.5), high * (share > 1 ? share : 1.5)] : [low - share, high + share];
    };
  }

  function draw(spec) {
    const tables = tables_of(spec);
    if (!tables.some(t => t[1].some(v => v !== null))) return null;
    const series = [{}], bands = [];
    for (const l of spec.lines) {
      series.push({ stroke: l.colour, width: l.width, dash: l.dash, points: { show: l.x.length <= 12, size: 7, fill: l.colour } });
      if (l.low) {
        const i = series.length;
        series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } });
        bands.push({ series: [i + 1, i], fill: l.colour + "2e" });
      }
    }
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 0.5 }, ticks: { stroke: colour("--line"), width: 0.5 } };
    const values = (u, list) => list.map(v => v === null ? "" : Plain.text_of(v));
    const y_values = (u, list) => {
      u.root.dataset.ticks = values(u, list).join(" ");
      return values(u, list);
    };
    // uPlot's own marks of a logarithmic axis are few or none over many decades, and over less than one.
    const marks = (log, most) => log ? { splits: (u, i, low, high) => Plain.log_ticks(low, high, most),
      incrs: (u, i, low, high) => [high - low], filter: (u, list) => list } : {};
    const plot = new uPlot({
      width: spec.width, height: spec.height, series, bands, legend: { show: false },
      scales: { x: { time: false, distr: spec.logx ? 3 : 1 }, y: { distr: spec.logy ? 3 : 1, range: y_range(spec) } },
      axes: [Object.assign({ label: spec.xlabel, labelSize: 20, values }, axis, marks(spec.logx, spec.width / 90)),
        Object.assign({ size: 62, values: y_values }, axis, marks(spec.logy, 6))],
      cursor: { points: { show: false } },
      hooks: { setCursor: [u => spec.hover(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null)] },
    }, uPlot.join(tables), spec.box);
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-label", `${spec.ylabel} against ${spec.xlabel}`);
    return { destroy: () => plot.destroy() };
  }

  return { name: "uplot", draw };
})();
