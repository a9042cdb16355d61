"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);

// Text

const superscript = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const power = n => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map(d => superscript[d]).join("");
const minus = text => text.replace(/-/g, "−");

function number(x, digits = 4) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "?";
  if (x === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(x)));
  if (exponent >= -4 && exponent < 6) return minus(String(Number(x.toPrecision(digits))));
  const [mantissa, e] = x.toExponential(digits - 1).split("e");
  return minus(String(Number(mantissa))) + " × 10" + power(Number(e));
}

const interval = point => point.lo === null && point.hi === null || point.lo === undefined ? "" : ` [${number(point.lo)}, ${number(point.hi)}]`;

// Of a tick: 10⁻³ where plain digits would be long; of an integer, such as a width, all digits.
function tick(x) {
  const exponent = Math.round(Math.log10(Math.abs(x)));
  if (x === 0 || Math.abs(exponent) < 4) return minus(String(Number(x.toPrecision(6))));
  const mantissa = Number((x / 10 ** exponent).toPrecision(6));
  if (mantissa === 1) return "10" + power(exponent);
  return Number.isInteger(x) && Math.abs(x) < 1e8 ? minus(String(x)) : number(x, 6);
}

// Elements

const space = "http://www.w3.org/2000/svg";
function node(parent, name, attributes = {}, text) {
  const made = parent instanceof SVGElement || name === "svg" ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

const unique = values => [...new Set(values)].sort((a, b) => a - b);

// A colour of the ramp for the i-th of `count` things, and marks that tell them apart without colour.
const colour = (i, count) => `var(--c${count < 2 ? 1 : count <= 5 ? Math.round(i * 7 / (count - 1) + 1) : Math.round(i * 9 / (count - 1))})`;
const marks = [
  r => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
  r => `M${-.9 * r},${-.9 * r}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`,
  r => `M0,${-1.2 * r}L${1.1 * r},${.85 * r}H${-1.1 * r}z`,
  r => `M0,${-1.3 * r}L${1.2 * r},0L0,${1.3 * r}L${-1.2 * r},0z`,
  r => `M0,${1.2 * r}L${1.1 * r},${-.85 * r}H${-1.1 * r}z`,
];
const mark = (i, r) => marks[i % marks.length](r);

// Axes: {log, low, high} from values to [0, 1].

function scale(values, log, margin = .04) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v !== null && v !== undefined && Number.isFinite(v) && (!log || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > high) [low, high] = log ? [.1, 10] : [0, 1];
  const into = log ? Math.log : x => x, out = log ? Math.exp : x => x;
  let a = into(low), b = into(high);
  if (b - a < 1e-9 * Math.max(1, Math.abs(a))) { a -= log ? .7 : .5; b += log ? .7 : .5; }
  const pad = (b - a) * margin;
  a -= pad; b += pad;
  return {log, low: out(a), high: out(b), place: x => (into(x) - a) / (b - a)};
}

function ticks(axis, most) {
  if (axis.given) return axis.given.filter(x => x >= axis.low && x <= axis.high);
  const list = [];
  if (axis.log) {
    const first = Math.floor(Math.log10(axis.low)), last = Math.ceil(Math.log10(axis.high));
    for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3]]) {
      list.length = 0;
      for (let e = first; e <= last; ++e) for (const m of steps) {
        const x = Number((m * 10 ** e).toPrecision(3));
        if (x >= axis.low && x <= axis.high) list.push(x);
      }
      if (list.length <= most) break;
    }
    // Whole powers of ten, every so many.
    if (list.length > most) {
      const every = Math.ceil((last - first) / most) || 1;
      list.length = 0;
      for (let e = Math.ceil(first / every) * every; e <= last; e += every) if (10 ** e >= axis.low && 10 ** e <= axis.high) list.push(Number(`1e${e}`));
    }
    if (list.length >= 2) return list;
    list.length = 0;
  }
  const raw = (axis.high - axis.low) / Math.max(most, 2), unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(m => m * unit).find(s => s >= raw);
  for (let i = Math.ceil(axis.low / step); i * step <= axis.high; ++i) list.push(Number((i * step).toPrecision(12)));
  return list;
}

// Ticks whose labels do not touch.
function apart(list, place, extent, size) {
  let end = -Infinity;
  return list.filter(x => {
    const half = size(tick(x)) / 2, at = place(x) * extent;
    if (at - half < end) return false;
    end = at + half + 6;
    return true;
  });
}

// A chart: series of {name, keys, colour, mark, kind: "points" | "line" | "steps", dash, open, points: [{x, y, lo, hi, tip}]}
// drawn into `place`, with a legend of {key, label, colour, mark, dash}. Keys that are off hide the series that have them.

