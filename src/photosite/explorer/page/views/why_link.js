/** The way from a number on any station to the station that takes it apart; the key w takes the first one on the page. */

import { html } from "../html.js";
import { writeHash } from "../math/address.js";
import { route, routeOf, show } from "../state.js";

/** @param {Record<string, any>} subject of what, which number, and its settings @returns {import("../math/address.js").Route} */
function whyRoute(subject) {
  const { photo } = route.value.params;
  const words = Object.entries(subject).flatMap(([key, value]) => (key === "photo" ? [] : [[key, String(value)]]));
  return { view: "why", params: { ...(photo ? { photo } : {}), ...Object.fromEntries(words) } };
}

/** The model that a station looks at, where its address names one. */
export function modelOf() {
  const { model } = route.value.params;
  return model ? { model } : {};
}

/** @param {{subject: Record<string, any>, what?: string, label?: string}} props */
export function Why({ subject, what = "this number", label = "Why?" }) {
  const next = whyRoute(subject);
  /** @param {MouseEvent} event */
  const go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show(next);
  };
  return html`<a class="why" href=${writeHash(next)} onClick=${go} title="Where it comes from (w)" aria-label=${`${label} ${what}`}>${label}</a>`;
}

/** @param {Record<string, any>} subject */
export function openWhy(subject) {
  show(whyRoute(subject));
}

/** @param {KeyboardEvent} event */
export function whyByKey(event) {
  if (event.key !== "w" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/INPUT|SELECT|TEXTAREA/.test(/** @type {HTMLElement} */ (event.target).tagName)) return;
  const link = /** @type {HTMLElement | null} */ (document.querySelector("main a.why"));
  if (link) link.click();
  else show(routeOf("why"));
}
