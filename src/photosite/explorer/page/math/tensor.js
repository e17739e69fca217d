/** Where a tensor's numbers lie in memory, and where in it a photo's pixel is found. */

/** @typedef {"nchw" | "nhwc"} Layout */

/**
 * How many numbers to go on for the next channel, row and column; the batch axis comes first.
 * @param {Layout} layout @param {number} channels @param {number} height @param {number} width
 */
export function strides(layout, channels, height, width) {
  const n = channels * height * width;
  return layout === "nchw" ? { n, c: height * width, y: width, x: 1 } : { n, c: 1, y: width * channels, x: channels };
}

/**
 * The place of a number, counted from the first of the tensor.
 * @param {{c: number, y: number, x: number}} steps as `strides` gives them
 * @param {number} c @param {number} y @param {number} x
 */
export function offsetOf(steps, c, y, x) {
  return c * steps.c + y * steps.y + x * steps.x;
}

/**
 * The channel, row and column at a place in memory.
 * @param {Layout} layout @param {number} offset @param {number} channels @param {number} height @param {number} width
 * @returns {[number, number, number]}
 */
export function placeOf(layout, offset, channels, height, width) {
  if (layout === "nchw") {
    const inside = offset % (height * width);
    return [Math.floor(offset / (height * width)), Math.floor(inside / width), inside % width];
  }
  const pixel = Math.floor(offset / channels);
  return [offset % channels, Math.floor(pixel / width), pixel % width];
}

/**
 * The input pixel under the center of a photo's pixel; null outside of the crop. Whole numbers, so that no rounding decides.
 * @param {number} x @param {number} y
 * @param {{picture_hw: number[], resized_hw: number[], start_hw: number[], input_hw: number[]}} map sizes of the photo, of
 *   the whole photo resized and of the input, and where in the resized one the input begins
 * @returns {[number, number] | null} row and column
 */
export function inputPixel(x, y, { picture_hw, resized_hw, start_hw, input_hw }) {
  const [row, column] = [y, x].map(
    (at, axis) => Math.floor(((2 * at + 1) * resized_hw[axis]) / (2 * picture_hw[axis])) - start_hw[axis],
  );
  return row >= 0 && row < input_hw[0] && column >= 0 && column < input_hw[1] ? [row, column] : null;
}