class Chart {
  constructor(place, title) {
    this.title = title;
    this.off = new Set();
    this.at = null;
    this.plot = node(place, "div", {class: "plot", tabindex: "0", role: "group", "aria-roledescription": "chart"});
    this.legend = node(place, "div", {class: "legend", role: "group", "aria-label": "Shown in: " + title});
    this.tip = node(place, "div", {class: "tip", hidden: ""});
    this.heard = node(place, "div", {class: "heard", role: "status"});
    this.plot.addEventListener("pointermove", event => this.point(event));
    this.plot.addEventListener("pointerdown", event => this.point(event));
    this.plot.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") this.choose(null); });
    this.plot.addEventListener("blur", () => this.choose(null));
    this.plot.addEventListener("keydown", event => this.key(event));
    let width = 0;
    // A figure drawn anew changes its own height, which the observer may not see within the same frame.
    new ResizeObserver(() => requestAnimationFrame(() => {
      if (Math.abs(this.plot.clientWidth - width) < 1) return;
      width = this.plot.clientWidth;
      if (this.spec) this.draw();
    })).observe(this.plot);
  }

  show(spec) {
    this.spec = spec;
    const keys = new Set(spec.legend.map(entry => entry.key));
    for (const key of this.off) if (!keys.has(key)) this.off.delete(key);
    this.draw();
    this.key_list();
  }

  visible() { return this.spec.series.filter(series => series.points.length && !(series.keys || []).some(key => this.off.has(key))); }

  key_list() {
    this.legend.replaceChildren();
    if (this.spec.remark) node(this.legend, "span", {class: "remark"}, this.spec.remark + ":");
    for (const entry of this.spec.legend) {
      const button = node(this.legend, "button", {type: "button", "aria-pressed": String(!this.off.has(entry.key))});
      const svg = node(button, "svg", {viewBox: "0 0 26 14", "aria-hidden": "true"});
      const paint = entry.colour || "var(--theory)";
      if (entry.line !== false) node(svg, "path", {d: "M1,7H25", stroke: paint, "stroke-width": 2, "stroke-dasharray": entry.dash || "none", fill: "none"});
      if (entry.mark !== undefined) node(svg, "path", {d: mark(entry.mark, 4.2), transform: "translate(13,7)", stroke: paint, "stroke-width": 1.6, fill: entry.open ? "var(--paper)" : paint});
      node(button, "span", {}, entry.label);
      button.addEventListener("click", () => {
        if (!this.off.delete(entry.key)) this.off.add(entry.key);
        button.setAttribute("aria-pressed", String(!this.off.has(entry.key)));
        this.choose(null);
        this.draw();
      });
    }
  }

