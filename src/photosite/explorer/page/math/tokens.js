/** Tokens of a photo: which read a pixel, and which lies where; and patches as rows. */

/** @typedef {any} TokenMap data and arrays of the question `token-map`, these by their names */

/** @param {TokenMap} map @param {string} name of an array @param {number} token */
export function of(map, name, token) {
  const each = map[name].length / map.count;
  return map[name].subarray(each * token, each * (token + 1));
}

/** The tokens that depend on a pixel of the photo, in order.
 * @param {TokenMap} map @param {number[]} pixel row and column
 */
export function reading(map, pixel) {
  const found = [];
  for (let token = 0; token < map.count; token++) {
    const [tile, , ...place] = of(map, "tokens", token);
    const sees = (/** @type {number} */ axis) => {
      const at = 2 * (map.lines[tile][axis] + pixel[axis]);
      return place[axis] >= map.readers[at] && place[axis] < map.readers[at + 1];
    };
    if (tile >= 0 && sees(0) && sees(1)) found.push(token);
  }
  return found;
}

/** The token whose cell in a picture of a role, by its number, holds a point of the photo; -1 for none.
 * @param {TokenMap} map @param {number[]} point y and x @param {number} role
 */
export function tokenAt({ cells, tokens, count }, [y, x], role) {
  for (let one = 0, k = 0; one < count; one++, k += 4)
    if (
      tokens[5 * one] >= 0 &&
      tokens[5 * one + 1] === role &&
      y >= cells[k] &&
      x >= cells[k + 1] &&
      y < cells[k + 2] &&
      x < cells[k + 3]
    )
      return one;
  return -1;
}

/** The middle of a token's cell, or so many cells beside it.
 * @param {TokenMap} map @param {number} token @param {number} [down] @param {number} [across]
 */
export function middle(map, token, down = 0, across = 0) {
  const [top, left, bottom, right] = of(map, "cells", token);
  return [(top + bottom) / 2 + down * (bottom - top), (left + right) / 2 + across * (right - left)];
}

/**
 * A patch as a row of the unfolded picture: channel by channel, each row by row.
 * @param {import("./convolution.js").Plane} x @param {number} side @param {number[]} at row and column of the patch
 */
export function rowOf({ height, width, values }, side, [row, column]) {
  return Float64Array.from({ length: 3 * side * side }, (_, k) => {
    const [c, u] = [Math.floor(k / side ** 2), Math.floor(k / side) % side];
    return values[(c * height + row * side + u) * width + column * side + (k % side)];
  });
}
