/** How close a photo is looked at around what a number sees. */

import assert from "node:assert/strict";
import test from "node:test";
import { around } from "../../../src/photosite/explorer/page/math/viewport.js";

const [picture, frame] = [{ width: 500, height: 400 }, { width: 250, height: 200 }];

test("a box is seen whole, in the middle, with room around it", () => {
  for (const box of [
    [10, 20, 17, 29],
    [0, 0, 1, 1],
    [100, 30, 290, 40],
  ]) {
    const { scale, left, top } = /** @type {any} */ (around(box, picture, frame));
    const [right, bottom] = [left + frame.width / scale, top + frame.height / scale];
    assert.ok(left <= box[1] && top <= box[0] && right >= box[3] && bottom >= box[2]);
    assert.ok(Math.abs(left + right - box[1] - box[3]) < 1e-9 && Math.abs(top + bottom - box[0] - box[2]) < 1e-9);
    assert.ok(scale <= 64, "no cell is larger than on the station Pixels");
  }
  assert.equal(around([10, 20, 17, 29], picture, frame)?.scale, Math.min(250 / (9 * 1.8), 200 / (7 * 1.8)));
});

test("what takes half of the photo is seen in the whole", () => {
  assert.equal(around([0, 0, 300, 300], picture, frame), null);
  assert.notEqual(around([0, 0, 300, 200], picture, frame), null);
});