  // At the width that the page gives it, or at a given one.
  draw(fixed = 0) {
    const {spec} = this;
    const width = fixed || Math.max(280, Math.min(this.plot.clientWidth || 640, 960));
    const height = Math.round(Math.min(Math.max(.58 * width, 250), 430));
    this.plot.querySelector("svg")?.remove();
    this.tip.hidden = true;
    this.at = null;
    const svg = node(this.plot, "svg", {viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"});
    this.svg = svg;
    this.width = width;
    const all = spec.series.flatMap(series => series.points);
    const x = scale([...all.filter(p => p.y !== null).map(p => p.x), ...(spec.x_also || [])], spec.xlog, spec.xmargin);
    const main = spec.series.filter(series => !series.aside).flatMap(series => series.points);
    let values = (main.length ? main : all).flatMap(p => [p.y]);
    // Intervals much wider than others may leave the panel, points may not.
    const middle = values.filter(v => Number.isFinite(v) && v !== null && (!spec.ylog || v > 0));
    const least = Math.min(...middle), most = Math.max(...middle);
    const size = p => spec.ylog ? Math.log(p.hi / p.lo) : p.hi - p.lo;
    const sizes = main.filter(p => p.lo && p.hi).map(size).filter(Number.isFinite).sort((a, b) => a - b);
    const spread = spec.ylog ? Math.log(most / least) : most - least, median = sizes[sizes.length >> 1] || 0, typical = 1.2 * (spec.ylog ? median : Math.min(sizes.at(-1) || 0, 4 * median));
    // Over decades an interval may be wider than all that is worth seeing.
    const room = Math.max(spread / 2, spec.ylog && spread > 0 ? Math.min(typical, 3 * spread) : typical);
    const bounds = spec.ylog ? [least / Math.exp(room), most * Math.exp(room)] : [least - room, most + room];
    for (const p of main) for (const end of [p.lo, p.hi]) if (Number.isFinite(end) && end !== null && end >= bounds[0] && end <= bounds[1]) values.push(end);
    values = values.concat((spec.lines || []).map(line => line.y));
    if (spec.ymost !== undefined) values = values.map(v => Math.min(v, spec.ymost));
    const y = scale(values, spec.ylog, .06);
    x.given = spec.xticks && spec.xticks.length <= 14 ? spec.xticks : undefined;
    const text = s => 7 * s.length;
    let yticks = ticks(y, Math.max(3, Math.floor(height / 44)));
    const left = Math.max(34, 24 + Math.max(...yticks.map(t => text(tick(t)))) * .93 + 6);
    const box = {left, right: width - 14, top: 10, bottom: height - 44};
    const w = box.right - box.left, h = box.bottom - box.top;
    const px = v => box.left + x.place(v) * w, py = v => box.bottom - y.place(v) * h;
    for (const t of yticks) {
      node(svg, "path", {class: "grid", d: `M${box.left},${py(t)}H${box.right}`});
      node(svg, "text", {x: box.left - 6, y: py(t) + 4, "text-anchor": "end"}, tick(t));
    }
    const xticks = ticks(x, Math.max(3, Math.floor(w / 60)));
    for (const t of xticks) node(svg, "path", {class: "grid", d: `M${px(t)},${box.bottom}V${box.top}`});
    for (const t of apart(xticks, x.place, w, text)) node(svg, "text", {x: px(t), y: box.bottom + 17, "text-anchor": "middle"}, tick(t));
    node(svg, "path", {class: "axis", d: `M${box.left},${box.top}V${box.bottom}H${box.right}`});
    node(svg, "text", {class: "label", x: (box.left + box.right) / 2, y: height - 8, "text-anchor": "middle", style: `font-size: ${Math.min(13, w / spec.xlabel.length / .56).toFixed(1)}px`}, spec.xlabel);
    node(svg, "text", {class: "label", transform: `translate(14,${(box.top + box.bottom) / 2}) rotate(-90)`, "text-anchor": "middle"}, spec.ylabel);
    const clip = "clip" + Chart.count++;
    node(node(node(svg, "defs"), "clipPath", {id: clip}), "rect", {x: box.left, y: box.top - 6, width: w + 8, height: h + 6});
    const inner = node(svg, "g", {"clip-path": `url(#${clip})`});
    let labelled = [];
    for (const line of spec.lines || []) {
      node(inner, "path", {d: `M${box.left},${py(line.y)}H${box.right}`, stroke: "var(--theory)", "stroke-width": 1.3, "stroke-dasharray": line.dash || "none"});
      if (line.label) {
        const beside = labelled.filter(at => Math.abs(at - py(line.y)) < 14).length;
        node(inner, "text", {x: box.left + 6 + 62 * beside, y: py(line.y) - 5}, line.label);
        labelled.push(py(line.y));
      }
    }
    this.marks = [];
    const drawable = p => p.y !== null && Number.isFinite(p.y) && (!spec.ylog || p.y > 0) && (!spec.xlog || p.x > 0);
    const shown = this.visible();
    const keep = v => Math.max(-1e4, Math.min(1e4, v));
    for (const kind of ["line", "steps", "points"]) for (const series of shown.filter(s => s.kind === kind)) {
      const paint = series.colour || "var(--theory)";
      if (kind !== "points" || series.join) {
        let d = "", pen = false;
        for (const p of series.points) {
          if (!drawable(p)) { pen = false; continue; }
          const [a, b] = [px(p.x).toFixed(1), keep(py(p.y)).toFixed(1)];
          d += kind === "steps" ? `${pen ? `H${a}` : `M${a},${box.bottom}`}V${b}` : `${pen ? "L" : "M"}${a},${b}`;
          pen = true;
        }
        if (series.band) {
          const whole = series.points.filter(p => drawable(p) && Number.isFinite(p.lo) && Number.isFinite(p.hi) && p.lo !== null && p.hi !== null && (!spec.ylog || p.lo > 0));
          if (whole.length > 1)
            node(inner, "path", {d: "M" + whole.map(p => `${px(p.x).toFixed(1)},${keep(py(p.hi)).toFixed(1)}`).join("L") + "L"
              + whole.reverse().map(p => `${px(p.x).toFixed(1)},${keep(py(p.lo)).toFixed(1)}`).join("L") + "z", fill: paint, opacity: .14});
        }
        if (d) node(inner, "path", {d, stroke: paint, fill: "none", "stroke-width": series.thin ? 1.2 : 1.7, "stroke-dasharray": series.dash || "none", "stroke-linejoin": "round"});
      }
      for (const p of series.points) {
        if (!drawable(p)) continue;
        const at = {x: px(p.x), y: py(p.y), point: p, series, weight: kind === "points" ? 0 : 1};
        if (at.x < box.left - 1 || at.x > box.right + 9 || at.y < box.top - 7 || at.y > box.bottom + 1) continue;
        if (kind === "points") {
          const end = v => v === null || !Number.isFinite(v) || (spec.ylog && !(v > 0)) ? at.y : keep(py(v));
          // A bar that leaves the panel ends at the border in an arrow.
          const cap = (v, border, out) => (v - border) * out > 0 ? `M${at.x - 4},${border - 6 * out}L${at.x},${border}L${at.x + 4},${border - 6 * out}` : `M${at.x - 3},${v}h6`;
          const low = end(p.lo), high = end(p.hi), within = v => Math.max(box.top, Math.min(box.bottom, v));
          if (!series.band && p.lo !== undefined && Math.abs(high - low) > 9)
            node(inner, "path", {d: `M${at.x},${within(low)}V${within(high)}${cap(low, box.bottom, 1)}${cap(high, box.top, -1)}`, class: "bar", fill: "none", stroke: paint, "stroke-width": 1.3});
          node(inner, "path", {d: mark(series.mark || 0, series.small ? 2.8 : 4.2), transform: `translate(${at.x.toFixed(1)},${at.y.toFixed(1)})`, fill: series.open ? "var(--paper)" : paint, stroke: paint, "stroke-width": 1.5});
        }
        if (p.tip) this.marks.push(at);
      }
    }
    if (!this.marks.length) node(svg, "text", {x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2, "text-anchor": "middle"}, "nothing to draw with these keys");
    this.ring = node(svg, "circle", {class: "ring", r: 8, visibility: "hidden"});
    const names = shown.filter(s => s.kind === "points").length;
    this.plot.setAttribute("aria-label", `${this.title}: ${spec.ylabel} against ${spec.xlabel}, ${names} series of marks. Arrow keys read the values.`);
  }

  choose(at) {
    this.at = at;
    if (!this.ring) return;
    if (!at) {
      this.tip.hidden = true;
      this.ring.setAttribute("visibility", "hidden");
      return;
    }
    this.ring.setAttribute("visibility", "visible");
    this.ring.setAttribute("cx", at.x);
    this.ring.setAttribute("cy", at.y);
    const [head, ...lines] = at.point.tip();
    this.tip.replaceChildren();
    node(this.tip, "b", {}, head);
    for (const line of lines) node(this.tip, "span", {}, line);
    this.tip.hidden = false;
    const zoom = this.plot.clientWidth / this.width, width = this.tip.offsetWidth, height = this.tip.offsetHeight;
    let x = at.x * zoom + 14, y = at.y * zoom - height - 10;
    if (x + width > this.plot.clientWidth) x = at.x * zoom - width - 14;
    if (y < 0) y = at.y * zoom + 14;
    this.tip.style.left = Math.max(0, Math.min(x, this.plot.clientWidth - width)) + "px";
    this.tip.style.top = this.plot.offsetTop + y + "px";
  }

  point(event) {
    if (!this.marks) return;
    const frame = this.svg.getBoundingClientRect(), zoom = this.width / frame.width;
    const x = (event.clientX - frame.left) * zoom, y = (event.clientY - frame.top) * zoom;
    const reach = event.pointerType === "mouse" ? 26 : 40;
    let best = null, least = Infinity;
    for (const at of this.marks) {
      const distance = Math.hypot(at.x - x, at.y - y) + 8 * at.weight;
      if (distance < least) [best, least] = [at, distance];
    }
    this.choose(least < reach ? best : null);
  }

  key(event) {
    if (event.key === "Escape") { this.choose(null); this.heard.textContent = ""; return; }
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key) || !this.marks?.length) return;
    event.preventDefault();
    const series = [...new Set(this.marks.map(at => at.series))].sort((a, b) => (a.kind === "points" ? 0 : 1) - (b.kind === "points" ? 0 : 1));
    const of = s => this.marks.filter(at => at.series === s);
    if (!this.at) this.choose(of(series[0])[0]);
    else {
      const mine = of(this.at.series), i = mine.indexOf(this.at), s = series.indexOf(this.at.series);
      const nearest = list => list.reduce((a, b) => Math.abs(b.x - this.at.x) < Math.abs(a.x - this.at.x) ? b : a);
      if (event.key === "ArrowLeft") this.choose(mine[Math.max(i - 1, 0)]);
      if (event.key === "ArrowRight") this.choose(mine[Math.min(i + 1, mine.length - 1)]);
      if (event.key === "Home") this.choose(mine[0]);
      if (event.key === "End") this.choose(mine[mine.length - 1]);
      if (event.key === "ArrowUp" || event.key === "ArrowDown")
        this.choose(nearest(of(series[(s + (event.key === "ArrowUp" ? series.length - 1 : 1)) % series.length])));
    }
    this.heard.textContent = this.at.point.tip().join("; ");
  }
}
Chart.count = 0;

