/** Convolution by hand, its borders as they are drawn in the docs, and what must always hold. */

import assert from "node:assert/strict";
import test from "node:test";
import { convolve, places, refusal, source, windowAt } from "../../../src/photosite/explorer/page/math/convolution.js";

const plain = { stride: [1, 1], padding: [0, 0], mode: "zero", dilation: [1, 1] };
const plane = (height, width, channels = 1, of = (i) => i) => ({
  channels,
  height,
  width,
  values: Float64Array.from({ length: channels * height * width }, (_, i) => of(i)),
});
const kernelOf = (rows, bias = 0, channels = 1) => ({
  channels,
  rows: rows.length,
  columns: rows[0].length,
  values: Array.from({ length: channels }, () => rows.flat()).flat(),
  bias,
});

test("right less left is 2 everywhere on a ramp", () => {
  const found = convolve(plane(3, 4), kernelOf([[-1, 0, 1]]), plain);
  assert.deepEqual([found.height, found.width, ...found.values], [3, 2, 2, 2, 2, 2, 2, 2]);
});

test("stride, padding and dilation by hand", () => {
  // 1 2 3 4 with a zero on each side, every second place, the two weights two apart: (0, 2) (2, 4) (4, –)
  const found = convolve(
    plane(1, 4, 1, (i) => i + 1),
    { ...kernelOf([[1, 10]]) },
    { ...plain, stride: [2, 2], dilation: [2, 2] },
  );
  assert.deepEqual([...found.values], [1 + 30]);
  const padded = convolve(
    plane(1, 4, 1, (i) => i + 1),
    kernelOf([[1, 10]]),
    { ...plain, stride: [2, 2], padding: [1, 1] },
  );
  assert.deepEqual([padded.height, padded.width], [2, 3]);
  assert.deepEqual([...padded.values].slice(0, 3), [0, 0, 0]); // the row above the picture
});

test("rows and columns apart by hand", () => {
  // 0 1 2 / 3 4 5 / 6 7 8: every second row, every column; a column of zeros on both sides, none above
  const found = convolve(plane(3, 3), kernelOf([[1, 10]]), { ...plain, stride: [2, 1], padding: [0, 1] });
  assert.deepEqual([found.height, found.width], [2, 4]);
  assert.deepEqual([...found.values], [0, 10, 21, 2, 60, 76, 87, 8]);
  // two rows apart down, side by side across
  const far = convolve(
    plane(3, 3),
    kernelOf([
      [1, 0],
      [0, 1],
    ]),
    { ...plain, dilation: [2, 1] },
  );
  assert.deepEqual([far.height, far.width, ...far.values], [1, 2, 0 + 7, 1 + 8]);
});

test("what stands beyond the border", () => {
  const border = (mode) => [-2, -1, 0, 1, 2, 3, 4, 5].map((at) => source(at, 4, mode));
  assert.deepEqual(border("zero"), [-1, -1, 0, 1, 2, 3, -1, -1]);
  assert.deepEqual(border("reflect"), [2, 1, 0, 1, 2, 3, 2, 1]);
  assert.deepEqual(border("replicate"), [0, 0, 0, 1, 2, 3, 3, 3]);
});

test("each place is the sum that its window shows, and channels add up", () => {
  const input = plane(6, 7, 3, (i) => ((i * 7919) % 31) - 15);
  const kernel = {
    ...kernelOf(
      [
        [1, -2],
        [3, 4],
      ],
      5,
      3,
    ),
  };
  for (const mode of ["zero", "reflect", "replicate"]) {
    const options = { stride: [2, 1], padding: [1, 2], mode, dilation: [2, 3] };
    const { height, width, values } = convolve(input, kernel, options);
    assert.deepEqual([height, width], [places(6, 2, options, 0), places(7, 2, options, 1)]);
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const one = windowAt(input, kernel, options, row, column);
        assert.equal(one.result, values[row * width + column]);
        assert.equal(
          one.products.reduce((a, b) => a + b, kernel.bias),
          one.result,
        );
      }
    }
  }
});

test("windows say which of their numbers are padding", () => {
  const found = windowAt(
    plane(2, 2),
    kernelOf([
      [1, 1],
      [1, 1],
    ]),
    { ...plain, padding: [1, 1], mode: "replicate" },
    0,
    0,
  );
  assert.deepEqual(found.beyond, [true, true, true, false]);
  assert.deepEqual([...found.under], [0, 0, 0, 0]);
});

test("what cannot be is said", () => {
  assert.equal(refusal(plane(3, 3), kernelOf([[1]]), plain), "");
  assert.equal(
    refusal(
      plane(3, 3),
      kernelOf([
        [1, 1],
        [1, 1],
      ]),
      { ...plain, dilation: [4, 1] },
    ),
    "the kernel spans 5 and the padded picture is 3 high: it does not fit",
  );
  assert.match(
    refusal(plane(3, 3), kernelOf([[1]]), { ...plain, padding: [0, 3], mode: "reflect" }),
    /at most 2 .* padding is 3/,
  );
});
