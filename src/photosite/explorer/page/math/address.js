/** A view and its choices as the part of an address behind the #, and back. */

/** @typedef {{view: string, params: Record<string, string>}} Route */

/**
 * @param {string} hash such as #/convolution?kernel=sobel-x&y=12
 * @param {string[]} views that there are; the first one stands for all others
 * @returns {Route}
 */
export function readHash(hash, views) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const view = views.includes(path) ? path : views[0];
  return { view, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {Route} route */
export function writeHash({ view, params }) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== ""));
  const words = query.toString().replace(/%2C/g, ",").replace(/%3B/g, ";").replace(/%2F/g, "/");
  return `#/${view}${words ? `?${words}` : ""}`;
}

/**
 * A whole number of an address, within bounds.
 * @param {string | undefined} text @param {number} low @param {number} high @param {number} otherwise
 */
export function integer(text, low, high, otherwise) {
  if (!/^-?\d{1,9}$/.test(text ?? "")) return otherwise;
  return Math.min(Math.max(Number(text), low), high);
}

/**
 * Two whole numbers for rows and columns, such as 2x1; one alone stands for both.
 * @param {string | undefined} text @param {number} low @param {number} high @param {number} otherwise
 * @returns {[number, number]}
 */
export function pair(text, low, high, otherwise) {
  const [down, across] = (text ?? "").split("x");
  const rows = integer(down, low, high, otherwise);
  return [rows, integer(across, low, high, rows)];
}

/** @param {number[]} both as `pair` reads them */
export function pairText([down, across]) {
  return down === across ? String(down) : `${down}x${across}`;
}

/**
 * One of some words.
 * @template {string} T
 * @param {string | undefined} text @param {readonly T[]} among @param {T} otherwise
 * @returns {T}
 */
export function word(text, among, otherwise) {
  return among.find((one) => one === text) ?? otherwise;
}