// A <select>; calls back with the index.
function select(controls, label, options, change, chosen = 0) {
  if (options.length < 2) return change(chosen);
  const box = node(node(controls, "label", {}, label + " "), "select");
  options.forEach((text, i) => node(box, "option", {value: i}, text));
  box.value = chosen;
  box.addEventListener("change", () => change(Number(box.value)));
  change(chosen);
}

const at = cell => `n = ${cell.n}, L = ${cell.L}`;
const networks = count => `${count} network${count === 1 ? "" : "s"}`;
const theory_of = cell => cell.exact ?? cell.inf;

function cell_tip(cell) {
  return () => {
    const lines = [at(cell), `η* = ${number(cell.y, 5)}${interval(cell)}`];
    if (cell.exact) lines.push(`exact theory ${number(cell.exact, 5)}, ratio ${number(cell.y / cell.exact, 5)}`);
    else if (cell.inf) lines.push(`n → ∞: ${number(cell.inf, 5)}, ratio ${number(cell.y / cell.inf, 5)}`);
    if (cell.z !== undefined) lines.push(`z = ${minus(cell.z.toFixed(2))}`);
    lines.push(networks(cell.N));
    return lines;
  };
}

// η* over one axis ("L" or "n"), a colour for each value of the other.
function rates_spec(fit, axis, over_theory) {
  const other = axis === "L" ? "n" : "L";
  const cells = fit.cells.filter(cell => cell.y);
  const every = unique(cells.map(cell => cell[other])), lines = every.length <= 10 ? every : [...Array(10).keys()].map(i => every[Math.round(i * (every.length - 1) / 9)]);
  const series = [], legend = [];
  const shade = value => colour(lines.indexOf(value), lines.length);
  const law = cell => fit.law ? fit.law.c * cell.n ** fit.law.a * cell.L ** fit.law.b : null;
  const theory = cells.some(theory_of);
  const unit = cell => !over_theory ? 1 : theory ? theory_of(cell) : law(cell);
  lines.forEach((value, i) => {
    const mine = cells.filter(cell => cell[other] === value && unit(cell)).sort((a, b) => a[axis] - b[axis]);
    const key = other + value;
    // Of several lines beside one another in the ratio, where marks would hide one another.
    const shift = over_theory && lines.length > 1 ? Math.exp(.05 * (i - (lines.length - 1) / 2) / Math.max(1, lines.length / 4)) : 1;
    series.push({kind: "points", keys: [key, "measured"], colour: shade(value), mark: i,
      points: mine.map(cell => ({x: cell[axis] * shift, y: cell.y / unit(cell), lo: cell.lo === null ? null : cell.lo / unit(cell), hi: cell.hi === null ? null : cell.hi / unit(cell), tip: cell_tip(cell)}))});
    legend.push({key, label: `${other} = ${value}`, colour: shade(value), mark: i, line: false});
  });
  if (!over_theory) {
    const curve = (x, y, what, extra) => ({kind: "line", aside: true, points: x.map((v, i) => ({x: v, y: y[i], tip: () => [what, `${axis} = ${v}`, `η* = ${number(y[i], 5)}`]})), ...extra});
    const exact = axis === "L" ? fit.exactL : fit.exactN;
    for (const each of exact)
      if (lines.includes(each[other])) series.push(curve(each.x, each.y, `exact theory, ${other} = ${each[other]}`, {keys: [other + each[other], "exact"], colour: shade(each[other]), thin: true}));
    if (exact.length) legend.push({key: "exact", label: "exact theory"});
    const infinite = axis === "L" ? fit.inf : [];
    for (const each of infinite)
      if (each.n === null || lines.includes(each.n)) series.push(curve(each.x, each.y, "n → ∞" + (each.n === null ? "" : `, rates of n = ${each.n}`), {keys: each.n === null ? ["inf"] : ["n" + each.n, "inf"], colour: each.n === null ? undefined : shade(each.n), dash: "8 3 2 3"}));
    if (infinite.length) legend.push({key: "inf", label: "theory, n → ∞", dash: "8 3 2 3"});
    if (axis === "L" && fit.asymptote) {
      series.push(curve(fit.asymptote.x, fit.asymptote.y, fit.asymptote.shown, {keys: ["asymptote"], dash: "3 4"}));
      legend.push({key: "asymptote", label: fit.asymptote.shown, dash: "3 4"});
    }
    if (fit.law && !exact.length && !infinite.length) {
      for (const value of lines) {
        const x = unique(cells.filter(cell => cell[other] === value).map(cell => cell[axis]));
        series.push(curve(x, x.map(v => law({[axis]: v, [other]: value})), "fitted power law", {keys: [other + value, "law"], colour: shade(value), thin: true}));
      }
      legend.push({key: "law", label: "fitted power law"});
    }
  }
  return {series, legend, xlog: true, ylog: !over_theory, xlabel: axis === "L" ? "depth L" : "width n",
    ylabel: !over_theory ? "η*" : theory ? "η* / theory" : "η* / power law", xticks: unique(cells.map(cell => cell[axis])), lines: over_theory ? [{y: 1}] : [],
    remark: lines.length < every.length ? `${lines.length} of ${every.length} ${other === "n" ? "widths" : "depths"}` : ""};
}

