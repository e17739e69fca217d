/** A picture whose cells are chosen by pointer and keys. */

import { html } from "../html.js";
import { arrow, Canvas } from "./parts.js";

/** @typedef {(point: number[] | null, kept?: boolean) => void} OnPoint where the pointer is, y and x; `kept` where it was pressed */

/** @param {any} props `onStep` gets rows and columns; twice 0 lets go */
export function Board({ id, label, width, height, draw, over, reads, marks, onPoint, onStep }) {
  const at = (/** @type {any} */ event, kept = false) => {
    const box = event.currentTarget.getBoundingClientRect();
    onPoint([event.clientY - box.top, event.clientX - box.left], kept);
  };
  const keyed = (/** @type {KeyboardEvent} */ event) => {
    const step = event.key === "Escape" ? [0, 0] : arrow(event);
    if (!step) return;
    onStep(step);
    event.preventDefault();
  };
  return html`<div class="stack keys" id=${id} tabindex="0" role="application" aria-label=${`${label} Arrow keys move, with Shift by ten.`}
    style=${{ width: `${width}px`, height: `${height}px` }} onKeyDown=${keyed} onClick=${(/** @type {any} */ event) => at(event, true)}
    onPointerMove=${(/** @type {any} */ event) => event.pointerType === "mouse" && at(event)} onPointerLeave=${() => onPoint(null)}>
    <${Canvas} width=${width} height=${height} draw=${draw} reads=${[...reads, width]} />
    <${Canvas} class="over" width=${width} height=${height} draw=${over} reads=${[...marks, width]} /></div>`;
}
