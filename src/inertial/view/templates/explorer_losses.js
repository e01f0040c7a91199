/* The loss at the setting beside real runs, and the flows behind the method. */
(() => {
  const { draw, short } = charts;
  const { $, page, nodes, weights, MASS, LABELS, ROWS, state, plural } = explorer;

  const RUNS = page.runs.map((run) => {
    const steps = run.loss[0].map((_, t) => t);
    const column = (t) => run.loss.map((row) => (row[t] === null ? NaN : row[t]));
    return {
      ...run, steps,
      mean: steps.map((t) => column(t).reduce((a, b) => a + b, 0) / run.loss.length),
      low: steps.map((t) => Math.min(...column(t))), high: steps.map((t) => Math.max(...column(t))),
      forecast: run.forecast.map((value) => value ?? NaN),
    };
  });

  /* The axis of losses: all that is drawn, from 1e-8 to 1e4 times the first. */
  function lossAxis(series, first) {
    let low = first, high = first;
    for (const one of series) for (const v of one.shade ? [] : one.y) if (v > 0 && Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    low = Math.max(low, first * 1e-8);
    high = Math.min(high, first * 1e4);
    return { log: true, domain: [low / 1.4, high * 2], title: page.loss };
  }

  /* What a chart saves: one line per point. */
  function tableOf(series) {
    const rows = series.flatMap((one) => Array.from(one.x, (x, i) => [one.title || one.name, x, one.y[i], one.band?.[0][i], one.band?.[1][i]]));
    return { columns: ["series", "step", "value", "low", "high"], rows };
  }

  function drawLoss(now) {
    const series = [];
    for (const run of RUNS) {
      const kept = Math.min(run.steps.length, state.steps + 1);
      const cut = (values) => Array.from(values).slice(0, kept);
      series.push({ name: LABELS[run.method], colour: run.method, x: cut(run.steps), y: cut(run.mean), ...(run.loss.length > 1 ? { band: [cut(run.low), cut(run.high)] } : {}) });
      series.push({ name: "", title: `forecast of ${LABELS[run.method]}`, colour: run.method, x: cut(run.steps), y: cut(run.forecast), dash: "5 4", width: 1.4 });
    }
    series.push({ name: "forecast of a run", colour: "soft", x: [0], y: [NaN], dash: "5 4", silent: true });
    const shifted = (values) => Array.from(values, (value) => value + page.offset);
    if (now.spread) {
      // One standard deviation, as a factor in both directions: it may be more than the mean.
      const band = [-1, 1].map((sign) => now.loss.map((value, t) => value * (1 + now.spread[t] / value) ** sign));
      series.push({ name: `expected at your setting, ${LABELS[state.method]}, batches of ${state.batch.toLocaleString("en")}, with its spread`, colour: "ink", x: now.steps, y: now.loss, band, width: 2.6 });
    }
    const words = now.spread ? "the same on all rows" : `${page.offset ? "quadratic model" : "forecast"} at your setting, ${LABELS[state.method]}`;
    series.push({ name: words, colour: "ink", x: now.steps, y: shifted(now.all), ...(now.spread ? { dash: "2 3", width: 1.4 } : { width: 2.6 }) });
    const axis = lossAxis(series, Math.max(...RUNS.map((run) => run.high[0])));
    const bound = page.bound.slice(0, state.steps + 1);
    // Gradients of some rows reach further than those of all.
    if (bound.length && !page.batch && !now.spread) series.unshift({ ...charts.BOUND, title: "no gradient method below", x: bound.map((_, t) => t), y: bound });
    if ($("bound-words")) $("bound-words").hidden = Boolean(now.spread);
    $("spread-words").hidden = !now.spread;
    $("heavy-words").textContent = now.spread ? "the expected loss on batches at your setting; dotted, its forecast on all rows" : "the forecast at your setting, all modes added";
    if (page.proven !== null && page.proven < state.steps) series.push({ name: `forecasts exact up to step ${page.proven}`, colour: "soft", x: [page.proven, page.proven], y: axis.domain, dash: "1 4", width: 1.4, silent: true });
    draw($("loss"), {
      label: "Loss against step: forecast at this setting, and real networks at the tuned settings", series,
      x: { domain: [0, state.steps], title: "step" }, y: axis, file: "loss", table: () => tableOf(series.filter((one) => !one.silent)),
    });
  }

  /* ---- batches: the largest stable step size for each ---- */

  const SIZES = Array.from({ length: 49 }, (_, i) => Math.round(ROWS ** (i / 48))).filter((size, i, all) => size !== all[i - 1]);

  function drawBatches(now) {
    if (!explorer.MODES || ROWS < 2) return;
    const { LARGEST, MODES } = explorer, m = now.method;
    const limits = SIZES.map((size) => LARGEST * numerics.batchLimit(m, MODES, numerics.noiseShare(size, ROWS), 40));
    const low = Math.max(1e-6, Math.min(...limits.filter((v) => v > 0), state.eta * LARGEST)), high = Math.max(...limits, state.eta * LARGEST);
    const domain = [low / 1.5, high * 1.8];
    const [noisy, useful] = page.sizes, at = (size, name, dash) => ({ name, dash, colour: "soft", x: [size, size], y: domain, width: 1.4, silent: true });
    const series = [
      { name: `stability limit, ${LABELS[state.method]}`, colour: state.method, x: SIZES, y: limits, width: 2.4 },
      ...(+noisy.toPrecision(2) > 1 && noisy <= ROWS ? [at(noisy, `noise limits the step below ${short(+noisy.toPrecision(2))}`, "2 4")] : []),
      ...(useful >= Math.max(1, noisy) && useful <= ROWS ? [at(useful, `constant momentum pays nearly in full from ${short(+useful.toPrecision(2))}`, "8 4")] : []),
      { name: "your setting", colour: "ink", x: [state.batch], y: [state.eta * LARGEST], dots: 5 },
    ];
    // Printed, it stands on one sheet with the flows.
    draw($("batches"), {
      label: "Largest stable step size against the batch size", series, x: { title: "rows in a batch", log: true, domain: [0.85, 1.15 * ROWS] },
      y: { title: "largest stable ηλₘₐₓ", log: true, domain }, file: "batches",
      ...(document.documentElement.classList.contains("printing") ? { height: 200 } : {}), table: () => ({ columns: ["batch", "step size", "step size × largest eigenvalue"], rows: SIZES.map((size, i) => [size, limits[i] / LARGEST, limits[i]]) }),
    });
    const gone = now.spread ? `On batches of ${plural(state.batch, "row")} it is at ηλₘₐₓ = ${short(now.limit * LARGEST)}, ${explorer.percent(now.limit * LARGEST / numerics.stabilityLimit(m))} of that for all rows.` : `The batch is all ${plural(ROWS, "row")}${document.documentElement.classList.contains("printing") ? "" : "; move its slider"}.`;
    $("batches-words").textContent = gone;
    $("batches-momentum").textContent = { gradient_descent: "", nesterov_varying: ", at momentum 1, to which yours climbs" }[state.method] ?? ", at your momentum";
  }

  /* Swings of a flow that are shown of one mode, and how far from 0 the figure of one that grows goes. */
  const SWINGS = 8, FARTHEST = 8;

  function drawFlows(now) {
    const m = now.method, flows = numerics.flows(m), l = nodes[state.mode];
    const colours = ["flow", "fine-flow"];
    const { steps } = now;
    const across = (last) => ({ domain: [-0.01 * last, 1.01 * last], title: "step" }); // no dot is cut
    const lines = (perStep, last, values) => {
      // Every whole step is a point, at which it is read out.
      const count = Math.max(perStep, Math.ceil(400 / last)) * last, x = Array.from({ length: count + 1 }, (_, i) => i * last / count);
      return flows.map((flow, i) => ({ name: flow.name, colour: colours[i], x, y: values(flow, x), width: 2.4, ...(i ? { dash: "7 4" } : {}) }));
    };
    // Of a mode as many steps as its flow takes for some swings: more would be drawn over each other.
    const pace = flows[0].mass ? (l - ((flows[0].a ?? 0) / 2) ** 2) * m.eta : 0; // the square of an angle per step
    const last = pace > 0 ? Math.min(state.steps, Math.max(20, Math.round(SWINGS * 2 * Math.PI / Math.sqrt(pace)))) : state.steps;
    const first = steps.slice(0, last + 1), factor = numerics.history(m, l, first);
    const dotted = (count) => (count > 400 ? 1.2 : count > 80 ? 1.8 : 2.6), dots = dotted(steps.length);
    const modes = [...lines(4, last, (flow, x) => x.map((k) => numerics.flowValue(flow, l, numerics.flowTime(flow, m, k)))), { name: LABELS[state.method], colour: "ink", x: first, y: factor, dots: dotted(first.length) }];
    const sizes = modes.flatMap((one) => Array.from(one.y, Math.abs)), most = sizes.reduce((a, b) => (b > a ? b : a), 1);
    const reach = 1.08 * Math.min(most, numerics.radius(m, l) < 1 ? Infinity : FARTHEST);
    draw($("flow-mode"), {
      label: `Mode of eigenvalue ${short(l)}: method and flow`, x: across(last), y: { title: `what is left, λ = ${short(l)}`, domain: [-reach, reach] },
      series: modes, file: "flow-mode", table: () => tableOf(modes),
    });
    const losses = [...lines(1, state.steps, (flow, x) => numerics.flowLoss(flow, m, nodes, weights, x)), { name: LABELS[state.method], colour: "ink", x: steps, y: now.all, dots }];
    draw($("flow-loss"), {
      label: "Loss: method and flow", x: across(state.steps), y: { ...lossAxis(losses, 0.5 * MASS), title: page.offset ? "quadratic model’s loss, above its least" : page.loss },
      series: losses, file: "flow-loss", table: () => tableOf(losses),
    });
    const cut = last < state.steps ? ` The first ${plural(last, "step")} of ${state.steps.toLocaleString("en")}, about ${SWINGS} swings of the line.` : "";
    const beyond = most > reach ? " ▲ and ▼: steps beyond the figure." : "";
    const constant = flows[0].a !== undefined;
    $("flow-limit").textContent = constant ? " and β rises to 1 with it, so that 2(1−β)/((1+β)√η), the friction, stays" : "";
    $("flow-parts").textContent = constant ? ", or the momentum is far from 1" : "";
    $("flow-caption").textContent = ({
      gradient_descent: "For gradient descent that is w′ = −∇L (Bu, Xu and Chen 2021); one step takes time η.",
      nesterov_varying: "Momentum t/(t+d) becomes friction d/t (Bu, Xu and Chen 2021); one step takes time √η.",
    }[state.method] || `One step takes time √η. ${state.method === "heavy_ball" ? "Heavy ball" : "Nesterov"} and its rival share the plain flow; the high-resolution flow (Liu, Tao, Wang and Pan 2022) tells them apart.`) + cut + beyond;
  }

  explorer.view(drawLoss);
  explorer.view(drawBatches);
  explorer.view(drawFlows);
})();
