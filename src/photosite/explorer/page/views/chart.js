/** Curves over steps, by decades, as SVG: one place is marked, and pointing or clicking chooses another. */

import { html } from "../html.js";
import { decades, powerText } from "../math/axis.js";
import { useSize } from "./parts.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [44, 12, 10, 28];
const HIGH = 250;

/** @typedef {{words: string, look: string, values: ArrayLike<number>, dots?: boolean}} Curve `look` a class of style.css */

/**
 * @param {{title: string, label: string, xs: number[], across: import("../math/axis.js").Axis, xWords: string,
 *   curves: Curve[], at: number, onHover: (at: number | null) => void, onKeep: (at: number) => void,
 *   xText?: (value: number) => string}} props `at` the number of the marked place
 */
export function Chart({ title, label, xs, across, xWords, curves, at, onHover, onKeep, xText = String }) {
  const [frame, size] = useSize();
  const wide = Math.max(size.width, 120);
  const up = decades(curves.flatMap((one) => Array.from(one.values)));
  const left = (/** @type {number} */ value) => LEFT + across.at(value) * (wide - LEFT - RIGHT);
  const top = (/** @type {number} */ value) => HIGH - BOTTOM - up.at(value) * (HIGH - TOP - BOTTOM);
  /** @param {MouseEvent} event */
  const under = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const away = xs.map((x) => Math.abs(left(x) - (event.clientX - box.left)));
    return away.indexOf(Math.min(...away));
  };
  const every = Math.ceil(across.ticks.length / Math.max(2, Math.floor((wide - LEFT - RIGHT) / 44)));
  return html`<figure class="chart" ref=${frame}>
    <h2>${title}</h2>
    <svg width=${wide} height=${HIGH} role="img" aria-label=${label}
      onPointerMove=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && onHover(under(event))}
      onPointerLeave=${() => onHover(null)} onClick=${(/** @type {MouseEvent} */ event) => onKeep(under(event))}>
      ${up.ticks.map(
        (one) => html`<g key=${one}><line class="tick" x1=${LEFT} x2=${wide - RIGHT} y1=${top(one)} y2=${top(one)} />
        <text x=${LEFT - 6} y=${top(one) + 4} text-anchor="end">${powerText(one)}</text></g>`,
      )}
      ${across.ticks
        .filter((_, i) => i % every === 0)
        .map(
          (one) => html`<text key=${one} x=${left(one)} y=${HIGH - BOTTOM + 16} text-anchor="middle">${xText(one)}</text>`,
        )}
      <line class="marked" x1=${left(xs[at])} x2=${left(xs[at])} y1=${TOP} y2=${HIGH - BOTTOM} />
      ${curves.map(
        (one) => html`<g key=${one.words} class=${`curve ${one.look}`}>
        ${one.dots ? null : html`<path d=${pathOf(xs.map(left), Array.from(one.values, top))} />`}
        ${(one.dots ? xs.map((_, i) => i) : [at]).map((i) =>
          Number.isFinite(top(one.values[i]))
            ? html`<circle key=${i} r=${i === at ? 4 : 2.5} cx=${left(xs[i])} cy=${top(one.values[i])} />`
            : null,
        )}</g>`,
      )}
    </svg>
    <figcaption>${xWords} · ${curves.map(
      (one) => html`<span class=${`key ${one.look}`} key=${one.words}><i class=${one.dots ? "dot" : "dash"}></i>${one.words}</span> `,
    )}</figcaption>
  </figure>`;
}

/**
 * A line through all points that have a place; it stops where one has none.
 * @param {number[]} lefts @param {number[]} tops
 */
function pathOf(lefts, tops) {
  let words = "";
  let open = false;
  tops.forEach((top, i) => {
    if (Number.isFinite(top)) words += `${open ? "L" : "M"}${lefts[i].toFixed(2)} ${top.toFixed(2)}`;
    open = Number.isFinite(top);
  });
  return words;
}
