/* The modes: two roots each, what is left of them over the steps and at one step, one in its phase. */
(() => {
  const { node, html, frame, short, tip, say } = charts;
  const { $, page, nodes, weights, K, LARGEST, SMALLEST, MASS, LABELS, state, update, percent, plural, besideOne, theme, ramp, modeColour, canvasIn, paintRamp } = explorer;
  let disc = null;

  function moveMode(change) {
    const mode = Math.max(0, Math.min(K - 1, state.mode + change));
    update({ mode }, null);
    const l = nodes[mode], m = explorer.current();
    say(`eigenvalue ${short(l)}, ${percent(weights[mode] / MASS)} of the loss, ${kindOf(m, l)}, factor ${besideOne(numerics.radius(m, l))} a step`);
  }

  function leap(event) { return event.shiftKey ? Math.max(1, Math.round(K / 10)) : 1; }

  /* The regime, and between gliding and swinging the critical one: both roots apart from their middle by
     at most a twenty-fifth of its way to 1, which is no damping, and to 0, or both there.  So near get four
     digits of a setting, and the mode decays within 4 % as fast. */
  function kindOf(m, l) {
    const [re, im, other] = numerics.roots(m, l), kind = numerics.regime(m, l), middle = (re + other) / 2;
    const apart = Math.abs(im) + Math.abs(re - other) / 2;
    const near = m.beta > 0 ? 0.04 * Math.min(middle, 1 - middle) : 0, done = Math.abs(middle) + apart < 1e-9;
    return kind !== "grows" && kind !== "ends" && (apart < near || done) ? "critical" : kind;
  }

  /* Places of the roots that matter: gradient descent's second one is 0 and says nothing. */
  function moving(z) {
    return [0, 2].filter((i) => state.method !== "gradient_descent" || z[i] !== 0 || i === 0 && z[2] === 0);
  }

  /* Of these the one farther out, which decides the long run. */
  function leading(z) {
    return moving(z).reduce((best, i) => (Math.hypot(z[i], z[i + 1]) > Math.hypot(z[best], z[best + 1]) + 1e-12 ? i : best));
  }

  function drawDisc(now) {
    const host = $("disc"), size = Math.round(Math.min(430, Math.max(260, host.clientWidth))), pad = 26;
    const width = Math.max(260, host.clientWidth), centre = width / 2, middle = size / 2, unit = size / 2 - pad;
    const svg = node("svg", { width, height: size, viewBox: `0 0 ${width} ${size}` });
    const at = (re, im) => [centre + unit * re, middle - unit * im];
    svg.append(node("path", { class: "grid", d: `M${centre - unit - 14} ${middle}h${2 * unit + 28}M${centre} ${middle - unit - 14}v${2 * unit + 28}` }));
    svg.append(node("circle", { class: "edge", cx: centre, cy: middle, r: unit }));
    if (now.radius < 1.06) svg.append(node("circle", { class: "dashed", cx: centre, cy: middle, r: unit * now.radius }));
    svg.append(node("text", { class: "title halo", x: centre + unit + 7, y: middle + 24 }, "1"), node("text", { class: "title halo", x: centre - unit - 23, y: middle + 24 }, "−1"));
    host.replaceChildren(svg);
    const canvas = canvasIn(host, 0, 0, width, size), context = canvas.getContext("2d");
    context.scale(canvas.width / width, canvas.height / size);
    const dots = [];
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
        dots.push([px, py, r]);
      }
    }
    const z = numerics.roots(now.method, nodes[state.mode]);
    const ring = 4 + 9 * Math.sqrt(weights[state.mode] / MASS);
    for (const i of moving(z)) {
      const [cx, cy] = at(Math.max(-1.1, Math.min(1.1, z[i])), z[i + 1]);
      svg.append(node("circle", { class: "follow", cx, cy, r: ring }));
    }
    const first = leading(z), [lx, ly] = at(Math.max(-1.1, Math.min(1.1, z[first])), z[first + 1]);
    const words = `λ = ${short(nodes[state.mode])}${Math.abs(z[first]) > 1.1 ? `, z = ${short(z[first])}` : ""}`, wide = 7 * words.length;
    // The place beside the root where the words cover least: dots by their size, then the circle.
    for (let angle = 0; angle < 2 * Math.PI; angle += 0.03) dots.push([...at(Math.cos(angle), Math.sin(angle)), 1]);
    const places = [-1, 1].flatMap((side) => [4, -ring - 6, ring + 14].map((down) => ({ x: lx + (down === 4 ? side * (ring + 6) : 0), y: ly + down, side })));
    const covered = ({ x, y, side }) => {
      const [left, right] = side < 0 ? [x - wide, x] : [x, x + wide];
      if (left < 2 || right > width - 2) return Infinity;
      return dots.filter(([px, py, r]) => px + r > left && px - r < right && py + r > y - 12 && py - r < y + 4).reduce((sum, [, , r]) => sum + r * r, 0);
    };
    const free = places.reduce((best, place) => (covered(place) < covered(best) ? place : best));
    svg.append(node("text", { class: "halo", x: free.x, y: free.y, "text-anchor": free.side < 0 ? "end" : "start" }, words));
    const found = nodes.map((l) => numerics.roots(now.method, l)), swinging = found.filter((z) => z[1] > 0).length;
    const jumping = found.filter((z) => !(z[1] > 0) && z[leading(z)] < 0).length;
    disc = { svg, at, canvas };
    $("disc-save").replaceChildren(charts.buttons(svg, {
      label: "Roots on the unit disc", file: "roots", canvases: () => [canvas],
      table: () => ({ columns: ["eigenvalue", "share of the loss", "re", "im", "re of the other", "im of the other"], rows: nodes.map((l, k) => [l, weights[k] / MASS, ...numerics.roots(now.method, l)]) }),
    }, null));
    if (host.matches(":focus-visible")) readRoot(state.mode, ...at(z[first], z[first + 1]), [z[first], z[first + 1]]);
    host.setAttribute("aria-label", `Roots on the unit disc: ${swinging} of ${K}${page.few ? " nodes for the" : ""} eigenvalues swing, ${jumping ? `${jumping} jump from side to side, ` : ""}the others glide; the largest modulus is ${besideOne(now.radius)}. Arrow keys follow another eigenvalue.`);
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
        // Two lines per row, the highest and the lowest of the column's steps: no swing falls through.
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
    const here = sx(now.at);
    svg.append(node("path", { class: "dashed", d: `M${here} ${margin.top}V${height - margin.bottom}` }));
    heat = { ...made, canvas };
    if (host.matches(":focus-visible")) readCell(now.at, state.mode, here, y);
    $("heat-save").replaceChildren(charts.buttons(svg, {
      label: "What is left of each mode", file: "modes", canvases: () => [canvas], ramps: () => [$("heat-ramp")],
      table: () => ({ columns: ["eigenvalue", "share of the loss", "step", "left"], rows: nodes.flatMap((l, k) => Array.from(numerics.history(now.method, l, now.steps), (a, t) => [l, weights[k] / MASS, t, a])) }),
    }, null));
    host.setAttribute("aria-label", `What is left of each mode over ${state.steps} steps, eigenvalues ${short(SMALLEST)} to ${short(LARGEST)}. Arrow keys up and down follow another eigenvalue, left and right another step.`);
    paintRamp("heat-ramp", stops, "−1", "1, what is left of a mode that started at 1");
  }

  function nearest(l) {
    let best = 0;
    nodes.forEach((candidate, k) => { if (Math.abs(Math.log(candidate / l)) < Math.abs(Math.log(nodes[best] / l))) best = k; });
    return best;
  }

  function pointsOfDisc(event) {
    const box = disc.svg.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top, m = explorer.current();
    let best = null, distance = 20;
    nodes.forEach((l, k) => {
      const z = numerics.roots(m, l);
      for (const i of moving(z)) {
        const [px, py] = disc.at(z[i], z[i + 1]), far = Math.hypot(px - x, py - y);
        if (far < distance) { distance = far; best = { k, px, py, z: [z[i], z[i + 1]] }; }
      }
    });
    return best;
  }

  $("disc").addEventListener("pointermove", (event) => {
    const found = pointsOfDisc(event);
    if (!found) { tip($("disc"), 0, 0, null); return; }
    readRoot(found.k, found.px, found.py, found.z);
  });
  function readRoot(k, px, py, [re, im]) {
    tip($("disc"), px, py, [[`λ = ${short(nodes[k])}`], ["ink", "root", `${besideOne(re > 0.9999 ? re : +re.toFixed(4))}${im ? `${im < 0 ? " − " : " + "}${short(Math.abs(im))} i` : ""}`], ["ink", "modulus", besideOne(Math.hypot(re, im))], ["ink", "share of the loss", percent(weights[k] / MASS)]]);
  }
  for (const what of ["pointerleave", "blur"]) $("disc").addEventListener(what, () => tip($("disc"), 0, 0, null));
  $("disc").addEventListener("click", (event) => { const found = pointsOfDisc(event); if (found) update({ mode: found.k }, null); });
  $("disc").addEventListener("keydown", (event) => {
    const change = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, Home: -K, End: K }[event.key];
    if (!change) return;
    event.preventDefault();
    moveMode(change * leap(event));
  });

  function cellAt(event) {
    const box = heat.svg.getBoundingClientRect();
    return { step: Math.max(0, Math.min(state.steps, Math.round(heat.sx.invert(event.clientX - box.left)))), mode: nearest(heat.sy.invert(event.clientY - box.top)) };
  }

  function inHeat(event) {
    const box = heat.svg.getBoundingClientRect(), { margin } = heat, x = event.clientX - box.left, y = event.clientY - box.top;
    return x >= margin.left && x <= box.width - margin.right && y >= margin.top && y <= box.height - margin.bottom;
  }

  $("heat").addEventListener("pointermove", (event) => {
    if (!inHeat(event)) { tip($("heat"), 0, 0, null); return; }
    const { step, mode } = cellAt(event), box = heat.svg.getBoundingClientRect();
    readCell(step, mode, event.clientX - box.left, event.clientY - box.top);
  });
  function readCell(step, mode, x, y) {
    const left = numerics.history(explorer.current(), nodes[mode], [step])[0];
    tip($("heat"), x, y - 60, [[`step ${step}, λ = ${short(nodes[mode])}`], ["ink", "left of the mode", short(left)], ["ink", "share of the loss", percent(weights[mode] / MASS)]]);
  }
  for (const what of ["pointerleave", "blur"]) $("heat").addEventListener(what, () => tip($("heat"), 0, 0, null));
  $("heat").addEventListener("click", (event) => {
    const box = heat.svg.getBoundingClientRect();
    const mode = nearest(heat.sy.invert(event.clientY - box.top));
    update(inHeat(event) ? { mode, at: cellAt(event).step } : { mode }, null);
  });
  $("heat").addEventListener("keydown", (event) => {
    const up = { ArrowUp: 1, ArrowDown: -1 }[event.key], on = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!up && !on) return;
    event.preventDefault();
    if (up) { moveMode(up * leap(event)); return; }
    const at = Math.max(0, Math.min(state.steps, Math.min(state.at, state.steps) + on * (event.shiftKey ? 10 : 1)));
    update({ at }, null);
    say(`step ${at}: ${short(numerics.history(explorer.current(), nodes[state.mode], [at])[0])} of the mode of eigenvalue ${short(nodes[state.mode])} is left`);
  });

  /* ---- the error of each eigenvalue at one step ---- */

  const BINS = 30;
  let bars = null;

  function binned(now) {
    const span = Math.log(LARGEST / SMALLEST) || 1, step = [now.at];
    const found = Array.from({ length: BINS }, () => ({ start: 0, left: 0, count: 0 }));
    nodes.forEach((l, k) => {
      const bin = found[Math.min(BINS - 1, Math.floor(BINS * Math.log(l / SMALLEST) / span))];
      const a = numerics.history(now.method, l, step)[0];
      bin.start += weights[k] / MASS;
      bin.left += weights[k] / MASS * a * a;
      bin.count += 1;
      bin.last = l;
    });
    return found.map((bin, i) => ({ ...bin, low: SMALLEST * Math.exp(span * i / BINS), high: SMALLEST * Math.exp(span * (i + 1) / BINS) }));
  }

  function drawBars(now) {
    const host = $("bars"), width = Math.max(260, host.clientWidth), height = width < 500 ? 240 : 270;
    const margin = { top: 26, right: 14, bottom: 42, left: 58 }, found = binned(now);
    const most = Math.max(...found.map((bin) => bin.start)), root = (v) => Math.sqrt(Math.max(0, v));
    // Heights are square roots, so that small shares can be seen.
    const levels = [0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1].filter((v) => v <= most * 1.25 && (v === 0 || v >= most / 400));
    const kept = levels.filter((v, i) => i === 0 || i === levels.length - 1 || (root(v) - root(levels[i - 1])) / root(most) > 0.07);
    const made = frame(width, height, { domain: [SMALLEST, LARGEST], log: true, title: "eigenvalue λ" }, { domain: [0, root(most) * 1.12], title: "", ticks: kept.map(root), format: (v) => percent(v * v) }, margin);
    const { svg, sx, sy } = made, floor = sy(0);
    svg.setAttribute("role", "img");
    svg.append(node("text", { class: "title", x: 4, y: 13 }, "share of the first loss"));
    let cut = false;
    for (const bin of found) {
      if (!bin.count) continue;
      const left = sx(bin.low) + 0.8, wide = Math.max(1, sx(bin.high) - sx(bin.low) - 1.6);
      svg.append(node("rect", { class: "ghost", x: left, y: sy(root(bin.start)), width: wide, height: floor - sy(root(bin.start)) }));
      const top = Math.max(margin.top - 4, sy(root(Math.min(bin.left, 1e6))));
      const bar = node("rect", { x: left, y: top, width: wide, height: Math.max(0, floor - top) });
      bar.style.fill = modeColour(Math.sqrt(bin.low * bin.high));
      svg.append(bar);
      if (top > margin.top - 4) continue;
      cut = true;
      svg.append(node("path", { class: "mark c-bad", d: `M${left + wide / 2} ${margin.top - 12}l-5 8h10z` }));
    }
    const l = nodes[state.mode];
    svg.append(node("path", { class: "dot", d: `M${sx(l)} ${floor + 1}l-5 8h10z` }));
    const bad = found.reduce((a, b) => (b.left > a.left ? b : a)), left = found.reduce((sum, bin) => sum + bin.left, 0);
    const where = bad.count === 1 ? `the eigenvalue ${short(bad.last)}` : `eigenvalues between ${short(bad.low)} and ${short(bad.high)}`;
    host.replaceChildren(svg);
    svg.setAttribute("aria-label", `Error by eigenvalue after ${plural(now.at, "step")}: ${percent(left)} of the loss is left`);
    $("bars-words").textContent = `After ${plural(now.at, "step")}: ${percent(left)} of the loss left${left > 0 ? `, the largest part of it (${percent(bad.left / left)}) at ${where}` : ""}.${now.spread ? " So far the mean run; the noise of the batches comes on top." : ""}${cut ? " ▲: higher than the figure." : ""}`;
    bars = { ...made, found };
    $("bars-save").replaceChildren(charts.buttons(svg, {
      label: "Error by eigenvalue", file: "errors",
      marks: () => ["outlined: at the start", `filled: what is left after ${plural(now.at, "step")}`, "heights are square roots of the shares", ...(cut ? ["▲ higher than the figure"] : [])],
      table: () => ({ columns: ["from eigenvalue", "to eigenvalue", "eigenvalues", "share at the start", `share after ${now.at} steps`], rows: found.map((bin) => [bin.low, bin.high, bin.count, bin.start, bin.left]) }),
    }, null));
  }

  function readBar(i, aloud) {
    const bin = bars.found[i];
    if (!bin) return;
    const lines = [["ink", "at the start", percent(bin.start)], ["accent", `after ${plural(Math.min(state.at, state.steps), "step")}`, percent(bin.left)]];
    tip($("bars"), bars.sx(bin.high), 30, [[`λ ${short(bin.low)} to ${short(bin.high)}`], ...lines]);
    if (aloud) say(`eigenvalues ${short(bin.low)} to ${short(bin.high)}: ${lines.map(([, name, value]) => `${name} ${value}`).join(", ")}`);
  }

  let reading = 0;
  $("bars").addEventListener("pointermove", (event) => {
    const l = bars.sx.invert(event.clientX - bars.svg.getBoundingClientRect().left);
    readBar(bars.found.findIndex((bin) => l >= bin.low && l < bin.high));
  });
  $("bars").addEventListener("pointerleave", () => tip($("bars"), 0, 0, null));
  $("bars").addEventListener("blur", () => tip($("bars"), 0, 0, null));
  $("bars").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    event.preventDefault();
    reading = Math.max(0, Math.min(BINS - 1, reading + change));
    readBar(reading, true);
  });

  /* ---- one mode: position and velocity ---- */

  const WORDS = {
    glides: "overdamped: it glides to rest without passing it", swings: "underdamped: it swings past rest, again and again",
    critical: "critically damped: as fast as it can be without passing rest",
    flips: "it jumps from side to side every step", grows: "it grows without end",
    ends: "it passes rest in the first step, and is there after two",
  };
  let phase = null;

  /* Position and velocity over the steps; the unit of velocity makes an undamped swing a circle. */
  function orbit(m, l, steps, position = 1, velocity = 0) {
    const unit = Math.sqrt(m.eta * l), found = [[position, velocity]];
    let x = position, step = velocity * unit, gradient = m.eta * l * (position - step);
    // The start of a run: no step before it, and no gradient.
    if (velocity === 0) gradient = 0;
    for (let t = 0; t < steps; t++) {
      const share = m.friction === null ? 1 : t / (t + m.friction), before = gradient;
      gradient = m.eta * l * x;
      step = m.beta * share * step - gradient - m.gamma * share * (gradient - before);
      x += step;
      if (!Number.isFinite(x) || Math.abs(x) > 50) break;
      found.push([x, step / unit]);
    }
    return found;
  }

  function drawPhase(now) {
    const host = $("phase"), width = Math.max(260, host.clientWidth), height = Math.round(Math.min(360, Math.max(280, width * 0.72)));
    const m = now.method, l = nodes[state.mode], kind = kindOf(m, l), run = orbit(m, l, state.steps);
    const margin = { top: 26, right: 14, bottom: 42, left: 48 };
    const shape = (height - margin.top - margin.bottom) / (width - margin.left - margin.right);
    // Room for the whole run, within reason; one scale for both directions.
    const far = run.reduce((most, [x, v]) => Math.max(most, Math.abs(x), Math.abs(v) / shape), 0);
    const reach = Math.min(8, Math.max(1.45, 1.06 * far)), tall = 2 * shape * reach;
    const out = run.findIndex(([x, v]) => Math.abs(x) > reach || Math.abs(v) > tall / 2);
    const made = frame(width, height, { domain: [-reach, reach], title: "position: what is left of the mode" }, { domain: [-tall / 2, tall / 2], title: "" }, margin);
    const { svg, sx, sy } = made, id = "clip-phase";
    svg.setAttribute("role", "img");
    const clip = node("clipPath", { id });
    clip.append(node("rect", { x: margin.left, y: margin.top - 6, width: width - margin.left - margin.right, height: height - margin.top - margin.bottom + 6 }));
    const inside = node("g", { "clip-path": `url(#${id})` });
    inside.append(node("path", { class: "axis", d: `M${sx(0)} ${margin.top - 6}V${height - margin.bottom}M${margin.left} ${sy(0)}H${width - margin.right}` }));
    const path = (points) => points.map(([x, v], i) => `${i ? "L" : "M"}${sx(x).toFixed(1)} ${sy(v).toFixed(1)}`).join("");
    // The portrait: from places around, the same method's motion, faint.
    const portrait = kind === "glides" || kind === "swings" || kind === "critical";
    if (portrait) {
      for (let i = 0; i < 8; i++) {
        const angle = 2 * Math.PI * (i + 0.5) / 8;
        inside.append(node("path", { class: "faint", d: path(orbit(m, l, 40, 1.25 * Math.cos(angle), 1.25 * Math.sin(angle))) }));
      }
    }
    const line = node("path", { class: "line", "stroke-width": kind === "flips" ? 1 : 2, d: path(run) });
    line.style.stroke = modeColour(l);
    inside.append(line);
    run.slice(0, 300).forEach(([x, v]) => {
      const dot = node("circle", { cx: sx(x).toFixed(1), cy: sy(v).toFixed(1), r: 2.4 });
      dot.style.fill = modeColour(l);
      inside.append(dot);
    });
    const at = run[Math.min(now.at, run.length - 1)];
    inside.append(node("circle", { class: "here", r: 6, cx: sx(at[0]), cy: sy(at[1]) }));
    svg.append(clip, inside, node("text", { class: "title", x: 4, y: 13 }, "velocity, in units of √(ηλ)"));
    if (out > 0) svg.append(node("text", { class: "halo", x: margin.left + 8, y: margin.top + 12 }, `leaves the picture at step ${out}`));
    host.replaceChildren(svg);
    svg.setAttribute("aria-label", `Phase portrait of the mode of eigenvalue ${short(l)}: ${WORDS[kind]}`);
    phase = { ...made, run };
    const critical = (1 - Math.sqrt(m.eta * l)) ** 2;
    $("phase-words").textContent = `λ = ${short(l)}, ηλ = ${short(m.eta * l)}: ${m.friction === null ? WORDS[kind] : "momentum t/(t+d) takes the damping away as it goes"}.`
      + (m.name === "heavy_ball" && m.eta * l < 1 - 1e-9 ? ` Critical damping ${kind === "critical" ? "is" : "would be"} at β = (1 − √(ηλ))² = ${besideOne(critical)}.` : "")
      + (portrait ? " Faint: the same method from other starts." : "");
    $("phase-save").replaceChildren(charts.buttons(svg, {
      label: "Phase portrait", file: "phase", table: () => ({ columns: ["step", "position", "velocity"], rows: run.map(([x, v], t) => [t, x, v]) }),
    }, null));
    drawRegimes(m, l);
  }

  /* Over momentum, or over the step size of gradient descent: which regime this mode is in. */
  function drawRegimes(m, l) {
    const host = $("regimes"), width = Math.max(260, host.clientWidth), high = 22, left = 48, wide = width - left - 14;
    const byStep = m.name === "gradient_descent", varying = m.friction !== null;
    host.hidden = $("regimes-save").hidden = varying;
    if (varying) return;
    const name = byStep ? "ηλ" : "β", top = byStep ? 2.6 : 4, share = (value) => (byStep ? value : -Math.log10(1 - value)) / top;
    const svg = node("svg", { width, height: 58, viewBox: `0 0 ${width} 58` }), place = (value) => left + wide * Math.max(0, Math.min(1, share(value)));
    const parts = numerics.regimes(m, l, byStep ? top : 1 - 10 ** -top).map(({ from, to, kind }) => {
      const [start, end] = [from, to].map(place);
      svg.append(node("rect", { class: `regime ${kind}`, x: start, y: 4, width: end - start, height: high }));
      if (end - start > 44) svg.append(node("text", { class: "regime-word", x: (start + end) / 2, y: 19, "text-anchor": "middle" }, kind));
      return { from, to, kind, start, end, words: `${name} ${[from, to].map(byStep ? (end) => short(end) : besideOne).join(" to ")}` };
    });
    const px = place(byStep ? m.eta * l : m.beta);
    svg.append(node("path", { class: "dot", d: `M${px} ${high + 4}l-5 8h10z` }));
    for (const tick of byStep ? [0, 1, 2] : [0, 0.9, 0.99, 0.999, 0.9999]) svg.append(node("text", { x: place(tick), y: 52, "text-anchor": tick === 0.9999 ? "end" : "middle" }, String(tick)));
    svg.append(node("text", { class: "math", x: 4, y: 20 }, name));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `Regimes of this mode over ${byStep ? "the step size" : "momentum"}`);
    host.replaceChildren(svg);
    regimes = { svg, parts };
    $("regimes-save").replaceChildren(charts.buttons(svg, {
      label: "Regimes of this mode", file: "regimes", table: () => ({ columns: ["from", "to", "regime"], rows: parts.map((one) => [one.from, one.to, one.kind]) }),
    }, null));
  }

  /* The regime at a place, in words. */
  let regimes = null, regimeRead = 0;
  function readRegime(one, aloud) {
    tip($("regimes"), (one.start + one.end) / 2, 30, [[`${one.words}: ${one.kind}`], ["ink", WORDS[one.kind], ""]]);
    if (aloud) say(`${one.words}: ${WORDS[one.kind]}`);
  }
  $("regimes").addEventListener("pointermove", (event) => {
    const x = event.clientX - regimes.svg.getBoundingClientRect().left, one = regimes.parts.find((part) => x >= part.start && x <= part.end);
    if (one) readRegime(one); else tip($("regimes"), 0, 0, null);
  });
  for (const what of ["pointerleave", "blur"]) $("regimes").addEventListener(what, () => tip($("regimes"), 0, 0, null));
  $("regimes").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    event.preventDefault();
    regimeRead = Math.max(0, Math.min(regimes.parts.length - 1, regimeRead + change));
    readRegime(regimes.parts[regimeRead], true);
  });

  function readPhase(t, aloud) {
    const [x, v] = phase.run[t];
    tip($("phase"), phase.sx(x), Math.max(0, Math.min(phase.sy(v), 240)), [[`step ${t}`], ["ink", "position", short(x)], ["ink", "velocity", short(v)]]);
    if (aloud) say(`step ${t}: position ${short(x)}, velocity ${short(v)}`);
  }

  let stepRead = 0;
  $("phase").addEventListener("pointermove", (event) => {
    const box = phase.svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const far = ([x, v]) => Math.hypot(phase.sx(x) - px, phase.sy(v) - py);
    const best = phase.run.reduce((a, b, i) => (far(b) < far(phase.run[a]) ? i : a), 0);
    if (far(phase.run[best]) < 30) readPhase(best); else tip($("phase"), 0, 0, null);
  });
  for (const what of ["pointerleave", "blur"]) $("phase").addEventListener(what, () => tip($("phase"), 0, 0, null));
  $("phase").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    event.preventDefault();
    stepRead = Math.max(0, Math.min(phase.run.length - 1, stepRead + change));
    readPhase(stepRead, true);
  });

  explorer.view(drawDisc);
  explorer.view(drawBars);
  explorer.view(drawHeat);
  explorer.view(drawPhase);
})();
