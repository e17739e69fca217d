/** Which numbers of a block (B, C, H, W) share their statistics, and what the norm makes of each. */

/** @typedef {"batch" | "layer" | "token" | "instance" | "group" | "rms"} Norm */
/** @typedef {[number, number, number, number]} Sizes of B, C, H, W */

export const EPS = 1e-5;

/** @type {{key: Norm, words: string, over: string, where: string}[]} */
export const NORMS = [
  { key: "batch", words: "batch", over: "B, H, W", where: "a channel of all pictures" },
  { key: "layer", words: "layer", over: "C, H, W", where: "all channels of a picture" },
  { key: "token", words: "layer, of tokens", over: "C", where: "all channels of one place, as in transformers" },
  { key: "instance", words: "instance", over: "H, W", where: "a channel of a picture" },
  { key: "group", words: "group", over: "C/G, H, W", where: "some neighboring channels of a picture" },
  { key: "rms", words: "RMS", over: "C", where: "all channels of one place; the mean is left where it is" },
];

/**
 * The place in the block of a number, by where it lies in memory.
 * @param {Sizes} sizes @param {number} index
 */
export function placeIn([, channels, height, width], index) {
  return {
    b: Math.floor(index / (channels * height * width)),
    c: Math.floor(index / (height * width)) % channels,
    y: Math.floor(index / width) % height,
    x: index % width,
  };
}

/** @param {Sizes} sizes @param {{b: number, c: number, y: number, x: number}} place */
export function indexIn([, channels, height, width], { b, c, y, x }) {
  return ((b * channels + c) * height + y) * width + x;
}

/**
 * The number of the set that each value belongs to; those of one set share a mean.
 * @param {Norm} norm @param {Sizes} sizes @param {number} groups of channels, for a group norm
 */
export function setsOf(norm, sizes, groups) {
  const [batch, channels, height, width] = sizes;
  const [area, each] = [height * width, channels / groups];
  const found = new Int32Array(batch * channels * area);
  for (let i = 0; i < found.length; i++) {
    const place = Math.floor(i / area);
    const [b, c] = [Math.floor(place / channels), place % channels];
    if (norm === "batch") found[i] = c;
    else if (norm === "layer") found[i] = b;
    else if (norm === "instance") found[i] = place;
    else if (norm === "group") found[i] = b * groups + Math.floor(c / each);
    else found[i] = b * area + (i % area); // of tokens, and RMS
  }
  return found;
}

/**
 * Count, mean, variance and mean square of each set, and every value normalized.
 * @param {ArrayLike<number>} values @param {ArrayLike<number>} sets @param {boolean} centered whether the mean is taken away
 */
export function normalize(values, sets, centered) {
  let most = -1;
  for (let i = 0; i < sets.length; i++) most = Math.max(most, sets[i]);
  const [count, mean, variance, square] = [0, 1, 2, 3].map(() => new Float64Array(most + 1));
  for (let i = 0; i < values.length; i++) {
    count[sets[i]]++;
    mean[sets[i]] += values[i];
    square[sets[i]] += values[i] * values[i];
  }
  for (let s = 0; s <= most; s++) {
    mean[s] /= count[s];
    square[s] /= count[s];
  }
  for (let i = 0; i < values.length; i++) variance[sets[i]] += (values[i] - mean[sets[i]]) ** 2;
  for (let s = 0; s <= most; s++) variance[s] /= count[s];
  const result = Float64Array.from(values, (value, i) => {
    const s = sets[i];
    return (value - (centered ? mean[s] : 0)) / Math.sqrt((centered ? variance[s] : square[s]) + EPS);
  });
  return { count, mean, variance, square, result };
}

/**
 * How the block is laid out on a plane: pictures downwards, channels to the right, a gap between any two.
 * @param {Sizes} sizes @param {number} side of a cell @param {number} gap
 */
export function layoutOf([batch, channels, height, width], side, gap) {
  return {
    side,
    gap,
    wide: channels * width * side + (channels - 1) * gap,
    high: batch * height * side + (batch - 1) * gap,
    step: { x: width * side + gap, y: height * side + gap },
  };
}

/**
 * The number under a point; -1 in a gap and outside.
 * @param {Sizes} sizes @param {ReturnType<typeof layoutOf>} layout @param {number} left @param {number} top
 */
export function indexUnder(sizes, { side, step }, left, top) {
  const [batch, channels, height, width] = sizes;
  const [b, c] = [Math.floor(top / step.y), Math.floor(left / step.x)];
  const [y, x] = [Math.floor((top - b * step.y) / side), Math.floor((left - c * step.x) / side)];
  if (b < 0 || c < 0 || b >= batch || c >= channels || y < 0 || x < 0 || y >= height || x >= width) return -1;
  return indexIn(sizes, { b, c, y, x });
}

/**
 * The number so many rows down and columns to the right, over the gaps; it stops at the border.
 * @param {Sizes} sizes @param {number} index @param {number} down @param {number} right
 */
export function moved(sizes, index, down, right) {
  const [batch, channels, height, width] = sizes;
  const { b, c, y, x } = placeIn(sizes, index);
  const row = Math.min(Math.max(b * height + y + down, 0), batch * height - 1);
  const column = Math.min(Math.max(c * width + x + right, 0), channels * width - 1);
  return indexIn(sizes, {
    b: Math.floor(row / height),
    c: Math.floor(column / width),
    y: row % height,
    x: column % width,
  });
}
