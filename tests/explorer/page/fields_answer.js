/** Receptive fields and smaller maps, as the page computes them: JSON in, JSON out. */

import { readFileSync } from "node:fs";
import {
  centerOf,
  misfit,
  paddingShare,
  parseLayers,
  pixelsSeen,
  reaches,
} from "../../../src/photosite/explorer/page/math/fields.js";
import { columnsOf, reduced, shifted, WAYS } from "../../../src/photosite/explorer/page/math/pooling.js";
import { STACKS } from "../../../src/photosite/explorer/page/math/stacks.js";

const kinds = {
  stacks: () => STACKS,
  fields: ({ text, side, row, column }) => {
    const layers = parseLayers(text) ?? [];
    const found = reaches(layers, side);
    return {
      misfit: misfit(layers, side),
      reaches: found.slice(1),
      places: found.slice(1).map((reach, l) => {
        const at = [row, column].map((share) => Math.floor(share * reach.places));
        return {
          at,
          seen: at.map((place) => [...pixelsSeen(layers, found, l + 1, place)]),
          centers: at.map((place) => centerOf(reach, place)),
          share: paddingShare(layers, found, l + 1, ...at),
        };
      }),
    };
  },
  pooling: ({ height, width, values, kernel, times, shift, room }) => {
    const x = { height, width, values: Float64Array.from(values) };
    return WAYS.map((way) => {
      const z = reduced(columnsOf(x, shift, room), way, kernel, times);
      const { change, unexplained } = shifted(reduced(x, way, kernel, times), z, shift, 2 ** times);
      return { way, height: z.height, width: z.width, values: [...z.values], change, unexplained };
    });
  },
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map((one) => kinds[one.kind](one))));
