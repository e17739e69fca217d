/** Looks tokens up as the page does: a message of the library in, answers out, all as JSON. */

import { readFileSync } from "node:fs";
import { unpack } from "../../../src/photosite/explorer/page/api.js";
import { middle, of, reading, rowOf, tokenAt } from "../../../src/photosite/explorer/page/math/tokens.js";

/** @param {string} base64 @returns {any} as the view has it */
function mapOf(base64) {
  const bytes = Buffer.from(base64, "base64");
  const { data, arrays } = unpack(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const values = Object.fromEntries(Object.entries(arrays).map(([key, one]) => [key, one.values]));
  return { ...data, ...values, count: arrays.tokens.shape[0] };
}

const kinds = {
  tokens: ({ message, pixels, tokens }) => {
    const map = mapOf(message);
    return {
      count: map.count,
      reading: pixels.map((pixel) => reading(map, pixel)),
      at: tokens.map((token) => tokenAt(map, middle(map, token), of(map, "tokens", token)[1])),
      cells: tokens.map((token) => [...of(map, "cells", token)]),
      reads: tokens.map((token) => [...of(map, "reads", token)]),
      places: tokens.map((token) => [...of(map, "tokens", token)]),
    };
  },
  row: ({ x, side, at }) => [...rowOf(x, side, at)],
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map((one) => kinds[one.kind](one))));
