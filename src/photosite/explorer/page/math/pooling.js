/** Ways to make a map smaller, and how much of what a shift of the input changes is not that shift. */

import { convolve } from "./convolution.js";

/** @typedef {{height: number, width: number, values: Float64Array}} Map2 */
/** @typedef {"max" | "average" | "conv" | "max-blur" | "blur" | "conv-blur"} Way */

export const WAYS = /** @type {const} */ (["max", "average", "conv", "max-blur", "blur", "conv-blur"]);
/** @type {Record<string, {title: string, what: string}>} */
export const TITLES = {
  max: { title: "Max 2 × 2", what: "the largest of four" },
  average: { title: "Average 2 × 2", what: "the mean of four" },
  conv: { title: "Convolution, stride 2", what: "a 3 × 3 kernel at every second place" },
  "max-blur": { title: "Max, then blur", what: "the largest at every place, blurred, then every second" },
  blur: { title: "Blur pool", what: "1 2 1 down and across, at every second place" },
  "conv-blur": { title: "Convolution, then blur", what: "the kernel at every place, blurred, then every second" },
};
/** The binomial kernel that goes before the stride (Zhang 2019). */
export const BLUR = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((one) => one / 16);

/**
 * A map half as high and wide; windows lie within it whole.
 * @param {Map2} x @param {Way} way @param {number[]} kernel 3 × 3, of the convolution @returns {Map2}
 */
export function halved(x, way, kernel) {
  if (way === "max") return largest(x, 2);
  if (way === "average") return slid(x, [0.25, 0.25, 0.25, 0.25], 2, 2);
  if (way === "conv") return slid(x, kernel, 3, 2);
  if (way === "max-blur") return slid(largest(x, 1), BLUR, 3, 2);
  if (way === "conv-blur") return slid(slid(x, kernel, 3, 1), BLUR, 3, 2);
  return slid(x, BLUR, 3, 2);
}

/** @param {Map2} x @param {Way} way @param {number[]} kernel @param {number} times @returns {Map2} */
export function reduced(x, way, kernel, times) {
  let y = x;
  for (let k = 0; k < times; k++) y = halved(y, way, kernel);
  return y;
}

/** @param {Map2} x @param {number} stride the largest of 2 × 2 @returns {Map2} */
function largest({ height, width, values }, stride) {
  const [rows, columns] = [height, width].map((side) => Math.max(0, Math.floor((side - 2) / stride) + 1));
  const found = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = i * stride * width + j * stride;
      found[i * columns + j] = Math.max(values[at], values[at + 1], values[at + width], values[at + width + 1]);
    }
  }
  return { height: rows, width: columns, values: found };
}

/** @param {Map2} x @param {number[]} kernel @param {number} side of it @param {number} stride @returns {Map2} */
function slid(x, kernel, side, stride) {
  return convolve(
    { ...x, channels: 1 },
    { channels: 1, rows: side, columns: side, values: kernel, bias: 0 },
    { stride: [stride, stride], padding: [0, 0], mode: "zero", dilation: [1, 1] },
  );
}

/** @param {Map2} x @param {number} left @param {number} width so many of its columns @returns {Map2} */
export function columnsOf(x, left, width) {
  const values = new Float64Array(x.height * width);
  for (let row = 0; row < x.height; row++) {
    for (let column = 0; column < width; column++)
      values[row * width + column] = x.values[row * x.width + left + column];
  }
  return { height: x.height, width, values };
}

/**
 * Six weights that carry a row to a place between two of its numbers, two before it and three behind, exactly for any
 * polynomial up to the fifth degree (Lagrange).
 * @param {number} share 0 … 1 of the way from one number to the next
 */
export function between(share) {
  const nodes = [-2, -1, 0, 1, 2, 3];
  return nodes.map((one) =>
    nodes.reduce((product, other) => (other === one ? product : (product * (share - other)) / (one - other)), 1),
  );
}

/**
 * What a shift of the input changes in an output: y of the input at 0, z of the input `shift` pixels on, T y the first
 * carried by `shift / factor` places. `error` is z - T y, of the columns from the third one on for which T y is known;
 * `spread` is the standard deviation of y; `change` is the root of the mean of (z - y)², over the standard deviation of y;
 * `unexplained` is the sum of (z - T y)² over that of (z - y)², null where nothing changed.
 * @param {Map2} y may go on beyond z on the right, where T looks @param {Map2} z @param {number} shift @param {number} factor
 */
export function shifted(y, z, shift, factor) {
  const whole = Math.floor(shift / factor);
  const weights = between(shift / factor - whole);
  const last = Math.min(z.width, y.width - whole - 3);
  const width = Math.max(0, last - 2);
  const error = new Float64Array(z.height * width);
  let [changed, left, sum, squares, count] = [0, 0, 0, 0, 0];
  for (let row = 0; row < z.height; row++) {
    for (let column = 2; column < last; column++) {
      let carried = 0;
      for (let k = 0; k < 6; k++) carried += weights[k] * y.values[row * y.width + column + whole + k - 2];
      const [before, after] = [y.values[row * y.width + column], z.values[row * z.width + column]];
      error[row * width + column - 2] = after - carried;
      changed += (after - before) ** 2;
      left += (after - carried) ** 2;
      sum += before;
      squares += before * before;
      count++;
    }
  }
  const spread = Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
  return {
    error: { height: z.height, width, values: error },
    spread,
    change: spread > 0 ? Math.sqrt(changed / count) / spread : null,
    unexplained: changed > 0 ? left / changed : null,
  };
}
