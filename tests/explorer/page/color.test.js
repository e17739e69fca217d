/** Colors with answers that are known without a computer, and what must always hold. */

import assert from "node:assert/strict";
import test from "node:test";
import {
  levelsToHsv,
  levelsToLab,
  levelsToLinear,
  levelsToYcbcr,
  lumaLevel,
  photositeColor,
  roundEven,
} from "../../../src/photosite/explorer/page/math/color.js";

const close = (found, wanted, within = 1e-9) =>
  found.forEach((value, c) => assert.ok(Math.abs(value - wanted[c]) <= within, `${found} is not ${wanted}`));

test("white, black and gray", () => {
  close(levelsToLinear([255, 255, 255]), [1, 1, 1]);
  close(levelsToLab([255, 255, 255]), [100, 0, 0]);
  close(levelsToLab([0, 0, 0]), [0, 0, 0]);
  close(levelsToHsv([0, 0, 0]), [0, 0, 0]);
  assert.deepEqual(levelsToYcbcr([77, 77, 77]), [77 / 255, 0.5, 0.5]);
});

test("the hues of the primaries and their mixtures", () => {
  const hues = [
    [255, 0, 0],
    [255, 255, 0],
    [0, 255, 0],
    [0, 255, 255],
    [0, 0, 255],
    [255, 0, 255],
  ];
  hues.forEach((levels, k) => close(levelsToHsv(levels), [60 * k, 1, 1]));
  assert.ok(levelsToHsv([255, 0, 1])[0] < 360);
});

test("a red has a known Lab color", () => close(levelsToLab([255, 0, 0]), [53.24, 80.09, 67.2], 0.005));

test("luma of gray is its level, and halves go to the even side", () => {
  for (let level = 0; level < 256; level++) assert.equal(lumaLevel(level, level, level), level);
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6].map(roundEven), [0, 2, 2, 2, 3]);
});

test("the mosaic repeats every two photosites", () => {
  const row = (pattern, y) => [0, 1, 2, 3].map((x) => "RGB"[photositeColor(pattern, x, y)]).join("");
  assert.equal(row("RGGB", 0), "RGRG");
  assert.equal(row("RGGB", 1), "GBGB");
  assert.equal(row("GBRG", 2), "GBGB");
});
