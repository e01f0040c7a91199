/* Line charts in SVG with a readout, saved as SVG and CSV; nothing is loaded, nothing is sent. */
const charts = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const MARGIN = { top: 26, right: 14, bottom: 40, left: 56 };
  let clips = 0;

  function node(tag, attributes = {}, text) {
    const made = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function html(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function scale(domain, range, log) {
    const map = log ? Math.log10 : (v) => v;
    const [low, high] = domain.map(map);
    const unit = (range[1] - range[0]) / (high - low || 1);
    const at = (value) => range[0] + (map(value) - low) * unit;
    at.invert = (pixel) => {
      const value = low + (pixel - range[0]) / unit;
      return log ? 10 ** value : value;
    };
    at.domain = domain;
    return at;
  }

  function ticks([low, high], log, most) {
    if (log) {
      const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
      const every = Math.max(1, Math.ceil((last - first + 1) / most));
      const found = [];
      for (let e = first; e <= last; e += every) found.push(10 ** e);
      if (found.length >= 2) return found;
      const all = [];
      for (let e = first - 1; e <= last + 1; e++) for (const m of [1, 2, 5]) all.push(m * 10 ** e);
      const inside = all.filter((v) => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9));
      if (inside.length >= 2) return inside;
    }
    const rough = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const multiples = (step) => {
      const found = [];
      for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(+(k * step).toPrecision(12));
      return found;
    };
    const steps = [0.5, 1, 2, 5, 10].map((m) => m * power), fitting = steps.findIndex((s) => s >= rough);
    const found = multiples(steps[fitting]);
    return found.length > 1 ? found : multiples(steps[fitting - 1]);  // one tick is no scale
  }

  const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

  const far = (size) => size !== 0 && (size >= 1e5 || size < 1e-3);

  function short(value, power = far(Math.abs(value))) {
    if (value === null || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (power && size !== 0) {
      const [front, exponent] = value.toExponential(2).split("e").map(Number);
      const ten = "10" + [...String(exponent)].map((c) => SUPERSCRIPTS[c]).join("");
      return front === 1 ? ten : `${front}·${ten}`.replace("-", "−");
    }
    return (size >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4))).replace("-", "−");
  }

  /* A line is drawn as far as there are numbers; on a logarithmic axis one that falls to 0 leaves it. */
  function line(x, y, sx, sy, log) {
    let path = "", pen = false;
    for (let i = 0; i < x.length; i++) {
      let value = y[i];
      if (value === Infinity && pen) value = Number.MAX_VALUE;
      if (log && value <= 0 && pen) value = Number.MIN_VALUE;
      if (!Number.isFinite(value) || (log && value <= 0)) { pen = false; continue; }
      path += `${pen ? "L" : "M"}${sx(x[i]).toFixed(2)} ${Math.max(-1e4, Math.min(1e4, sy(value))).toFixed(2)}`;
      pen = true;
    }
    return path;
  }

  function area(x, low, high, sx, sy, log) {
    const drawn = (i) => Number.isFinite(low[i]) && Number.isFinite(high[i]) && !(log && high[i] <= 0);
    const first = Array.from(x).findIndex((_, i) => drawn(i));
    let end = Math.max(0, first);
    while (end < x.length && drawn(end)) end++;
    if (first < 0 || end - first < 2) return "";
    const head = Array.from(x).slice(first, end);
    const floor = (v) => (log ? Math.max(v, sy.domain[0] * 1e-3) : v);
    const there = head.map((v, i) => `${sx(v).toFixed(2)} ${sy(floor(high[first + i])).toFixed(2)}`);
    const back = head.map((v, i) => `${sx(v).toFixed(2)} ${sy(floor(low[first + i])).toFixed(2)}`).reverse();
    return `M${there.join("L")}L${back.join("L")}Z`;
  }

  /* Ticks with their texts: powers of ten for all of a logarithmic axis if any of them needs one. */
  function labels(axis, most) {
    const found = axis.ticks || ticks(axis.domain, axis.log, most);
    const powers = axis.log && found.some(far) && found.every((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9);
    return found.map((v) => [v, axis.format ? axis.format(v) : powers ? short(v, true) : short(v)]);
  }

  /* Axes with grid and titles inside margins; returns the svg and both scales. */
  function frame(width, height, x, y, margin = MARGIN) {
    const svg = node("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const sx = scale(x.domain, [margin.left, width - margin.right], x.log);
    const sy = scale(y.domain, [height - margin.bottom, margin.top], y.log);
    const bottom = height - margin.bottom, right = width - margin.right;
    const axes = node("g", { "aria-hidden": "true" });
    for (const [v, text] of labels(x, Math.max(3, Math.floor(width / 90)))) {
      axes.append(node("path", { class: "axis", d: `M${sx(v).toFixed(2)} ${bottom}v5` }));
      axes.append(node("text", { x: sx(v), y: bottom + 18, "text-anchor": "middle" }, text));
    }
    for (const [v, text] of labels(y, Math.max(3, Math.floor(height / 50)))) {
      if (!y.bare) axes.append(node("path", { class: "grid", d: `M${margin.left} ${sy(v).toFixed(2)}H${right}` }));
      axes.append(node("text", { x: margin.left - 8, y: sy(v) + 4, "text-anchor": "end" }, text));
    }
    axes.append(node("path", { class: "axis", d: `M${margin.left} ${bottom}H${right}` }));
    axes.append(node("text", { class: "title", x: right, y: bottom + 34, "text-anchor": "end" }, x.title));
    svg.append(axes);
    return { svg, sx, sy, axes, margin };
  }

  /* Where a line leaves the axis, upwards or downwards, and where it ends before the others do; every dot
     outside, on a logarithmic axis the first of them. */
  function exits({ x, y, dots }, [low, high], log) {
    const inside = (v) => v >= low && v <= high, found = [];
    if (dots && !log) return Array.from(x, (at, i) => ({ kind: y[i] > high ? "up" : "down", x: at, y: y[i] > high ? high : low })).filter((_, i) => y[i] > high || y[i] < low);
    for (let i = 0; i + 1 < y.length && found.length < 12; i++) {
      if (!inside(y[i]) || inside(y[i + 1])) continue;
      if (y[i + 1] > high) found.push({ kind: "up", x: x[i + 1], y: high });
      else if (y[i + 1] < low) found.push({ kind: "down", x: x[i + 1], y: low });
      else if (Array.prototype.every.call(y.slice(i + 1), (v) => !Number.isFinite(v))) found.push({ kind: "end", x: x[i], y: y[i] });
    }
    return found;
  }

  const MARKS = { up: "l-5 9h10z", down: "l-5 -9h10z", end: "m-4 -4l8 8m0 -8l-8 8" };
  const WORDS = { up: "leaves the figure upwards here", down: "leaves the figure downwards here", end: "a run diverged: its numbers end here" };

  function marks(series, sx, sy, log) {
    const group = node("g"), drawn = new Set();
    for (const one of series) for (const exit of exits(one, sy.domain, log)) {
      const place = `${one.colour} ${exit.kind} ${Math.round(sx(exit.x) / 5)}`;
      if (drawn.has(place)) continue; // none is drawn over another
      drawn.add(place);
      const mark = node("path", { class: `${exit.kind === "end" ? "cross" : "mark"} c-${one.colour}`, d: `M${sx(exit.x).toFixed(2)} ${sy(exit.y).toFixed(2)}${MARKS[exit.kind]}` });
      mark.append(node("title", {}, `${one.name || one.title || ""} ${WORDS[exit.kind]}`.trim()));
      group.append(mark);
    }
    return group;
  }

  /* How a region that no gradient method reaches is drawn: shaded up to y, and no axis is made for it. */
  const BOUND = { name: "no gradient method, linearised", colour: "soft", shade: true };

  function domainOf(series, log, floor, ceiling = Infinity) {
    let low = Infinity, high = -Infinity;
    for (const one of series) {
      if (one.shade) continue;
      for (const values of [one.y, ...(one.band || [])]) {
        for (const v of values) {
          if (!Number.isFinite(v) || (log && v <= 0)) continue;
          if (v < low) low = v;
          if (v > high) high = v;
        }
      }
    }
    if (!Number.isFinite(low)) return log ? [0.1, 1] : [0, 1];
    high = Math.min(high, ceiling);
    if (log) {
      low = Math.max(low, high * floor);
      return [low / 1.3, high * 1.3];
    }
    const pad = 0.05 * (high - low || Math.abs(high) || 1);
    return [low >= 0 && low < 0.3 * high ? 0 : low - pad, high + pad];
  }

  function swatch(one) {
    const svg = node("svg", { width: 26, height: 12, "aria-hidden": "true" });
    if (one.band || one.shade) svg.append(node("rect", { class: `band c-${one.colour}`, width: 26, height: 12 }));
    if (one.shade) return svg;
    if (one.dots) svg.append(...(one.x?.length === 1 ? [13] : [5, 13, 21]).map((cx) => node("circle", { class: `dot c-${one.colour}`, cx, cy: 6, r: one.x?.length === 1 ? 4 : 2 })));
    else svg.append(node("path", { class: `line c-${one.colour}`, d: "M1 6H25", ...(one.dash ? { "stroke-dasharray": one.dash } : {}) }));
    return svg;
  }

  /* One entry per name.  With toggles, {hidden: Set, flip(key)}, a press hides what the entry's last key names. */
  function legendOf(series, toggles) {
    const list = html("ul", { className: "legend" });
    const shown = new Set();
    for (const one of series) {
      if (!one.name || shown.has(one.name)) continue;
      shown.add(one.name);
      if (!toggles) {
        list.append(html("li", {}, swatch(one), one.name));
        continue;
      }
      const key = one.keys[one.keys.length - 1];
      const button = html("button", { type: "button", className: "toggle" }, swatch(one), one.name);
      button.setAttribute("aria-pressed", String(!one.keys.some((any) => toggles.hidden.has(any))));
      button.dataset.key = key;
      button.addEventListener("click", () => {
        const host = list.parentElement;
        toggles.flip(key);
        for (const again of host.querySelectorAll("button.toggle")) if (again.dataset.key === key) again.focus();
      });
      list.append(html("li", {}, button));
    }
    return list;
  }

  /* spec: {label, x, y: {title, log, domain}, series: [{name, colour, x, y, band, dash, dots, keys}], file, table, height,
     toggles, plain: no legend of its own, legend: the one to save with the figure} */
  function draw(host, spec) {
    const width = Math.max(200, host.clientWidth || 640);
    const all = spec.series;
    if (spec.toggles) spec = { ...spec, series: all.filter((one) => !(one.keys || []).some((key) => spec.toggles.hidden.has(key))) };
    const height = spec.height || Math.round(Math.min(380, Math.max(240, width * 0.5)));
    const xs = all.flatMap((one) => [one.x[0], one.x[one.x.length - 1]]);
    const x = { domain: [Math.min(...xs), Math.max(...xs)], ...spec.x };
    const y = { domain: domainOf(spec.series, spec.y.log, spec.floor || 1e-9, spec.ceiling), ...spec.y };
    const { svg, sx, sy, margin } = frame(width, height, x, y);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", spec.label);
    const id = `clip-${++clips}`;
    const clip = node("clipPath", { id });
    clip.append(node("rect", { x: margin.left, y: margin.top - 6, width: width - margin.left - margin.right, height: height - margin.bottom - margin.top + 8 }));
    const inside = node("g", { "clip-path": `url(#${id})` });
    for (const one of spec.series) if (one.band) inside.append(node("path", { class: `band c-${one.colour}`, d: area(one.x, one.band[0], one.band[1], sx, sy, y.log) }));
    for (const one of spec.series) {
      if (one.shade) inside.append(node("path", { class: `band c-${one.colour}`, d: area(one.x, one.y.map(() => 0), one.y, sx, sy, y.log) }));
      else if (one.dots) {
        const points = node("g");
        for (let i = 0; i < one.x.length; i++) if (Number.isFinite(one.y[i])) points.append(node("circle", { class: `dot c-${one.colour}`, cx: sx(one.x[i]).toFixed(2), cy: Math.max(-99, Math.min(9999, sy(one.y[i]))).toFixed(2), r: one.dots }));
        inside.append(points);
      } else {
        inside.append(node("path", { class: `line c-${one.colour}`, d: line(one.x, one.y, sx, sy, y.log), ...(one.dash ? { "stroke-dasharray": one.dash } : {}), ...(one.width ? { "stroke-width": one.width } : {}) }));
      }
    }
    svg.append(clip, inside, marks(spec.series.filter((one) => !one.shade), sx, sy, y.log));
    if (y.title) svg.append(node("text", { class: "title", x: 4, y: 13 }, y.title));
    const parts = [], legend = spec.plain ? spec.legend : legendOf(all, spec.toggles);
    if (!spec.plain) parts.push(legend);
    parts.push(svg);
    if (spec.file) parts.push(buttons(svg, spec, legend));
    const cursor = host.cursor;
    host.wasFocused = host.querySelector(":scope > svg") === document.activeElement;
    host.replaceChildren(...parts);
    read(host, svg, { spec, x, sx, sy, margin, height }, cursor);
    return { sx, sy, svg };
  }

  /* ---- the readout: under the pointer, and under the focus with arrow keys ---- */

  const tips = new WeakMap();

  /* A box beside a place of a figure; `lines` are [text] or [colour, name, value]. */
  function tip(host, left, top, lines) {
    let box = tips.get(host);
    if (!box || box.parentElement !== host) {
      box = html("div", { className: "tip" });
      box.setAttribute("aria-hidden", "true");
      tips.set(host, box);
      host.append(box);
    }
    box.hidden = !lines;
    if (!lines) return;
    box.replaceChildren(...lines.map(([colour, name, value]) => {
      if (name === undefined) return html("strong", { textContent: colour });
      const key = html("i", { className: `c-${colour}` });
      return html("span", {}, key, html("span", { textContent: name }), html("b", { textContent: value }));
    }));
    const room = host.clientWidth - box.offsetWidth;
    const beside = left + 14 + box.offsetWidth <= host.clientWidth ? left + 14 : left - 14 - box.offsetWidth;
    box.style.left = `${Math.max(0, Math.min(room, beside))}px`;
    box.style.top = `${Math.max(0, top)}px`;
  }

  let voice = null, speaking = 0;
  function say(text) {
    if (!voice) {
      voice = html("p", { className: "visually-hidden" });
      voice.setAttribute("role", "status");
      document.body.append(voice);
    }
    clearTimeout(speaking);
    speaking = setTimeout(() => { voice.textContent = text; }, 350);
  }

  /* The value of a series at a place, if it has one there; both ends of its band. */
  function valueAt(one, x, sx) {
    let best = -1;
    for (let i = 0; i < one.x.length; i++) if (best < 0 || Math.abs(sx(one.x[i]) - sx(x)) < Math.abs(sx(one.x[best]) - sx(x))) best = i;
    if (best < 0 || Math.abs(sx(one.x[best]) - sx(x)) > 3 || Number.isNaN(one.y[best])) return null;
    return { y: one.y[best], band: one.band && [one.band[0][best], one.band[1][best]] };
  }

  function read(host, svg, { spec, x, sx, sy, margin, height }, before) {
    const drawn = spec.series.filter((one) => one.x.length && (one.name || one.title || spec.plain) && one.silent !== true);
    const stepwise = x.title === "step";
    const places = [...new Set(drawn.flatMap((one) => Array.from(one.x)))].filter((at) => !stepwise || Number.isInteger(at)).sort((a, b) => a - b);
    if (!places.length) return;
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-label", `${spec.label}. Arrow keys read the values.`);
    const layer = node("g", { class: "cursor", "aria-hidden": "true", "data-passing": "" });
    svg.append(layer);
    const show = (place, aloud) => {
      host.cursor = place;
      const values = drawn.map((one) => [one, valueAt(one, place, sx)]).filter(([, value]) => value);
      const px = sx(place);
      layer.replaceChildren(node("path", { class: "axis", d: `M${px.toFixed(2)} ${margin.top - 6}V${height - margin.bottom}` }));
      const seen = new Set(), lines = [];
      for (const [one, { y, band }] of values) {
        const name = one.title || one.name || one.word || spec.y.title || "";
        if (seen.has(name)) continue;
        seen.add(name);
        const py = sy(y);
        if (Number.isFinite(py) && py >= margin.top - 6 && py <= height - margin.bottom) layer.append(node("circle", { class: `dot c-${one.colour}`, cx: px, cy: py, r: 3.5 }));
        lines.push([one.colour, name, short(y) + (band && band[0] !== band[1] ? ` (${short(band[0])} to ${short(band[1])})` : "")]);
      }
      const head = `${x.title || "x"} ${stepwise ? place : short(place)}`;
      tip(host, svg.offsetLeft + px || px, (svg.getBoundingClientRect().top - host.getBoundingClientRect().top) + margin.top, [[head], ...lines]);
      if (aloud) say(`${head}: ${lines.map(([, name, value]) => `${name} ${value}`).join(", ")}`);
    };
    const hide = () => { host.cursor = undefined; layer.replaceChildren(); tip(host, 0, 0, null); };
    const nearest = (pixel) => places.reduce((a, b) => (Math.abs(sx(b) - pixel) < Math.abs(sx(a) - pixel) ? b : a));
    const pointed = (event) => show(nearest(event.clientX - svg.getBoundingClientRect().left));
    svg.addEventListener("pointermove", pointed);
    svg.addEventListener("pointerdown", pointed);
    svg.addEventListener("pointerleave", () => { if (document.activeElement !== svg) hide(); });
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) show(host.cursor ?? places[0], true); });
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const at = Math.max(0, places.indexOf(host.cursor)), leap = Math.max(1, Math.round(places.length / (event.shiftKey ? 10 : 100)));
      const to = { ArrowRight: at + leap, ArrowLeft: at - leap, Home: 0, End: places.length - 1 }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined) return;
      event.preventDefault();
      show(places[Math.max(0, Math.min(places.length - 1, to))], true);
    });
    host.cursor = undefined;
    if (before !== undefined && document.activeElement === document.body && host.wasFocused) { host.cursor = before; svg.focus(); }
  }

  /* Buttons that save a figure: its picture, with what canvases lie under it, its ramp of colours
     and the words of its marks, and its numbers. */
  function buttons(svg, spec, legend) {
    const save = (kind, text, make) => {
      const button = html("button", { type: "button", textContent: text });
      button.setAttribute("aria-label", `${text}: ${spec.label}`);
      button.dataset.save = `${spec.file}.${kind}`;
      button.addEventListener("click", () => download(`${spec.file}.${kind}`, make()));
      return button;
    };
    const row = html("div", { className: "save" }, save("svg", "SVG", () => standalone(svg, legend, spec)));
    if (spec.table) row.append(save("csv", "CSV", () => csv(spec.table())));
    return row;
  }

  const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "paint-order", "opacity"];
  const WRITTEN = ["fill", "font-family", "font-size", "font-style"];

  /* Styles become attributes, because a file of its own has no style sheet. */
  function inlined(live) {
    const copy = live.cloneNode(true);
    const from = [live, ...live.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
    from.forEach((one, i) => {
      const style = getComputedStyle(one);
      if (one.tagName !== "g" && one.tagName !== "svg") for (const name of one.tagName === "text" ? [...WRITTEN, ...DRAWN.slice(1)] : DRAWN) to[i].setAttribute(name, style.getPropertyValue(name));
      to[i].removeAttribute("class");
    });
    for (const passing of copy.querySelectorAll("[data-passing]")) passing.remove();
    return copy;
  }

  /* The picture as a file of its own, on the page's background, its legend below. */
  function standalone(svg, legend, spec) {
    const copy = inlined(svg), width = Number(svg.getAttribute("width")), height = Number(svg.getAttribute("height"));
    const entries = legend ? [...legend.querySelectorAll("li")].filter((one) => !one.querySelector('[aria-pressed="false"]')) : [];
    let x = 4, y = height + 10, tall = height;
    const place = (room, ...parts) => {
      if (x > 4 && x + room > width) { x = 4; y += 20; }
      const group = node("g", { transform: `translate(${x} ${y})` });
      group.append(...parts);
      copy.append(group);
      x += room;
      tall = y + 22;
    };
    const written = (at, words, host) => {
      const style = getComputedStyle(host);
      return node("text", { x: at, y: 10, fill: style.color, "font-family": style.fontFamily, "font-size": "12px" }, words);
    };
    for (const entry of entries) place(44 + 7 * entry.textContent.length, ...inlined(entry.querySelector("svg")).children, written(33, entry.textContent, entry));
    const ramps = spec.ramps ? spec.ramps() : [];
    for (const ramp of ramps) {
      const [low, canvas, high] = ramp.children, from = 8 + 7 * low.textContent.length;
      const colours = node("image", { x: from, y: 2, width: 110, height: 9, preserveAspectRatio: "none", href: canvas.toDataURL() });
      place(from + 118, written(0, low.textContent, ramp), colours);
      place(20 + 7 * high.textContent.length, written(0, high.textContent, ramp));
    }
    for (const words of spec.marks ? spec.marks() : []) place(20 + 7 * words.length, written(0, words, ramps[0] ?? svg.querySelector("text")));
    for (const canvas of spec.canvases ? spec.canvases() : []) {
      const [left, top, wide, high] = ["left", "top", "width", "height"].map((side) => parseFloat(canvas.style[side]));
      copy.prepend(node("image", { x: left, y: top, width: wide, height: high, preserveAspectRatio: "none", href: canvas.toDataURL() }));
    }
    copy.setAttribute("height", tall);
    copy.setAttribute("viewBox", `0 0 ${width} ${tall}`);
    copy.prepend(node("rect", { width: "100%", height: "100%", fill: getComputedStyle(document.body).backgroundColor }));
    copy.prepend(node("title", {}, spec.label));
    copy.setAttribute("xmlns", NS);
    return new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  }

  /* Numbers in their shortest form that reads back the same; an empty field for none.  A text that
     a spreadsheet would compute, the name of data such as =1+1.csv, gets an apostrophe before it. */
  function csv({ columns, rows }) {
    const cell = (value) => {
      if (value === null || value === undefined || Number.isNaN(value)) return "";
      const formula = typeof value === "string" && Number.isNaN(Number(value)) && /^\s*[=+\-@＝＋－＠]/.test(value);
      const text = (formula ? "'" : "") + String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [columns, ...rows].map((row) => row.map(cell).join(","));
    return new Blob([lines.join("\n"), "\n"], { type: "text/csv" });
  }

  function download(name, blob) {
    const link = html("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  /* Draw now, and again when the width, the theme or the medium changes. */
  function live(redraw) {
    let width = 0, frameId = 0;
    const later = () => { cancelAnimationFrame(frameId); frameId = requestAnimationFrame(redraw); };
    new ResizeObserver(() => {
      if (document.body.clientWidth === width) return;
      width = document.body.clientWidth;
      later();
    }).observe(document.body);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
    let closed = [];
    addEventListener("beforeprint", () => {
      document.documentElement.classList.add("printing");
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const one of closed) one.open = true;
      redraw();
    });
    addEventListener("afterprint", () => {
      document.documentElement.classList.remove("printing");
      for (const one of closed) one.open = false;
      redraw();
    });
    redraw();
  }

  return { BOUND, node, html, frame, draw, domainOf, exits, legendOf, short, live, tip, say, buttons };
})();
