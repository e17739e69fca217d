/** Sets of a block, axes, and what curves by depth say: by hand. */

import assert from "node:assert/strict";
import test from "node:test";
import { decades, even, powerText } from "../../../src/photosite/explorer/page/math/axis.js";
import { figure, reachOf, reading, verdict, wordOf } from "../../../src/photosite/explorer/page/math/depth.js";
import {
  indexIn,
  indexUnder,
  layoutOf,
  moved,
  normalize,
  NORMS,
  placeIn,
  setsOf,
} from "../../../src/photosite/explorer/page/math/normalization.js";

const SIZES = [2, 4, 1, 2]; // two pictures, four channels, a row of two

test("which numbers share a mean", () => {
  const found = Object.fromEntries(NORMS.map(({ key }) => [key, [...setsOf(key, SIZES, 2)].join("")]));
  assert.deepEqual(found, {
    batch: "0011223300112233",
    layer: "0000000011111111",
    token: "0101010123232323",
    instance: "0011223344556677",
    group: "0000111122223333",
    rms: "0101010123232323",
  });
  assert.deepEqual(setsOf("group", SIZES, 4), setsOf("instance", SIZES, 1));
  assert.deepEqual(setsOf("group", SIZES, 1), setsOf("layer", SIZES, 1));
});

test("two sets by hand, with their mean and without", () => {
  const { count, mean, variance, square, result } = normalize([1, 3, 10, 30], [0, 0, 1, 1], true);
  assert.deepEqual([[...count], [...mean], [...variance], [...square]], [[2, 2], [2, 20], [1, 100], [5, 500]]);
  assert.deepEqual(
    [...result].map((one) => Number(one.toFixed(4))),
    [-1, 1, -1, 1],
  );
  const [small, large] = normalize([1, 7], [0, 0], false).result;
  assert.deepEqual([small.toFixed(4), large.toFixed(4)], ["0.2000", "1.4000"]);
});

test("each number has one place, under the pointer and in memory", () => {
  const sizes = [2, 3, 4, 5];
  const layout = layoutOf(sizes, 10, 6);
  assert.deepEqual([layout.wide, layout.high], [3 * 50 + 12, 2 * 40 + 6]);
  for (let i = 0; i < 120; i++) {
    const { b, c, y, x } = placeIn(sizes, i);
    assert.equal(indexIn(sizes, { b, c, y, x }), i);
    assert.equal(indexUnder(sizes, layout, c * 56 + x * 10 + 9.5, b * 46 + y * 10 + 0.5), i);
  }
  for (const [left, top] of [
    [-1, 0],
    [53, 5],
    [5, 43],
    [162, 5],
    [5, 86],
  ])
    assert.equal(indexUnder(sizes, layout, left, top), -1, `${left} ${top}`);
});

test("arrows go over gaps and stop at the border", () => {
  const sizes = [2, 3, 4, 5];
  const at = (b, c, y, x) => indexIn(sizes, { b, c, y, x });
  assert.equal(moved(sizes, at(0, 0, 0, 4), 0, 1), at(0, 1, 0, 0));
  assert.equal(moved(sizes, at(0, 1, 3, 2), 1, 0), at(1, 1, 0, 2));
  assert.equal(moved(sizes, at(1, 2, 3, 4), 10, 10), at(1, 2, 3, 4));
  assert.equal(moved(sizes, at(0, 0, 0, 0), -1, -1), 0);
});

test("decades leave out what has no logarithm", () => {
  const axis = decades([0, 0.02, 300, NaN, Infinity, -1]);
  assert.deepEqual([axis.low, axis.high], [0.01, 1000]);
  assert.deepEqual(axis.ticks, [0.01, 0.1, 1, 10, 100, 1000]);
  assert.ok(Math.abs(axis.at(1) - 0.4) < 1e-12);
  for (const none of [0, -1, NaN, Infinity]) assert.ok(Number.isNaN(axis.at(none)));
  assert.ok(decades([1e-120, 1e20]).ticks.length <= 8);
  assert.deepEqual(decades([]).ticks, [1, 10]);
  assert.deepEqual(decades([1, 1]).ticks, [1, 10]);
});

test("even axes have round numbers", () => {
  assert.deepEqual(even(0, 16).ticks, [0, 5, 10, 15]);
  assert.deepEqual(even(-0.1, 0.11).ticks, [-0.1, -0.05, 0, 0.05, 0.1]);
  assert.equal(even(2, 6).at(3), 0.25);
  assert.ok(even(3, 3).ticks.includes(3));
  assert.deepEqual(even(Infinity, -Infinity).ticks, even(0, 1).ticks);
  assert.ok(even(1e20, 1e20).ticks.length <= 8); // where one more is the same number
  assert.deepEqual([1e-12, 0.01, 1, 1000, 1e5].map(powerText), ["10⁻¹²", "0.01", "1", "1000", "10⁵"]);
});

test("a factor of a trillion is not written out", () => {
  assert.deepEqual(
    [1.3050544821569632e19, -2e6, 338000, 0.5, 0, NaN].map((one) => figure(one, 3)),
    ["1.31e+19", "−2.00e+6", "338\u2009000", "0.5", "0", "NaN"],
  );
});

test("what holds and what does not", () => {
  const [shrinks, stays, grows, none] = [0.05, 0.5, 50, NaN].map((one) => wordOf(one, 2));
  assert.deepEqual([shrinks.word, stays.word, grows.word, none.word], ["shrinks", "stays", "grows", "none"]);
  assert.equal(verdict(shrinks, stays), "holds");
  assert.equal(verdict(shrinks, grows), "in part");
  for (const [one, other] of [
    [stays, stays],
    [grows, stays],
    [shrinks, shrinks],
    [none, stays],
    [shrinks, none],
  ])
    assert.equal(verdict(one, other), "does not hold");
  assert.deepEqual(reachOf([1 / 16, 1 / 4, 1]), { share: 1 / 16, each: 1 / 4, word: "shrinks" });
  const { words, why } = reading(shrinks, stays, 2);
  assert.equal(
    words,
    "Back through 2 blocks the gradient becomes × 0.05 (× 0.224 a block) without shortcuts, × 0.5 (× 0.707 a block) with them.",
  );
  assert.equal(why, "it shrinks without shortcuts and comes back with them");
  assert.equal(reading(shrinks, shrinks, 2).why, "with shortcuts it shrinks as well");
  assert.equal(reading(grows, stays, 2).why, "without shortcuts it grows");
});
