/** Axes of charts: decades, round numbers, and where a value lies. */

/** @typedef {{low: number, high: number, ticks: number[], at: (value: number) => number}} Axis */

/**
 * By powers of ten; what is not above 0 has no place on it.
 * @param {number[]} values @returns {Axis} `at` gives 0 … 1, NaN where there is no place
 */
export function decades(values) {
  const shown = values.filter((one) => one > 0 && Number.isFinite(one)).map(Math.log10);
  const low = shown.length ? Math.floor(Math.min(...shown) + 1e-9) : 0;
  const high = Math.max(shown.length ? Math.ceil(Math.max(...shown) - 1e-9) : 1, low + 1);
  const step = Math.ceil((high - low) / 6);
  const ticks = [];
  for (let power = Math.ceil(low / step) * step; power <= high; power += step) ticks.push(10 ** power);
  return {
    low: 10 ** low,
    high: 10 ** high,
    ticks,
    at: (value) => (value > 0 && Number.isFinite(value) ? (Math.log10(value) - low) / (high - low) : NaN),
  };
}

/**
 * Evenly, from one number to another, with a few round ones between.
 * @param {number} low @param {number} high @returns {Axis}
 */
export function even(low, high) {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return even(0, 1); // nothing to show
  const span = high > low ? high - low : 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((one) => one * power >= rough) ?? 10) * power;
  const ticks = [];
  const first = Math.ceil(low / step - 1e-9);
  for (let k = 0; k < 8; k++) {
    const tick = (first + k) * step;
    if (tick <= low + span * (1 + 1e-9)) ticks.push(Number(tick.toPrecision(12)));
  }
  return { low, high: low + span, ticks, at: (value) => (value - low) / span };
}

/** @param {number} value a power of ten, as it is written on an axis */
export function powerText(value) {
  const power = Math.round(Math.log10(value));
  if (power >= -2 && power <= 3) return String(Number(value.toPrecision(1)));
  return `10${[...String(power)].map((one) => (one === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(one)])).join("")}`;
}
