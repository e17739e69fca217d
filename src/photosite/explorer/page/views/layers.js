/** The layers of a stack as a table: to be changed, moved, added and removed; how far each sees stands beside it. */

import { html } from "../html.js";
import { BOUNDS, centerOf, KINDS, LAYERS_AT_MOST, paddingShare } from "../math/fields.js";
import { fixed, shape, significant, whole } from "../math/format.js";
import { choose } from "../state.js";

const NUMBERS = /** @type {const} */ (["kernel", "stride", "padding", "dilation"]);
const NAMES = { conv: "convolution", max: "max pool", average: "average pool" };

/** @typedef {import("../math/fields.js").Layer} Layer */

/** @param {any} props */
export function LayerTable({ layers, found, at, fits, change }) {
  /** @param {number} l @param {Partial<Layer>} what */
  const edit = (l, what) =>
    change(
      layers.map((/** @type {Layer} */ one, /** @type {number} */ k) => (k === l ? { ...one, ...what } : one)),
      at,
    );
  /** @param {number} l @param {number} to */
  const move = (l, to) => {
    const next = [...layers];
    next.splice(to, 0, ...next.splice(l, 1));
    change(next, to + 1);
  };
  /** @param {Partial<Layer>} what */
  const add = (what) => {
    const next = [...layers];
    next.splice(at, 0, { kind: "conv", kernel: 3, stride: 1, padding: 1, dilation: 1, ...what });
    change(next, at + 1);
  };
  const full = layers.length >= LAYERS_AT_MOST;
  return html`<div class="transport" role="group" aria-label=${`Add behind layer ${at}`}><span class="label">add behind layer ${at}</span>
      <button type="button" disabled=${full} onClick=${() => add({})}>3 × 3</button>
      <button type="button" disabled=${full} onClick=${() => add({ stride: 2 })}>3 × 3, stride 2</button>
      <button type="button" disabled=${full} onClick=${() => add({ padding: 2, dilation: 2 })}>3 × 3, dilation 2</button>
      <button type="button" disabled=${full} onClick=${() => add({ kind: "max", kernel: 2, stride: 2, padding: 0 })}>Max pool</button>
      <button type="button" disabled=${full} onClick=${() => add({ kind: "average", kernel: 2, stride: 2, padding: 0 })}>Average pool</button></div>
    <div class="scroll"><table class="layers" id="layers"><thead><tr><th scope="col">layer</th><th scope="col">kind</th>${NUMBERS.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}
      <th scope="col">map</th><th scope="col">sees</th><th scope="col">jump</th><th scope="col">center</th><th scope="col">padding share</th><th scope="col"><span class="gone">order</span></th></tr></thead>
    <tbody>${layers.map((/** @type {Layer} */ one, /** @type {number} */ l) => {
      const here = found[l + 1];
      const middle = Math.floor(here.places / 2);
      const share = fits ? paddingShare(layers, found, l + 1, middle, middle) : null;
      return html`<tr key=${l} aria-current=${l + 1 === at ? "true" : undefined}>
        <th scope="row"><button type="button" aria-label=${`Look behind layer ${l + 1}`} onClick=${() => choose({ at: l + 1 === layers.length ? "" : l + 1, y: "", x: "" })}>${l + 1}</button></th>
        <td><select aria-label=${`kind of layer ${l + 1}`} value=${one.kind} onChange=${(/** @type {any} */ event) => edit(l, { kind: event.currentTarget.value })}>
          ${KINDS.map((kind) => html`<option key=${kind} value=${kind} selected=${kind === one.kind}>${NAMES[kind]}</option>`)}</select></td>
        ${NUMBERS.map((name) => html`<td key=${name}><${Cell} name=${name} value=${one[name]} label=${`${name} of layer ${l + 1}`} onChoose=${(/** @type {number} */ value) => edit(l, { [name]: value })} /></td>`)}
        <td class="num">${here.places > 0 ? shape([here.places, here.places]) : "–"}</td><td class="num"><b>${whole(here.size)}</b></td><td class="num">${whole(here.jump)}</td>
        <td class="num">${here.places > 0 ? fixed(centerOf(here, middle), 1) : "–"}</td>
        <td class="num">${share === null ? "–" : `${fixed(100 * share, 1)} %`}</td>
        <td class="order"><button type="button" aria-label=${`Move layer ${l + 1} up`} disabled=${l === 0} onClick=${() => move(l, l - 1)}>↑</button>
          <button type="button" aria-label=${`Move layer ${l + 1} down`} disabled=${l === layers.length - 1} onClick=${() => move(l, l + 1)}>↓</button>
          <button type="button" aria-label=${`Remove layer ${l + 1}`} onClick=${() => change(layers.filter((/** @type {any} */ _, /** @type {number} */ k) => k !== l), Math.max(1, Math.min(at, layers.length - 1)))}>×</button></td></tr>`;
    })}</tbody></table></div>
    <p class="fine">sees: r + (K − 1) · D · j; jump: j · S; r and j of the layer before. Center and padding share are those of the middle unit, in pixels from the edge;
      padding of any layer counts as nothing.</p>`;
}

/** @param {any} props */
function Cell({ name, value, label, onChoose }) {
  const [low, high] = BOUNDS[/** @type {"kernel"} */ (name)];
  /** @param {{currentTarget: HTMLInputElement}} event */
  const typed = ({ currentTarget }) => {
    const next = Number(currentTarget.value);
    if (currentTarget.value !== "" && Number.isInteger(next) && next >= low && next <= high) onChoose(next);
    else currentTarget.value = String(value);
  };
  return html`<input type="number" min=${low} max=${high} step="1" aria-label=${label} value=${value} onChange=${typed} />`;
}

/** @param {any} props what the library says of a model */
export function NetworkTable({ rows, at }) {
  return html`<div class="scroll"><table class="layers" id="layers"><thead><tr><th scope="col">value</th><th scope="col">operation</th><th scope="col">layers before</th>
      <th scope="col">map</th><th scope="col">sees</th><th scope="col">jump</th><th scope="col">center</th><th scope="col">padding share</th></tr></thead>
    <tbody>${rows.map(
      (/** @type {any} */ one, /** @type {number} */ l) => html`<tr key=${one.node} aria-current=${l + 1 === at ? "true" : undefined}>
      <th scope="row"><button type="button" aria-label=${`Look at ${one.name}`} onClick=${() => choose({ at: l + 1, y: "", x: "" })}>${one.name}</button></th>
      <td>${one.kind}</td><td class="num">${one.layers}</td><td class="num">${shape(one.grid)}</td><td class="num"><b>${one.size ? pair(one.size) : "unknown"}</b>${one.global_by.length ? " and all" : ""}</td>
      <td class="num">${pair(one.jump)}</td><td class="num">${one.center.map((/** @type {number} */ each) => fixed(each, 1)).join(", ")}</td>
      <td class="num">${one.padding_share === null ? "unknown" : `${fixed(100 * one.padding_share, 1)} %`}</td></tr>`,
    )}</tbody></table></div>
    <p class="fine">By photosite.analysis.receptive_field, exactly. ${rows.some((/** @type {any} */ one) => one.global_by.length) ? "Some values also see everything, through a gate, a norm or attention; their local field is what stands here." : ""}</p>`;
}

/** @param {number[]} two */
function pair(two) {
  return two[0] === two[1] ? significant(two[0]) : two.map((one) => significant(one)).join(" × ");
}
