/** Numbers become colors, as in the reports: signed ones blue, paper, orange around zero; magnitudes in viridis. */

/** Every 17th of the 256 colors of viridis (N. J. Smith, S. van der Walt; CC0). */
const VIRIDIS =
  "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725";
const DIVERGING = "123f7d 3a76bb a5c4e2 fbfaf7 eebd85 c8741f 7a3c05";

/** @param {string} colors anchors in hexadecimal @returns {Uint8Array} 256 × 3 */
export function colorsBetween(colors) {
  const anchors = colors.split(" ").map((one) => [0, 2, 4].map((at) => parseInt(one.slice(at, at + 2), 16)));
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(place), anchors.length - 2);
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = Math.round(anchors[low][c] + (place - low) * (anchors[low + 1][c] - anchors[low][c]));
    }
  }
  return table;
}

export const TABLES = {
  signed: colorsBetween(DIVERGING),
  magnitude: colorsBetween(VIRIDIS),
  gray: colorsBetween("000000 ffffff"),
};

/** @typedef {keyof typeof TABLES} Look */

/**
 * @param {ArrayLike<number>} values @param {number} low @param {number} high @param {Look} look
 * @param {Uint8ClampedArray} into RGBA
 */
export function colored(values, low, high, look, into) {
  const table = TABLES[look];
  for (let i = 0; i < values.length; i++) {
    const share = high > low ? (values[i] - low) / (high - low) : look === "signed" ? 0.5 : 0;
    const at = 3 * Math.min(Math.floor(Math.min(Math.max(share, 0), 1) * 256), 255);
    into[4 * i] = table[at];
    into[4 * i + 1] = table[at + 1];
    into[4 * i + 2] = table[at + 2];
    into[4 * i + 3] = 255;
  }
}

/**
 * The limits of a map, symmetric where it is signed.
 * @param {ArrayLike<number>} values @returns {{low: number, high: number}}
 */
export function limits(values) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return values.length ? { low, high } : { low: 0, high: 0 };
}

/**
 * Numbers or colors as tiles; only what is made smaller is smoothed.
 * @param {CanvasRenderingContext2D} context @param {Uint8ClampedArray} colors RGBA @param {number} rows @param {number} columns
 * @param {number[]} box x, y, width, height
 */
export function drawTiles(context, colors, rows, columns, [x, y, wide, high]) {
  const small = new OffscreenCanvas(columns, rows);
  const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d"));
  paper.putImageData(new ImageData(/** @type {any} */ (colors), columns, rows), 0, 0);
  context.imageSmoothingEnabled = wide < columns;
  context.drawImage(small, x, y, wide, high);
}

/**
 * Black or white, whichever is read on a color.
 * @param {number} r @param {number} g @param {number} b levels
 */
export function inkOn(r, g, b) {
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#14161a" : "#ffffff";
}
