/** What the views are written with: preact's elements as text, its hooks, and signals; vendored, see vendor/README.md. */

import htm from "./vendor/htm.js";
import { h, render } from "./vendor/preact.js";

/**
 * Elements as text. Each is made anew: htm keeps those that never change, and a kept one holds on to the view around it.
 * @this {number[]} @param {any} type @param {any} props @param {any[]} children
 */
function made(type, props, ...children) {
  this[0] = 3; // htm's word for "do not keep"
  return h(type, props, ...children);
}

export const html = htm.bind(made);
export { render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "./vendor/signals.js";