const drawers = {
  depth: (controls, chart) => select(controls, "criterion", data.rates.map(fit => fit.label), i => chart.show(rates_spec(data.rates[i], "L", false))),
  width: (controls, chart) => select(controls, "criterion", data.rates.map(fit => fit.label), i => chart.show(rates_spec(data.rates[i], "n", false))),
  ratio(controls, chart) {
    const many = unique(data.rates[0].cells.map(cell => cell.L)).length > 1 ? "L" : "n";
    select(controls, "criterion", data.rates.map(fit => fit.label), i => chart.show(rates_spec(data.rates[i], many, true)));
  },

  // The step against the rate in units of theory: of one width a colour for each depth; of one depth, for each width.
  step(controls, chart) {
    const {cells, unit, what, thresholds} = data.step;
    by_panel(controls, cells, (mine, line, lines) => {
      const series = [], legend = [];
      lines.forEach((value, i) => {
        const key = line + value, shade = colour(i, lines.length);
        legend.push({key, label: `${line} = ${value}`, colour: shade, mark: i, line: false});
        for (const cell of mine.filter(c => c[line] === value)) {
          const points = cell.eta.map((eta, k) => ({x: eta / cell.unit, y: cell.y[k], lo: cell.lo[k], hi: cell.hi[k],
            tip: () => [at(cell), `η = ${number(eta)}${cell.unit === 1 ? "" : `, ${number(eta / cell.unit)} η*`}`, `${what} = ${number(cell.y[k], 5)}${interval({lo: cell.lo[k], hi: cell.hi[k]})}`,
              ...(cell.lin.length ? [`first order ${number(cell.lin[k], 5)}`] : []), ...(cell.inf.length && cell.inf[k] ? [`n → ∞: ${number(cell.inf[k], 5)}`] : []), networks(cell.N)]}));
          series.push({kind: "points", keys: [key, "finite"], colour: shade, mark: i, small: true, points});
          if (cell.lin.length) series.push({kind: "line", aside: true, thin: true, keys: [key, "lin"], colour: shade, dash: "4 3", points: cell.eta.map((eta, k) => ({x: eta / cell.unit, y: cell.lin[k]}))});
          if (cell.inf.length) series.push({kind: "line", aside: true, thin: true, keys: [key, "inf"], colour: shade, dash: "8 3 2 3", points: cell.eta.map((eta, k) => ({x: eta / cell.unit, y: cell.inf[k]}))});
        }
      });
      legend.push({key: "finite", label: "real step", mark: 0, line: false});
      if (mine.some(cell => cell.lin.length)) legend.push({key: "lin", label: "first order", dash: "4 3"});
      if (mine.some(cell => cell.inf.length)) legend.push({key: "inf", label: "theory, n → ∞", dash: "8 3 2 3"});
      chart.show({series, legend, xlog: true, ylog: true, xlabel: unit, ylabel: what, ymost: 1e4 * Math.max(...thresholds),
        lines: thresholds.map(y => ({y, label: `c = ${number(y)}`}))});
    });
  },

  profile(controls, chart) {
    by_panel(controls, data.profile, (mine, line, lines) => {
      const series = [], legend = [];
      lines.forEach((value, i) => {
        const key = line + value, shade = colour(i, lines.length);
        legend.push({key, label: `${line} = ${value}`, colour: shade, mark: i, line: false});
        for (const cell of mine.filter(c => c[line] === value)) {
          series.push({kind: "points", keys: [key, "measured"], colour: shade, mark: i, small: true, points: cell.x.map((x, k) => ({x, y: cell.y[k], lo: cell.lo[k], hi: cell.hi[k],
            tip: () => [`layer ℓ = ${x} of ${at(cell)}`, `mean G = ${number(cell.y[k], 5)}${interval({lo: cell.lo[k], hi: cell.hi[k]})}`, ...(cell.exact.length ? [`exact ${number(cell.exact[k], 5)}`] : []), networks(cell.N)]}))});
          if (cell.exact.length) series.push({kind: "line", aside: true, thin: true, keys: [key, "exact"], colour: shade, points: cell.x.map((x, k) => ({x, y: cell.exact[k]}))});
        }
      });
      if (mine.some(cell => cell.exact.length)) legend.push({key: "exact", label: "exact theory"});
      chart.show({series, legend, xlog: true, ylog: true, xlabel: "layer ℓ", ylabel: "mean G"});
    });
  },

  distribution(controls, chart) {
    const normal = (x, mean, sd) => Math.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * Math.sqrt(2 * Math.PI));
    by_panel(controls, data.distribution, (mine, line, lines) => {
      const series = [], legend = [];
      lines.forEach((value, i) => {
        const key = line + value, shade = colour(i, lines.length);
        legend.push({key, label: `${line} = ${value}`, colour: shade, mark: i, line: false});
        for (const cell of mine.filter(c => c[line] === value)) {
          const centre = k => cell.first + (k + .5) * cell.bin, density = count => count / (cell.N * cell.bin);
          const tip = k => () => [at(cell), `log G from ${number(cell.first + k * cell.bin)} to ${number(cell.first + (k + 1) * cell.bin)}: ${networks(cell.counts[k])}`,
            `all: mean ${number(cell.mean)}, deviation ${number(cell.sd)}, skewness ${number(cell.skew, 2)}`, ...(cell.theory ? [`theory: mean ${number(cell.theory[0])}, deviation ${number(cell.theory[1])}`] : []),
            networks(cell.N) + (cell.outside ? `; ${cell.outside} more with G zero or infinite` : "")];
          const steps = cell.counts.map((count, k) => ({x: cell.first + k * cell.bin, y: density(count)}));
          series.push({kind: "points", keys: [key, "histogram"], colour: shade, mark: i, small: true, points: cell.counts.map((count, k) => ({x: centre(k), y: density(count), tip: tip(k)}))});
          series.push({kind: "line", thin: true, aside: true, keys: [key, "histogram"], colour: shade, points: steps.flatMap((p, k) => [p, {x: p.x + cell.bin, y: p.y}]), dash: "1 2"});
          const curve = (mean, sd, style) => {
            const points = [];
            for (let k = 0; k <= 80; ++k) points.push({x: mean + sd * (k / 10 - 4), y: normal(mean + sd * (k / 10 - 4), mean, sd)});
            series.push({kind: "line", aside: true, colour: shade, points, ...style});
          };
          curve(cell.mean, cell.sd, {keys: [key, "normal"]});
          if (cell.theory) curve(...cell.theory, {keys: [key, "theory"], dash: "6 4", thin: true});
        }
      });
      legend.push({key: "histogram", label: "histogram", mark: 0, line: false}, {key: "normal", label: "normal law of the same mean and deviation"});
      if (mine.some(cell => cell.theory)) legend.push({key: "theory", label: "theory", dash: "6 4"});
      chart.show({series, legend, xlog: false, ylog: false, xlabel: "log G", ylabel: "density"});
    });
  },

  losssteps(controls, chart) {
    const {cells} = data.training;
    select(controls, "cell", cells.map(at), index => {
      const cell = cells[index], series = [], legend = [];
      cell.histories.forEach((line, i) => {
        const key = "rate" + i, shade = colour(i, cell.histories.length);
        legend.push({key, label: `η = ${number(line.eta, 3)}`, colour: shade, mark: i});
        series.push({kind: "points", join: true, band: true, keys: [key], colour: shade, mark: i, small: true, points: line.t.map((x, k) => ({x, y: line.y[k], lo: line.lo[k], hi: line.hi[k],
          tip: () => [`${at(cell)}, η = ${number(line.eta)}`, `step ${x}: loss / first loss = ${number(line.y[k])}${interval({lo: line.lo[k], hi: line.hi[k]})}`, networks(cell.N)]}))});
      });
      chart.show({series, legend, xlog: false, ylog: true, xlabel: "step t", ylabel: "median loss / first loss", ymost: 30});
    }, cells.length - 1);
  },

  lossrate(controls, chart) {
    const {cells, step} = data.training, powers = [0, 1, 1.5];
    let draw = () => {}, exponent = 0;
    select(controls, "rate", ["η", "η L", "η L^3/2"], i => { exponent = i; draw(); });
    by_panel(controls, cells, (mine, line, lines) => {
      draw = () => {
        const series = [], legend = [];
        lines.forEach((value, i) => {
          const key = line + value, shade = colour(i, lines.length);
          legend.push({key, label: `${line} = ${value}`, colour: shade, mark: i});
          for (const cell of mine.filter(c => c[line] === value))
            series.push({kind: "points", join: true, band: true, keys: [key], colour: shade, mark: i, small: true, points: cell.eta.map((eta, k) => ({x: eta * cell.L ** powers[exponent], y: cell.loss.y[k], lo: cell.loss.lo[k], hi: cell.loss.hi[k],
              tip: () => [`${at(cell)}, η = ${number(eta)}`, `loss after step ${step} / first loss = ${number(cell.loss.y[k])}${interval({lo: cell.loss.lo[k], hi: cell.loss.hi[k]})}`, networks(cell.N)]}))});
        });
        chart.show({series, legend, xlog: true, ylog: true, xlabel: ["learning rate η", "η L", "η L^3/2"][exponent].replace("^3/2", "³ᐟ²"), ylabel: `median loss after ${step} steps / first`, ymost: 30, lines: [{y: 1}]});
      };
      draw();
    });
  },

  kernel(controls, chart) {
    select(controls, "criterion", data.rates.map(fit => fit.label), index => {
      const cells = data.rates[index].cells.filter(cell => cell.y && cell.k0);
      const axis = unique(cells.map(cell => cell.L)).length > 1 || unique(cells.map(cell => cell.n)).length < 2 ? "L" : "n", other = axis === "L" ? "n" : "L";
      const lines = unique(cells.map(cell => cell[other])), series = [], legend = [];
      lines.forEach((value, i) => {
        const key = other + value, shade = colour(i, lines.length), mine = cells.filter(cell => cell[other] === value);
        legend.push({key, label: `${other} = ${value}`, colour: shade, mark: i, line: false});
        for (const [name, what, open] of [["k0", "before", true], ["kT", "after", false]])
          series.push({kind: "points", keys: [key, name], colour: shade, mark: i, open, points: mine.map(cell => ({x: cell[axis], y: cell[name][0], lo: cell[name][1], hi: cell[name][2],
            tip: () => [at(cell), `λ ${what} training = ${number(cell[name][0])}${interval({lo: cell[name][1], hi: cell[name][2]})}`, `η* = ${number(cell.y)}: η* λ = ${number(cell.y * cell[name][0])}`, networks(cell.N)]}))});
        if (data.bounded) series.push({kind: "line", aside: true, thin: true, keys: [key, "two"], colour: shade, dash: "4 3", points: mine.map(cell => ({x: cell[axis], y: 2 / cell.y}))});
      });
      legend.push({key: "k0", label: "before training", mark: 0, open: true, line: false}, {key: "kT", label: "after", mark: 0, line: false});
      if (data.bounded) legend.push({key: "two", label: "2/η*", dash: "4 3"});
      chart.show({series, legend, xlog: true, ylog: true, xlabel: axis === "L" ? "depth L" : "width n", ylabel: "λ of the tangent kernel", xticks: unique(cells.map(cell => cell[axis]))});
    });
  },
};

