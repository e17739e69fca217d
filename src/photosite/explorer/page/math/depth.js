/** What curves by depth say: how much of a gradient comes back, and whether the claim about shortcuts holds. */

import { significant } from "./format.js";

/** @typedef {{share: number, each: number, word: "shrinks" | "stays" | "grows" | "none"}} Reach */

/**
 * The gradient before the first block as a share of that behind the last, and by what each block multiplies it.
 * @param {ArrayLike<number>} gradient before the first block and behind each
 * @returns {Reach}
 */
export function reachOf(gradient) {
  const blocks = gradient.length - 1;
  return wordOf(gradient[0] / gradient[blocks], blocks);
}

/** @param {number} share @param {number} blocks @returns {Reach} tenfold counts as a change */
export function wordOf(share, blocks) {
  if (!Number.isFinite(share)) return { share, each: NaN, word: "none" };
  return { share, each: share ** (1 / blocks), word: share < 0.1 ? "shrinks" : share > 10 ? "grows" : "stays" };
}

/**
 * Whether it holds that the gradient shrinks without shortcuts and comes back with them.
 * @param {Reach} without @param {Reach} shortcut @returns {"holds" | "in part" | "does not hold"}
 */
export function verdict(without, shortcut) {
  if (without.word !== "shrinks" || shortcut.word === "shrinks" || shortcut.word === "none") return "does not hold";
  return shortcut.word === "stays" ? "holds" : "in part";
}

/**
 * A number that no integer is meant by: from a million on by its power of ten.
 * @param {number} value @param {number} [digits]
 */
export function figure(value, digits = 4) {
  const large = Number.isFinite(value) && Math.abs(value) >= 1e6;
  return large ? value.toExponential(digits - 1).replace("-", "−") : significant(value, digits);
}

const WHY = {
  holds: "it shrinks without shortcuts and comes back with them",
  "in part": "it shrinks without shortcuts; with them it comes back, but grown",
};

/**
 * One line, with the numbers.
 * @param {Reach} without @param {Reach} shortcut @param {number} blocks
 */
export function reading(without, shortcut, blocks) {
  const said = (/** @type {Reach} */ one) => {
    if (one.word === "none") return "nothing that can be counted";
    return `× ${figure(one.share, 3)} (× ${figure(one.each, 3)} a block)`;
  };
  const found = verdict(without, shortcut);
  const why =
    found === "does not hold"
      ? without.word !== "shrinks"
        ? `without shortcuts it ${without.word === "grows" ? "grows" : "does not shrink tenfold"}`
        : "with shortcuts it shrinks as well"
      : WHY[found];
  return {
    found,
    words: `Back through ${blocks} blocks the gradient becomes ${said(without)} without shortcuts, ${said(shortcut)} with them.`,
    why,
  };
}
