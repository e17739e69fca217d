/** A kernel that slides over an array: places, the window under each, products and sums; as photosite.ops.conv has it. */

/**
 * @typedef {object} Kernel
 * @property {number} channels
 * @property {number} rows
 * @property {number} columns
 * @property {number[]} values channels × rows × columns
 * @property {number} bias
 */
/**
 * @typedef {object} Plane an array of several channels
 * @property {number} channels
 * @property {number} height
 * @property {number} width
 * @property {ArrayLike<number>} values channels × height × width
 */
/** @typedef {"zero" | "reflect" | "replicate"} Mode */
/** @typedef {[number, number]} Pair of rows and of columns */
/** @typedef {{stride: Pair, padding: Pair, mode: Mode, dilation: Pair}} Options */
/** @typedef {0 | 1} Way 0 down, along rows; 1 across */

/**
 * How many places a kernel has along a side; below 1 where it does not fit.
 * @param {number} side @param {number} size of the kernel @param {Omit<Options, "mode">} options @param {Way} way
 */
export function places(side, size, { stride, padding, dilation }, way) {
  return Math.floor((side + 2 * padding[way] - dilation[way] * (size - 1) - 1) / stride[way]) + 1;
}

/**
 * Where a number beyond the border comes from; -1 for a zero.
 * @param {number} at @param {number} side @param {Mode} mode
 */
export function source(at, side, mode) {
  if (at >= 0 && at < side) return at;
  if (mode === "zero") return -1;
  if (mode === "replicate") return at < 0 ? 0 : side - 1;
  return side - 1 - Math.abs(side - 1 - Math.abs(at));
}

/**
 * Why a kernel cannot slide over an array, in one line; "" where it can.
 * @param {Plane} input @param {Kernel} kernel @param {Options} options
 */
export function refusal(input, kernel, options) {
  for (const [side, size, way] of /** @type {[number, number, Way][]} */ ([
    [input.height, kernel.rows, 0],
    [input.width, kernel.columns, 1],
  ])) {
    const padding = options.padding[way];
    if (options.mode === "reflect" && padding >= side)
      return `reflect can repeat at most ${side - 1} of this side; padding is ${padding}`;
    if (places(side, size, options, way) < 1) {
      const span = options.dilation[way] * (size - 1) + 1;
      return `the kernel spans ${span} and the padded picture is ${side + 2 * padding} ${way ? "wide" : "high"}: it does not fit`;
    }
  }
  return "";
}

/**
 * What lies under the kernel at one place.
 * @param {Plane} input @param {Kernel} kernel @param {Options} options @param {number} row @param {number} column
 */
export function windowAt(input, kernel, { stride, padding, mode, dilation }, row, column) {
  const size = kernel.rows * kernel.columns;
  const under = new Float64Array(input.channels * size);
  const products = new Float64Array(input.channels * size);
  /** @type {boolean[]} */
  const beyond = new Array(size).fill(false);
  const sums = new Float64Array(input.channels);
  for (let c = 0; c < input.channels; c++) {
    for (let u = 0; u < kernel.rows; u++) {
      for (let v = 0; v < kernel.columns; v++) {
        const y = row * stride[0] + u * dilation[0] - padding[0];
        const x = column * stride[1] + v * dilation[1] - padding[1];
        const from = [source(y, input.height, mode), source(x, input.width, mode)];
        const at = u * kernel.columns + v;
        beyond[at] = y !== from[0] || x !== from[1];
        const place = c * size + at;
        under[place] =
          from[0] < 0 || from[1] < 0 ? 0 : input.values[(c * input.height + from[0]) * input.width + from[1]];
        products[place] = under[place] * kernel.values[place];
        sums[c] += products[place];
      }
    }
  }
  return { under, products, beyond, sums, result: sums.reduce((total, one) => total + one, 0) + kernel.bias };
}

/**
 * The whole output. Rows and columns are looked up once, so that inside no border is asked for.
 * @param {Plane} input @param {Kernel} kernel @param {Options} options
 */
export function convolve(input, kernel, options) {
  const height = Math.max(0, places(input.height, kernel.rows, options, 0));
  const width = Math.max(0, places(input.width, kernel.columns, options, 1));
  const values = new Float64Array(height * width).fill(kernel.bias);
  for (let c = 0; c < input.channels; c++) {
    for (let u = 0; u < kernel.rows; u++) {
      const rows = sources(height, u, input.height, options, 0);
      for (let v = 0; v < kernel.columns; v++) {
        const weight = kernel.values[(c * kernel.rows + u) * kernel.columns + v];
        if (weight === 0) continue;
        const columns = sources(width, v, input.width, options, 1);
        for (let i = 0; i < height; i++) {
          if (rows[i] < 0) continue;
          const start = (c * input.height + rows[i]) * input.width;
          for (let j = 0; j < width; j++) {
            if (columns[j] >= 0) values[i * width + j] += weight * input.values[start + columns[j]];
          }
        }
      }
    }
  }
  return { height, width, values };
}

/** @param {number} count @param {number} tap @param {number} side @param {Options} options @param {Way} way */
function sources(count, tap, side, { stride, padding, mode, dilation }, way) {
  const found = new Int32Array(count);
  const start = tap * dilation[way] - padding[way];
  for (let i = 0; i < count; i++) found[i] = source(i * stride[way] + start, side, mode);
  return found;
}
