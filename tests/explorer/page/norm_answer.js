/** Normalizes what a test asks for, and reads curves: JSON in, JSON out. */

import { readFileSync } from "node:fs";
import { reachOf, reading } from "../../../src/photosite/explorer/page/math/depth.js";
import { normalize, setsOf } from "../../../src/photosite/explorer/page/math/normalization.js";

const kinds = {
  norm: ({ norm, sizes, groups, values }) => {
    const sets = setsOf(norm, sizes, groups);
    const { result, mean, variance, count } = normalize(values, sets, norm !== "rms");
    return { sets: [...sets], result: [...result], mean: [...mean], variance: [...variance], count: [...count] };
  },
  depth: ({ two }) => {
    const [without, shortcut] = two.map(reachOf);
    return { without, shortcut, ...reading(without, shortcut, two[0].length - 1) };
  },
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map((one) => kinds[one.kind](one))));
