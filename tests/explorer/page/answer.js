/** Computes what a test asks for: JSON in, JSON out. The numbers are those that the page shows. */

import { readFileSync } from "node:fs";
import { unpack } from "../../../src/photosite/explorer/page/api.js";
import { TABLES } from "../../../src/photosite/explorer/page/draw/colors.js";
import {
  levelsToHsv,
  levelsToLab,
  levelsToLinear,
  levelsToYcbcr,
  photositeColor,
} from "../../../src/photosite/explorer/page/math/color.js";
import { convolve, windowAt } from "../../../src/photosite/explorer/page/math/convolution.js";
import { inputOf } from "../../../src/photosite/explorer/page/math/input.js";
import { inputPixel } from "../../../src/photosite/explorer/page/math/tensor.js";

const kinds = {
  colors: ({ levels }) =>
    levels.map((one) => [levelsToLinear(one), levelsToHsv(one), levelsToYcbcr(one), levelsToLab(one)]),
  convolution: ({ patch, channels, numbers, table, kernel, options, at }) => {
    const input = inputOf(patch, channels, numbers, table);
    const { height, width, values } = convolve(input, kernel, options);
    return { height, width, values: [...values], result: windowAt(input, kernel, options, ...at).result };
  },
  message: ({ base64 }) => {
    const bytes = Buffer.from(base64, "base64");
    const { data, arrays } = unpack(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return {
      data,
      arrays: Object.fromEntries(
        Object.entries(arrays).map(([name, { shape, values }]) => [name, { shape, values: [...values] }]),
      ),
    };
  },
  places: ({ points, map }) => points.map(([x, y]) => inputPixel(x, y, map)),
  mosaic: ({ pattern, points }) => points.map(([x, y]) => photositeColor(pattern, x, y)),
  tables: () => Object.fromEntries(Object.entries(TABLES).map(([name, table]) => [name, [...table]])),
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map((one) => kinds[one.kind](one))));
