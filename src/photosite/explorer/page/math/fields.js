/** How far a stack of convolutions and pools sees: sizes, jumps and pixels, in whole numbers; as receptive_field has it. */

/** @typedef {"conv" | "max" | "average"} Kind */
/** @typedef {{kind: Kind, kernel: number, stride: number, padding: number, dilation: number}} Layer */
/** @typedef {{size: number, jump: number, start: number, places: number}} Reach `start` is the first place's first pixel */

export const KINDS = /** @type {const} */ (["conv", "max", "average"]);
export const BOUNDS = /** @type {const} */ ({ kernel: [1, 31], stride: [1, 16], padding: [0, 31], dilation: [1, 31] });
export const LAYERS_AT_MOST = 64;

/**
 * @param {string} text such as c3.1.1.1;m2.2.0.1: kind, kernel, stride, padding and dilation; or none
 * @returns {Layer[] | null} null where it means none that can be
 */
export function parseLayers(text) {
  /** @type {Layer[]} */
  const found = [];
  if (text === "none") return found;
  for (const one of text.split(";")) {
    const parts = /^([cma])(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(one);
    if (!parts || found.length === LAYERS_AT_MOST) return null;
    const kind = KINDS.find((name) => name[0] === parts[1]) ?? "conv";
    const [kernel, stride, padding, dilation] = parts.slice(2).map(Number);
    const layer = { kind, kernel, stride, padding, dilation };
    for (const [key, [low, high]] of Object.entries(BOUNDS)) {
      const value = layer[/** @type {keyof typeof BOUNDS} */ (key)];
      if (value < low || value > high) return null;
    }
    found.push(layer);
  }
  return found;
}

/** @param {Layer[]} layers */
export function layersText(layers) {
  if (!layers.length) return "none";
  return layers
    .map(({ kind, kernel, stride, padding, dilation }) => `${kind[0]}${kernel}.${stride}.${padding}.${dilation}`)
    .join(";");
}

/**
 * What is known behind the input and behind each layer; of a layer l, r = r + (K - 1) D j, the start moves by P j to
 * the left, and j = j S, with the j of the layer before (Araujo, Norris and Sim 2019).
 * @param {Layer[]} layers @param {number} side of the input @returns {Reach[]} one more than layers
 */
export function reaches(layers, side) {
  let [size, jump, start, places] = [1, 1, 0, side];
  const found = [{ size, jump, start, places }];
  for (const { kernel, stride, padding, dilation } of layers) {
    size += (kernel - 1) * dilation * jump;
    start -= padding * jump;
    jump *= stride;
    places = Math.floor((places + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
    found.push({ size, jump, start, places });
  }
  return found;
}

/** @param {Layer[]} layers @param {number} side why they cannot be, in one line; "" where they can */
export function misfit(layers, side) {
  const found = reaches(layers, side);
  for (const [l, { kind, kernel, padding, dilation }] of layers.entries()) {
    const who = `layer ${l + 1}`;
    if (kind === "average" && dilation > 1) return `${who}: an average pool has no dilation`;
    if (kind !== "conv" && padding > Math.floor(kernel / 2))
      return `${who}: a pool's padding is at most half of its kernel, ${Math.floor(kernel / 2)} of ${kernel}`;
    if (found[l + 1].places < 1)
      return `${who} spans ${dilation * (kernel - 1) + 1} and what comes in is ${found[l].places + 2 * padding} wide with its padding: it does not fit`;
  }
  return "";
}

/**
 * The pixels of a row that a place really sees: padding, of any layer, is nothing.
 * @param {Layer[]} layers @param {Reach[]} found of them @param {number} depth so many of them @param {number} place
 * @returns {Uint8Array} 1 for each pixel that is seen
 */
export function pixelsSeen(layers, found, depth, place) {
  let seen = new Uint8Array(found[depth].places);
  seen[place] = 1;
  for (let l = depth - 1; l >= 0; l--) {
    const { kernel, stride, padding, dilation } = layers[l];
    const before = new Uint8Array(found[l].places);
    for (let i = 0; i < seen.length; i++) {
      if (!seen[i]) continue;
      for (let k = 0; k < kernel; k++) {
        const at = i * stride + k * dilation - padding;
        if (at >= 0 && at < before.length) before[at] = 1;
      }
    }
    seen = before;
  }
  return seen;
}

/**
 * The center of a place's field without borders, in pixels from the edge of the input: a whole number or a half.
 * @param {Reach} reach @param {number} place
 */
export function centerOf({ size, jump, start }, place) {
  return (2 * (start + place * jump) + size) / 2;
}

/**
 * The share of a unit's field, as a box, that lies beyond the input; null where it sees nothing.
 * @param {Layer[]} layers @param {Reach[]} found @param {number} depth @param {number} row @param {number} column
 */
export function paddingShare(layers, found, depth, row, column) {
  const sides = [row, column].map((place) => {
    const seen = pixelsSeen(layers, found, depth, place);
    return seen.includes(1) ? seen.lastIndexOf(1) - seen.indexOf(1) + 1 : 0;
  });
  return sides[0] && sides[1] ? 1 - (sides[0] * sides[1]) / found[depth].size ** 2 : null;
}

/** @param {Reach} reach @param {number} pixel the place whose center is nearest */
export function placeNear(reach, pixel) {
  const place = Math.round((pixel + 0.5 - reach.start - reach.size / 2) / reach.jump);
  return Math.min(Math.max(place, 0), reach.places - 1);
}
