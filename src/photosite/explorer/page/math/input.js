/** A patch of a photo as the numbers that a kernel slides over: levels, shares of one, or normalized; gray or in color. */

import { lumaLevel } from "./color.js";

/** @typedef {"levels" | "unit" | "normalized"} Numbers */

/**
 * @param {{height: number, width: number, bytes: ArrayLike<number>}} patch height × width × 3
 * @param {"gray" | "rgb"} channels @param {Numbers} numbers @param {ArrayLike<number>} table 3 × 256, what a level becomes
 * @returns {import("./convolution.js").Plane}
 */
export function inputOf({ height, width, bytes }, channels, numbers, table) {
  const size = height * width;
  const count = channels === "gray" ? 1 : 3;
  const values = new Float64Array(count * size);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < count; c++) {
      const level = count === 1 ? lumaLevel(bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2]) : bytes[3 * i + c];
      values[c * size + i] =
        numbers === "levels"
          ? level
          : numbers === "unit"
            ? level / 255
            : count === 1
              ? meanOf(table, level)
              : table[256 * c + level];
    }
  }
  return { channels: count, height, width, values };
}

/** @param {ArrayLike<number>} table @param {number} level what it becomes in the three channels, on average */
function meanOf(table, level) {
  return (table[level] + table[256 + level] + table[512 + level]) / 3;
}
