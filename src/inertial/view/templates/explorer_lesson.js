/* The lesson: a path over the contours of two modes, a thread of five steps, what a mode means. */
(() => {
  const { node, html, frame, short, tip, say } = charts;
  const { $, page, nodes, weights, K, LARGEST, SMALLEST, MASS, HEAVIEST, STEPS_LIMIT, LABELS, ROWS, state, address, update, percent, plural, told, counted, staying, touches, arrives, besideOne, theme, ramp, modeColour } = explorer;

  /* ---- the opening picture ---- */

  /* The steepest mode, and of those clearly flatter the one with the longest way to go. */
  const STEEP = K - 1;
  const FLAT = (() => {
    const flatter = nodes.map((_, k) => k).filter((k) => nodes[k] < LARGEST / 3 && nodes[k] > LARGEST / 60 && weights[k] > 0);
    if (flatter.length) return flatter.reduce((a, b) => (weights[b] / nodes[b] > weights[a] / nodes[a] ? b : a));
    return nodes.reduce((best, l, k) => (k !== STEEP && weights[k] > 0 && Math.abs(Math.log(l / LARGEST * 20)) < Math.abs(Math.log(nodes[best] / LARGEST * 20)) ? k : best), 0);
  })();
  let opening = null;

  function drawOpening(now) {
    const host = $("opening"), width = Math.max(260, host.clientWidth), height = Math.round(Math.min(380, Math.max(230, width * 0.52)));
    const pair = [FLAT, STEEP].map((k) => nodes[k]), start = [FLAT, STEEP].map((k) => Math.sqrt(weights[k] / nodes[k]));
    const margin = { top: 12, right: 12, bottom: 40, left: 34 };
    const inner = [width - margin.left - margin.right, height - margin.top - margin.bottom];
    const factors = pair.map((l) => numerics.history(now.method, l, now.steps));
    // Room for the path, within reason; one scale for both directions, unless one would be too short to see.
    const swing = (i) => Math.max(...factors[i].filter(Number.isFinite).map(Math.abs));
    let unit = [0, 1].map((i) => Math.min(7, Math.max([2.5, 4.2][i], 2.2 * swing(i))) * start[i] / inner[i]);
    if (Math.max(...unit) < 9 * Math.min(...unit)) unit = [Math.max(...unit), Math.max(...unit)];
    const reach = [0, 1].map((i) => unit[i] * inner[i] / 2);
    const made = frame(width, height, { domain: [-reach[0], reach[0]], title: `along the flat direction, λ = ${short(pair[0])}`, ticks: [] }, { domain: [-reach[1], reach[1]], title: "", ticks: [], bare: true }, margin);
    const { svg, sx, sy } = made, id = "clip-opening";
    svg.setAttribute("role", "img");
    const clip = node("clipPath", { id });
    clip.append(node("rect", { x: margin.left, y: margin.top, width: inner[0], height: inner[1] }));
    const inside = node("g", { "clip-path": `url(#${id})` });
    const colours = theme().plane, first = 0.5 * (pair[0] * start[0] ** 2 + pair[1] * start[1] ** 2);
    const levels = Array.from({ length: 11 }, (_, i) => first * 4 ** (2 - i * 0.75));
    levels.forEach((level, i) => {
      const ring = node("ellipse", { class: "contour", cx: sx(0), cy: sy(0), rx: (Math.sqrt(2 * level / pair[0]) / unit[0]).toFixed(2), ry: (Math.sqrt(2 * level / pair[1]) / unit[1]).toFixed(2) });
      ring.style.fill = `rgb(${ramp(colours, 0.06 + 0.5 * i / levels.length).join(" ")})`;
      inside.append(ring);
    });
    inside.prepend(Object.assign(node("rect", { class: "ground", x: margin.left, y: margin.top, width: inner[0], height: inner[1] })));
    inside.firstChild.style.fill = `rgb(${ramp(colours, 0.02).join(" ")})`;
    const places = now.steps.map((t) => [start[0] * factors[0][t], start[1] * factors[1][t]]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
    const held = (pixel) => Math.max(-4000, Math.min(4000, pixel)).toFixed(1);
    inside.append(node("path", { class: "path", d: places.map(([x, y], i) => `${i ? "L" : "M"}${held(sx(x))} ${held(sy(y))}`).join("") }));
    places.slice(0, 400).forEach(([x, y]) => { if (Math.abs(x) <= reach[0] && Math.abs(y) <= reach[1]) inside.append(node("circle", { class: "step", cx: sx(x).toFixed(1), cy: sy(y).toFixed(1), r: 2.6 })); });
    inside.append(node("path", { class: "goal", d: `M${sx(0) - 6} ${sy(0)}h12M${sx(0)} ${sy(0) - 6}v12` }));
    const out = places.findIndex(([x, y]) => Math.abs(x) > reach[0] || Math.abs(y) > reach[1]);
    const at = places[Math.min(now.at, places.length - 1)];
    if (Math.abs(at[0]) <= reach[0] && Math.abs(at[1]) <= reach[1]) inside.append(node("circle", { class: "here", r: 7, cx: sx(at[0]), cy: sy(at[1]) }));
    svg.append(clip, inside);
    if (out > 0) svg.append(node("text", { class: "halo", x: margin.left + 10, y: margin.top + 20 }, `leaves the picture at step ${out}`));
    svg.append(node("text", { class: "title", transform: `rotate(-90 14 ${margin.top + inner[1] / 2})`, x: 14, y: margin.top + inner[1] / 2, "text-anchor": "middle" }, `steep, λ = ${short(pair[1])}`));
    host.replaceChildren(svg);
    const left = factors.map((row) => row[now.at]);
    svg.setAttribute("aria-label", `Path in the plane of two modes over ${state.steps} steps of ${LABELS[state.method]}; after ${now.at} steps ${short(left[0])} of the flat one and ${short(left[1])} of the steep one are left`);
    $("opening-words").textContent = `After ${plural(now.at, "step")}, ${percent(Math.abs(left[0]))} of the way is left along the flat direction and ${percent(Math.abs(left[1]))} along the steep one.`;
    opening = { ...made, places, factors };
    if (host.matches(":focus-visible")) readOpening(Math.min(now.at, places.length - 1));
    $("opening-save").replaceChildren(charts.buttons(svg, {
      label: "Path in the plane of two modes", file: "path",
      table: () => ({ columns: ["step", "along the flat mode", "along the steep mode"], rows: places.map(([x, y], t) => [t, x, y]) }),
    }, null));
  }

  function readOpening(t, aloud) {
    const [x, y] = opening.places[t];
    tip($("opening"), opening.sx(x), Math.max(0, Math.min(opening.sy(y), 200)), [[`step ${t}`], ["ink", "left of the flat mode", short(opening.factors[0][t])], ["ink", "left of the steep mode", short(opening.factors[1][t])]]);
    if (aloud) say(`step ${t}: ${short(opening.factors[0][t])} of the flat mode and ${short(opening.factors[1][t])} of the steep mode are left`);
  }

  $("opening").addEventListener("pointermove", (event) => {
    const box = opening.svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const far = ([x, y]) => Math.hypot(opening.sx(x) - px, opening.sy(y) - py);
    const best = opening.places.reduce((a, b, i) => (far(b) < far(opening.places[a]) ? i : a), 0);
    if (far(opening.places[best]) < 40) readOpening(best); else tip($("opening"), 0, 0, null);
  });
  for (const what of ["pointerleave", "blur"]) $("opening").addEventListener(what, () => tip($("opening"), 0, 0, null));
  $("opening").addEventListener("keydown", (event) => {
    const change = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    event.preventDefault();
    const at = Math.max(0, Math.min(opening.places.length - 1, Math.min(state.at, state.steps) + change));
    update({ at }, null);
    readOpening(at, true);
  });

  /* ---- the thread ---- */

  const TUNED = (name) => (page.batch ? page.points.find((point) => point.method === name && point.rule === "forecast") : page.runs.find((run) => run.method === name));
  const count = (m) => numerics.settles(m, nodes, weights, page.target, STEPS_LIMIT);
  const made = (name, eta, beta) => numerics.method(name, eta, beta, 3);
  const THREAD = (() => {
    const plain = TUNED("gradient_descent"), ball = TUNED("heavy_ball"), length = Math.max(30, Math.min(200, page.runs[0].loss[0].length - 1));
    const eta = 1 / LARGEST, flat = nodes[FLAT], near = 1.98 * eta, slow = numerics.amplification(made("gradient_descent", eta, 0), flat, 10);
    // The step that damps the flat mode critically, with the step size of the first picture.
    const critical = (1 - Math.sqrt(eta * flat)) ** 2, ringing = 1 - (1 - critical) / 8;
    const at = Math.min(10, length);
    // Where the eigenvalues are near one another, no step is good for one and bad for another.
    const helps = Math.abs(1 - near * flat) < 1 - eta * flat;
    // Where the forecast tells no count, what is left at a step to which it is exact.
    const seen = page.proven === null ? length : Math.min(length, page.proven), after = `after ${plural(seen, "step")}`;
    const left = (m) => numerics.forecast(m, nodes, weights, [seen])[0] / (0.5 * MASS);
    /* How the loss comes to the target: where it rings, the first touch and from where it stays. */
    const said = (m, of = "") => {
      const reached = count(m), { first } = reached, grows = numerics.spectralRadius(m, nodes) >= 1, rough = !page.squared;
      if (first === null && grows) return "diverges";
      if (!told(first) && page.proven !== null) return `is still at ${percent(left(m))}${of} ${after}`;
      const steps = `${counted(first, rough)} step${first === 1 ? "" : "s"}`, target = `${percent(page.target)}${of}`;
      if (grows) return `takes ${steps} to ${target}, and diverges later`;
      return (touches(reached, rough) ? `touches ${target} after ${steps}` : `takes ${steps} to ${target}`) + staying(reached, " and ", rough);
    };
    const tuned = made("heavy_ball", ball.eta, ball.beta), promised = said(tuned), setting = `heavy ball with η = ${short(ball.eta)} and β = ${short(ball.beta)}`;
    const run = page.runs.find((one) => one.method === "heavy_ball");
    // The rule's own Nesterov, where it is sooner.
    const other = page.points.find((point) => point.method === "nesterov" && point.rule === "forecast"), rival = made("nesterov", other.eta, other.beta);
    const [first, second] = [rival, tuned].map((m) => count(m).stays), sooner = told(first) && (!told(second) || first < second)
      ? ` By the forecast on all rows, Nesterov’s setting is sooner: with η = ${short(rival.eta)} and β = ${short(rival.beta)} it ${said(rival)}.` : "";
    // Counts of the head are those of the linearised network.
    const model = page.offset ? "the quadratic model" : "the forecast";
    const starts = run.loss.length, several = starts > 1;
    const rest = !run.rings ? ""
      : run.stays === null ? `, ${several ? "with some start" : "and is"} above it at the end`
      : `, ${several ? "with every start below it" : "and stays there"} from step ${run.stays.toLocaleString("en")} to the end`;
    const within = `in ${plural(run.loss[0].length - 1, "step")}`;
    const real = run.diverged ? "diverged"
      : run.measured !== null ? `took ${plural(+run.measured.toFixed(1), "step")}${several ? " on average" : ""}${rest}`
      : run.arrived ? `got there from ${run.arrived} of ${starts} starts ${within}`
      : `did not get there ${within}`;
    const best = ball.rule === "trials"
      ? `${run.lowest ? `No real run with heavy ball got to the target; lowest was ${setting}` : `For heavy ball, real runs of this network chose η = ${short(ball.eta)} and β = ${short(ball.beta)}`} (each method was searched by itself: “tune” searches heavy ball and Nesterov at once, and may name another setting); by ${model} it ${promised}.`
      : `Weighing ${K === 1 ? "the one there is" : `all ${(page.few ? ROWS : K).toLocaleString("en")} of them`} for ${arrives(tuned) ? "the loss to stay below the target soonest" : `the lowest loss after ${page.race.steps.toLocaleString("en")} steps`}, the rule “forecast” takes for ${setting.replace("with ", "")}: it ${promised}.`;
    // Flatter modes than the one that rings may gain more by memory than it loses.
    const both = [ringing, critical].map((beta) => made("heavy_ball", eta, beta)), counts = both.map((m) => count(m).stays);
    const some = counts.some(told), [rung, damped] = some ? counts.map((stays) => (told(stays) ? stays : Infinity)) : both.map(left);
    const shown = some ? counts.map((stays) => counted(stays, !page.squared)) : [rung, damped].map(percent);
    const gains = rung < damped && shown[0] !== shown[1], ahead = some ? "the loss is there sooner" : "less of the loss is left then";
    const lost = (within) => {
      const [swung, calm] = both.map((m) => nodes.reduce((sum, l, k) => sum + (within(l) ? weights[k] * numerics.amplification(m, l, some ? rung : seen) ** 2 : 0), 0));
      return calm - swung;
    };
    const cause = () => (count(both[0]).leaves !== null ? `Yet ${ahead}, for a while`
      : 2 * lost((l) => l < flat) > lost(() => true) ? "Yet flatter modes gain by it, and with them the loss" : `Yet the mode gets to its goal sooner, and ${ahead}`);
    const flatter = `${gains ? cause() : "The loss does not gain by it"}: `
      + `${some ? both.map((m) => `it ${said(m)}`).join("; critically damped, ") : `${after} ${shown[0]} of it is left; critically damped, ${shown[1]}`}.`;
    const trained = `The network${several ? "s" : ""} that ${several ? "were" : "was"} trained with it ${real}: the coloured ${several ? "curves" : "curve"}`;
    const grows = page.batch && explorer.MODES && ball.eta >= numerics.batchLimit(made("heavy_ball", ball.eta, ball.beta), explorer.MODES, numerics.noiseShare(page.batch, ROWS));
    const batches = page.batch ? ` That is for all rows. On batches of ${page.batch.toLocaleString("en")} ${grows ? "the expected loss grows with it" : page.batch < ROWS ? "noise comes on top" : "there is no noise"}${run.rule === "forecast" ? "" : `; tuned for them, heavy ball has η = ${short(run.eta)} and β = ${short(run.beta)}`}.` : "";
    const one = (title, words, changes) => ({ title, words, changes: { friction: 3, batch: ROWS, steps: length, at, mode: FLAT, colour: "rate", zoom: "near", ...changes } });
    return [
      one("Every direction has its own pace",
        `Gradient descent with the safe step η = 1/λₘₐₓ. ${short(LARGEST / flat) === "1" ? "All directions are equally steep here, and done after one step." : `The steepest direction is done after one step. Along the flat one, ${short(LARGEST / flat)} times flatter, ${percent(slow)} of the way is left after ten.${helps ? " The loss waits for the flat ones." : ""}`}`,
        { method: "gradient_descent", eta, beta: 0 }),
      one("The steep direction sets the limit",
        `${helps ? "A larger step helps the flat directions, but at" : "At"} η = 2/λₘₐₓ = ${short(2 / LARGEST)} the steepest one jumps from side to side for ever, and beyond it grows. Here is 99 % of that limit. Tuned, gradient descent takes η = ${short(plain.eta)}, ${percent(plain.eta * LARGEST / 2)} of that limit: by ${model} it ${said(made("gradient_descent", plain.eta, 0), " of the loss")}.`,
        { method: "gradient_descent", eta: near, beta: 0, mode: STEEP }),
      one("Memory carries along the flat direction",
        `Keep a share β of the last move: steps along the flat direction add up, jumps along the steep one cancel. With β = ${besideOne(critical)} the flat mode is critically damped: as fast as it can be without passing its goal.`,
        { method: "heavy_ball", eta, beta: critical }),
      one("Too much memory rings",
        `With β = ${besideOne(ringing)} the mode passes its goal and swings back: a spiral in its phase portrait, ripples in the loss. As long as it swings, each step takes only the factor √β = ${besideOne(Math.sqrt(ringing))}, whatever the step size. ${flatter}`,
        { method: "heavy_ball", eta, beta: ringing }),
      one("Tuning for these data weighs all modes",
        `No single mode decides: the bars say where the loss sits. ${best}${batches} ${trained} under “Added up, they are the loss”.${ball.rule === "trials" ? "" : sooner}`,
        { method: "heavy_ball", eta: ball.eta, beta: ball.beta, mode: HEAVIEST }),
    ].map((step, i) => ({ ...step, changes: { ...step.changes, thread: i + 1 } }));
  })();

  function buildThread() {
    $("thread").replaceChildren(...THREAD.map((step, i) => {
      const link = html("a", { href: address(step.changes) }, html("span", { className: "number", textContent: String(i + 1) }), html("strong", { textContent: step.title }));
      link.addEventListener("click", (event) => { event.preventDefault(); update(step.changes, step.title + "."); });
      return html("li", {}, link, html("p", { textContent: step.words }));
    }));
  }

  function markThread() {
    [...$("thread").children].forEach((item, i) => {
      item.classList.toggle("now", state.thread === i + 1);
      if (state.thread === i + 1) item.firstChild.setAttribute("aria-current", "step"); else item.firstChild.removeAttribute("aria-current");
    });
  }

  /* ---- what a mode means ---- */

  const MEANINGS = page.meanings;

  function nearestMeaning(l) {
    return MEANINGS.reduce((best, one, i) => (Math.abs(Math.log(one.eigenvalue / l)) < Math.abs(Math.log(MEANINGS[best].eigenvalue / l)) ? i : best), 0);
  }

  /* A picture of bytes: grey for examples, two colours around the middle for a pattern. */
  function picture(text, [rows, columns], size, colours, label) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const canvas = html("canvas", { width: columns, height: rows, className: "pixels" });
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    bytes.forEach((byte, i) => image.data.set([...(colours ? ramp(colours, byte / 255) : [byte, byte, byte]), 255], 4 * i));
    context.putImageData(image, 0, 0);
    Object.assign(canvas.style, { width: `${size}px`, height: `${Math.round(size * rows / columns)}px` });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    return canvas;
  }

  /* The pattern and the examples at both ends as pictures, or the strongest columns as bars: one figure. */
  function meaningFigure(one, width) {
    const svg = node("svg", { role: "img", "aria-label": `Mode of eigenvalue ${short(one.eigenvalue)}` });
    let height = 0;
    if (one.picture) {
      const [rows, columns] = one.shape, groups = [["what it weighs", 150, [one.picture], theme().swing], ["examples at one end", 72, one.high, null], ["and at the other", 72, one.low, null]];
      let x = 0, y = 0;
      for (const [words, size, texts, stops] of groups) {
        const wide = texts.length * (size + 6) - 6, tall = Math.round(size * rows / columns);
        if (x && x + wide > width) { x = 0; y = height + 10; }
        texts.forEach((text, i) => svg.append(node("image", { x: x + i * (size + 6), y, width: size, height: tall, preserveAspectRatio: "none", "image-rendering": "pixelated", href: picture(text, one.shape, size, stops, "").toDataURL() })));
        svg.append(node("text", { x, y: y + tall + 16 }, words));
        height = Math.max(height, y + tall + 22);
        x += wide + 28;
      }
    } else {
      const left = Math.min(190, 0.45 * width), room = Math.min(360, width - left - 60), most = Math.floor(left / 7);
      one.columns.forEach(([name, value], i) => {
        const y = 22 * i;
        const words = node("text", { x: 0, y: y + 14 }, name.length > most ? `${name.slice(0, most - 1)}…` : name);
        words.append(node("title", {}, name));
        svg.append(words, node("rect", { class: "track", x: left, y: y + 3, width: room, height: 13 }));
        svg.append(node("rect", { class: `bar c-${value < 0 ? "gradient_descent" : "heavy_ball"}`, x: left, y: y + 3, width: room * Math.abs(value), height: 13 }));
        svg.append(node("text", { x: left + room + 8, y: y + 14 }, short(value)));
      });
      height = 22 * one.columns.length;
    }
    for (const [key, value] of [["width", width], ["height", height], ["viewBox", `0 0 ${width} ${height}`]]) svg.setAttribute(key, value);
    return svg;
  }

  /* What is saved: the pattern's and the examples' numbers, or the columns' entries. */
  function meaningTable(one) {
    if (!one.picture) return { columns: ["column", "entry"], rows: one.columns };
    const columns = one.shape[1], bytes = (text) => Array.from(atob(text), (c) => c.charCodeAt(0));
    const parts = [["pattern", one.picture, (v) => v / 127.5 - 1], ...["high", "low"].flatMap((side) => one[side].map((text, i) => [`${side} ${i + 1}`, text, (v) => v / 255]))];
    return { columns: ["picture", "row", "column", "value"], rows: parts.flatMap(([name, text, value]) => bytes(text).map((byte, i) => [name, Math.floor(i / columns), i % columns, +value(byte).toFixed(4)])) };
  }

  function drawMeaning() {
    if (!MEANINGS.length) return;
    const host = $("meaning"), one = MEANINGS[nearestMeaning(nodes[state.mode])], stops = theme().swing;
    const svg = meaningFigure(one, Math.max(260, host.clientWidth));
    host.replaceChildren(svg);
    $("meaning-save").replaceChildren(charts.buttons(svg, { label: "What a mode is", file: "meaning", table: () => meaningTable(one) }, null));
    const place = one.place + 1, n = page.data.n;
    $("meaning-words").textContent = `Mode ${n - place + 1} of ${n}, λ = ${short(one.eigenvalue)}, ${percent(one.share)} of the loss`
      + `${Math.abs(Math.log(one.eigenvalue / nodes[state.mode])) > 0.02 ? `: the nearest to the eigenvalue followed (${short(nodes[state.mode])}) of the ${MEANINGS.length} that are described here` : ""}.`;
    const strip = [...MEANINGS].reverse().map((other) => {
      const label = `mode of eigenvalue ${short(other.eigenvalue)}, ${percent(other.share)} of the loss`;
      const face = other.picture ? picture(other.picture, other.shape, 44, stops, label) : html("span", { className: "strongest", textContent: other.columns[0][0] });
      const button = html("button", { type: "button", title: label }, face, html("small", { textContent: `λ ${short(+other.eigenvalue.toPrecision(2))}` }));
      button.setAttribute("aria-label", label);
      button.setAttribute("aria-pressed", String(other === one));
      button.addEventListener("click", () => {
        const mode = nodes.reduce((best, l, k) => (Math.abs(Math.log(l / other.eigenvalue)) < Math.abs(Math.log(nodes[best] / other.eigenvalue)) ? k : best), 0);
        update({ mode }, null);
        setTimeout(() => $("meaning-strip").querySelector('[aria-pressed="true"]')?.focus(), 80);
      });
      return button;
    });
    $("meaning-strip").replaceChildren(...strip);
  }

  buildThread();
  explorer.view(drawOpening);
  explorer.view(markThread);
  explorer.view(drawMeaning);
})();
