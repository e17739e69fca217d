/** Addresses, kernels as text, memory, zoom, colors of maps, numbers as words. */

import assert from "node:assert/strict";
import test from "node:test";
import { colored, inkOn, limits, TABLES } from "../../../src/photosite/explorer/page/draw/colors.js";
import { integer, pair, pairText, readHash, word, writeHash } from "../../../src/photosite/explorer/page/math/address.js";
import { fixed, shape, significant, whole } from "../../../src/photosite/explorer/page/math/format.js";
import { GALLERY, kernelText, numbersOf, parseKernel, parseRows, rowsText } from "../../../src/photosite/explorer/page/math/kernels.js";
import { inputPixel, offsetOf, placeOf, strides } from "../../../src/photosite/explorer/page/math/tensor.js";
import { clamp, fit, pixelAt, reveal, zoom } from "../../../src/photosite/explorer/page/math/viewport.js";

const VIEWS = ["pixels", "convolution"];

test("an address comes back as it was", () => {
  const route = { view: "convolution", params: { kernel: "typed", k: "1/9,-1;0,2", "a b": "ü&=#?" } };
  assert.deepEqual(readHash(writeHash(route), VIEWS), route);
  assert.equal(writeHash({ view: "pixels", params: { x: "3", y: "" } }), "#/pixels?x=3");
  assert.equal(writeHash({ view: "convolution", params: { k: "1,2;3,4" } }), "#/convolution?k=1,2;3,4");
});

test("an address that nobody wrote leads to the first view", () => {
  for (const hash of ["", "#", "#/", "#/nothing?x=1", "#pixels?__proto__=1"])
    assert.equal(readHash(hash, VIEWS).view, "pixels");
  assert.equal(integer("12abc", 0, 9, 4), 4);
  assert.equal(integer("99", 0, 9, 4), 9);
  assert.equal(integer(undefined, 0, 9, 4), 4);
  assert.equal(word("toString", ["a", "b"], "a"), "a");
  assert.deepEqual(
    ["2", "2x1", "3x", "x3", "9x99", undefined, "a"].map((text) => pair(text, 1, 9, 4)),
    [
      [2, 2],
      [2, 1],
      [3, 3],
      [4, 3],
      [9, 9],
      [4, 4],
      [4, 4],
    ],
  );
  assert.deepEqual([pairText([2, 2]), pairText([2, 1])], ["2", "2x1"]);
});

test("kernels as people type them", () => {
  assert.deepEqual(parseRows("1/4, −2 ; 3 4").rows, [
    [0.25, -2],
    [3, 4],
  ]);
  assert.deepEqual(parseRows("1 2\n3 4").rows, [
    [1, 2],
    [3, 4],
  ]);
  assert.match(parseRows("1,2;3").error, /equally many numbers, these have 2, 1/);
  for (const wrong of ["1,x", "1/0", "1/", "1/2/3", "NaN", "Infinity"])
    assert.match(parseRows(wrong).error, /wants numbers/, wrong);
  assert.match(parseRows(" ;; ").error, /at least one/);
  assert.match(parseRows(Array(12).fill("1").join(",")).error, /at most 11/);
  assert.equal(rowsText(parseRows("1,-2;0.5,4").rows), "1,-2;0.5,4");
  // one for all channels, or one for each
  assert.deepEqual(parseKernel("1 2"), { planes: [[[1, 2]]], error: "" });
  assert.equal(kernelText(parseKernel("1,2 | 3,4|5 1/2").planes), "1,2|3,4|5,0.5");
  assert.match(parseKernel("1|2").error, /or three of one size with \| between, these are 1 × 1, 1 × 1/);
  assert.match(parseKernel("1|2|3,4").error, /these are 1 × 1, 1 × 1, 1 × 2/);
  assert.match(parseKernel("1|x|2").error, /wants numbers/);
});

test("named kernels do what their names say", () => {
  const sums = Object.fromEntries(GALLERY.map((one) => [one.key, numbersOf(one).reduce((a, b) => a + b, 0)]));
  for (const key of ["identity", "box", "gaussian", "gaussian-5", "sharpen", "emboss"])
    assert.ok(Math.abs(sums[key] - 1) < 1e-12, key);
  for (const key of ["edge-x", "edge-y", "sobel-x", "sobel-y", "laplacian"]) assert.equal(sums[key], 0, key);
  const named = (key) => GALLERY.find((one) => one.key === key)?.rows ?? [];
  assert.deepEqual(
    named("sobel-y"),
    named("sobel-x").map((_, r) => named("sobel-x").map((line) => line[r])),
  );
});

