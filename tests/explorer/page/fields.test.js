/** Receptive fields by hand, stacks with their published sizes, and what must always hold. */

import assert from "node:assert/strict";
import test from "node:test";
import {
  centerOf,
  layersText,
  misfit,
  paddingShare,
  parseLayers,
  pixelsSeen,
  placeNear,
  reaches,
} from "../../../src/photosite/explorer/page/math/fields.js";
import { STACKS } from "../../../src/photosite/explorer/page/math/stacks.js";

const stack = (text) => parseLayers(text) ?? assert.fail(text);

test("two layers by hand", () => {
  const layers = stack("c3.2.1.1;m2.2.0.1");
  // places 0 … 3 see pixels -1 … 1, 1 … 3, 3 … 5, 5 … 7; the pool's see two of them
  assert.deepEqual(reaches(layers, 8).slice(1), [
    { size: 3, jump: 2, start: -1, places: 4 },
    { size: 5, jump: 4, start: -1, places: 2 },
  ]);
  const found = reaches(layers, 8);
  assert.deepEqual([...pixelsSeen(layers, found, 2, 0)], [1, 1, 1, 1, 0, 0, 0, 0]);
  assert.equal(centerOf(found[2], 0), 1.5);
  assert.equal(paddingShare(layers, found, 2, 0, 1), 1 - (4 * 5) / 25);
  assert.deepEqual([placeNear(found[2], 1), placeNear(found[2], 7), placeNear(found[2], -50)], [0, 1, 0]);
});

test("gaps behind dilation, and padding of an inner layer is nothing", () => {
  const apart = stack("c3.1.0.2");
  assert.deepEqual([...pixelsSeen(apart, reaches(apart, 6), 1, 1)], [0, 1, 0, 1, 0, 1]);
  const padded = stack("c1.2.0.1;c3.1.1.1"); // of places -1, 0, 1 the first one is padding
  assert.deepEqual([...pixelsSeen(padded, reaches(padded, 4), 2, 0)], [1, 0, 1, 0]);
  assert.equal(paddingShare(padded, reaches(padded, 4), 2, 0, 0), 1 - 9 / 25);
});

test("published sizes", () => {
  const sizes = STACKS.map((one) => [one.key, reaches(one.layers, 224).at(-1)?.size, misfit(one.layers, 224)]);
  assert.deepEqual(sizes, [
    ["vgg16", 212, ""],
    ["resnet50", 427, ""],
    ["resnet50-early", 483, ""],
    ["efficientnet-b0", 851, ""],
  ]);
  for (const { layers } of STACKS) {
    assert.deepEqual([reaches(layers, 224).at(-1)?.jump, reaches(layers, 224).at(-1)?.places], [32, 7]);
    assert.deepEqual(parseLayers(layersText(layers)), layers);
  }
});

test("what cannot be is said", () => {
  for (const wrong of ["x3.1.1.1", "c3.1.1", "c0.1.0.1", "c3.0.1.1", "c99.1.1.1", "c3.1.1.1,", "__proto__", Array(65).fill("c1.1.0.1").join(";")])
    assert.equal(parseLayers(wrong), null, wrong);
  assert.deepEqual([parseLayers("none"), layersText([]), parseLayers("")], [[], "none", null]);
  assert.equal(misfit(stack("c3.1.1.1;c9.1.0.2"), 8), "layer 2 spans 17 and what comes in is 8 wide with its padding: it does not fit");
  assert.equal(misfit(stack("m3.1.2.1"), 8), "layer 1: a pool's padding is at most half of its kernel, 1 of 3");
  assert.equal(misfit(stack("a2.1.0.2"), 8), "layer 1: an average pool has no dilation");
});
