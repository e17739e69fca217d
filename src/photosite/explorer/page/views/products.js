/** One place of a convolution in numbers: the window, times the kernel, the products, and their sum. */

import { html } from "../html.js";
import { fixed, significant, whole } from "../math/format.js";

const NAMES = ["red", "green", "blue"];

/**
 * @param {{window: {under: Float64Array, products: Float64Array, beyond: boolean[], sums: Float64Array, result: number},
 *   kernel: import("../math/convolution.js").Kernel}} props
 */
export function Products({ window, kernel }) {
  const { channels, rows, columns, bias } = kernel;
  const size = rows * columns;
  /** @type {Record<string, number>} */
  const places = {
    window: decimals(window.under),
    kernel: decimals(kernel.values),
    products: decimals(window.products),
  };
  const alone = channels === 1 && !bias;
  /** @param {ArrayLike<number>} values @param {number} c @param {string} name @param {boolean} [marks] */
  const table = (values, c, name, marks) =>
    html`<table class="cells tight" aria-label=${name}><tbody>${Array.from(
      { length: rows },
      (_, u) => html`<tr key=${u}>
    ${Array.from({ length: columns }, (_, v) => {
      const at = u * columns + v;
      return html`<td key=${v} class=${marks && window.beyond[at] ? "beyond" : sign(values[c * size + at], name)}>${fixed(values[c * size + at], places[name])}</td>`;
    })}</tr>`,
    )}</tbody></table>`;
  return html`<div class="products" id="products">
    ${Array.from(
      { length: channels },
      (_, c) => html`<div class="line" key=${c}>
      ${channels > 1 ? html`<b class=${`c${c} of`}>${NAMES[c]}</b>` : null}
      <figure>${table(window.under, c, "window", true)}<figcaption>what lies under it</figcaption></figure><span class="op">×</span>
      <figure>${table(kernel.values, c, "kernel")}<figcaption>the kernel</figcaption></figure><span class="op">=</span>
      <figure>${table(window.products, c, "products")}<figcaption>products</figcaption></figure><span class="op">${alone ? "=" : "→"}</span>
      ${
        alone
          ? html`<p class="sum total"><small>their sum</small><output id="result" class="num">${significant(window.result, 6)}</output></p>`
          : html`<p class="sum"><small>sum</small><span class="num">${significant(window.sums[c], 6)}</span></p>`
      }</div>`,
    )}
    ${
      alone
        ? null
        : html`<p class="total">${channels > 1 ? html`${Array.from(window.sums, (one, c) => html`<span class=${`c${c}`} key=${c}>${c ? (one < 0 ? " − " : " + ") : ""}${significant(c ? Math.abs(one) : one, 6)}</span>`)}` : html`<span>${significant(window.sums[0], 6)}</span>`}
      ${bias ? html` ${bias < 0 ? "−" : "+"} ${significant(Math.abs(bias), 6)} <small>bias</small>` : null}
      ${" = "}<output id="result" class="num">${significant(window.result, 6)}</output></p>`
    }
  </div>`;
}

/**
 * Decimals that write the largest of some numbers with four digits, and so all in one width.
 * @param {ArrayLike<number>} values
 */
export function decimals(values) {
  let [most, integers] = [0, true];
  for (let i = 0; i < values.length; i++) {
    most = Math.max(most, Math.abs(values[i]));
    integers &&= Number.isInteger(values[i]);
  }
  return integers || most === 0 ? 0 : Math.min(Math.max(3 - Math.floor(Math.log10(most)), 0), 6);
}

/** @param {number} value @param {string} name */
function sign(value, name) {
  if (name === "window") return "";
  return value > 0 ? "more" : value < 0 ? "less" : "zero";
}

/**
 * How large, how many weights, how much work.
 * @param {{input: import("../math/convolution.js").Plane, kernel: import("../math/convolution.js").Kernel,
 *   options: import("../math/convolution.js").Options, height: number, width: number, filters: number, hasBias: boolean}} props
 */
export function Formulas({ input, kernel, options, height, width, filters, hasBias }) {
  const { stride: S, padding: P, dilation: D } = options;
  const { rows: K, columns: L, channels: C } = kernel;
  const one = C * K * L;
  const line = (/** @type {number} */ side, /** @type {number} */ size, /** @type {0 | 1} */ way) =>
    `⌊(${side} + 2·${P[way]} − ${D[way]}·(${size} − 1) − 1) / ${S[way]}⌋ + 1`;
  return html`<dl class="formulas">
    <dt>output size</dt><dd>⌊(H + 2P − D(K − 1) − 1) / S⌋ + 1</dd>
    <dt>rows</dt><dd>${line(input.height, K, 0)} = <b>${height}</b></dd>
    <dt>columns</dt><dd>${line(input.width, L, 1)} = <b>${width}</b></dd>
    <dt>parameters</dt><dd>O · (C · K · L${hasBias ? " + 1" : ""}) = ${filters} · (${C} · ${K} · ${L}${hasBias ? " + 1" : ""}) = <b>${whole(filters * (one + (hasBias ? 1 : 0)))}</b></dd>
    <dt>multiply-adds</dt><dd>${height} · ${width} · ${C} · ${K} · ${L} = <b>${whole(height * width * one)}</b> a filter</dd>
    <dt>a place sees</dt><dd>D(K − 1) + 1 = <b>${D[0] * (K - 1) + 1} × ${D[1] * (L - 1) + 1}</b> pixels</dd>
  </dl>`;
}
