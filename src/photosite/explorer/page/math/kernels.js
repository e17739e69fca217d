/** Kernels that have a name, each 3 × 3 or 5 × 5, for one channel. */

/**
 * @typedef {object} Named
 * @property {string} key in the address
 * @property {string} title
 * @property {string} what it does, in a line
 * @property {number[][]} rows
 * @property {number} [over] what the numbers are divided by
 */

/** @type {Named[]} */
export const GALLERY = [
  {
    key: "identity",
    title: "Identity",
    what: "leaves every pixel as it is",
    rows: [
      [0, 0, 0],
      [0, 1, 0],
      [0, 0, 0],
    ],
  },
  {
    key: "edge-x",
    title: "Edges across",
    what: "right neighbor less left: upright edges",
    rows: [
      [0, 0, 0],
      [-1, 0, 1],
      [0, 0, 0],
    ],
  },
  {
    key: "edge-y",
    title: "Edges down",
    what: "lower neighbor less upper: level edges",
    rows: [
      [0, -1, 0],
      [0, 0, 0],
      [0, 1, 0],
    ],
  },
  {
    key: "sobel-x",
    title: "Sobel x",
    what: "edges across, smoothed down",
    rows: [
      [-1, 0, 1],
      [-2, 0, 2],
      [-1, 0, 1],
    ],
  },
  {
    key: "sobel-y",
    title: "Sobel y",
    what: "edges down, smoothed across",
    rows: [
      [-1, -2, -1],
      [0, 0, 0],
      [1, 2, 1],
    ],
  },
  {
    key: "box",
    title: "Mean",
    what: "the mean of nine pixels",
    rows: [
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ],
    over: 9,
  },
  {
    key: "gaussian",
    title: "Gaussian 3",
    what: "a soft blur",
    rows: [
      [1, 2, 1],
      [2, 4, 2],
      [1, 2, 1],
    ],
    over: 16,
  },
  {
    key: "gaussian-5",
    title: "Gaussian 5",
    what: "a wider soft blur",
    over: 256,
    rows: [
      [1, 4, 6, 4, 1],
      [4, 16, 24, 16, 4],
      [6, 24, 36, 24, 6],
      [4, 16, 24, 16, 4],
      [1, 4, 6, 4, 1],
    ],
  },
  {
    key: "laplacian",
    title: "Laplacian",
    what: "how far a pixel is from its neighbors",
    rows: [
      [0, 1, 0],
      [1, -4, 1],
      [0, 1, 0],
    ],
  },
  {
    key: "sharpen",
    title: "Sharpen",
    what: "the pixel less the Laplacian",
    rows: [
      [0, -1, 0],
      [-1, 5, -1],
      [0, -1, 0],
    ],
  },
  {
    key: "emboss",
    title: "Emboss",
    what: "light from the top left",
    rows: [
      [-2, -1, 0],
      [-1, 1, 1],
      [0, 1, 2],
    ],
  },
];

/**
 * A named kernel's numbers.
 * @param {Named} named
 */
export function numbersOf(named) {
  return named.rows.flat().map((value) => value / (named.over ?? 1));
}

/**
 * Numbers that a person typed: rows apart by semicolons or lines, numbers by commas or spaces.
 * @param {string} text
 * @returns {{rows: number[][], error: string}}
 */
export function parseRows(text) {
  const lines = text
    .split(/[;\n]/)
    .map((line) => line.trim())
    .filter((line) => line);
  const rows = lines.map((line) =>
    line
      .replace(/−/g, "-")
      .split(/[\s,]+/)
      .filter((word) => word)
      .map(number),
  );
  if (!rows.length) return { rows, error: "a kernel wants at least one number" };
  if (rows.some((row) => row.some((value) => !Number.isFinite(value)))) {
    return { rows, error: "a kernel wants numbers such as -1, 0.5 or 1/9" };
  }
  if (rows.some((row) => row.length !== rows[0].length)) {
    return { rows, error: `rows want equally many numbers, these have ${rows.map((row) => row.length).join(", ")}` };
  }
  if (rows.length > 11 || rows[0].length > 11) return { rows, error: "a kernel wants at most 11 × 11 numbers" };
  return { rows, error: "" };
}

/**
 * One kernel for all channels, or three with | between, one for each.
 * @param {string} text @returns {{planes: number[][][], error: string}}
 */
export function parseKernel(text) {
  const found = text.split("|").map(parseRows);
  const planes = found.map((one) => one.rows);
  const error = found.find((one) => one.error)?.error ?? "";
  if (error || planes.length === 1) return { planes, error };
  const sizes = planes.map((rows) => `${rows.length} × ${rows[0].length}`);
  if (planes.length === 3 && sizes.every((one) => one === sizes[0])) return { planes, error };
  return { planes, error: `a kernel wants one table, or three of one size with | between, these are ${sizes.join(", ")}` };
}

/** @param {string} word a number, or two with a slash between */
function number(word) {
  const [top, bottom, ...more] = word.split("/");
  if (more.length || top === "" || bottom === "") return NaN;
  return Number(top) / (bottom === undefined ? 1 : Number(bottom));
}

/** @param {number[][]} rows as `parseRows` reads them */
export function rowsText(rows) {
  return rows.map((row) => row.join(",")).join(";");
}

/** @param {number[][][]} planes as `parseKernel` reads them */
export function kernelText(planes) {
  return planes.map(rowsText).join("|");
}
