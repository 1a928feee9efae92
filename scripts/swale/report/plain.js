// Curves as SVG, drawn without a library. A drawer takes a spec and returns { x_at, destroy }:
//   spec = { box, width, height, lines, logx, logy, xlabel, ylabel, hover }
//   line = { x, y, low?, high?, colour, dash, width }, x ascending; null is a gap
"use strict";
const Plain = (() => {
  const NS = "http://www.w3.org/2000/svg";

  function element(parent, name, attributes, text) {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (text !== undefined) e.textContent = text;
    if (parent) parent.appendChild(e);
    return e;
  }

  const places = (v, log) => typeof v === "number" && isFinite(v) && !(log && v <= 0);

  // The range of what is drawn, a little wider; of an empty one, null.
  function range(lists, log, share) {
    let low = Infinity, high = -Infinity;
    for (const list of lists)
      for (const v of list)
        if (places(v, log)) { if (v < low) low = v; if (v > high) high = v; }
    if (low > high) return null;
    if (log) {
      const rest = Math.max(Math.log(high / low) * share, low === high ? 0.5 : 0);
      return [low * Math.exp(-rest), high * Math.exp(rest)];
    }
    const rest = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * share;
    return [low - rest, high + rest];
  }

  function linear_ticks(low, high, most) {
    const rough = (high - low) / Math.max(1, most), unit = Math.pow(10, Math.floor(Math.log10(rough)));
    const step = [1, 2, 5, 10].map(m => m * unit).find(s => s >= rough) || unit * 10;
    const ticks = [];
    for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9 && ticks.length < 50; i++)
      ticks.push(i * step);
    return ticks;
  }

  function log_ticks(low, high, most) {
    const ticks = [];
    const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
    const each = Math.max(1, Math.ceil((to - from) / most));
    for (let e = from; e <= to; e += each) {
      const marks = to - from <= 2 ? [1, 2, 5] : [1];
      for (const m of marks) {
        const v = m * Math.pow(10, e);
        if (v >= low && v <= high) ticks.push(v);
      }
    }
    return ticks.length > 1 ? ticks : linear_ticks(low, high, most).filter(v => v > 0);
  }

  function text_of(v) {
    if (v === 0) return "0";
    const a = Math.abs(v);
    if (a >= 1e6 || a < 1e-3) return v.toExponential(1).replace(".0e", "e").replace("e+", "e");
    return String(parseFloat(v.toPrecision(4)));
  }

  function scale(limits, log, from, to) {
    const f = log ? Math.log : x => x, a = f(limits[0]), b = f(limits[1]);
    const at = v => from + (f(v) - a) / (b - a) * (to - from);
    at.invert = p => { const u = a + (p - from) / (to - from) * (b - a); return log ? Math.exp(u) : u; };
    return at;
  }

  function path(line, x, y, logx, logy) {
    let d = "", up = true;
    for (let i = 0; i < line.x.length; i++) {
      if (!places(line.y[i], logy) || !places(line.x[i], logx)) { up = true; continue; }
      d += (up ? "M" : "L") + x(line.x[i]).toFixed(1) + " " + y(line.y[i]).toFixed(1);
      up = false;
    }
    return d;
  }

  // The band of a line, a shape for each piece without a gap.
  function band(line, x, y, logx, logy, least) {
    let d = "", piece = [];
    const close = () => {
      if (piece.length > 1) {
        const at = (i, v) => x(line.x[i]).toFixed(1) + " " + y(v).toFixed(1);
        d += "M" + piece.map(i => at(i, line.high[i])).join("L") + "L" +
          piece.reverse().map(i => at(i, logy && line.low[i] <= 0 ? least : line.low[i])).join("L") + "Z";
      }
      piece = [];
    };
    for (let i = 0; i < line.x.length; i++) {
      if (places(line.high[i], logy) && places(line.low[i], false) && places(line.x[i], logx)) piece.push(i);
      else close();
    }
    close();
    return d;
  }

  let clips = 0;

  function draw(spec) {
    const lines = spec.lines, m = { left: 58, right: 12, top: 10, bottom: 44 };
    const limits_x = range(lines.map(l => l.x), spec.logx, 0);
    const limits_y = range(lines.map(l => l.y), spec.logy, 0.05);
    if (!limits_x || !limits_y) return null;
    for (const l of lines) // bands may widen the range to twice its size
      if (l.low) for (let i = 0; i < l.x.length; i++) {
        const span = limits_y[1] - limits_y[0];
        if (!spec.logy && places(l.low[i]) && l.low[i] > limits_y[0] - span * 0.1) limits_y[0] = Math.min(limits_y[0], l.low[i]);
        if (!spec.logy && places(l.high[i]) && l.high[i] < limits_y[1] + span * 0.1) limits_y[1] = Math.max(limits_y[1], l.high[i]);
      }
    const x = scale(limits_x, spec.logx, m.left, spec.width - m.right);
    const y = scale(limits_y, spec.logy, spec.height - m.bottom, m.top);
    const svg = element(null, "svg", { viewBox: `0 0 ${spec.width} ${spec.height}`, height: spec.height,
      role: "img", "aria-label": `${spec.ylabel} against ${spec.xlabel}` });
    const clip = "clip" + ++clips;
    element(element(element(svg, "defs"), "clipPath", { id: clip }), "rect", { x: m.left, y: m.top,
      width: Math.max(1, spec.width - m.left - m.right), height: spec.height - m.top - m.bottom });
    for (const v of (spec.logy ? log_ticks : linear_ticks)(limits_y[0], limits_y[1], 6)) {
      element(svg, "line", { class: "grid", x1: m.left, x2: spec.width - m.right, y1: y(v), y2: y(v) });
      element(svg, "text", { class: "tick", x: m.left - 6, y: y(v) + 4, "text-anchor": "end" }, text_of(v));
    }
    for (const v of (spec.logx ? log_ticks : linear_ticks)(limits_x[0], limits_x[1], spec.width / 90)) {
      element(svg, "line", { class: "grid", x1: x(v), x2: x(v), y1: m.top, y2: spec.height - m.bottom });
      element(svg, "text", { class: "tick", x: x(v), y: spec.height - m.bottom + 17, "text-anchor": "middle" }, text_of(v));
    }
    element(svg, "path", { class: "axis", fill: "none",
      d: `M${m.left} ${m.top}V${spec.height - m.bottom}H${spec.width - m.right}` });
    element(svg, "text", { class: "label", x: (m.left + spec.width) / 2, y: spec.height - 6, "text-anchor": "middle" }, spec.xlabel);
    const inside = element(svg, "g", { "clip-path": `url(#${clip})`, fill: "none" });
    for (const l of lines)
      if (l.low) element(inside, "path", { class: "band", d: band(l, x, y, spec.logx, spec.logy, limits_y[0]),
        fill: l.colour, "fill-opacity": 0.18 });
    for (const l of lines) {
      element(inside, "path", { class: "line", d: path(l, x, y, spec.logx, spec.logy), stroke: l.colour,
        "stroke-width": l.width, "stroke-dasharray": (l.dash || []).join(" "), "stroke-linejoin": "round" });
      if (l.x.length <= 12) for (let i = 0; i < l.x.length; i++)
        if (places(l.x[i], spec.logx) && places(l.y[i], spec.logy))
          element(inside, "circle", { cx: x(l.x[i]), cy: y(l.y[i]), r: 3, fill: l.colour });
    }
    const cursor = element(svg, "line", { class: "cursor", y1: m.top, y2: spec.height - m.bottom, visibility: "hidden" });
    svg.addEventListener("pointermove", event => {
      const rectangle = svg.getBoundingClientRect();
      const at = (event.clientX - rectangle.left) * spec.width / rectangle.width;
      const on = at >= m.left && at <= spec.width - m.right;
      cursor.setAttribute("visibility", on ? "visible" : "hidden");
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      spec.hover(on ? x.invert(at) : null);
    });
    svg.addEventListener("pointerleave", () => {
      cursor.setAttribute("visibility", "hidden");
      spec.hover(null);
    });
    spec.box.appendChild(svg);
    return { destroy: () => svg.remove() };
  }

  return { name: "plain", draw, text_of, log_ticks, element };
})();
