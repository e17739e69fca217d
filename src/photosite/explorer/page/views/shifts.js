/** How much of what a shift changes is not that shift, over all shifts: a curve for each way to make a map smaller. */

import { html } from "../html.js";
import { fixed } from "../math/format.js";
import { TITLES } from "../math/pooling.js";
import { useSize } from "./parts.js";

const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1]; // between lines
const [HIGH, LEFT, RIGHT, TOP, BOTTOM] = [240, 44, 8, 12, 32];

/** @param {any} props */
export function ShiftCurve({ all, shift, factor, onMove }) {
  const [frame, size] = useSize();
  const wide = Math.max(280, size.width);
  const most = all[0].shifts.length - 1;
  const values = all.map((/** @type {any} */ one) => one.shifts.map((/** @type {any} */ each) => each.unexplained));
  const highest = Math.max(0.04, ...values.flat().filter((/** @type {number | null} */ one) => one !== null));
  const step = STEPS.find((one) => 5 * one >= highest) ?? highest / 5;
  const top = step * Math.ceil(highest / step);
  const x = (/** @type {number} */ by) => LEFT + (by / most) * (wide - LEFT - RIGHT);
  const y = (/** @type {number} */ value) => HIGH - BOTTOM - (value / top) * (HIGH - TOP - BOTTOM);
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, k) => k * step);
  /** @param {MouseEvent} event */
  const clicked = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    onMove(Math.round(((event.clientX - box.left - LEFT) / (wide - LEFT - RIGHT)) * most));
  };
  return html`<div class="shifts">
    <figure ref=${frame}><svg width=${wide} height=${HIGH} viewBox=${`0 0 ${wide} ${HIGH}`} role="img" onClick=${clicked}
      aria-label="Share of the change that the shift does not explain, over shifts; the table beside it has the numbers">
      ${ticks.map((tick) => html`<g key=${tick}><line class="rule" x1=${LEFT} x2=${wide - RIGHT} y1=${y(tick)} y2=${y(tick)} />
        <text x=${LEFT - 8} y=${y(tick) + 4} text-anchor="end">${fixed(100 * tick, 0)} %</text></g>`)}
      ${Array.from({ length: most + 1 }, (_, by) => (by % 2 ? null : html`<text key=${by} x=${x(by)} y=${HIGH - 12} text-anchor="middle">${by}</text>`))}
      <line class="here" x1=${x(shift)} x2=${x(shift)} y1=${TOP} y2=${HIGH - BOTTOM} />
      ${all.map(
        (/** @type {any} */ one, /** @type {number} */ k) => html`<g key=${one.way} class=${`shift-${one.way}`}>
        <polyline points=${values[k].flatMap((/** @type {number | null} */ value, /** @type {number} */ by) => (value === null ? [] : [`${x(by)},${y(value)}`])).join(" ")} />
        ${values[k].map((/** @type {number | null} */ value, /** @type {number} */ by) => (value === null ? null : html`<circle key=${by} cx=${x(by)} cy=${y(value)} r="2.5" />`))}</g>`,
      )}
    </svg><figcaption>not explained, over the shift in pixels of the photo${factor > 1 ? `; 0 wherever ${factor} divides it: then the output has only moved` : ""}</figcaption></figure>
    <table class="layers legend" id="shares"><thead><tr><th scope="col">way</th><th scope="col">at ${shift} px</th><th scope="col">worst</th></tr></thead><tbody>
      ${all.map((/** @type {any} */ one, /** @type {number} */ k) => {
        const worst = Math.max(0, ...values[k].map((/** @type {number | null} */ value) => value ?? 0));
        const here = values[k][shift];
        return html`<tr key=${one.way}><th scope="row"><svg class=${`shift-${one.way}`} width="24" height="10" aria-hidden="true"><line x1="0" x2="24" y1="5" y2="5" /></svg> ${TITLES[one.way].title}</th>
        <td class="num">${here === null ? "–" : `${fixed(100 * here, 1)} %`}</td><td class="num">${fixed(100 * worst, 1)} %</td></tr>`;
      })}</tbody></table>
    <dl class="formulas"><dt>y, z</dt><dd>the output of the photo, and of the photo shifted by s pixels</dd>
      <dt>changed</dt><dd>√ mean (z − y)² / σ, the standard deviation of y</dd>
      <dt>not explained</dt><dd>Σ (z − T y)² / Σ (z − y)²: 0 where the output has only moved; above 1 it is nearer to not having moved at all</dd>
      <dt>T y</dt><dd>y carried on by s / ${factor} places; between two of them by the six nearest (Lagrange, exact to the fifth degree)</dd></dl>
  </div>`;
}
