/** Tokens and patches by hand. */

import assert from "node:assert/strict";
import test from "node:test";
import { middle, of, reading, rowOf, tokenAt } from "../../../src/photosite/explorer/page/math/tokens.js";

// a photo of 2 × 4 pixels: one tile with two cells of 2 × 2, a newline, and the whole as one more token
const map = {
  count: 4,
  tokens: Int32Array.from([[0, 1, 0, 0, 1], [0, 1, 0, 1, 1], [-1, 1, -1, -1, 3], [1, 0, 0, 0, 0]].flat()),
  cells: Float64Array.from([[0, 0, 2, 2], [0, 2, 2, 4], [0, 0, 0, 0], [0, 0, 2, 4]].flat()),
  lines: [
    [0, 2],
    [6, 8],
  ],
  // rows of the tile, its columns (the second cell reads one pixel more), rows and columns of the whole, which sees three
  readers: Int32Array.from(
    [
      [[0, 1], [0, 1]],
      [[0, 1], [0, 2], [1, 2], [1, 2]],
      [[0, 1], [0, 1]],
      [[0, 1], [0, 1], [0, 1], [0, 0]],
    ].flat(2),
  ),
};

test("a pixel's tokens, those without a place never among them", () => {
  assert.deepEqual([0, 1, 2, 3].map((x) => reading(map, [1, x])), [[0, 3], [0, 1, 3], [1, 3], [1]]);
});

test("the token that holds a point, by role", () => {
  assert.deepEqual(
    [[0, 0], [1.9, 2], [0, 3.9], [0, 4], [-0.1, 0]].map((point) => [tokenAt(map, point, 1), tokenAt(map, point, 0)]),
    [[0, 3], [1, 3], [1, 3], [-1, -1], [-1, -1]],
  );
  assert.deepEqual([middle(map, 0), middle(map, 0, 0, 1), middle(map, 1, -1, 0)], [[1, 1], [1, 3], [-1, 3]]);
  assert.equal(tokenAt(map, middle(map, 0, 0, 1), 1), 1);
  assert.deepEqual([...of(map, "cells", 1)], [0, 2, 2, 4]);
});

test("a patch as a row: channel by channel, each row by row", () => {
  const x = { channels: 3, height: 4, width: 6, values: Array.from({ length: 72 }, (_, k) => k) };
  const at = (c, y, column) => c * 24 + y * 6 + column;
  const wanted = [0, 1, 2].flatMap((c) => [at(c, 2, 4), at(c, 2, 5), at(c, 3, 4), at(c, 3, 5)]);
  assert.deepEqual([...rowOf(x, 2, [1, 2])], wanted);
});
