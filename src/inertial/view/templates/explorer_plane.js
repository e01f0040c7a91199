/* Every setting at once: the plane of step size and momentum, and the curve of one setting. */
const plane = (() => {
  const { node, html, frame, draw, short, tip } = charts;
  const { $, page, nodes, weights, LARGEST, SMALLEST, MASS, LABELS, MODES, state, clamp, update, noise, onAllRows, limitOf, percent, plural, counted, staying, momentum, besideOne, theme, ramp, canvasIn, paintRamp, RAMPS } = explorer;
  const COARSE = numerics.coarsen(nodes, weights, 48);
  const RULES = { paper: "Liu–Pan–Tao", quadratic: "quadratic optimum", wang2020: "Wang–Abernethy", forecast: "forecast", trials: "real trials", batch: "for the batch" };
  const GLYPHS = { paper: "▲", quadratic: "■", wang2020: "◆", forecast: "●", trials: "✚", batch: "✚" };
  const TOP = 4, RIGHT = 4.4, WIDEST = 1e-3, ACROSS = 61, UP = 41;

  function family() {
    return state.method === "nesterov" || state.method === "nesterov_varying" ? "nesterov" : "heavy_ball";
  }

  /* What of the plane is shown: all of it, or where the tuned points lie. */
  function extent() {
    if (state.zoom === "whole") return { x: [WIDEST, RIGHT], top: TOP };
    const near = visiblePoints().filter((point) => point.eta * LARGEST > 0.02);
    const levels = near.map((point) => -Math.log10(1 - point.beta));
    const left = 0.4 * Math.min(...near.map((point) => point.eta * LARGEST));
    return { x: [Math.max(WIDEST, Math.min(0.3, left)), RIGHT], top: Math.min(TOP, Math.max(1.5, Math.max(...levels) + 0.35)) };
  }

  let PLANE = { x: [WIDEST, RIGHT], top: TOP };
  const planeCache = { key: "", canvas: null };
  let made = null;

  function planeMethod(scaled, height) {
    return numerics.method(family(), scaled / LARGEST, 1 - 10 ** -height, 3);
  }

  /* Value of a setting: steps a tenfold decrease takes, or the loss left, each as a logarithm. */
  function planeValue(m, all = COARSE) {
    if (state.colour === "rate") {
      const radius = Math.max(numerics.radius(m, SMALLEST), numerics.radius(m, LARGEST));
      return Math.log10(Math.LN10 / -Math.log(Math.min(radius, 1 - 1e-15)));
    }
    let loss = 0;
    for (let k = 0; k < all[0].length; k++) loss += all[1][k] * numerics.amplification(m, all[0][k], state.steps) ** 2;
    return Math.log10(loss / MASS);
  }

  /* Largest stable ηλₘₐₓ over the heights of the plane; between a few of them, a straight line. */
  function edges(top) {
    const count = 60, found = Array.from({ length: count + 1 }, (_, i) => {
      const m = planeMethod(1, top * i / count);
      return LARGEST * (noise() ? numerics.batchLimit(m, MODES, noise(), 30) : limitOf(m));
    });
    return (level) => {
      const place = Math.min(1, Math.max(0, level / top)) * count, i = Math.min(count - 1, Math.floor(place));
      return found[i] + (place - i) * (found[i + 1] - found[i]);
    };
  }

  function paintPlane(width, height) {
    const colours = theme();
    const key = [family(), state.colour, state.colour === "loss" ? state.steps : 0, state.batch, width, height, colours === RAMPS.dark, ...PLANE.x, PLANE.top].join();
    if (planeCache.key === key) return planeCache;
    const columns = state.colour === "rate" ? Math.round(width) : 110, rows = state.colour === "rate" ? Math.round(height) : 80;
    const values = new Float64Array(columns * rows);
    const from = Math.log10(PLANE.x[0]), to = Math.log10(PLANE.x[1]);
    const known = [], limit = edges(PLANE.top);
    for (let row = 0; row < rows; row++) {
      const level = PLANE.top * (1 - (row + 0.5) / rows);
      for (let column = 0; column < columns; column++) {
        const scaled = 10 ** (from + (to - from) * (column + 0.5) / columns);
        const value = scaled >= limit(level) ? NaN : planeValue(planeMethod(scaled, level));
        values[row * columns + column] = value;
        if (Number.isFinite(value)) known.push(value);
      }
    }
    known.sort((a, b) => a - b);
    const best = known[0], worst = state.colour === "rate" ? Math.min(known[Math.floor(0.97 * known.length)], best + 4) : Math.min(0, known[known.length - 1]);
    const canvas = html("canvas", { width: columns, height: rows });
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    const bands = 18;
    values.forEach((value, i) => {
      const x = i % columns, y = Math.floor(i / columns);
      let colour = (x + y) % 9 < 2 && state.colour === "rate" ? colours.hatch : colours.away;
      if (Number.isFinite(value)) {
        const share = Math.min(1, Math.max(0, (worst - value) / (worst - best)));
        colour = ramp(colours.plane, Math.floor(share * bands) / bands);
      }
      image.data.set([...colour, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
    Object.assign(planeCache, { key, canvas, best, worst, beyond: known[known.length - 1] > worst ? " or more" : "", colours, limit });
    return planeCache;
  }

  function visiblePoints() {
    return page.points.filter((point) => point.method === family() || point.method === "gradient_descent");
  }

  function drawPlane() {
    const host = $("plane");
    PLANE = extent();
    const width = Math.max(260, host.clientWidth), height = Math.round(Math.min(460, Math.max(290, width * 0.74)));
    const margin = { top: 8, right: 10, bottom: 42, left: 58 };
    const x = { domain: PLANE.x, log: true, title: "step size × largest eigenvalue, ηλₘₐₓ", ticks: [0.001, 0.01, 0.03, 0.1, 0.3, 1, 2, 4].filter((v) => v >= PLANE.x[0] && (width > 330 || v !== 2) && (state.zoom === "near" || ![0.03, 0.3].includes(v))), format: String };
    const y = { domain: [0, PLANE.top], title: "", bare: true, ticks: [0, -Math.log10(0.5), -Math.log10(0.2), 1, -Math.log10(0.05), 2, -Math.log10(0.005), 3, 4].filter((v) => v <= PLANE.top && (PLANE.top < 3 || Number.isInteger(v) || v < 0.5)), format: (v) => String(+(1 - 10 ** -v).toPrecision(4)) };
    made = frame(width, height, x, y, margin);
    const { svg, sx, sy } = made;
    const inner = [width - margin.left - margin.right, height - margin.top - margin.bottom];
    const painted = paintPlane(...inner);
    host.replaceChildren(svg);
    const canvas = canvasIn(host, margin.left, margin.top, ...inner);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = state.colour === "loss";
    context.drawImage(painted.canvas, 0, 0, canvas.width, canvas.height);
    svg.append(node("text", { class: "math", x: 3, y: margin.top + 34 }, "β"));
    const border = (limit, kind) => {
      const edge = [];
      for (let level = 0; level <= PLANE.top + 1e-9; level += 0.05) edge.push(`${sx(Math.min(PLANE.x[1], Math.max(PLANE.x[0], limit(level)))).toFixed(2)} ${sy(level).toFixed(2)}`);
      svg.append(node("path", { class: kind, d: `M${edge.join("L")}` }));
    };
    border(painted.limit, "edge");
    if (noise()) border((level) => numerics.stabilityLimit(planeMethod(1, level)), "dashed");
    for (const point of visiblePoints()) {
      const scaled = point.eta * LARGEST, off = scaled < PLANE.x[0];
      const px = sx(Math.max(PLANE.x[0] * 1.06, scaled)), py = sy(Math.min(PLANE.top - 0.04, -Math.log10(1 - point.beta)));
      const mark = glyph(point.rule, px, py);
      mark.setAttribute("class", `point c-${point.method}`);
      mark.append(node("title", {}, `${LABELS[point.method]}, ${RULES[point.rule]}`));
      mark.addEventListener("pointerdown", (event) => event.stopPropagation());
      mark.addEventListener("click", (event) => { event.stopPropagation(); goTo(point); });
      svg.append(mark);
      // Beyond the rim: an arrow beside the glyph.
      if (off) svg.append(node("text", { class: "halo", x: px + 9, y: py + 4 }, "←"));
    }
    const level = state.method === "gradient_descent" ? 0 : state.method === "nesterov_varying" ? PLANE.top : Math.min(PLANE.top, -Math.log10(1 - state.beta));
    svg.append(node("circle", { class: "here", id: "here", r: 8, cx: sx(Math.min(PLANE.x[1], Math.max(PLANE.x[0], state.eta * LARGEST))), cy: sy(level) }));
    if (host.matches(":focus-visible")) tip(host, sx(Math.min(PLANE.x[1], Math.max(PLANE.x[0], state.eta * LARGEST))), sy(level) - 40, [[words(explorer.current())]]);
    host.setAttribute("aria-label", `Plane of step size and momentum for ${LABELS[family()]}; the setting is ${LABELS[state.method]} with step size times largest eigenvalue ${short(state.eta * LARGEST)}, momentum ${momentum(explorer.current())}`);
    const slow = 10 ** painted.worst, fast = 10 ** painted.best;
    if (state.colour === "rate") paintRamp("plane-ramp", painted.colours.plane, `${short(+slow.toPrecision(2))} steps${painted.beyond}`, `${short(+fast.toPrecision(2))} steps a factor of ten`);
    else paintRamp("plane-ramp", painted.colours.plane, `${percent(slow)}${painted.beyond}`, `${percent(fast)} of the loss left`);
    const how = state.colour === "rate" ? `${painted.colours === RAMPS.dark ? "Brighter" : "Darker"} is faster in the long run, where the slowest mode rules.` : "Colour is the loss left after the steps shown: what you would see, all modes and their weights.";
    const edges = state.method === "gradient_descent" ? " Gradient descent is the bottom edge." : state.method === "nesterov_varying" ? ` Momentum t/(t+d) climbs to the top edge${limitOf(explorer.current()) > 0 ? "" : " and beyond, where the line comes to a step of 0"}.` : "";
    const divide = noise() ? `Right of the line, the expected loss on batches of ${plural(state.batch, "row")} grows; dashed, the limit for all rows, which the colours are for.` : `Right of the line, ${LABELS[family()]} diverges.`;
    $("plane-caption").textContent = `${how} ${divide}${edges}`;
    drawPoints();
    drawCurve(null);
    $("plane-save").replaceChildren(charts.buttons(svg, {
      label: "Plane of settings", file: "plane", canvases: () => [canvas], ramps: () => [$("plane-ramp")],
      marks: () => [...new Set(visiblePoints().map((point) => point.rule))].map((rule) => `${GLYPHS[rule]} ${RULES[rule]}`).concat("○ the setting"),
      table,
    }, null));
  }

  /* The plane as a grid of settings with what their colours say, then the marked ones. */
  function table() {
    const name = state.colour === "rate" ? "steps a factor of ten" : `share of the loss left after ${state.steps} steps`;
    const row = (m, rule, limit) => [m.name, rule, m.eta, m.beta, m.friction === null && m.eta < limit ? 10 ** planeValue(m, [nodes, weights]) : null];
    const [from, to] = PLANE.x.map(Math.log10), rows = [];
    for (let up = 0; up < UP; up++) {
      const level = PLANE.top * up / (UP - 1), limit = planeCache.limit(level) / LARGEST;
      for (let across = 0; across < ACROSS; across++) rows.push(row(planeMethod(10 ** (from + (to - from) * across / (ACROSS - 1)), level), "", limit));
    }
    for (const point of page.points) {
      const m = numerics.method(point.method, point.eta, point.beta, null);
      rows.push(row(m, point.rule, limitOf(m)));
    }
    rows.push(row(explorer.current(), "at the ring", limitOf(explorer.current())));
    return { columns: ["method", "rule", "step size", "momentum", name], rows };
  }

  /* The curve of a setting beside the one that is set; null for that one alone. */
  const CURVE_STEPS = 120;
  function drawCurve(pointed) {
    const every = Math.max(1, Math.round(state.steps / CURVE_STEPS)), steps = [];
    for (let t = 0; t <= state.steps; t += every) steps.push(t);
    const line = (m, more) => {
      return { x: steps, y: explorer.expected(m, steps).map((v) => v / (0.5 * MASS)), ...more };
    };
    const series = [line(explorer.current(), { name: "at the ring", colour: "ink", width: 2.2 })];
    if (pointed) series.push(line(pointed, { name: "under the pointer", colour: "accent", width: 2 }));
    const steady = series.flatMap((one) => Array.from(one.y)).filter((v) => v > 0 && Number.isFinite(v));
    const low = Math.max(1e-6, Math.min(page.target / 2, ...steady)), high = Math.min(30, Math.max(1, ...steady));
    series.push({ name: `target, ${percent(page.target)}`, colour: "soft", x: [0, state.steps], y: [page.target, page.target], dash: "2 4", width: 1.2, silent: true });
    draw($("plane-curve"), { label: "Share of the loss left, against step, at the ring and under the pointer", x: { title: "step", domain: [0, state.steps] }, y: { title: "share of the loss left", log: true, domain: [low / 1.5, high * 1.6] }, series, height: 210, file: "curve", table: () => ({ columns: ["setting", "step", "share of the loss left"], rows: series.filter((one) => !one.silent).flatMap((one) => steps.map((t, i) => [one.name, t, one.y[i]])) }) });
    $("plane-setting").textContent = pointed ? words(pointed) : "Point at a place of the plane, and its curve appears here.";
  }

  function words(m) {
    if (m.eta >= limitOf(m)) return `η ${short(m.eta)}, β ${momentum(m)}: diverges`;
    const reached = noise() ? numerics.moments(m, MODES, noise(), 0, page.target, 5000).reached : numerics.settles(m, nodes, weights, page.target, 5000), { first } = reached;
    return `η ${short(m.eta)}, β ${momentum(m)}: ${counted(first, undefined, 1, 5000)} step${first === 1 ? "" : "s"} to ${percent(page.target)}${staying(reached, ", ")}`;
  }

  function settingAt(event) {
    const box = made.svg.getBoundingClientRect();
    return planeMethod(made.sx.invert(event.clientX - box.left), Math.max(0, made.sy.invert(event.clientY - box.top)));
  }

  function pointAt(event) {
    const m = settingAt(event), box = made.svg.getBoundingClientRect();
    drawCurve(m);
    tip($("plane"), event.clientX - box.left, event.clientY - box.top - 40, [[words(m)]]);
  }

  function glyph(rule, x, y) {
    if (rule === "paper") return node("path", { d: `M${x} ${y - 7}l6.5 12h-13z` });
    if (rule === "quadratic") return node("rect", { x: x - 5, y: y - 5, width: 10, height: 10 });
    if (rule === "wang2020") return node("path", { d: `M${x} ${y - 7}l7 7l-7 7l-7 -7z` });
    if (rule === "trials" || rule === "batch") return node("path", { d: `M${x - 2.5} ${y - 7}h5v4.5h4.5v5h-4.5v4.5h-5v-4.5h-4.5v-5h4.5z` });
    return node("circle", { cx: x, cy: y, r: 6 });
  }

  function drawPoints() {
    const key = state.method === "nesterov_varying" ? "nesterov" : state.method;
    const buttons = page.points.filter((point) => point.method === key).map((point) => {
      const mark = html("span", { className: "glyph", textContent: GLYPHS[point.rule] });
      mark.setAttribute("aria-hidden", "true");
      const numbers = html("small", { textContent: `η ${short(point.eta)}${point.beta ? `, β ${besideOne(point.beta)}` : ""}` });
      const button = html("button", { type: "button", title: point.source }, mark, RULES[point.rule], " ", numbers);
      button.setAttribute("aria-pressed", String(point.eta === state.eta && (point.beta === state.beta || key === "gradient_descent") && key === state.method));
      button.dataset.rule = point.rule;
      button.addEventListener("click", () => { goTo(point); setTimeout(() => document.querySelector(`#points [data-rule=${point.rule}]`)?.focus(), 60); });
      return button;
    });
    $("points").replaceChildren(...buttons);
  }

  function goTo(point) {
    const forBatches = point.rule === "batch" || (point.rule === "trials" && page.batch), words = `${point.source}.`;
    update({ method: point.method, eta: point.eta, ...(point.method === "gradient_descent" ? {} : { beta: point.beta }) }, forBatches ? words : onAllRows(words));
  }

  function inPlane(event) {
    const box = made.svg.getBoundingClientRect(), { margin } = made;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    return x >= margin.left && x <= box.width - margin.right && y >= margin.top && y <= box.height - margin.bottom;
  }

  function dragTo(event) {
    const box = made.svg.getBoundingClientRect();
    const scaled = made.sx.invert(event.clientX - box.left), level = made.sy.invert(event.clientY - box.top);
    const changes = { eta: Math.min(PLANE.x[1], Math.max(PLANE.x[0], scaled)) / LARGEST };
    if (state.method === "heavy_ball" || state.method === "nesterov") changes.beta = clamp("beta", 1 - 10 ** -Math.min(PLANE.top, Math.max(0, level)));
    update(changes);
  }

  // A finger scrolls the page and taps; mouse and pen drag.
  const host = $("plane");
  let hovering = 0;
  host.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || !inPlane(event)) return;
    host.setPointerCapture(event.pointerId);
    dragTo(event);
  });
  host.addEventListener("pointermove", (event) => {
    if (host.hasPointerCapture(event.pointerId)) { tip(host, 0, 0, null); dragTo(event); return; }
    if (event.pointerType === "touch") return;
    cancelAnimationFrame(hovering);
    hovering = requestAnimationFrame(() => { if (inPlane(event)) pointAt(event); else leave(); });
  });
  function leave() { cancelAnimationFrame(hovering); tip(host, 0, 0, null); drawCurve(null); }
  for (const what of ["pointerleave", "blur"]) host.addEventListener(what, leave);
  host.addEventListener("click", (event) => { if (inPlane(event)) dragTo(event); });
  host.addEventListener("keydown", (event) => {
    const size = event.shiftKey ? 0.25 : 0.025;
    const moves = { ArrowRight: [size, 0], ArrowLeft: [-size, 0], ArrowUp: [0, size], ArrowDown: [0, -size] }[event.key];
    if (!moves) return;
    event.preventDefault();
    const changes = { eta: clamp("eta", state.eta * 10 ** moves[0]) };
    if (state.method === "heavy_ball" || state.method === "nesterov") changes.beta = clamp("beta", 1 - 10 ** -Math.max(0, -Math.log10(1 - state.beta) + moves[1]));
    update(changes);
  });

  explorer.view(drawPlane);
  return { goTo };
})();
