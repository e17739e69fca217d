/** Reads a network's maps as the page does: JSON in, JSON out. */

import { readFileSync } from "node:fs";
import {
  drawnAs,
  fieldOf,
  namesOf,
  nested,
  strongest,
} from "../../../src/photosite/explorer/page/math/network.js";

/** @param {any} box */
const plain = ({ title, nodes, boxes }) => [title, nodes.map((one) => one.name), boxes.map(plain)];
const kinds = {
  nested: ({ nodes, together }) => nested(nodes, together).map(plain),
  drawn: ({ limits }) => limits.map(([low, high]) => drawnAs(low, high)),
  strongest: ({ values, height, width, count }) => strongest(values, height, width, count),
  fields: ({ rows, columns, places }) => places.map(([row, column]) => fieldOf(rows, columns, row, column)),
  names: ({ lists }) => lists.map(namesOf),
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map((one) => kinds[one.kind](one))));