test("memory: every place has one number, and the strides say where", () => {
  for (const layout of ["nchw", "nhwc"]) {
    const steps = strides(layout, 3, 4, 5);
    const seen = new Set();
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < 4; y++)
        for (let x = 0; x < 5; x++) {
          const offset = offsetOf(steps, c, y, x);
          assert.deepEqual(placeOf(layout, offset, 3, 4, 5), [c, y, x]);
          seen.add(offset);
        }
    assert.deepEqual([seen.size, Math.max(...seen)], [60, 59]);
  }
  assert.deepEqual(strides("nchw", 3, 224, 224), { n: 150528, c: 50176, y: 224, x: 1 });
  assert.deepEqual(strides("nhwc", 3, 224, 224), { n: 150528, c: 1, y: 672, x: 3 });
});

test("a photo's pixel in the input, and outside of its crop", () => {
  // resized to half, of which the input begins 2 px down and 1 px left
  const map = { picture_hw: [20, 20], resized_hw: [10, 10], start_hw: [2, -1], input_hw: [3, 5] };
  assert.deepEqual(inputPixel(0, 4, map), [0, 1]);
  assert.deepEqual(inputPixel(7, 9, map), [2, 4]);
  assert.equal(inputPixel(8, 9, map), null);
  assert.equal(inputPixel(0, 3, map), null);
});

test("zooming keeps what is under the pointer", () => {
  const [picture, frame] = [
    { width: 4000, height: 3000 },
    { width: 600, height: 450 },
  ];
  const whole = fit(picture, frame);
  assert.deepEqual(whole, { scale: 0.15, left: 0, top: 0 });
  let view = whole;
  const before = pixelAt(view, 300, 200, picture);
  for (let k = 0; k < 12; k++) view = zoom(view, 1.5, 300, 200, picture, frame);
  assert.ok(view.scale > 15);
  const after = pixelAt(view, 300, 200, picture);
  assert.ok(Math.abs(before[0] - after[0]) <= 1 && Math.abs(before[1] - after[1]) <= 1);
  for (let k = 0; k < 40; k++) view = zoom(view, 0.5, 10, 10, picture, frame);
  assert.deepEqual(view, whole);
  assert.equal(zoom(view, 1e9, 0, 0, picture, frame).scale, 64);
});

test("a small picture is centered, and a moved pixel comes into sight", () => {
  const [picture, frame] = [
    { width: 10, height: 10 },
    { width: 200, height: 100 },
  ];
  assert.deepEqual(fit(picture, frame), { scale: 10, left: -5, top: 0 });
  assert.equal(pixelAt(fit(picture, frame), 10, 50, picture), null);
  const close = clamp({ scale: 50, left: 0, top: 0 }, picture, frame);
  assert.deepEqual(reveal(close, 9, 9, picture, frame), { scale: 50, left: 6, top: 8 });
  assert.deepEqual(reveal(close, 1, 1, picture, frame), close);
});

test("maps: zero is paper, limits are symmetric colors, and constants have one color", () => {
  const rgba = new Uint8ClampedArray(12);
  colored([-1, 0, 1], -1, 1, "signed", rgba);
  assert.deepEqual([...rgba.slice(0, 3)], [0x12, 0x3f, 0x7d]);
  assert.deepEqual([...rgba.slice(8, 11)], [0x7a, 0x3c, 0x05]);
  assert.ok(rgba[4] > 245 && rgba[6] > 240);
  colored([0, 0, 0], 0, 0, "signed", rgba);
  assert.ok(rgba[0] > 245);
  assert.deepEqual(limits([3, -2, 5]), { low: -2, high: 5 });
  assert.deepEqual(limits([]), { low: 0, high: 0 });
  assert.deepEqual([...TABLES.gray.slice(0, 3), ...TABLES.gray.slice(-3)], [0, 0, 0, 255, 255, 255]);
  assert.deepEqual([inkOn(255, 255, 255), inkOn(0, 0, 0)], ["#14161a", "#ffffff"]);
});

test("numbers as people read them", () => {
  assert.deepEqual([25557032, -1234, 12345].map(whole), ["25\u2009557\u2009032", "−1234", "12\u2009345"]);
  assert.deepEqual(
    [0.123456, -0.00001234, 15290.4, 1e7 + 0.5, 0, NaN].map((one) => significant(one)),
    ["0.1235", "−1.234e−5", "15\u2009290", "1.000e+7", "0", "NaN"],
  );
  assert.deepEqual(
    [fixed(-0.0001, 2), fixed(-1.5, 1), shape([3, 224, 10000])],
    ["0.00", "−1.5", "3 × 224 × 10\u2009000"],
  );
});
