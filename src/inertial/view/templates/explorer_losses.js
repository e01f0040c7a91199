/* The loss at the setting beside real runs, and the flows behind the method. */
(() => {
  const { draw, short } = charts;
  const { $, page, nodes, weights, MASS, LABELS, state } = explorer;

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
    let low = first, high = first;
    for (const one of series) for (const v of one.y) if (v > 0 && Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    low = Math.max(low, first * 1e-8);
    high = Math.min(high, first * 1e4);
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

  explorer.view(drawLoss);
  explorer.view(drawFlows);
})();
