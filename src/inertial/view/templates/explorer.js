/* The explorer: one state, written to the address; every view is a function of it.
 *
 * Files add what they draw with explorer.view(draw), where draw takes the numbers of the state, and
 * what the address holds with explorer.field.  The last file calls explorer.start().
 */
const explorer = (() => {
  const { html, short } = charts;
  const page = JSON.parse(document.getElementById("document").textContent);
  const { nodes, weights } = page.spectrum;
  const K = nodes.length, LARGEST = nodes[K - 1], SMALLEST = nodes[0];
  const MASS = weights.reduce((sum, w) => sum + w, 0);
  const HEAVIEST = weights.indexOf(Math.max(...weights));
  const STEPS_LIMIT = 20000;
  const METHODS = ["gradient_descent", "heavy_ball", "nesterov", "nesterov_varying"];
  const LABELS = {
    gradient_descent: "gradient descent", heavy_ball: "heavy ball", nesterov: "Nesterov",
    nesterov_varying: "Nesterov, t/(t+d)",
  };
  const $ = (id) => document.getElementById(id);
  /* Every eigenvalue with its count, where batches can be told; the rows of the data. */
  const MODES = page.modes && { nodes, weights, ...page.modes }, ROWS = page.data.n;
  const BATCH_STEPS = 5000;
  const RUN_STEPS = page.runs[0].loss[0].length - 1;

  /* ---- state and address ---- */

  const state = { method: "heavy_ball", eta: 1 / LARGEST, beta: 0.9, friction: 3, batch: ROWS, steps: 100, at: 10, mode: HEAVIEST, colour: page.proven === null ? "rate" : "loss", zoom: "near", thread: 0 };
  const LIMITS = { eta: [1e-12 / LARGEST, 10 / LARGEST], beta: [0, 0.99999], friction: [0.5, 12], batch: [MODES ? 1 : ROWS, ROWS], steps: [10, 2000], at: [0, 2000], mode: [0, K - 1], thread: [0, 5] };
  const WHOLE = ["batch", "steps", "at", "mode", "thread"];
  const WORDS = { method: METHODS, colour: ["rate", "loss"], zoom: ["near", "whole"] };

  function clamp(key, value) {
    const [low, high] = LIMITS[key];
    return Math.min(high, Math.max(low, value));
  }

  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(LIMITS)) {
      const value = given.has(key) && given.get(key) !== "" ? Number(given.get(key)) : NaN;
      if (Number.isFinite(value)) state[key] = clamp(key, WHOLE.includes(key) ? Math.round(value) : value);
    }
    for (const [key, words] of Object.entries(WORDS)) if (words.includes(given.get(key))) state[key] = given.get(key);
  }

  /* The address of the state with some changes: what a link to it holds. */
  function address(changes = {}) {
    return `#${new URLSearchParams({ ...state, ...changes })}`;
  }

  let written = 0;
  function writeAddress() {
    clearTimeout(written);
    written = setTimeout(() => history.replaceState(null, "", address()), 80);
  }

  function current() {
    return numerics.method(state.method, state.eta, state.beta, state.friction);
  }

  function noise() {
    return MODES ? numerics.noiseShare(state.batch, ROWS) : 0;
  }

  /* What is said of a setting that was chosen for all rows. */
  function onAllRows(words) {
    return noise() ? `${words} That is for gradients of all rows; batches add noise.` : words;
  }

  /* The step size from which a method diverges, on all rows or on batches of the size that is set. */
  function limitOf(m) {
    return noise() ? numerics.batchLimit(m, MODES, noise()) : numerics.stabilityLimit(m) / LARGEST;
  }

  /* Another method at the same share of its stability limit; where it has none, of that for all rows. */
  function switched(name) {
    const [from, to] = [current(), numerics.method(name, 1, state.beta, state.friction)];
    const limits = [from, to].map(limitOf), whole = limits.some((limit) => limit < 1e-9 / LARGEST);
    const [before, after] = whole ? [from, to].map((m) => numerics.stabilityLimit(m) / LARGEST) : limits;
    return { method: name, eta: clamp("eta", state.eta / before * after) };
  }

  /* A step of the thread is left as soon as something else is moved. */
  function update(changes, lesson) {
    Object.assign(state, "at" in changes || "thread" in changes ? {} : { thread: 0 }, changes);
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
    const all = numerics.forecast(m, nodes, weights, steps), limit = limitOf(m);
    const { loss, spread, reached } = noise() ? onBatches(m, all)
      : { loss: all, spread: null, reached: numerics.settles(m, nodes, weights, page.target, STEPS_LIMIT) };
    return {
      method: m, steps, all, loss, spread, limit, reached, radius: numerics.spectralRadius(m, nodes), at: Math.min(state.at, state.steps),
      share: limit > 0 ? m.eta / limit : Infinity, lossShare: loss[loss.length - 1] / (0.5 * MASS), trust: trustOf(m, reached.first),
    };
  }

  /* The expected loss on fresh batches: that of all rows, and what their noise adds. */
  function onBatches(m, all) {
    const { added, spread, reached } = numerics.moments(m, MODES, noise(), all.length - 1, page.target, BATCH_STEPS);
    // The modes are those of one output of a row.
    return { loss: all.map((value, t) => value + page.outputs * added[t]), spread: spread.map((value) => Math.sqrt(page.outputs) * value), reached };
  }

  /* The loss at ascending steps that is expected at a setting, on the batch that is set. */
  function expected(m, steps) {
    const added = noise() ? numerics.moments(m, MODES, noise(), steps[steps.length - 1], 0, 0).added : null;
    return numerics.forecast(m, nodes, weights, steps).map((value, i) => value + (added ? page.outputs * added[steps[i]] : 0));
  }

  /* Whether a forecast tells a count: beyond twice the step to which the nodes that stand for the
   * eigenvalues prove it, it was seen to be five times too small. */
  function told(steps) {
    return steps !== null && (page.proven === null || noise() > 0 || steps <= 2 * page.proven);
  }

  /* A forecast's count.  With a sign and two digits where it is not exact: beyond what the nodes prove,
   * on batches, where eigenvectors are taken as even over the rows, and where nodes stand for the eigenvalues. */
  function counted(steps, rough = noise() > 0, times = 1, most = noise() ? BATCH_STEPS : STEPS_LIMIT) {
    if (!told(steps)) return `over ${(times * Math.min(most, page.proven === null || noise() ? most : 2 * page.proven)).toLocaleString("en")}`;
    const near = rough || page.few || (page.proven !== null && steps > page.proven), count = times * steps;
    return near ? `≈\u00a0${(+count.toPrecision(2)).toLocaleString("en")}` : count.toLocaleString("en");
  }

  /* What follows on the first step at the target where the loss rings back above it, after a joint. */
  function staying({ first, stays, leaves }, joint = "", rough = undefined) {
    if (!told(first)) return "";
    if (stays === null) return `${joint}leaves again`;
    const until = leaves !== null && told(leaves) ? ` until ${counted(leaves - 1, rough)}` : "";
    const over = counted(stays, rough).replace("over", "only after");
    const from = touches({ first, stays }, rough) ? ` ${told(stays) ? "from " : ""}${over}` : "";
    return from || until ? `${joint}stays${from}${until}` : "";
  }

  /* Whether the loss leaves the target again before it stays, as far as digits tell. */
  function touches({ first, stays }, rough) {
    return counted(first, rough) !== counted(stays, rough);
  }

  /* Whether a setting of the rule “forecast” stays at the target before its race ends. */
  function arrives(m) {
    const { stays } = numerics.settles(m, nodes, weights, page.target, STEPS_LIMIT), { steps } = page.race;
    return stays === null ? steps > STEPS_LIMIT && numerics.forecast(m, nodes, weights, [steps - 1])[0] <= page.target * 0.5 * MASS : stays < steps;
  }

  /* Movement of the papers' network at this setting, and the strain that decides whether to believe it. */
  function trustOf(m, stepsTo) {
    if (!page.trust) return null;
    const steps = Math.max(1, stepsTo === null ? page.trust.steps : Math.min(stepsTo, page.trust.steps));
    const far = noise() ? Math.max(...numerics.moments(m, MODES, noise(), steps, 0, 0).moved) : numerics.distance(m, nodes, weights, steps);
    const movement = far / Math.sqrt(page.trust.width);
    const strain = movement * Math.min(steps, 2 * Math.sqrt(steps) / (1 - m.beta));
    const digits = page.trust.digits[+(noise() > 0 || strain >= page.trust.holds)];
    const span = stepsTo === null || stepsTo > steps ? `over ${steps.toLocaleString("en")} steps` : `to ${percent(page.target)}`;
    return { movement, digits, span, strain, verdict: strain < page.trust.holds ? "holds" : strain < page.trust.departs ? "departs" : "does not hold" };
  }

  function percent(value) {
    if (value > 1e4) return "> 10⁶\u00a0%";
    if (value !== 0 && Math.abs(value) < 1e-12) return "< 10⁻¹⁰\u00a0%";
    const exact = 100 * value;
    let digits = 3;
    // Beside a whole, as many as tell it from one.
    while (digits < 7 && Math.abs(value - 1) > 1e-6 && +exact.toPrecision(digits) === 100) digits++;
    return `${digits > 3 ? +exact.toPrecision(digits) : short(+exact.toPrecision(3))}\u00a0%`;
  }

  /* Momentum, and a factor a step, near 1 by how far it is from there: four digits would say 1. */
  function besideOne(value) {
    if (value === 1 || +value.toPrecision(4) !== 1) return short(value);
    return value < 1 ? `1 − ${short(1 - value)}` : `1 + ${short(value - 1)}`;
  }

  /* The momentum of a method: a number, or the words for one that climbs. */
  function momentum(m) {
    return m.friction === null ? besideOne(m.beta) : `t/(t + ${short(m.friction)})`;
  }

  function plural(count, word) {
    return `${short(count)} ${word}${count === 1 ? "" : "s"}`;
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

  /* ---- together ---- */

  const views = [];
  function view(draw) { views.push(draw); }

  function render() {
    const now = numbers();
    for (const draw of views) draw(now);
    window.inertial.now = now;
  }

  function start() {
    const tuned = page.runs.find((run) => run.method === "heavy_ball");
    Object.assign(state, { batch: (MODES && page.batch) || ROWS, eta: tuned.eta, beta: tuned.beta, steps: clamp("steps", RUN_STEPS) });
    readAddress();
    window.inertial = { numerics, page, state };
    addEventListener("hashchange", () => {
      const before = address();
      readAddress();
      if (address() !== before) $("lesson").textContent = "";  // a link that was pasted; not one within the page
      schedule();
    });
    charts.live(render);
  }

  return {
    $, page, nodes, weights, K, LARGEST, SMALLEST, MASS, HEAVIEST, STEPS_LIMIT, METHODS, LABELS, RUN_STEPS, RAMPS,
    MODES, ROWS, BATCH_STEPS, noise, onAllRows, limitOf, expected, state, clamp, address, current, switched, update, percent, plural, told, counted, staying, touches, arrives, besideOne, momentum, theme, ramp, modeColour, canvasIn, paintRamp,
    view, start,
  };
})();
