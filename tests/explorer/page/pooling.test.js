/** Maps made smaller by hand, and what a shift explains of them. */

import assert from "node:assert/strict";
import test from "node:test";
import { BLUR, between, columnsOf, halved, reduced, shifted, WAYS } from "../../../src/photosite/explorer/page/math/pooling.js";

const HERE = [0, 0, 0, 0, 1, 0, 0, 0, 0];
const map = (height, width, of) => ({
  height,
  width,
  values: Float64Array.from({ length: height * width }, (_, i) => of(i % width, Math.floor(i / width))),
});

test("six ways by hand", () => {
  const x = map(4, 4, (column, row) => 4 * row + column);
  assert.deepEqual([...halved(x, "max", HERE).values], [5, 7, 13, 15]);
  assert.deepEqual([...halved(x, "average", HERE).values], [2.5, 4.5, 10.5, 12.5]);
  assert.deepEqual([...halved(x, "conv", HERE).values], [5]);
  assert.deepEqual([...halved(x, "blur", HERE).values], [5]);
  assert.deepEqual([...halved(x, "max-blur", HERE).values], [10]);
  assert.deepEqual([...halved(map(6, 6, (c, r) => c + r), "conv-blur", HERE).values], [4]);
  assert.equal(BLUR.reduce((a, b) => a + b), 1);
  assert.deepEqual(reduced(x, "average", HERE, 2), { height: 1, width: 1, values: Float64Array.of(7.5) });
});

test("six weights carry polynomials of the fifth degree", () => {
  for (const share of [0, 0.125, 0.5, 0.75]) {
    const weights = between(share);
    for (let degree = 0; degree < 6; degree++) {
      const sum = weights.reduce((total, one, k) => total + one * (k - 2) ** degree, 0);
      assert.ok(Math.abs(sum - share ** degree) < 1e-12, `${share} ${degree}`);
    }
  }
  assert.deepEqual(
    between(0.5).map((one) => one * 256),
    [3, -25, 150, 150, -25, 3],
  );
});

test("nothing is left where the stride divides the shift, and of a slow wave hardly anything", () => {
  const noise = map(20, 60, (c, r) => ((c * 7919 + r * 104729) % 97) / 97);
  const wave = map(20, 60, (c) => Math.sin(c / 8));
  for (const way of WAYS) {
    for (const times of [1, 2]) {
      const factor = 2 ** times;
      const at = (x, by) => shifted(reduced(x, way, HERE, times), reduced(columnsOf(x, by, 44), way, HERE, times), by, factor);
      assert.deepEqual([at(noise, 0).change, at(noise, 0).unexplained], [0, null]);
      for (const by of [factor, 2 * factor]) assert.ok((at(noise, by).unexplained ?? 1) < 1e-25, `${way} ${by}`);
      assert.ok((at(noise, 1).unexplained ?? 0) > 0.01, `${way} ${at(noise, 1).unexplained}`);
    }
    // the largest of a wave is a wave with corners
    const left = shifted(halved(wave, way, HERE), halved(columnsOf(wave, 1, 44), way, HERE), 1, 2).unexplained;
    assert.ok((left ?? 1) < (way.startsWith("max") ? 0.01 : 1e-6), `${way} ${left}`);
  }
});

test("checks of two pixels: every second one sees all or nothing, the blur and the mean see gray", () => {
  const checks = map(12, 40, (c) => c % 2);
  const at = (way) => shifted(halved(checks, way, HERE), halved(columnsOf(checks, 1, 24), way, HERE), 1, 2);
  assert.deepEqual([at("conv").unexplained, at("conv").change], [1, null]);
  for (const way of ["average", "blur", "max"]) assert.equal(at(way).unexplained, null, way);
});
