/** Numbers as everything of photosite writes them: four digits, a real minus, thin spaces in thousands. */

/**
 * @param {number} value @param {number} [digits] significant ones
 */
export function significant(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return whole(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 1).replace(/-/g, "−");
  const rounded = Number(value.toPrecision(digits));
  return Number.isInteger(rounded) ? whole(rounded) : rounded.toString().replace("-", "−");
}

/** @param {number} value an integer */
export function whole(value) {
  const text = String(Math.abs(value));
  const grouped = text.length > 4 ? text.replace(/\B(?=(\d{3})+$)/g, "\u2009") : text;
  return value < 0 ? `−${grouped}` : grouped;
}

/**
 * With a fixed number of decimals, so that nothing jumps while the pointer moves.
 * @param {number} value @param {number} decimals
 */
export function fixed(value, decimals) {
  const text = value.toFixed(decimals);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** @param {number[]} sizes */
export function shape(sizes) {
  return sizes.map(whole).join(" × ");
}
