/** Colors of one pixel, as photosite.color computes them: the same formulas, the same order of operations. */

/** @typedef {[number, number, number]} Triple */

const KNEE = 6 / 29;

/**
 * XYZ = RGB_TO_XYZ · RGB. It follows from sRGB's primaries and D65, as photosite/color/xyz.py derives it.
 * @type {Triple[]}
 */
const RGB_TO_XYZ = (() => {
  const directions = [
    [0.64, 0.33],
    [0.3, 0.6],
    [0.15, 0.06],
  ].map(([x, y]) => [x / y, 1, (1 - x - y) / y]);
  const white = whiteXyz();
  const lengths = solve(directions, white);
  return /** @type {Triple[]} */ ([0, 1, 2].map((row) => [0, 1, 2].map((c) => directions[c][row] * lengths[c])));
})();

/** @returns {Triple} */
function whiteXyz() {
  const [x, y] = [0.3127, 0.329];
  return [x / y, 1, (1 - x - y) / y];
}

/**
 * How much of each of three columns makes a vector, by Cramer's rule.
 * @param {number[][]} columns @param {number[]} wanted
 */
function solve(columns, wanted) {
  /** @param {number[]} a @param {number[]} b @param {number[]} c */
  const volume = (a, b, c) =>
    a[0] * (b[1] * c[2] - b[2] * c[1]) - b[0] * (a[1] * c[2] - a[2] * c[1]) + c[0] * (a[1] * b[2] - a[2] * b[1]);
  const [a, b, c] = columns;
  const whole = volume(a, b, c);
  return [volume(wanted, b, c) / whole, volume(a, wanted, c) / whole, volume(a, b, wanted) / whole];
}

/**
 * Linear light of one sRGB number.
 * @param {number} encoded 0 … 1
 */
export function linear(encoded) {
  return encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
}

/** @param {Triple} levels 0 … 255 @returns {Triple} */
export function levelsToLinear([r, g, b]) {
  return [linear(r / 255), linear(g / 255), linear(b / 255)];
}

/**
 * Hue in degrees, 0 for gray; saturation and value 0 … 1.
 * @param {Triple} levels 0 … 255 @returns {Triple}
 */
export function levelsToHsv(levels) {
  const [r, g, b] = levels.map((level) => level / 255);
  const value = Math.max(r, g, b);
  const spread = value - Math.min(r, g, b);
  if (spread === 0) return [0, 0, value];
  const sixths = value === r ? (g - b) / spread : value === g ? (b - r) / spread + 2 : (r - g) / spread + 4;
  return [(60 * sixths + 360) % 360, spread / value, value];
}

/**
 * Luma and two color differences, full range 0 … 1, gray at 0.5.
 * @param {Triple} levels 0 … 255 @returns {Triple}
 */
export function levelsToYcbcr(levels) {
  const [r, g, b] = levels.map((level) => level / 255);
  const luma = g + 0.299 * (r - g) + 0.114 * (b - g);
  return [luma, (b - luma) / 1.772 + 0.5, (r - luma) / 1.402 + 0.5];
}

/**
 * Luma as a level, half to even.
 * @param {number} r @param {number} g @param {number} b levels
 */
export function lumaLevel(r, g, b) {
  const red = r / 255,
    green = g / 255,
    blue = b / 255;
  return roundEven((green + 0.299 * (red - green) + 0.114 * (blue - green)) * 255);
}

/** @param {number} x */
export function roundEven(x) {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/**
 * L*, a*, b* against D65.
 * @param {Triple} levels 0 … 255 @returns {Triple}
 */
export function levelsToLab(levels) {
  const light = levelsToLinear(levels);
  const white = whiteXyz();
  const [x, y, z] = RGB_TO_XYZ.map((row, axis) => {
    const ratio = (row[0] * light[0] + row[1] * light[1] + row[2] * light[2]) / white[axis];
    return ratio > KNEE ** 3 ? Math.cbrt(ratio) : ratio / (3 * KNEE ** 2) + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/**
 * Which color a photosite measures: 0 red, 1 green, 2 blue.
 * @param {string} pattern such as RGGB, two rows of two @param {number} x @param {number} y
 */
export function photositeColor(pattern, x, y) {
  return "RGB".indexOf(pattern[(y % 2) * 2 + (x % 2)]);
}
