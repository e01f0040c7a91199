/* Sliders, fields, buttons and readouts of the explorer, and why a setting diverges. */
(() => {
  const { short, say } = charts;
  const { $, page, nodes, weights, K, LARGEST, MASS, HEAVIEST, BATCH_STEPS, LABELS, MODES, ROWS, noise, onAllRows, limitOf, state, clamp, address, switched, update, percent, plural, counted, staying, arrives, besideOne } = explorer;
  let heard = false;

  /* The smallest batch on which a method has a stable step at all. */
  function enough(m) {
    let [low, high] = [state.batch, ROWS];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (numerics.batchLimit(m, MODES, numerics.noiseShare(middle, ROWS)) > 0) high = middle; else low = middle;
    }
    return high;
  }

  /* Which modes grow, past which limit, and how fast. */
  function why({ method: m, radius, limit }) {
    if (radius < 1) {
      const begun = `Diverges on batches of ${plural(state.batch, "row")}: the mean decays, but its noise grows`;
      if (!(limit > 0)) return `${begun} at any step size, as the momentum goes to 1. Take a batch of ${plural(enough(m), "row")} or more.`;
      const plain = m.name === "gradient_descent" || m.friction !== null;
      return `${begun} from ηλₘₐₓ = ${short(limit * LARGEST)} on${plain ? "" : ", at this momentum"}. Take a smaller step${plain ? "" : ", less momentum"} or a larger batch.`;
    }
    const growing = nodes.filter((l) => numerics.radius(m, l) >= 1);
    const carried = weights.reduce((sum, w, k) => sum + (numerics.radius(m, nodes[k]) >= 1 ? w : 0), 0) / MASS;
    const formula = m.name === "gradient_descent" ? "2" : m.name === "heavy_ball" ? "2(1+β)" : m.name === "nesterov" ? "2(1+β)/(1+2β)" : "4/3, the limit of 2(1+β)/(1+2β)";
    const bound = m.name === "gradient_descent" || m.friction !== null ? formula : `${formula} = ${short(numerics.stabilityLimit(m))}`;
    const noisy = noise() && limit > 0 ? `, and on batches of ${plural(state.batch, "row")} it has to be below ${short(limit * LARGEST)}` : "";
    const step = m.eta * LARGEST, most = numerics.stabilityLimit(m), near = short(step) === short(most);
    return `Diverges: ηλₘₐₓ ${near ? "" : `= ${short(step)} `}is not below ${bound}${near ? ` but ${percent(step / most)} of it` : ""}${noisy}. `
      + `${growing.length === 1 ? "The steepest mode grows" : `The ${page.few ? "" : `${growing.length} `}steepest modes grow`}, by a factor of up to ${besideOne(radius)} a step; ${growing.length === 1 ? "it carries" : "they carry"} ${percent(carried)} of the loss.`;
  }

  function show(id, value, text, bad) {
    const field = $(id);
    field.dataset.value = String(value);
    field.textContent = text;
    field.classList.toggle("bad", Boolean(bad));
  }

  function renderControls(now) {
    const m = now.method, fixed = state.method === "gradient_descent", varying = m.friction !== null;
    for (const input of document.querySelectorAll("input[name=method]")) input.checked = input.value === state.method;
    for (const input of document.querySelectorAll("input[name=colour]")) input.checked = input.value === state.colour;
    for (const input of document.querySelectorAll("input[name=zoom]")) input.checked = input.value === state.zoom;
    $("beta-knob").hidden = varying;
    $("friction-knob").hidden = !varying;
    $("beta-knob").classList.toggle("off", fixed);
    $("beta").disabled = $("beta-number").disabled = fixed;
    setRange("eta", Math.log10(state.eta * LARGEST));
    setRange("beta", fixed ? 0 : -Math.log10(1 - state.beta));
    setRange("friction", state.friction);
    setRange("steps", Math.log10(state.steps));
    setRange("mode", state.mode);
    $("at").max = state.steps;
    setRange("at", now.at);
    $("at-hint").textContent = plural(now.at, "step");
    $("beta-top").disabled = fixed || varying;
    $("eta-top-hint").textContent = short(state.eta);
    $("beta-top-hint").textContent = fixed ? "none" : varying ? "t/(t+d)" : besideOne(state.beta);
    for (const [copy, original] of [["eta-top", "eta"], ["beta-top", "beta"]]) {
      setRange(copy, $(original).valueAsNumber);
      $(copy).setAttribute("aria-valuetext", $(`${copy}-hint`).textContent);
    }
    $("top-method").textContent = LABELS[state.method];
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
    show("radius", now.radius, now.radius >= 1 ? "grows" : now.radius > 0.99995 ? `× (${besideOne(now.radius)})` : `× ${now.radius.toFixed(now.radius > 0.999 ? 6 : 4)}`, now.radius >= 1);
    const { first } = now.reached;
    show("steps-to", first, first === null && unstable ? "never" : counted(first), unstable && first === null);
    show("steps-stay", now.reached.stays, staying(now.reached), unstable);
    show("loss-share", now.lossShare, `${page.few ? "≈\u00a0" : ""}${percent(now.lossShare)}`, now.lossShare > 1);
    show("limit-share", now.share, percent(now.share), unstable);
    const samples = first === null ? null : first * state.batch;
    if (MODES) {
      show("samples-to", samples, samples === null ? "–" : counted(first, undefined, state.batch));
      $("batch-hint").textContent = noise() ? `${state.batch.toLocaleString("en")} of ${plural(ROWS, "row")}` : `all ${plural(ROWS, "row")}`;
      setRange("batch", position(state.batch));
      setNumber("batch-number", state.batch);
      $("batch").setAttribute("aria-valuetext", $("batch-hint").textContent);
      $("batch-note").hidden = !noise();
    }
    if (page.trust) {
      const trust = now.trust, grows = !Number.isFinite(trust.strain) || (first === null && unstable);
      show("trust-here", trust.strain, grows ? "no forecast" : trust.verdict, trust.verdict !== "holds");
      $("trust-why").textContent = grows ? "" : `${trust.span}: movement ${trust.digits === 1 ? "about " : ""}${short(+trust.movement.toPrecision(trust.digits))}, strain ${short(+trust.strain.toPrecision(2))}`;
    }
    $("why").textContent = unstable ? why(now) : "";
    $("horizon-word").textContent = $("plane-horizon").textContent = state.steps.toLocaleString("en");
    const reached = first === null && unstable ? "never at the target" : `${counted(first)} step${first === 1 ? "" : "s"} to the target${staying(now.reached, ", ")}`;
    if (heard) say(`${LABELS[state.method]}: ${reached}, loss after ${state.steps} steps ${$("loss-share").textContent}`);
  }

  function setRange(id, value) {
    const input = $(id);
    if (document.activeElement !== input || Math.abs(input.valueAsNumber - value) > Number(input.step)) input.value = value;
  }

  function setNumber(id, value, always) {
    const nines = value < 1 ? Math.floor(-Math.log10(1 - value)) : 0;
    if (always || document.activeElement !== $(id)) $(id).value = +value.toPrecision(nines + (innerWidth > 760 ? 6 : 3));
  }

  const PRESETS = {
    critical() {
      const eta = 0.25 / LARGEST, l = nodes[HEAVIEST];
      update({ method: "heavy_ball", eta, beta: (1 - Math.sqrt(eta * l)) ** 2, mode: HEAVIEST },
        onAllRows("Just enough memory: the mode that carries most of the loss falls as fast as it can without overshooting. Its two roots meet."));
    },
    ripples() {
      const eta = 0.25 / LARGEST, critical = (1 - Math.sqrt(eta * nodes[HEAVIEST])) ** 2;
      update({ method: "heavy_ball", eta, beta: critical < 0.96 ? 0.97 : 1 - (1 - critical) / 8, mode: HEAVIEST },
        onAllRows("Too much memory: the mode overshoots and swings back, again and again. The rate is that of the circle √β."));
    },
    edge() {
      update({ method: "gradient_descent", eta: 1.98 / LARGEST, mode: K - 1 },
        onAllRows("Just below the limit 2/λₘₐₓ, the steepest mode jumps from side to side and hardly shrinks."));
    },
    table() {
      const name = state.method === "nesterov_varying" ? "nesterov" : state.method;
      const point = page.points.find((p) => p.rule === "paper" && p.method === name);
      update({ method: name, eta: point.eta, ...(name === "gradient_descent" ? {} : { beta: point.beta }) },
        onAllRows(`Table 1 for ${LABELS[name]}: chosen from the two ends of the spectrum alone, safe for every mode between them.`));
    },
  };

  /* Where the slider of the batch stands for so many rows. */
  function position(batch) {
    return 1000 * Math.log(batch) / Math.log(Math.max(2, ROWS));
  }

  function connect() {
    for (const input of document.querySelectorAll("input[name=method]")) input.addEventListener("change", () => update(switched(input.value)));
    for (const input of document.querySelectorAll("input[name=colour]")) input.addEventListener("change", () => update({ colour: input.value }, null));
    for (const input of document.querySelectorAll("input[name=zoom]")) input.addEventListener("change", () => update({ zoom: input.value }, null));
    const slide = (id, change, keep) => $(id).addEventListener("input", () => update(change($(id).valueAsNumber), keep));
    slide("eta", (v) => ({ eta: 10 ** v / LARGEST }));
    slide("beta", (v) => ({ beta: clamp("beta", 1 - 10 ** -v) }));
    slide("friction", (v) => ({ friction: v }));
    slide("steps", (v) => ({ steps: clamp("steps", Math.round(10 ** v)) }), null);
    if (MODES) {
      const rows = (v) => clamp("batch", Math.round(ROWS ** (v / 1000)));
      slide("batch", (v) => ({ batch: rows(v) }));
      // A step of the slider may be less than a row, and the slider would stand where it was.
      $("batch").addEventListener("keydown", (event) => {
        const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const next = rows($("batch").valueAsNumber + way);
        update({ batch: way * (next - state.batch) > 0 ? next : clamp("batch", state.batch + way) });
        $("batch").value = position(state.batch);
      });
    }
    slide("mode", (v) => ({ mode: v }), null);
    slide("at", (v) => ({ at: v }), null);
    slide("eta-top", (v) => ({ eta: 10 ** v / LARGEST }));
    slide("beta-top", (v) => ({ beta: clamp("beta", 1 - 10 ** -v) }));
    for (const key of ["eta", "beta", "friction", ...(MODES ? ["batch"] : [])]) {
      $(`${key}-number`).addEventListener("change", () => {
        const given = $(`${key}-number`).valueAsNumber, value = key === "batch" ? Math.round(given) : given;
        if (key === "eta" && value <= 0) {
          update({}, `${given} is no step size: it has to be above 0, so ${short(state.eta)} stays.`);
        } else if (Number.isFinite(value)) {
          const taken = clamp(key, value);
          update({ [key]: taken }, taken === value ? "" : `${given} is out of range; the nearest that is not was taken.`);
        }
        setNumber(`${key}-number`, state[key], true);
      });
    }
    for (const button of document.querySelectorAll("[data-preset]")) button.addEventListener("click", () => PRESETS[button.dataset.preset]());
    for (const button of document.querySelectorAll("[data-run]")) button.addEventListener("click", () => {
      const run = page.runs.find((one) => one.method === button.dataset.run);
      if (page.batch) update({ batch: page.batch });
      plane.goTo(page.points.find((p) => p.method === run.method && p.rule === run.rule));
    });
    document.addEventListener("input", () => { heard = true; });
    $("copy").addEventListener("click", async () => {
      history.replaceState(null, "", address());
      try {
        await navigator.clipboard.writeText(location.href);
        $("copy").textContent = "Copied";
      } catch {
        $("copy").textContent = "The link is in the address bar";
      }
      setTimeout(() => { $("copy").textContent = "Copy a link to this view"; }, 2500);
    });
    document.querySelector("form.controls").addEventListener("submit", (event) => event.preventDefault());
    $("best-step").addEventListener("click", () => {
      const now = Math.max(1, Math.min(state.at, state.steps)), m = explorer.current(), long = limitOf(m);
      // Momentum that climbs is far from 1 after few steps: what it grows by later does not count yet.
      // A step at a time, without a closed form, fewer can be tried than there may be valleys.
      const slow = noise() || m.friction !== null, wanted = Math.max(240, 10 * now);
      const cells = slow ? Math.min(wanted, Math.max(240, Math.round(1e8 / (now * K)))) : wanted;
      const eta = numerics.bestStep(m, m.friction === null ? long : numerics.stabilityLimit(m) / LARGEST, (one) => explorer.expected(one, [now])[0], cells, slow ? 6 : 400);
      const kind = `${eta < long ? "stable " : ""}step sizes`, which = cells < wanted ? `Of the ${cells.toLocaleString("en")} ${kind} that were tried, the one`
        : eta < long ? `Of the ${kind}, the one` : "The step size";
      const where = noise() ? ` on batches of ${plural(state.batch, "row")}` : page.batch ? " on all rows" : "";
      update({ eta, at: now, thread: 0 }, `${which} that leaves least of the ${noise() ? "expected " : ""}loss after ${plural(now, "step")}${where}${{ heavy_ball: " at this momentum", nesterov: " at this momentum" }[m.name] ?? ""}.`);
    });
    $("play").addEventListener("click", play);
  }

  /* Walk through the steps, in about six seconds, until the end or another press. */
  let playing = 0;
  function play() {
    const running = playing;
    clearInterval(playing);
    playing = 0;
    $("play").textContent = "Play";
    if (running) return;
    if (state.at >= state.steps) update({ at: 0 }, null);
    $("play").textContent = "Pause";
    playing = setInterval(() => {
      const next = Math.min(state.steps, state.at + Math.max(1, Math.round(state.steps / 80)));
      update({ at: next }, null);
      if (next >= state.steps) play();
    }, 75);
  }

  $("mode").max = K - 1;
  connect();
  explorer.view(renderControls);
  explorer.start();

  /* What the setting that the page opens at is the best in. */
  function found() {
    const { rule, lowest } = page.runs.find((run) => run.method === "heavy_ball"), { margin, steps } = page.race;
    if (rule === "trials" && lowest) return "No real run of this network with heavy ball got to the target; with this setting the loss came lowest.";
    if (rule === "trials") return "Real runs of this network found this setting.";
    const [tried, loss, arrived, last] = rule === "batch" ? ["were tried", "the expected loss on such batches", window.inertial.now.reached.stays !== null, BATCH_STEPS]
      : ["the rule “forecast” tries", "the loss", arrives(window.inertial.now.method), steps];
    return `Of heavy ball’s settings that ${tried}, up to ${percent(margin)} of the stability limit, this one has ${loss} ${arrived ? "stay below the target soonest" : `lowest after ${last.toLocaleString("en")} steps`}.`;
  }
  if (!location.hash) $("lesson").textContent = found();
})();
