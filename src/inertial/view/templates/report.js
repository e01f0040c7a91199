/* The report: every figure is drawn from the stored numbers, which its CSV returns. */
(() => {
  const { draw, domainOf, legendOf, live } = charts;
  const page = JSON.parse(document.getElementById("document").textContent);
  const $ = (id) => document.getElementById(id);
  const { labels } = page;
  const STEP = { title: "step" };
  const LOSS = { log: true, title: page.loss ?? "loss ½ Σ (f − y)²" };
  const low = () => (document.documentElement.classList.contains("printing") ? 165 : 230); // four panels on a sheet
  const FLOW_DASHES = ["1.5 3.5", "8 3 1.5 3"];

  function unpack({ float64 }) {
    const bytes = Uint8Array.from(atob(float64), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
  }

  /* What a press on a legend's entry hides: a method, a kind of line or a flow, in every figure. */
  const toggles = {
    hidden: new Set(),
    flip(key) {
      if (!this.hidden.delete(key)) this.hidden.add(key);
      figures();
    },
  };

  /* ---- one panel: methods and seeds over the steps ---- */

  function panelOf(given) {
    const { methods, seeds, steps } = given;
    const size = steps.length;
    const series = Object.fromEntries(Object.entries(given.series).map(([name, values]) => [name, unpack(values)]));
    const flows = given.flows.map((flow) => ({ ...flow, values: unpack(flow.loss), keys: [flow.method, flow.name] }));
    const there = (i) => seeds.map((_, j) => j).filter((j) => given.stored[i][j]);
    const record = (name, i, j) => series[name].subarray((i * seeds.length + j) * size, (i * seeds.length + j + 1) * size);

    /* Mean, lowest and highest over the seeds; a seed without a number leaves none. */
    function overSeeds(rows) {
      const at = (reduce) => steps.map((_, t) => reduce(rows.map((row) => row[t])));
      return {
        y: at((values) => values.reduce((a, b) => a + b, 0) / values.length),
        ...(rows.length > 1 ? { band: [at((values) => Math.min(...values)), at((values) => Math.max(...values))] } : {}),
      };
    }

    function banded(name) {
      return methods.map((method, i) => ({ name: labels[method], colour: method, keys: [method], x: steps, ...overSeeds(there(i).map((j) => record(name, i, j))) }));
    }

    function dashed(name, legend, dash = "5 4") {
      const lines = methods.map((method, i) => {
        const { y } = overSeeds(there(i).map((j) => record(name, i, j)));
        return { name: "", title: `${labels[method]}, ${legend}`, colour: method, keys: [method, legend], x: steps, y, dash, width: 1.5 };
      });
      return [...lines, { name: legend, colour: "soft", keys: [legend], x: [steps[0]], y: [NaN], dash }];
    }

    /* What no gradient method reaches on the linearised network: one region for all methods. */
    function shaded() {
      const rows = methods.flatMap((_, i) => there(i).map((j) => record("bound_loss", i, j))).filter((row) => Number.isFinite(row[0]));
      return rows.length ? [{ ...charts.BOUND, keys: ["bound"], x: steps, y: overSeeds(rows).y }] : [];
    }

    function dotted() {
      const used = {};
      return flows.map((flow) => {
        used[flow.method] = (used[flow.method] ?? -1) + 1;
        const rows = seeds.map((_, j) => flow.values.subarray(j * size, (j + 1) * size));
        return { name: flow.label, colour: flow.method, keys: flow.keys, x: steps, y: overSeeds(rows).y, dash: FLOW_DASHES[used[flow.method] % 2], width: 2 };
      });
    }

    /* One row per method, seed and step; a flow has numbers in the rows of its method. */
    function table(names, withFlows = []) {
      const rows = [];
      methods.forEach((method, i) => there(i).forEach((j) => {
        const values = [
          ...names.map((name) => record(name, i, j)),
          ...withFlows.map((flow) => (flow.method === method ? flow.values.subarray(j * size, (j + 1) * size) : [])),
        ];
        steps.forEach((step, t) => rows.push([method, seeds[j], step, ...values.map((row) => row[t])]));
      }));
      return { columns: ["optimizer", "seed", "step", ...names, ...withFlows.map((flow) => flow.name)], rows };
    }

    const have = (...names) => names.filter((name) => series[name]);
    const first = series.loss ? Math.max(...methods.flatMap((_, i) => there(i).map((j) => record("loss", i, j)[0]))) : 0;
    const some = (name, make) => (series[name] ? make() : []);
    const largest = (name) => (series[name] ?? []).reduce((most, value) => (Number.isFinite(value) && value > most ? value : most), 0);
    const kernel = given.kernel && { ...panelOf({ ...given.kernel, kernel: null }), least: given.kernel.least };
    return { ...given, series, flows, methods, steps, kernel, have, banded, dashed, dotted, shaded, table, largest, first, some };
  }

  /* The figures that every panel has; `file` names what they are saved as. */
  function figuresOf(panel) {
    const { have, banded, dashed, dotted, shaded, table, largest, first, some } = panel;
    // Forecasts and flows go up to ten times what was measured, so that the runs stay apart.
    const ceiling = (name) => Math.min(1e6 * first, 10 * largest(name));
    return {
      convergence: {
        label: "Loss against step, measured and forecast", x: STEP, y: LOSS, floor: 1e-12, ceiling: ceiling("loss"),
        series: [...banded("loss"), ...some("forecast_loss", () => dashed("forecast_loss", "forecast")), ...some("bound_loss", shaded), ...dotted()],
        table: () => table(have("loss", "forecast_loss", "bound_loss"), panel.flows),
      },
      test: {
        label: "Loss on the test rows against step, measured and forecast", x: STEP, y: { log: true, title: "loss on the test rows" }, ceiling: ceiling("test_loss"),
        series: some("test_loss", () => [...banded("test_loss"), ...some("forecast_test_loss", () => dashed("forecast_test_loss", "forecast"))]),
        table: () => table(have("test_loss", "forecast_test_loss", "gcv")),
      },
      accuracy: {
        label: "Share of test rows classified right, measured and forecast", x: STEP, y: { title: "share of test rows right" },
        series: some("test_accuracy", () => [...banded("test_accuracy"), ...some("forecast_test_accuracy", () => dashed("forecast_test_accuracy", "forecast"))]),
        table: () => table(have("test_accuracy", "forecast_test_accuracy")),
      },
      distance: {
        label: "Distance of the neurons from their start", x: STEP, y: { title: "distance |w − w₀|" },
        series: [...some("max_distance", () => banded("max_distance")), ...some("mean_distance", () => dashed("mean_distance", "mean distance", "2 3"))],
        table: () => table(have("max_distance", "mean_distance")),
      },
      pattern: {
        label: "Share of changed activation patterns", x: STEP, y: { title: "share of changed patterns" },
        series: some("pattern_change", () => banded("pattern_change")), table: () => table(have("pattern_change")),
      },
      movement: {
        label: "Distance of the parameters from their start", x: STEP, y: { title: "distance |w − w₀|" }, ceiling: 1.5 * largest("distance"),
        series: some("distance", () => [...banded("distance"), ...some("forecast_distance", () => dashed("forecast_distance", "forecast"))]),
        table: () => table(have("distance", "forecast_distance")),
      },
      ...(panel.kernel ? (panel.kernel.series.kernel_drift ? lookFigures : kernelFigures)(panel.kernel) : {}),
    };
  }

  /* The kernel of a model at the looks at it. */
  function lookFigures(kernel) {
    const ends = [kernel.steps[0], kernel.steps[kernel.steps.length - 1]];
    const table = () => kernel.table(["kernel_drift", "sharpness", "share_of_limit"]);
    return {
      drift: { label: "Change of the kernel along the run", x: STEP, y: { title: "change of the kernel" }, series: kernel.banded("kernel_drift"), table },
      sharpness: {
        label: "Step size times sharpness, as a share of the limit", x: STEP, y: { title: "share of the stability limit" }, table,
        series: [...kernel.banded("share_of_limit").filter((one) => one.y.some(Number.isFinite)), { name: "limit", colour: "ink", keys: ["limit"], x: ends, y: [1, 1], dash: "2 4", width: 1.6 }],
      },
    };
  }

  /* The network's own kernel, where it was measured. */
  function kernelFigures(kernel) {
    const ends = [kernel.steps[0], kernel.steps[kernel.steps.length - 1]];
    const bound = (share, name) => (kernel.least === null ? [] : [{ name, colour: "ink", keys: [name], x: ends, y: [share, share].map((s) => s * kernel.least), dash: "2 4", width: 1.6 }]);
    const table = () => kernel.table(["drift_spectral", "drift_frobenius", "smallest"]);
    return {
      drift: {
        label: "Drift of the kernel from its start, spectral norm", x: STEP, y: { log: true, title: "|Hₜ − H₀|" }, table,
        series: [...kernel.banded("drift_spectral"), ...bound(0.25, "λ₀/4")],
      },
      smallest: {
        label: "Smallest eigenvalue of the kernel along the run", x: STEP, y: { log: true, title: "smallest eigenvalue of Hₜ" }, table,
        series: [...kernel.banded("smallest"), ...bound(0.5, "λ₀/2")],
      },
    };
  }

  const panels = page.panels.map(panelOf);
  const groups = [...new Set(panels.map((panel) => panel.group))];
  const single = page.panels.length === 1 && panels[0].id === "";

  function add(id, spec) {
    if ($(id)) draw($(id), { file: id, toggles, ...spec });
  }

  function drawRun(panel) {
    for (const [name, spec] of Object.entries(figuresOf(panel))) add(name, spec);
    panel.others.forEach(({ name, title }, i) => add(`other-${i}`, {
      label: title, x: STEP, y: { title: name.replaceAll("_", " ") }, series: panel.banded(name), table: () => panel.table([name]), file: name.replace(/[^\w-]/g, "-"),
    }));
  }

  /* ---- the spectrum ---- */

  function spectrum({ id, file, ...packed }, options) {
    const eigenvalues = unpack(packed.eigenvalue), weights = unpack(packed.weight);
    const rank = Array.from(eigenvalues, (_, i) => i + 1);
    const falling = Array.from(eigenvalues).reverse();
    let sum = 0;
    const total = weights.reduce((a, b) => a + b, 0);
    const share = Array.from(weights).reverse().map((w) => (sum += w) / total);
    const domain = [0.9, rank.length * 1.1];
    add(`${id}spectrum`, {
      ...options, plain: true, file: `${file}spectrum`, table: () => ({ columns: ["rank", "eigenvalue"], rows: rank.map((k, i) => [k, falling[i]]) }),
      label: "Eigenvalues of the kernel, largest first", x: { title: "rank", log: true, domain }, y: { title: "eigenvalue", log: true },
      series: [{ name: "", colour: "ink", x: rank, y: falling, dots: rank.length > 300 ? 1.8 : 2.6 }],
    });
    add(`${id}weight`, {
      ...options, plain: true, file: `${file}weight`, table: () => ({ columns: ["modes", "share", "eigenvalue"], rows: rank.map((k, i) => [k, share[i], falling[i]]) }),
      label: "Share of the initial loss in the largest modes", x: { title: "number of modes", log: true, domain }, y: { title: "share of the initial loss", domain: [0, 1.04] },
      series: [{ name: "", colour: "ink", x: rank, y: share, width: 2.2 }, { name: "", colour: "ink", x: rank, y: share, dots: 2 }],
    });
  }

  /* ---- a study: panels of one data set share their scales and their legend ---- */

  function drawStudy() {
    for (const group of groups) {
      const members = panels.filter((panel) => panel.group === group);
      const specs = members.map(figuresOf);
      const names = new Set(specs.flatMap(Object.keys));
      const legend = legendOf(specs.flatMap((spec) => [...spec.convergence.series, ...spec.distance.series]), toggles);
      $(`g${group}-legend`).replaceChildren(legend);
      for (const name of names) {
        const shown = specs.flatMap((spec) => spec[name]?.series ?? []).filter((one) => !one.keys.some((key) => toggles.hidden.has(key)));
        specs.forEach((spec, i) => {
          if (!spec[name]) return;
          const y = { ...spec[name].y, domain: domainOf(shown, spec[name].y.log, 1e-12, Math.max(...specs.map((one) => one[name]?.ceiling ?? Infinity))) };
          add(`${members[i].id}${name}`, { ...spec[name], y, plain: true, legend, height: low(), file: `${members[i].file}${name}` });
        });
      }
    }
    for (const widths of page.widths) againstWidth(widths);
  }

  function againstWidth({ id, file, rows }) {
    const methods = [...new Set(rows.map((row) => row.method))], widths = [...new Set(rows.map((row) => row.width))];
    const x = { title: "width m", log: true, domain: [widths[0] / 1.15, widths[widths.length - 1] * 1.15], ticks: widths };
    const names = ["max_distance", "pattern_change", "forecast_error"];
    const table = () => ({ columns: ["optimizer", "width", ...names], rows: rows.map((row) => [row.method, row.width, ...names.map((name) => row[name])]) });
    const chart = (place, name, title, extra = []) => {
      const series = methods.flatMap((method) => {
        const own = rows.filter((row) => row.method === method);
        const line = { name: "", word: labels[method], colour: method, keys: [method], x: own.map((row) => row.width), y: own.map((row) => row[name] ?? NaN) };
        return [line, { ...line, dots: 3.2 }];
      });
      add(`${id}${place}`, { label: `${title}, against the width`, x, y: { log: true, title }, series: [...series, ...extra], table, plain: true, height: low(), file: `${file}${place}` });
    };
    const start = rows.find((row) => row.max_distance > 0);
    const slope = start ? [{ name: "", colour: "soft", keys: [], x: widths, y: widths.map((m) => start.max_distance * Math.sqrt(start.width / m)), dash: "5 4", width: 1.4 }] : [];
    chart("distances", "max_distance", "final distance |w − w₀|", slope);
    chart("patterns", "pattern_change", "share of changed patterns");
    chart("errors", "forecast_error", "forecast error");
  }

  /* ---- the audit's filter ---- */

  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") === "false";
      for (const one of document.querySelectorAll("[data-filter]")) one.setAttribute("aria-pressed", String(on && one === button));
      for (const line of document.querySelectorAll("#judged > details")) line.hidden = on && line.dataset.verdict !== button.dataset.filter;
    });
  }

  function figures() {
    if (single) drawRun(panels[0]);
    else drawStudy();
    for (const one of page.spectra) spectrum(one, { height: single ? 300 : low() });
  }

  window.inertial = { page, panels };
  live(figures);
})();