// One width at a time, a colour for each depth; where there is one depth, a colour for each width.
function by_panel(controls, cells, change) {
  const line = unique(cells.map(cell => cell.L)).length > 1 ? "L" : "n", panel = line === "L" ? "n" : "L";
  const panels = unique(cells.map(cell => cell[panel]));
  select(controls, panel === "n" ? "width" : "depth", panels.map(value => `${panel} = ${value}`), i => {
    const mine = cells.filter(cell => cell[panel] === panels[i]);
    change(mine, line, unique(mine.map(cell => cell[line])));
  }, panels.length - 1);
}

const charts = [];
for (const place of document.querySelectorAll("[data-figure]")) {
  const controls = node(place, "div", {class: "controls"});
  charts.push(new Chart(place, place.dataset.title));
  drawers[place.dataset.figure](controls, charts.at(-1));
}

// Tables that sort by the column that is chosen

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = cell => { const text = cell.textContent.replace(/−/g, "-").replace(/\([^)]*\)/g, "").replace(/^\[/, ""); const x = parseFloat(text); return Number.isNaN(x) ? null : x; };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const each of heads) each.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map(row => [row, value(row.cells[column]), row.cells[column].textContent]);
      rows.sort(([, a, s], [, b, t]) => a === null && b === null ? s.localeCompare(t) : a === null ? 1 : b === null ? -1 : up ? a - b : b - a);
      body.append(...rows.map(([row]) => row));
    });
  });
}

// Light, dark, or as the system has it

const theme = document.getElementById("theme"), themes = ["auto", "light", "dark"], names = {auto: "Colours: system", light: "Colours: light", dark: "Colours: dark"};
const remembered = () => { try { return localStorage.getItem("etastar-theme"); } catch { return null; } };
let chosen = themes.includes(remembered()) ? remembered() : "auto";
function set_theme() {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  theme.textContent = names[chosen];
}
theme.hidden = false;
theme.addEventListener("click", () => {
  chosen = themes[(themes.indexOf(chosen) + 1) % 3];
  try { localStorage.setItem("etastar-theme", chosen); } catch { /* a browser that keeps nothing */ }
  set_theme();
});
set_theme();

// On paper nothing is folded, and figures have the width that is theirs there

let folded = [];
addEventListener("beforeprint", () => {
  for (const chart of charts) chart.draw(560);
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
});
addEventListener("afterprint", () => {
  for (const chart of charts) chart.draw();
  for (const each of folded) each.open = false;
});
})();
