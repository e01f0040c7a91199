"use strict";
/* The recursion of inertial.method, mode by mode, in the same formulas as its Python.
 *
 * A method is {name, eta, beta, gamma, friction}; friction is null for constant coefficients.
 * xi_{t+1} = T xi_t - D xi_{t-1},  T = 1 + beta - (1 + gamma) eta l,  D = beta - gamma eta l.
 */
const numerics = (() => {
  const NEAR_ONE = 0.5;
  const SERIES_UP_TO = 14;

  function method(name, eta, beta, friction) {
    switch (name) {
      case "heavy_ball": return { name, eta, beta, gamma: 0, friction: null };
      case "nesterov": return { name, eta, beta, gamma: beta, friction: null };
      case "nesterov_varying": return { name, eta, beta: 1, gamma: 1, friction };
      default: return { name, eta, beta: 0, gamma: 0, friction: null };
    }
  }

  function companion(m, l) {
    const scaled = m.eta * l;
    return [1 + m.beta - (1 + m.gamma) * scaled, m.beta - m.gamma * scaled];
  }

  /* T^2 - 4 D; the second form keeps the digits where 1 - beta and eta l are small. */
  function discriminantOf(m, l) {
    const [trace, determinant] = companion(m, l), scaled = m.eta * l;
    if (Math.abs(trace) < 1) return trace * trace - 4 * determinant;
    const sum = (1 - m.beta) + (1 + m.gamma) * scaled;
    return sum * sum - 4 * scaled;
  }

  /* Both roots of z^2 - T z + D as [re, im, re, im]. */
  function roots(m, l) {
    const [trace, determinant] = companion(m, l);
    const discriminant = discriminantOf(m, l);
    if (discriminant < 0) {
      const height = Math.sqrt(-discriminant) / 2;
      return [trace / 2, height, trace / 2, -height];
    }
    const offset = Math.sqrt(discriminant);
    return [(trace + offset) / 2, 0, (trace - offset) / 2, 0];
  }

  function radius(m, l) {
    const [trace, determinant] = companion(m, l);
    const discriminant = discriminantOf(m, l);
    if (discriminant < 0) return Math.sqrt(determinant);
    return (Math.abs(trace) + Math.sqrt(discriminant)) / 2;
  }

  function spectralRadius(m, nodes) {
    let largest = 0;
    for (const l of nodes) largest = Math.max(largest, radius(m, l));
    return largest;
  }

  /* Bound on eta * lambda_max below which every mode decays. */
  function stabilityLimit(m) {
    return 2 * (1 + m.beta) / (1 + 2 * m.gamma);
  }

  /* xi_t / xi_0 at one step, directly (constant coefficients, start zero). */
  function amplification(m, l, t) {
    if (t === 0) return 1;
    const [trace, determinant] = companion(m, l);
    const size = Math.abs(trace);
    const sign = trace < 0 ? -1 : 1;
    let scale, here, before;
    const discriminant = discriminantOf(m, l);
    if (discriminant < 0) {
      const height = Math.sqrt(-discriminant);
      const angle = Math.atan2(height, size);
      scale = Math.sqrt(determinant);
      const sine = height / (2 * scale);
      here = Math.sin((t + 1) * angle) / sine;
      before = Math.sin(t * angle) / sine;
    } else {
      const offset = Math.sqrt(discriminant);
      scale = (size + offset) / 2;
      const gap = scale > 0 ? offset / scale : 1;
      const ratio = scale > 0 ? determinant / (scale * scale) : 0;
      const close = ratio > NEAR_ONE;
      const logarithm = close ? Math.log1p(-gap) : 0;
      const sum = (terms) => {
        if (close && gap === 0) return terms;
        return (close ? -Math.expm1(terms * logarithm) : 1 - Math.pow(ratio, terms)) / gap;
      };
      here = sum(t + 1);
      before = sum(t);
    }
    const grown = (t % 2 ? sign : 1) * Math.pow(scale, t - 1);
    return grown * (scale * here - sign * m.beta * before);
  }

  /* Factors of one eigenvalue at ascending steps. */
  function history(m, l, steps) {
    if (m.friction === null) return Float64Array.from(steps, (t) => amplification(m, l, t));
    const out = new Float64Array(steps.length);
    let value = 1, step = 0, gradient = 0, next = 0;
    for (let t = 0; next < steps.length; t++) {
      while (next < steps.length && steps[next] === t) out[next++] = value;
      const weight = t / (t + m.friction);
      const previous = gradient;
      gradient = m.eta * l * value;
      step = m.beta * weight * step - gradient - m.gamma * weight * (gradient - previous);
      value += step;
      if (!Number.isFinite(value)) { out.fill(Infinity, next); break; }
    }
    return out;
  }

  /* 1/2 sum_k weights_k a_t(l_k)^2 at ascending steps. */
  function forecast(m, nodes, weights, steps) {
    const loss = new Float64Array(steps.length);
    for (let k = 0; k < nodes.length; k++) {
      const factor = history(m, nodes[k], steps);
      for (let i = 0; i < loss.length; i++) loss[i] += 0.5 * weights[k] * factor[i] * factor[i];
    }
    return loss;
  }

  /* Watches a loss, step by step: `first` at or below the level, `since` when it is there now, the step
     from which it `stays`, for a quarter as many more, five at least, and the one at which it `leaves` before
     twice as many, or twenty more: inertial.runs.trials.Trial.  `open`: whether that is to be seen yet. */
  function watch(level) {
    const seen = { first: null, since: null, stays: null, leaves: null };
    const ends = () => seen.stays + Math.max(20, seen.stays);
    seen.look = (t, loss) => {
      if (!(loss <= level)) {
        seen.since = null;
        if (seen.stays !== null && t <= ends()) seen.leaves ??= t;
        return;
      }
      seen.first ??= t;
      seen.since ??= t;
      if (t - seen.since >= Math.max(5, Math.ceil(seen.since / 4))) seen.stays ??= seen.since;
    };
    seen.open = (t, limit) => (seen.stays === null ? t <= limit || seen.since !== null : seen.leaves === null && t <= ends());
    return seen;
  }

  /* When the forecast loss is at most the share of the first, from where it stays, and till when: null beyond the limit. */
  function settles(m, nodes, weights, share, limit) {
    const n = nodes.length;
    const value = new Float64Array(n).fill(1), step = new Float64Array(n);
    const gradient = new Float64Array(n);
    const first = weights.reduce((sum, w) => sum + w, 0), seen = watch(share * first);
    for (let t = 0; seen.open(t, limit); t++) {
      let loss = 0;
      for (let k = 0; k < n; k++) loss += weights[k] * value[k] * value[k];
      seen.look(t, loss);
      if (!(loss <= 1e12 * first)) break;
      const weight = m.friction === null ? 1 : t / (t + m.friction);
      const beta = m.beta * weight, gamma = m.gamma * weight;
      for (let k = 0; k < n; k++) {
        const previous = gradient[k];
        gradient[k] = m.eta * nodes[k] * value[k];
        step[k] = beta * step[k] - gradient[k] - gamma * (gradient[k] - previous);
        value[k] += step[k];
      }
    }
    return seen;
  }

  /* ---- fresh batches, for modes {nodes, weights, counts}: inertial.method.batch ---- */

  function noiseShare(batch, rows) {
    return rows > 1 ? (rows - batch) / (batch * (rows - 1)) : 0;
  }

  /* What noise adds to the expected loss, its standard deviation, the root mean square of |w_t - w_0|, and
     when that loss is at most the share of the first, and from where it stays: as `settles`. */
  function moments(m, { nodes, weights, counts }, noise, steps, share, limit) {
    const n = nodes.length, [added, spread, moved] = Array.from({ length: 3 }, () => new Float64Array(steps + 1));
    const mean = Float64Array.from(weights, Math.sqrt), before = mean.slice(), start = mean.slice();
    const a = new Float64Array(n), b = new Float64Array(n), c = new Float64Array(n), power = new Float64Array(n);
    const first = weights.reduce((sum, w) => sum + w, 0), seen = watch(share * first);
    let last = 0, lastDrive = 0;
    for (let t = 0; t <= steps || seen.open(t, limit); t++) {
      let squares = 0, deviation = 0, cross = 0, fourth = 0, far = 0;
      for (let k = 0; k < n; k++) {
        const s = mean[k] * mean[k], many = counts[k] * a[k];
        squares += s;
        deviation += many;
        cross += s * a[k];
        fourth += many * a[k];
        if (nodes[k] > 0) far += ((mean[k] - start[k]) ** 2 + many) / nodes[k];
      }
      const total = squares + deviation;
      if (t <= steps) { added[t] = 0.5 * deviation; spread[t] = Math.sqrt(cross + 0.5 * fourth); moved[t] = Math.sqrt(far); }
      seen.look(t, total);
      if (!(total <= 1e200 * first)) {
        for (let i = t; i <= steps; i++) added[i] = spread[i] = moved[i] = Infinity;
        break;
      }
      const weight = m.friction === null ? 1 : t / (t + m.friction), beta = m.beta * weight, gamma = m.gamma * weight;
      for (let k = 0; k < n; k++) {
        const forward = m.eta * nodes[k], back = last * nodes[k];
        const trace = 1 + beta - (1 + gamma) * forward, determinant = beta - gamma * back;
        const b0 = -(1 + gamma) * forward, b1 = gamma * back, old = power[k];
        power[k] = noise * (total - mean[k] * mean[k] / counts[k] - a[k]);
        const shared = b1 * lastDrive * nodes[k] * old, was = a[k];
        a[k] = trace * trace * was - 2 * trace * determinant * b[k] + determinant * determinant * c[k] + b0 * b0 * power[k] + b1 * b1 * old + 2 * trace * shared;
        b[k] = trace * was - determinant * b[k] + shared;
        c[k] = was;
        const here = mean[k];
        mean[k] = trace * here - determinant * before[k];
        before[k] = here;
      }
      lastDrive = -(1 + gamma) * m.eta;
      last = m.eta;
    }
    return { added, spread, moved, reached: seen };
  }

  /* sum_k g_k / (1 + g_k) over all modes: below 1 the expected loss decays. */
  function excess({ beta, gamma }, eta, { nodes, counts }, noise) {
    let sum = 0;
    for (let k = 0; k < nodes.length; k++) {
      const scaled = eta * nodes[k], trace = 1 + beta - (1 + gamma) * scaled, determinant = beta - gamma * scaled;
      const b0 = -(1 + gamma) * scaled, b1 = gamma * scaled, width = scaled * (2 * (1 + beta) - (1 + 2 * gamma) * scaled);
      if (!(width > 0 && determinant < 1)) return Infinity;
      const gain = noise * ((b0 * b0 + b1 * b1) * (1 + determinant) + 2 * b0 * b1 * trace) / ((1 - determinant) * width);
      sum += counts[k] * gain / (1 + gain);
    }
    return sum;
  }

  /* The step size from which the expected loss on batches grows.  For momentum that goes to 1 the gains begin
     at half the noise: where they add up to 1 there, no step is stable. */
  function batchLimit(m, modes, noise, halvings = 50) {
    if (m.beta === 1 && modes.counts.reduce((sum, count) => sum + count, 0) * noise / (2 + noise) > 1 - 1e-9) return 0;
    let low = 0, high = stabilityLimit(m) / modes.nodes[modes.nodes.length - 1];
    for (let i = 0; i < halvings; i++) {
      const middle = (low + high) / 2;
      if (excess(m, middle, modes, noise) < 1) low = middle; else high = middle;
    }
    return low;
  }

  /* Largest |w_t - w_0| over the steps, of all weights: inertial.method.trust. */
  function distance(m, nodes, weights, steps) {
    const n = nodes.length, here = new Float64Array(n), step = new Float64Array(n), drive = new Float64Array(n);
    let most = 0;
    for (let t = 0; t < steps; t++) {
      const weight = m.friction === null ? 1 : t / (t + m.friction), beta = m.beta * weight, gamma = m.gamma * weight;
      let square = 0;
      for (let k = 0; k < n; k++) {
        const old = drive[k];
        drive[k] = m.eta * (1 - nodes[k] * here[k]);
        step[k] = beta * step[k] + drive[k] + gamma * (drive[k] - old);
        here[k] += step[k];
        square += nodes[k] * weights[k] * here[k] * here[k];
      }
      if (!Number.isFinite(square)) return Infinity;
      most = Math.max(most, square);
    }
    return Math.sqrt(most);
  }

  /* A flow: x'' + (a + d/t + b l) x' + c l x = 0 with x'(0) = v l, or of first order, x' = -l x. */
  function flows(m) {
    if (m.name === "gradient_descent") {
      return [{ name: "gradient flow", mass: 0 }];
    }
    if (m.friction !== null) {
      return [{ name: "flow with friction d/t", mass: 1, vanishing: m.friction }];
    }
    const share = (1 - m.beta) / (1 + m.beta);
    const root = share / Math.sqrt(m.eta);
    const s = Math.sqrt(m.eta);
    return [
      { name: "flow with friction", mass: 1, a: 2 * root, b: 0, c: 1, v: 0 },
      {
        name: "high-resolution flow", mass: 1, a: 2 * root, b: m.gamma > 0 ? s : 0,
        c: 1 + share, v: -s * (0.5 + m.gamma),
      },
    ];
  }

  function flowTime(flow, m, step) {
    return step * (flow.mass ? Math.sqrt(m.eta) : m.eta);
  }

  function flowValue(flow, l, t) {
    if (!flow.mass) return Math.exp(-l * t);
    if (flow.vanishing) return hypergeometric((flow.vanishing + 1) / 2, Math.sqrt(l) * t);
    const half = (flow.a + flow.b * l) / 2, stiffness = flow.c * l, velocity = flow.v * l;
    const discriminant = stiffness - half * half;
    const omega = Math.sqrt(Math.abs(discriminant));
    if (discriminant >= 0) {
      const decay = Math.exp(-half * t);
      const quotient = omega > 0 ? Math.sin(omega * t) / omega : t;
      return decay * (Math.cos(omega * t) + (velocity + half) * quotient);
    }
    const slow = Math.exp(-t * stiffness / (half + omega));
    const lost = Math.expm1(-2 * omega * t);
    return slow * (1 + lost / 2 - (velocity + half) * lost / (2 * omega));
  }

  function flowLoss(flow, m, nodes, weights, steps) {
    return Float64Array.from(steps, (step) => {
      const t = flowTime(flow, m, step);
      let loss = 0;
      for (let k = 0; k < nodes.length; k++) loss += 0.5 * weights[k] * flowValue(flow, nodes[k], t) ** 2;
      return loss;
    });
  }

  /* 0F1(; order; -z^2/4): its series near 0, Hankel's expansion of the Bessel function far away. */
  function hypergeometric(order, z) {
    if (z <= SERIES_UP_TO) {
      let term = 1, sum = 1;
      for (let k = 1; k < 200 && Math.abs(term) > 1e-18 * Math.max(1, Math.abs(sum)); k++) {
        term *= -z * z / (4 * k * (order + k - 1));
        sum += term;
      }
      return sum;
    }
    const nu = order - 1;
    let even = 1, odd = 0, term = 1;
    for (let k = 1; k < 60; k++) {
      const next = term * (4 * nu * nu - (2 * k - 1) ** 2) / (8 * k * z);
      if (Math.abs(next) >= Math.abs(term) && k > nu) break;
      term = next;
      const sign = Math.floor(k / 2) % 2 ? -1 : 1;
      if (k % 2) odd += sign * term; else even += sign * term;
      if (Math.abs(term) < 1e-18) break;
    }
    const phase = z - nu * Math.PI / 2 - Math.PI / 4;
    const bessel = Math.sqrt(2 / (Math.PI * z)) * (even * Math.cos(phase) - odd * Math.sin(phase));
    return Math.exp(logGamma(order) + nu * Math.log(2 / z)) * bessel;
  }

  /* Stirling's series after shifting the argument above 10. */
  function logGamma(x) {
    let shift = 0;
    while (x < 10) { shift -= Math.log(x); x += 1; }
    const i = 1 / (x * x);
    const series = (1 / 12 - i * (1 / 360 - i * (1 / 1260 - i * (1 / 1680 - i / 1188)))) / x;
    return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
  }

  /* Merge nodes within bins of equal ratio, each at its weighted mean; the ends stay. */
  function coarsen(nodes, weights, most) {
    if (nodes.length <= most) return [nodes, weights];
    const last = nodes.length - 1, low = Math.log(nodes[0]), high = Math.log(nodes[last]);
    const mass = new Float64Array(most), moment = new Float64Array(most);
    for (let k = 1; k < last; k++) {
      const share = (Math.log(nodes[k]) - low) / (high - low);
      const bin = Math.min(most - 1, Math.floor(share * most));
      mass[bin] += weights[k];
      moment[bin] += weights[k] * nodes[k];
    }
    const kept = [...mass.keys()].filter((bin) => mass[bin] > 0);
    return [
      [nodes[0], ...kept.map((bin) => moment[bin] / mass[bin]), nodes[last]],
      [weights[0], ...kept.map((bin) => mass[bin]), weights[last]],
    ];
  }

  /* How a mode moves in the long run: glides, swings, flips from side to side, or grows; with momentum and
     both roots at 0, which is Nesterov at eta l = 1, it ends in two steps. */
  function regime(m, l) {
    if (radius(m, l) >= 1) return "grows";
    if (m.beta > 0 && companion(m, l).every((one) => Math.abs(one) < 1e-9)) return "ends";
    if (discriminantOf(m, l) < 0) return "swings";
    return companion(m, l)[0] < 0 ? "flips" : "glides";
  }

  /* The regimes of a mode up to `most`, over eta l for gradient descent and else over momentum:
     [{from, to, kind}].  They change where its roots meet and where one comes to -1. */
  function regimes(m, l, most) {
    const scaled = m.eta * l, root = Math.sqrt(scaled), byStep = m.name === "gradient_descent";
    const changes = {
      gradient_descent: [1, 2],
      heavy_ball: [((1 - scaled) / (1 + root)) ** 2, scaled / 2 - 1],
      nesterov: [(1 - scaled) / (1 + root) ** 2, (2 - scaled) / (2 * scaled - 2)],
    }[m.name];
    const ends = [0, ...changes.filter((end) => end > 0 && end < most).sort((a, b) => a - b), most], found = [];
    for (let i = 1; i < ends.length; i++) {
      const from = ends[i - 1], to = ends[i], middle = (from + to) / 2;
      const kind = regime(byStep ? method(m.name, middle / l, 0, null) : method(m.name, m.eta, middle, null), l);
      const last = found[found.length - 1];
      if (last && last.kind === kind) last.to = to; else found.push({ from, to, kind });
    }
    return found;
  }

  /* The step size below a limit at which a method has the lowest loss: golden sections in the lowest
     valleys of a grid.  Of N steps the loss rings with the step size, in up to N valleys of the angle whose
     cosine falls evenly to the limit: `cells` of it, ten a valley at best, and `valleys` of them. */
  function bestStep(m, limit, lossOf, cells, valleys) {
    const golden = (Math.sqrt(5) - 1) / 2, share = (angle) => 0.999 * Math.sin(0.5 * angle) ** 2;
    const left = (angle) => lossOf({ ...m, eta: share(angle) * limit });
    const angles = Array.from({ length: cells }, (_, i) => Math.PI * (i + 1) / cells);
    const losses = angles.map(left), at = (i) => losses[i] ?? Infinity;
    const lowest = losses.map((_, i) => i).filter((i) => at(i) <= at(i - 1) && at(i) <= at(i + 1)).sort((i, j) => losses[i] - losses[j]).slice(0, valleys);
    const found = lowest.map((i) => {
      let low = i ? angles[i - 1] : angles[0] / 100, high = angles[Math.min(cells - 1, i + 1)];
      let one = high - golden * (high - low), other = low + golden * (high - low), [first, second] = [one, other].map(left);
      for (let turn = 0; turn < 32; turn++) {
        if (first <= second) {
          high = other;
          [other, second, one] = [one, first, other - golden * (other - low)];
          first = left(one);
        } else {
          low = one;
          [one, first, other] = [other, second, one + golden * (high - one)];
          second = left(other);
        }
      }
      return (low + high) / 2;
    });
    const reached = found.map(left);
    return share(found[reached.indexOf(Math.min(...reached))]) * limit;
  }

  return {
    method, regime, regimes, bestStep, roots, radius, spectralRadius, stabilityLimit, amplification, history, forecast,
    watch, settles, noiseShare, moments, excess, batchLimit, distance, flows, flowTime, flowValue, flowLoss, hypergeometric, coarsen,
  };
})();
