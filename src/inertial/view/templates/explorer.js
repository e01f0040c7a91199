/* The explorer: one state, written to the address; every view is a function of it. */
(() => {
  const { node, html, frame, draw, short, live } = charts;
  const page = JSON.parse(document.getElementById("document").textContent);
  const { nodes, weights } = page.spectrum;
  const K = nodes.length, LARGEST = nodes[K - 1], SMALLEST = nodes[0];
  const MASS = weights.reduce((sum, w) => sum + w, 0);
  const HEAVIEST = weights.indexOf(Math.max(...weights));
  const COARSE = numerics.coarsen(nodes, weights, 48);
  const STEPS_LIMIT = 20000;
  const METHODS = ["gradient_descent", "heavy_ball", "nesterov", "nesterov_varying"];
  const LABELS = {
    gradient_descent: "gradient descent", heavy_ball: "heavy ball", nesterov: "Nesterov",
    nesterov_varying: "Nesterov, t/(t+d)",
  };
  const RULES = { paper: "Liu–Pan–Tao", quadratic: "quadratic optimum", wang2020: "Wang–Abernethy", forecast: "forecast" };
  const GLYPHS = { paper: "▲", quadratic: "■", wang2020: "◆", forecast: "●" };
  const $ = (id) => document.getElementById(id);
  const RUN_STEPS = page.runs[0].loss[0].length - 1;

  /* ---- state and address ---- */

  const state = { method: "heavy_ball", eta: 1 / LARGEST, beta: 0.9, friction: 3, steps: 100, mode: HEAVIEST, colour: "rate" };
  const LIMITS = { eta: [1e-12 / LARGEST, 10 / LARGEST], beta: [0, 0.99999], friction: [0.5, 12], steps: [10, 2000], mode: [0, K - 1] };

  function clamp(key, value) {
    const [low, high] = LIMITS[key];
    return Math.min(high, Math.max(low, value));
  }

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(LIMITS)) {
      const value = given.has(key) && given.get(key) !== "" ? Number(given.get(key)) : NaN;
      if (!Number.isFinite(value)) continue;
      state[key] = clamp(key, key === "steps" || key === "mode" ? Math.round(value) : value);
    }
    if (METHODS.includes(given.get("method"))) state.method = given.get("method");
    if (["rate", "loss"].includes(given.get("colour"))) state.colour = given.get("colour");
  }

  let written = 0;
  function writeAddress() {
    clearTimeout(written);
    written = setTimeout(() => history.replaceState(null, "", `#${new URLSearchParams(state)}`), 80);
  }

  function current() {
    return numerics.method(state.method, state.eta, state.beta, state.friction);
  }

  function family() {
    return state.method === "nesterov" || state.method === "nesterov_varying" ? "nesterov" : "heavy_ball";
  }

  function update(changes, lesson) {
    Object.assign(state, changes);
    if (lesson !== null) $("lesson").textContent = lesson || "";
    writeAddress();
    schedule();
  }

  let scheduled = 0;
  function schedule() {
    if (!scheduled) scheduled = requestAnimationFrame(() => { scheduled = 0; render(); });
  }

  /* ---- numbers ---- */

  function numbers() {
    // All of them: of a mode that jumps from side to side every second step would glide.
    const m = current(), steps = Array.from({ length: state.steps + 1 }, (_, t) => t);
    const loss = numerics.forecast(m, nodes, weights, steps);
    const limit = numerics.stabilityLimit(m) / LARGEST;
    return {
      method: m, steps, loss, limit, radius: numerics.spectralRadius(m, nodes),
      share: m.eta / limit, lossShare: loss[loss.length - 1] / (0.5 * MASS),
      stepsTo: numerics.stepsTo(m, nodes, weights, page.target, STEPS_LIMIT),
    };
  }

  function show(id, value, text, bad) {
    const field = $(id);
    field.dataset.value = String(value);
    field.textContent = text;
    field.classList.toggle("bad", Boolean(bad));
  }

  function percent(value) {
    if (value > 1e4) return "> 10⁶\u00a0%";
    return `${short(+(100 * value).toPrecision(3))}\u00a0%`;
  }

  function plural(count, word) {
    return `${short(count)} ${word}${count === 1 ? "" : "s"}`;
  }

  function renderControls(now) {
    const m = now.method, fixed = state.method === "gradient_descent", varying = m.friction !== null;
    for (const input of document.querySelectorAll("input[name=method]")) input.checked = input.value === state.method;
    for (const input of document.querySelectorAll("input[name=colour]")) input.checked = input.value === state.colour;
    $("beta-knob").hidden = varying;
    $("friction-knob").hidden = !varying;
    $("beta-knob").classList.toggle("off", fixed);
    $("beta").disabled = $("beta-number").disabled = fixed;
    setRange("eta", Math.log10(state.eta * LARGEST));
    setRange("beta", fixed ? 0 : -Math.log10(1 - state.beta));
    setRange("friction", state.friction);
    setRange("steps", Math.log10(state.steps));
    setRange("mode", state.mode);
    setNumber("eta-number", state.eta);
    setNumber("beta-number", m.friction === null ? m.beta : state.beta);
    setNumber("friction-number", state.friction);
    $("eta-hint").textContent = `ηλₘₐₓ = ${short(state.eta * LARGEST)}; stable below ${short(now.limit * LARGEST)}`;
    $("beta-hint").textContent = fixed ? "gradient descent has none" : `remembers about ${plural(+(1 / (1 - state.beta)).toPrecision(2), "step")}`;
    $("friction-hint").textContent = `momentum t/(t + ${short(state.friction)}) grows towards 1`;
    $("steps-hint").textContent = state.steps.toLocaleString("en");
    $("mode-hint").textContent = `λ = ${short(nodes[state.mode])}, ${percent(weights[state.mode] / MASS)} of the loss`;
    for (const [id, text] of [["eta", $("eta-hint").textContent], ["beta", $("beta-hint").textContent], ["mode", $("mode-hint").textContent], ["steps", `${state.steps} steps`], ["friction", $("friction-hint").textContent]]) $(id).setAttribute("aria-valuetext", text);
    const unstable = now.share >= 1;
    show("radius", now.radius, !unstable ? `× ${now.radius.toFixed(now.radius > 0.999 ? 6 : 4)}` : "grows", unstable);
    show("steps-to", now.stepsTo, now.stepsTo === null ? (unstable ? "never" : `> ${STEPS_LIMIT.toLocaleString("en")}`) : now.stepsTo.toLocaleString("en"), unstable && now.stepsTo === null);
    show("loss-share", now.lossShare, percent(now.lossShare), now.lossShare > 1);
    show("limit-share", now.share, percent(now.share), unstable);
    $("horizon-word").textContent = $("plane-horizon").textContent = state.steps.toLocaleString("en");
    const reached = now.stepsTo !== null ? `${plural(now.stepsTo, "step")} to the target` : unstable ? "never at the target" : `more than ${STEPS_LIMIT.toLocaleString("en")} steps to the target`;
    announce(`${LABELS[state.method]}: ${reached}, loss after ${state.steps} steps ${$("loss-share").textContent}`);
  }

  let speaking = 0;
  function announce(text) {
    clearTimeout(speaking);
    speaking = setTimeout(() => { $("status").textContent = text; }, 600);
  }

  function setRange(id, value) {
    const input = $(id);
    if (document.activeElement !== input || Math.abs(input.valueAsNumber - value) > Number(input.step)) input.value = value;
  }

  function setNumber(id, value, always) {
    const nines = value < 1 ? Math.floor(-Math.log10(1 - value)) : 0;
    if (always || document.activeElement !== $(id)) $(id).value = +value.toPrecision(nines + (innerWidth > 760 ? 6 : 3));
  }

  /* ---- colours ---- */

  const RAMPS = {
    light: {
      plane: [[247, 244, 236], [219, 230, 222], [160, 203, 196], [84, 155, 164], [26, 99, 128], [10, 50, 86]],
      away: [236, 231, 224], hatch: [205, 197, 186],
      swing: [[33, 88, 150], [120, 168, 210], [252, 250, 245], [232, 158, 112], [170, 60, 20]],
    },
    dark: {
      plane: [[27, 33, 41], [28, 60, 76], [30, 99, 112], [60, 147, 140], [134, 193, 152], [230, 236, 174]],
      away: [34, 31, 34], hatch: [66, 58, 60],
      swing: [[140, 200, 255], [58, 108, 160], [22, 26, 32], [160, 84, 48], [255, 178, 122]],
    },
    modes: [[108, 70, 170], [196, 76, 122], [236, 132, 60], [242, 186, 60]],
  };

  function theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches && !document.documentElement.classList.contains("printing") && !matchMedia("print").matches;
    return dark ? RAMPS.dark : RAMPS.light;
  }

  function ramp(stops, share) {
    const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place)), rest = place - low;
    return stops[low].map((c, i) => Math.round(c + rest * (stops[low + 1][i] - c)));
  }

  function modeColour(l) {
    const share = Math.log(l / SMALLEST) / (Math.log(LARGEST / SMALLEST) || 1);
    return `rgb(${ramp(RAMPS.modes, share).join(" ")})`;
  }

  function canvasIn(host, x, y, width, height, pixels = window.devicePixelRatio || 1) {
    const canvas = html("canvas", { width: Math.max(1, Math.round(width * pixels)), height: Math.max(1, Math.round(height * pixels)) });
    Object.assign(canvas.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    canvas.setAttribute("aria-hidden", "true");
    host.prepend(canvas);
    return canvas;
  }

  function paintRamp(id, stops, before, after) {
    const canvas = html("canvas", { width: 150, height: 1 });
    canvas.setAttribute("aria-hidden", "true");
    const context = canvas.getContext("2d");
    for (let i = 0; i < 150; i++) {
      context.fillStyle = `rgb(${ramp(stops, i / 149).join(" ")})`;
      context.fillRect(i, 0, 1, 1);
    }
    $(id).replaceChildren(html("span", { textContent: before }), canvas, html("span", { textContent: after }));
  }

  /* ---- the plane ---- */

  const PLANE = { x: [1e-3, 4.4], top: 4 };
  const planeCache = { key: "", canvas: null };
  let plane = null;

  function planeMethod(scaled, height) {
    return numerics.method(family(), scaled / LARGEST, 1 - 10 ** -height, 3);
  }

  /* Value of a setting: steps a tenfold decrease takes, or the loss left, each as a logarithm. */
  function planeValue(m) {
    if (m.eta * LARGEST >= numerics.stabilityLimit(m)) return NaN;
    if (state.colour === "rate") {
      const radius = Math.max(numerics.radius(m, SMALLEST), numerics.radius(m, LARGEST));
      return Math.log10(Math.LN10 / -Math.log(Math.min(radius, 1 - 1e-15)));
    }
    let loss = 0;
    for (let k = 0; k < COARSE[0].length; k++) loss += COARSE[1][k] * numerics.amplification(m, COARSE[0][k], state.steps) ** 2;
    return Math.log10(loss / MASS);
  }

  function paintPlane(width, height) {
    const colours = theme();
    const key = [family(), state.colour, state.colour === "loss" ? state.steps : 0, width, height, colours === RAMPS.dark].join();
    if (planeCache.key === key) return planeCache;
    const columns = state.colour === "rate" ? Math.round(width) : 110, rows = state.colour === "rate" ? Math.round(height) : 80;
    const values = new Float64Array(columns * rows);
    const from = Math.log10(PLANE.x[0]), to = Math.log10(PLANE.x[1]);
    const known = [];
    for (let row = 0; row < rows; row++) {
      const level = PLANE.top * (1 - (row + 0.5) / rows);
      for (let column = 0; column < columns; column++) {
        const scaled = 10 ** (from + (to - from) * (column + 0.5) / columns);
        const value = planeValue(planeMethod(scaled, level));
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
    Object.assign(planeCache, { key, canvas, best, worst, colours });
    return planeCache;
  }

  function visiblePoints() {
    return page.points.filter((point) => point.method === family() || point.method === "gradient_descent");
  }

  function drawPlane() {
    const host = $("plane");
    const width = Math.max(260, host.clientWidth), height = Math.round(Math.min(430, Math.max(290, width * 0.82)));
    const margin = { top: 8, right: 10, bottom: 42, left: 58 };
    const x = { domain: PLANE.x, log: true, title: "step size × largest eigenvalue, ηλₘₐₓ", ticks: [0.001, 0.01, 0.1, 1, 2, 4].filter((v) => width > 330 || v !== 2), format: String };
    const y = { domain: [0, PLANE.top], title: "", bare: true, ticks: [0, -Math.log10(0.5), 1, 2, 3, 4], format: (v) => ["0", "0.9", "0.99", "0.999", "0.9999"][v] || "0.5" };
    const made = frame(width, height, x, y, margin);
    const { svg, sx, sy } = made;
    const inner = [width - margin.left - margin.right, height - margin.top - margin.bottom];
    const painted = paintPlane(...inner);
    host.replaceChildren(svg);
    const canvas = canvasIn(host, margin.left, margin.top, ...inner);
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = state.colour === "loss";
    context.drawImage(painted.canvas, 0, 0, canvas.width, canvas.height);
    svg.append(node("text", { class: "math", x: margin.left - 44, y: margin.top + 34 }, "β"));
    const edge = [];
    for (let level = 0; level <= PLANE.top + 1e-9; level += 0.05) edge.push(`${sx(Math.min(PLANE.x[1], numerics.stabilityLimit(planeMethod(1, level)))).toFixed(2)} ${sy(level).toFixed(2)}`);
    svg.append(node("path", { class: "edge", d: `M${edge.join("L")}` }));
    const labels = [];
    for (const point of visiblePoints()) {
      const scaled = point.eta * LARGEST, off = scaled < PLANE.x[0];
      const px = sx(Math.max(PLANE.x[0] * 1.06, scaled)), py = sy(Math.min(PLANE.top - 0.04, -Math.log10(1 - point.beta)));
      const mark = glyph(point.rule, px, py);
      mark.setAttribute("class", `point c-${point.method}`);
      mark.append(node("title", {}, `${LABELS[point.method]}, ${RULES[point.rule]}`));
      mark.addEventListener("pointerdown", (event) => event.stopPropagation());
      mark.addEventListener("click", (event) => { event.stopPropagation(); goTo(point); });
      svg.append(mark);
      if (point.method === "gradient_descent") continue;
      const left = px > sx(0.3);
      let y = py + 4;
      while (labels.some((other) => Math.abs(other.px - px) < 90 && Math.abs(other.y - y) < 13)) y += 13;
      labels.push({ px, y });
      svg.append(node("text", { class: "halo", x: left ? px - 10 : px + 10, y, "text-anchor": left ? "end" : "start" }, (off ? "← " : "") + RULES[point.rule]));
    }
    const level = state.method === "gradient_descent" ? 0 : state.method === "nesterov_varying" ? PLANE.top : Math.min(PLANE.top, -Math.log10(1 - state.beta));
    svg.append(node("circle", { class: "here", id: "here", r: 8, cx: sx(Math.min(PLANE.x[1], Math.max(PLANE.x[0], state.eta * LARGEST))), cy: sy(level) }));
    plane = made;
    host.setAttribute("aria-label", `Plane of step size and momentum for ${LABELS[family()]}: step size times largest eigenvalue ${short(state.eta * LARGEST)}, momentum ${short(state.beta)}`);
    const slow = 10 ** painted.worst, fast = 10 ** painted.best;
    if (state.colour === "rate") paintRamp("plane-ramp", painted.colours.plane, `${short(+slow.toPrecision(2))} steps`, `${short(+fast.toPrecision(2))} steps a factor of ten`);
    else paintRamp("plane-ramp", painted.colours.plane, `${percent(slow)}`, `${percent(fast)} of the loss left`);
    const how = state.colour === "rate" ? `${painted.colours === RAMPS.dark ? "Brighter" : "Darker"} is faster in the long run, where the slowest mode rules.` : "Colour is the loss left after the steps shown: what you would see, all modes and their weights.";
    const edges = state.method === "gradient_descent" ? " Gradient descent is the bottom edge." : state.method === "nesterov_varying" ? " Momentum t/(t+d) climbs to the top edge." : "";
    $("plane-caption").textContent = `${how} Right of the line, ${LABELS[family()]} diverges.${edges} Drag the ring, or press a place.`;
    drawPoints();
  }

  function glyph(rule, x, y) {
    if (rule === "paper") return node("path", { d: `M${x} ${y - 7}l6.5 12h-13z` });
    if (rule === "quadratic") return node("rect", { x: x - 5, y: y - 5, width: 10, height: 10 });
    if (rule === "wang2020") return node("path", { d: `M${x} ${y - 7}l7 7l-7 7l-7 -7z` });
    return node("circle", { cx: x, cy: y, r: 6 });
  }

  function drawPoints() {
    const key = state.method === "nesterov_varying" ? "nesterov" : state.method;
    const buttons = page.points.filter((point) => point.method === key).map((point) => {
      const mark = html("span", { className: "glyph", textContent: GLYPHS[point.rule] });
      mark.setAttribute("aria-hidden", "true");
      const button = html("button", { type: "button", title: point.source }, mark, RULES[point.rule]);
      button.setAttribute("aria-pressed", String(point.eta === state.eta && (point.beta === state.beta || key === "gradient_descent") && key === state.method));
      button.dataset.rule = point.rule;
      button.addEventListener("click", () => { goTo(point); setTimeout(() => document.querySelector(`#points [data-rule=${point.rule}]`)?.focus(), 60); });
      return button;
    });
    $("points").replaceChildren(...buttons);
  }

  function goTo(point) {
    update({ method: point.method, eta: point.eta, ...(point.method === "gradient_descent" ? {} : { beta: point.beta }) }, `${point.source}.`);
  }

  function inPlane(event) {
    const box = plane.svg.getBoundingClientRect(), { margin } = plane;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    return x >= margin.left && x <= box.width - margin.right && y >= margin.top && y <= box.height - margin.bottom;
  }

  function dragTo(event) {
    const box = plane.svg.getBoundingClientRect();
    const scaled = plane.sx.invert(event.clientX - box.left), level = plane.sy.invert(event.clientY - box.top);
    const changes = { eta: Math.min(PLANE.x[1], Math.max(PLANE.x[0], scaled)) / LARGEST };
    if (state.method === "heavy_ball" || state.method === "nesterov") changes.beta = clamp("beta", 1 - 10 ** -Math.min(PLANE.top, Math.max(0, level)));
    update(changes);
  }

  /* ---- the roots ---- */

  /* Places of the roots that matter: gradient descent's second one is 0 and says nothing. */
  function moving(z) {
    return [0, 2].filter((i) => state.method !== "gradient_descent" || z[i] !== 0 || i === 0 && z[2] === 0);
  }

  function drawDisc(now) {
    const host = $("disc"), size = Math.round(Math.min(430, Math.max(260, host.clientWidth))), pad = 26;
    const width = Math.max(260, host.clientWidth), centre = width / 2, middle = size / 2, unit = size / 2 - pad;
    const svg = node("svg", { width, height: size, viewBox: `0 0 ${width} ${size}` });
    const at = (re, im) => [centre + unit * re, middle - unit * im];
    svg.append(node("path", { class: "grid", d: `M${centre - unit - 14} ${middle}h${2 * unit + 28}M${centre} ${middle - unit - 14}v${2 * unit + 28}` }));
    svg.append(node("circle", { class: "edge", cx: centre, cy: middle, r: unit }));
    if (now.radius < 1.06) svg.append(node("circle", { class: "dashed", cx: centre, cy: middle, r: unit * now.radius }));
    svg.append(node("text", { x: centre + unit + 4, y: middle - 6 }, "1"), node("text", { x: centre - unit - 16, y: middle - 6 }, "−1"));
    host.replaceChildren(svg);
    const canvas = canvasIn(host, 0, 0, width, size), context = canvas.getContext("2d");
    context.scale(canvas.width / width, canvas.height / size);
    for (let k = 0; k < K; k++) {
      const z = numerics.roots(now.method, nodes[k]);
      context.fillStyle = modeColour(nodes[k]);
      context.globalAlpha = 0.78;
      const r = 1.7 + 9 * Math.sqrt(weights[k] / MASS);
      for (const i of moving(z)) {
        const [px, py] = at(Math.max(-1.1, Math.min(1.1, z[i])), z[i + 1]);
        context.beginPath();
        context.arc(px, py, r, 0, 2 * Math.PI);
        context.fill();
      }
    }
    const z = numerics.roots(now.method, nodes[state.mode]);
    const ring = 4 + 9 * Math.sqrt(weights[state.mode] / MASS);
    for (const i of moving(z)) {
      const [cx, cy] = at(Math.max(-1.1, Math.min(1.1, z[i])), z[i + 1]);
      svg.append(node("circle", { class: "follow", cx, cy, r: ring }));
    }
    const first = moving(z)[0];
    const [lx, ly] = at(Math.max(-1.05, Math.min(1.05, z[first])), z[1]), inwards = z[first] > 0 ? -1 : 1;
    svg.append(node("text", { class: "halo", x: lx + inwards * (ring + 6), y: ly + (z[1] ? 4 : -ring - 4), "text-anchor": inwards < 0 ? "end" : "start" }, `λ = ${short(nodes[state.mode])}`));
    const swinging = nodes.filter((l) => numerics.roots(now.method, l)[1] > 0).length;
    host.setAttribute("aria-label", `Roots on the unit disc: ${swinging} of ${K} eigenvalues swing, the others glide; the largest modulus is ${now.radius.toFixed(6)}`);
  }

  /* ---- the modes over time ---- */

  let heat = null;
  const SHARES = spectrumBars(26);

  function spectrumBars(count) {
    const bars = new Float64Array(count), span = Math.log(LARGEST / SMALLEST) || 1;
    nodes.forEach((l, k) => { bars[Math.min(count - 1, Math.floor(count * Math.log(l / SMALLEST) / span))] += weights[k] / MASS; });
    return bars;
  }

  function drawHeat(now) {
    const host = $("heat"), width = Math.max(260, host.clientWidth), height = width < 500 ? 300 : 330;
    const margin = { top: 8, right: width < 500 ? 64 : 120, bottom: 42, left: 58 };
    const made = frame(width, height, { domain: [-0.5, state.steps + 0.5], title: "step" }, { domain: [SMALLEST, LARGEST], log: true, bare: true, title: "" }, margin);
    const { svg, sx, sy } = made;
    const inner = [width - margin.left - margin.right, height - margin.top - margin.bottom];
    const rows = Math.round(inner[1] / 2), columns = Math.min(state.steps + 1, Math.round(inner[0] / 2));
    const starts = Array.from({ length: columns + 1 }, (_, i) => Math.floor(i * (state.steps + 1) / columns));
    const pixels = html("canvas", { width: columns, height: 2 * rows });
    const image = pixels.getContext("2d").createImageData(columns, 2 * rows), stops = theme().swing;
    for (let row = 0; row < rows; row++) {
      const l = SMALLEST * (LARGEST / SMALLEST) ** (1 - (row + 0.5) / rows);
      const factor = numerics.history(now.method, l, now.steps);
      for (let i = 0; i < columns; i++) {
        // Two lines a row, the highest and the lowest of the column's steps: no swing falls through.
        const part = factor.subarray(starts[i], starts[i + 1]);
        [Math.max(...part), Math.min(...part)].forEach((end, line) => {
          const a = Math.max(-1, Math.min(1, end));
          image.data.set([...ramp(stops, 0.5 + 0.5 * Math.sign(a) * Math.sqrt(Math.abs(a))), 255], 4 * ((2 * row + line) * columns + i));
        });
      }
    }
    pixels.getContext("2d").putImageData(image, 0, 0);
    host.replaceChildren(svg);
    const canvas = canvasIn(host, margin.left, margin.top, ...inner), context = canvas.getContext("2d");
    context.imageSmoothingEnabled = columns > 120;
    context.drawImage(pixels, 0, 0, canvas.width, canvas.height);
    svg.append(node("text", { class: "math", x: 12, y: margin.top + 12 }, "λ"));
    const right = width - margin.right + 6, room = margin.right - 12, most = Math.max(...SHARES), tall = inner[1] / SHARES.length;
    SHARES.forEach((share, i) => svg.append(node("rect", { class: "bar", x: right, y: margin.top + inner[1] - (i + 1) * tall + 0.5, width: Math.max(share > 0 ? 1 : 0, room * Math.sqrt(share / most)), height: Math.max(1, tall - 1) })));
    svg.append(node("text", { class: "title", x: width - 2, y: height - 8, "text-anchor": "end" }, width < 500 ? "loss" : "share of the loss"));
    const y = sy(nodes[state.mode]);
    svg.append(node("path", { class: "dashed", d: `M${margin.left} ${y}H${width - margin.right}` }));
    svg.append(node("path", { class: "dot", d: `M${margin.left} ${y}l-7 -4.5v9z` }));
    heat = made;
    host.setAttribute("aria-label", `What is left of each mode over ${state.steps} steps, eigenvalues ${short(SMALLEST)} to ${short(LARGEST)}`);
    paintRamp("heat-ramp", stops, "−1", "1, what is left of a mode that started at 1");
  }

  function nearest(l) {
    let best = 0;
    nodes.forEach((candidate, k) => { if (Math.abs(Math.log(candidate / l)) < Math.abs(Math.log(nodes[best] / l))) best = k; });
    return best;
  }

  /* ---- losses ---- */

  const RUNS = page.runs.map((run) => {
    const steps = run.loss[0].map((_, t) => t);
    const column = (t) => run.loss.map((row) => (row[t] === null ? NaN : row[t]));
    const m = numerics.method(run.method, run.eta, run.beta, 3);
    return {
      ...run, steps,
      mean: steps.map((t) => column(t).reduce((a, b) => a + b, 0) / run.loss.length),
      low: steps.map((t) => Math.min(...column(t))), high: steps.map((t) => Math.max(...column(t))),
      forecast: numerics.forecast(m, nodes, weights, steps),
    };
  });

  /* The axis of losses: all that is drawn, from 1e-8 to 1e4 times the first. */
  function lossAxis(series, first) {
    const seen = series.flatMap((one) => Array.from(one.y)).filter((v) => v > 0 && Number.isFinite(v));
    const low = Math.max(Math.min(...seen), first * 1e-8), high = Math.min(Math.max(...seen, first), first * 1e4);
    return { log: true, domain: [low / 1.4, high * 2], title: "loss ½ Σ (f − y)²" };
  }

  /* What a chart saves: one line a point. */
  function tableOf(series) {
    const rows = series.flatMap((one) => Array.from(one.x, (x, i) => [one.title || one.name, x, one.y[i], one.band?.[0][i], one.band?.[1][i]]));
    return { columns: ["series", "step", "value", "low", "high"], rows };
  }

  function drawLoss(now) {
    const series = [];
    for (const run of RUNS) {
      const kept = Math.min(run.steps.length, state.steps + 1);
      const cut = (values) => Array.from(values).slice(0, kept);
      series.push({ name: LABELS[run.method], colour: run.method, x: cut(run.steps), y: cut(run.mean), band: [cut(run.low), cut(run.high)] });
      series.push({ name: "", title: `forecast of ${LABELS[run.method]}`, colour: run.method, x: cut(run.steps), y: cut(run.forecast), dash: "5 4", width: 1.4 });
    }
    series.push({ name: `forecast at your setting, ${LABELS[state.method]}`, colour: "ink", x: now.steps, y: now.loss, width: 2.6 });
    draw($("loss"), {
      label: "Loss against step: forecast at this setting, and real networks at the tuned settings", series,
      x: { domain: [0, state.steps], title: "step" }, y: lossAxis(series, Math.max(...RUNS.map((run) => run.high[0]))),
      file: "loss", table: () => tableOf(series),
    });
  }

  function drawFlows(now) {
    const m = now.method, flows = numerics.flows(m), l = nodes[state.mode];
    const colours = ["flow", "fine-flow"];
    const { steps } = now;
    const lines = (perStep, values) => {
      const count = Math.max(400, perStep * state.steps), x = Array.from({ length: count + 1 }, (_, i) => i * state.steps / count);
      return flows.map((flow, i) => ({ name: flow.name, colour: colours[i], x, y: values(flow, x), width: 2.4, ...(i ? { dash: "7 4" } : {}) }));
    };
    const factor = numerics.history(m, l, steps);
    const dots = steps.length > 400 ? 1.2 : steps.length > 80 ? 1.8 : 2.6;
    const modes = [...lines(4, (flow, x) => x.map((k) => numerics.flowValue(flow, l, numerics.flowTime(flow, m, k)))), { name: LABELS[state.method], colour: "ink", x: steps, y: factor, dots }];
    draw($("flow-mode"), {
      label: `Mode of eigenvalue ${short(l)}: method and flow`, x: { title: "step" }, y: { title: `what is left, λ = ${short(l)}`, domain: [-1.08, 1.08] },
      series: modes, file: "flow-mode", table: () => tableOf(modes),
    });
    const losses = [...lines(1, (flow, x) => numerics.flowLoss(flow, m, nodes, weights, x)), { name: LABELS[state.method], colour: "ink", x: steps, y: now.loss, dots }];
    draw($("flow-loss"), {
      label: "Loss: method and flow", x: { title: "step" }, y: lossAxis(losses, 0.5 * MASS),
      series: losses, file: "flow-loss", table: () => tableOf(losses),
    });
    $("flow-caption").textContent = {
      gradient_descent: "For gradient descent that is w′ = −∇L (Bu, Xu and Chen 2021); one step takes time η.",
      nesterov_varying: "Momentum t/(t+d) becomes friction d/t (Bu, Xu and Chen 2021); one step takes time √η.",
    }[state.method] || `One step takes time √η. ${state.method === "heavy_ball" ? "Heavy ball" : "Nesterov"} and its rival share the plain flow; the high-resolution flow (Liu, Tao, Wang and Pan 2022) tells them apart.`;
  }

  /* ---- together ---- */

  function render() {
    const now = numbers();
    renderControls(now);
    drawPlane();
    drawDisc(now);
    drawHeat(now);
    drawLoss(now);
    drawFlows(now);
    window.inertial.now = now;
  }

  const PRESETS = {
    critical() {
      const eta = 0.25 / LARGEST, l = nodes[HEAVIEST];
      update({ method: "heavy_ball", eta, beta: (1 - Math.sqrt(eta * l)) ** 2, mode: HEAVIEST },
        "Just enough memory: the mode that carries most of the loss falls as fast as it can without overshooting. Its two roots meet.");
    },
    ripples() {
      update({ method: "heavy_ball", eta: 0.25 / LARGEST, beta: 0.97, mode: HEAVIEST },
        "Too much memory: the mode overshoots and swings back, again and again. The rate is that of the circle √β.");
    },
    edge() {
      update({ method: "gradient_descent", eta: 1.98 / LARGEST, mode: K - 1 },
        "Just below the limit 2/λₘₐₓ, the steepest mode jumps from side to side and hardly shrinks.");
    },
    table() {
      const name = state.method === "nesterov_varying" ? "nesterov" : state.method;
      const point = page.points.find((p) => p.rule === "paper" && p.method === name);
      update({ method: name, eta: point.eta, ...(name === "gradient_descent" ? {} : { beta: point.beta }) },
        `Table 1 for ${LABELS[name]}: chosen from the two ends of the spectrum alone, safe for every mode between them.`);
    },
  };

  function connect() {
    for (const input of document.querySelectorAll("input[name=method]")) input.addEventListener("change", () => update({ method: input.value }));
    for (const input of document.querySelectorAll("input[name=colour]")) input.addEventListener("change", () => update({ colour: input.value }, null));
    const slide = (id, change, keep) => $(id).addEventListener("input", () => update(change($(id).valueAsNumber), keep));
    slide("eta", (v) => ({ eta: 10 ** v / LARGEST }));
    slide("beta", (v) => ({ beta: clamp("beta", 1 - 10 ** -v) }));
    slide("friction", (v) => ({ friction: v }));
    slide("steps", (v) => ({ steps: clamp("steps", Math.round(10 ** v)) }), null);
    slide("mode", (v) => ({ mode: v }), null);
    for (const key of ["eta", "beta", "friction"]) {
      $(`${key}-number`).addEventListener("change", () => {
        const value = $(`${key}-number`).valueAsNumber;
        if (Number.isFinite(value)) update({ [key]: clamp(key, value) });
        setNumber(`${key}-number`, state[key], true);
      });
    }
    for (const button of document.querySelectorAll("[data-preset]")) button.addEventListener("click", () => PRESETS[button.dataset.preset]());
    for (const button of document.querySelectorAll("[data-run]")) button.addEventListener("click", () => {
      const run = page.runs.find((one) => one.method === button.dataset.run);
      goTo(page.points.find((p) => p.method === run.method && p.rule === "forecast") || run);
    });
    // A finger scrolls the page and taps; mouse and pen drag.
    $("plane").addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || !inPlane(event)) return;
      $("plane").setPointerCapture(event.pointerId);
      dragTo(event);
    });
    $("plane").addEventListener("pointermove", (event) => { if ($("plane").hasPointerCapture(event.pointerId)) dragTo(event); });
    $("plane").addEventListener("click", (event) => { if (inPlane(event)) dragTo(event); });
    $("plane").addEventListener("keydown", (event) => {
      const size = event.shiftKey ? 0.25 : 0.025;
      const moves = { ArrowRight: [size, 0], ArrowLeft: [-size, 0], ArrowUp: [0, size], ArrowDown: [0, -size] }[event.key];
      if (!moves) return;
      event.preventDefault();
      const changes = { eta: clamp("eta", state.eta * 10 ** moves[0]) };
      if (state.method === "heavy_ball" || state.method === "nesterov") changes.beta = clamp("beta", 1 - 10 ** -Math.max(0, -Math.log10(1 - state.beta) + moves[1]));
      update(changes);
    });
    $("heat").addEventListener("click", (event) => {
      const box = heat.svg.getBoundingClientRect();
      update({ mode: nearest(heat.sy.invert(event.clientY - box.top)) }, null);
    });
    $("copy").addEventListener("click", async () => {
      history.replaceState(null, "", `#${new URLSearchParams(state)}`);
      try {
        await navigator.clipboard.writeText(location.href);
        $("copy").textContent = "Copied";
      } catch {
        $("copy").textContent = "The link is in the address bar";
      }
      setTimeout(() => { $("copy").textContent = "Copy a link to this view"; }, 2500);
    });
    document.querySelector("form.controls").addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", () => { readAddress(); update({}); });
  }

  const start = page.points.find((point) => point.rule === "forecast" && point.method === "heavy_ball");
  Object.assign(state, { eta: start.eta, beta: start.beta, steps: clamp("steps", RUN_STEPS) });
  $("mode").max = K - 1;
  readAddress();
  if (!location.hash) $("lesson").textContent = "This setting reaches the target soonest on this spectrum: rule “forecast”.";
  window.inertial = { numerics, page, state };
  connect();
  live(render);
})();
