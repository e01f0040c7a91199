/* The report: every figure is drawn from the stored numbers, which its CSV returns. */
(() => {
  const { draw, live } = charts;
  const page = JSON.parse(document.getElementById("document").textContent);
  const $ = (id) => document.getElementById(id);
  const { methods, labels, seeds, steps } = page;

  function unpack({ float64 }) {
    const bytes = Uint8Array.from(atob(float64), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
  }

  const series = Object.fromEntries(Object.entries(page.series).map(([name, values]) => [name, unpack(values)]));

  function record(name, method, seed) {
    const first = (method * seeds.length + seed) * steps.length;
    return series[name].subarray(first, first + steps.length);
  }

  /* Mean, lowest and highest over the seeds; a seed without a number leaves none. */
  function overSeeds(name, method) {
    const rows = seeds.map((_, seed) => record(name, method, seed));
    const at = (reduce) => steps.map((_, t) => reduce(rows.map((row) => row[t])));
    return {
      mean: at((values) => values.reduce((a, b) => a + b, 0) / values.length),
      band: [at((values) => Math.min(...values)), at((values) => Math.max(...values))],
    };
  }

  function table(names) {
    const rows = [];
    methods.forEach((method, i) => seeds.forEach((seed, j) => {
      const values = names.map((name) => record(name, i, j));
      steps.forEach((step, t) => rows.push([method, seed, step, ...values.map((row) => row[t])]));
    }));
    return { columns: ["method", "seed", "step", ...names], rows };
  }

  function banded(name, extra = {}) {
    return methods.map((method, i) => {
      const { mean, band } = overSeeds(name, i);
      return { name: labels[method], colour: method, x: steps, y: mean, ...(seeds.length > 1 ? { band } : {}), ...extra };
    });
  }

  function dashed(name, legend) {
    return methods.map((method, i) => ({ name: "", colour: method, x: steps, y: overSeeds(name, i).mean, dash: "5 4", width: 1.5 }))
      .concat([{ name: legend, colour: "soft", x: [steps[0]], y: [NaN], dash: "5 4" }]);
  }

  function figures() {
    const drawn = [];
    const add = (id, spec) => { if ($(id)) { draw($(id), { file: id, ...spec }); drawn.push(id); } };
    const top = Math.max(...methods.map((_, i) => Math.max(...seeds.map((_, j) => record("loss", i, j)[0]))));
    const kept = (one) => ({ ...one, y: one.y.map((v) => (v <= 1e6 * top ? v : NaN)) });
    add("convergence", {
      label: "Loss against step, measured and forecast", x: { title: "step" }, y: { log: true, title: "loss ½ Σ (f − y)²" },
      series: [...banded("loss").map(kept), ...(series.forecast_loss ? dashed("forecast_loss", "forecast").map(kept) : [])],
      table: () => table(["loss", "forecast_loss"].filter((name) => series[name])), floor: 1e-12,
    });
    if (page.spectrum) spectrum(add);
    const distances = ["max_distance", "mean_distance"].filter((name) => series[name]);
    add("distance", {
      label: "Distance of the neurons from their start", x: { title: "step" }, y: { title: "distance |w − w₀|" },
      series: [...(series.max_distance ? banded("max_distance") : []), ...(series.mean_distance ? dashed("mean_distance", "mean") : [])],
      table: () => table(distances),
    });
    add("pattern", {
      label: "Share of changed activation patterns", x: { title: "step" }, y: { title: "share of changed patterns" },
      series: series.pattern_change ? banded("pattern_change") : [], table: () => table(["pattern_change"]),
    });
    page.others.forEach(({ name, title }, i) => add(`other-${i}`, {
      label: title, x: { title: "step" }, y: { title: name }, series: banded(name), table: () => table([name]), file: name.replace(/[^\w-]/g, "-"),
    }));
    return drawn;
  }

  const eigenvalues = page.spectrum && unpack(page.spectrum.eigenvalue);
  const weights = page.spectrum && unpack(page.spectrum.weight);

  function spectrum(add) {
    const rank = Array.from(eigenvalues, (_, i) => i + 1);
    const falling = Array.from(eigenvalues).reverse();
    let sum = 0;
    const total = weights.reduce((a, b) => a + b, 0);
    const share = Array.from(weights).reverse().map((w) => (sum += w) / total);
    const numbers = () => ({ columns: ["mode", "eigenvalue", "weight"], rows: Array.from(eigenvalues, (l, i) => [i, l, weights[i]]) });
    const plain = { height: 300, plain: true, table: numbers };
    add("spectrum", {
      ...plain, label: "Eigenvalues of the kernel, largest first", x: { title: "rank", log: true, domain: [0.9, rank.length * 1.1] }, y: { title: "eigenvalue", log: true },
      series: [{ name: "", colour: "ink", x: rank, y: falling, dots: rank.length > 300 ? 1.8 : 2.6 }],
    });
    add("weight", {
      ...plain, label: "Share of the initial loss in the largest modes", x: { title: "number of modes", log: true, domain: [0.9, rank.length * 1.1] }, y: { title: "share of the initial loss", domain: [0, 1.04] },
      series: [{ name: "", colour: "ink", x: rank, y: share, width: 2.2 }, { name: "", colour: "ink", x: rank, y: share, dots: 2 }],
    });
  }

  window.inertial = { page, series };
  live(figures);
})();
