/** One patch embedding: a model's input cut into patches, and the number that a filter makes of each. */

import { colored, limits } from "../draw/colors.js";
import { drawGrid } from "../draw/grid.js";
import { drawPhoto, outline } from "../draw/photo.js";
import { html, useMemo, useSignal } from "../html.js";
import { windowAt } from "../math/convolution.js";
import { integer } from "../math/address.js";
import { shape, significant, whole } from "../math/format.js";
import { rowOf } from "../math/tokens.js";
import { choose, modelNames, route } from "../state.js";
import { Board } from "./board.js";
import { Canvas, Fault, ink, Select, useAnswer, useSize, WholeNumber } from "./parts.js";
import { Why } from "./why_link.js";

const AMBER = "#f2b84b";
const HIGHEST = 448;

/** @param {{photo: import("../state.js").Photo}} props */
export function PatchEmbedding({ photo }) {
  const { params } = route.value;
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const chosen = Object.fromEntries([["model", params.model], ["patch", params.p], ["filter", params.f]].filter(([, one]) => one));
  useAnswer("patch-embedding", { photo: photo.key, ...chosen }, fault, (answer) => {
    if (!answer) return; // what was asked before stays
    const { data, arrays } = answer;
    const [, height, width] = arrays.x.shape;
    found.value = { ...data, height, width, arrays, grid: arrays.by_rows.shape };
  });
  const now = found.value;
  if (!now) return html`<${Fault} words=${fault.value} /><p class="maps empty"></p>`;
  const { grid, patch: side } = now;
  const at = [params.y, params.x].map((one, k) => integer(one, 0, grid[k] - 1, grid[k] >> 1));
  const keep = (/** @type {number[]} */ to, follow = false) => {
    const [y, x] = to.map((one, k) => Math.min(Math.max(Math.floor(one), 0), grid[k] - 1));
    choose({ y, x }, { follow });
  };
  const size = (/** @type {number} */ p) => choose({ p, y: "", x: "" }, { follow: true });
  const all = { now, at, onKeep: keep };
  return html`<div class="settings">
      <${Select} label="model" value=${params.model ?? now.model} of=${["none", ...modelNames.value].map((one) => [one, one])} onChoose=${(/** @type {string} */ model) => choose({ model, p: "", f: "" })} />
      <label class="slide"><span class="label">patch size</span><input type="range" min="4" max=${Math.min(64, now.height, now.width)} value=${params.p ?? side} aria-label="Patch size, in pixels"
        onInput=${(/** @type {any} */ event) => size(Number(event.currentTarget.value))} /><span class="num">${side} px</span></label>
      <span class="segments" role="group" aria-label="Sizes that leave nothing over">${now.even.map((/** @type {number} */ p) => html`<button type="button" key=${p} aria-pressed=${p === side} onClick=${() => size(p)}>${p}${p === now.own ? " its own" : ""}</button>`)}</span>
      <${WholeNumber} label="filter" value=${now.filter} low=${0} high=${now.filters - 1} onChoose=${(/** @type {number} */ f) => choose({ f })} /></div>
    <${Fault} words=${fault.value} />
    <p class="hint" id="weights" role="status">${(params.model ?? now.model) === now.model ? now.words : fault.value ? "" : `reading ${params.model} …`}</p>
    <div class="maps"><${Cells} ...${all} id="patches" words=${`input by ${now.recipe} · 3 × ${shape([now.height, now.width])} float32 · ${now.left}`} />
      <${Cells} ...${all} id="plane" words=${`number ${now.filter} of each token · ${shape(grid)} float64`} /></div>
    <${Equality} ...${all} />
    <dl class="formulas cost" id="cost">${now.costs.map((/** @type {string[]} */ [what, how, much, said]) => html`<dt key=${what}>${what}</dt><dd>${how} = <b>${much}</b>${said}</dd>`)}</dl>`;
}

/** @param {ArrayLike<number>} values @returns {number} the largest size */
const largest = (values) => Math.max(...Object.values(limits(values)).map(Math.abs));

/**
 * Signed numbers as cells.
 * @param {any} context @param {number} dense @param {ArrayLike<number>} values @param {number} width @param {number} side
 */
function paint(context, dense, values, width, side) {
  const colors = new Uint8ClampedArray(4 * values.length);
  const most = largest(values);
  colored(values, -most, most, "signed", colors);
  const text = (/** @type {number} */ y, /** @type {number} */ x) => (side < 40 ? "" : significant(values[y * width + x], 2));
  drawGrid(context, { height: values.length / width, width, colors, side, text }, dense, { paper: "", rule: "" });
}

/** @param {{values: ArrayLike<number>}} props their limits */
function Scale({ values }) {
  return html` <span class="scale"><i class="ramp signed"></i>±${significant(largest(values))}</span>`;
}

/** @param {any} props the patches, or one filter's number for each, as large */
function Cells({ id, now, at, onKeep, words }) {
  const [frame, size] = useSize();
  const { height, width, grid, arrays, patch } = now;
  const scale = Math.min(size.width / width, HIGHEST / height);
  const cell = patch * scale;
  const picture = id === "patches";
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!picture) return paint(context, dense, arrays.by_convolution.values, grid[1], cell);
    if (!scale) return;
    const sheet = { width: width * scale, height: height * scale };
    drawPhoto(context, { height, width, bytes: arrays.picture.values }, 1, { scale, left: 0, top: 0 }, sheet, dense, { channels: [true, true, true], pattern: "" });
    const side = cell * dense;
    const [bottom, right] = [grid[0] * side, grid[1] * side];
    context.fillStyle = ink("--paper");
    context.globalAlpha = 0.75; // what no patch reads
    context.fillRect(right, 0, 9e3, bottom);
    context.fillRect(0, bottom, 9e3, 9e3);
    context.globalAlpha = 1;
    context.beginPath();
    for (let k = 0; k <= grid[1]; k++) context.rect(k * side, 0, 0, bottom);
    for (let k = 0; k <= grid[0]; k++) context.rect(0, k * side, right, 0);
    for (const [color, thick] of /** @type {[string, number][]} */ ([["rgb(20 22 26 / 50%)", 3], ["#fbfaf7", 1]])) {
      context.strokeStyle = color;
      context.lineWidth = (thick * dense) / (cell < 16 ? 2 : 1);
      context.stroke();
    }
  };
  const over = (/** @type {any} */ context, /** @type {number} */ dense) => outline(context, at[1] * cell * dense, at[0] * cell * dense, cell * dense, cell * dense, AMBER, dense);
  return html`<figure ref=${frame}><${Board} id=${id} width=${width * scale} height=${height * scale} draw=${draw} over=${over} reads=${[now]} marks=${[now, ...at]}
      label=${`Row ${at[0]}, column ${at[1]} of ${grid[0]} by ${grid[1]} patches.`}
      onPoint=${(/** @type {number[] | null} */ point, /** @type {boolean} */ kept) => kept && point && onKeep(point.map((one) => one / cell))}
      onStep=${(/** @type {number[]} */ [down, across]) => (down || across ? onKeep([at[0] + down, at[1] + across], true) : choose({ y: "", x: "" }))} />
    <figcaption>${words}${picture ? "" : html`<${Scale} values=${arrays.by_convolution.values} />`}</figcaption></figure>`;
}

/** @param {any} props the numbers of a patch, as the tensor has them and as a row, and two ways to what they become */
function Equality({ now, at }) {
  const near = useSignal(-1);
  const pinned = useSignal(0);
  const [frame, size] = useSize();
  const { patch: side, arrays, height, width } = now;
  const count = 3 * side * side;
  const weight = arrays.weight.values;
  const bias = arrays.bias.values[0];
  const { row, ways } = useMemo(() => {
    const x = { channels: 3, height, width, values: arrays.x.values };
    const row = rowOf(x, side, at);
    const kernel = { channels: 3, rows: side, columns: side, values: weight, bias };
    const { result } = windowAt(x, kernel, { stride: [side, side], padding: [0, 0], mode: "zero", dilation: [1, 1] }, at[0], at[1]);
    const place = at[0] * now.grid[1] + at[1];
    const product = row.reduce((sum, one, k) => sum + one * weight[k], 0) + bias;
    return { row, ways: [result, product, arrays.by_convolution.values[place], arrays.by_rows.values[place]] };
  }, [now, ...at]);
  const k = Math.min(near.value < 0 ? pinned.value : near.value, count - 1);
  const [c, u, v] = [Math.floor(k / side ** 2), Math.floor(k / side) % side, k % side];
  const [y, x] = [at[0] * side + u, at[1] * side + v];
  const cell = Math.min(560, size.width > 828 ? size.width / 2 - 16 : size.width) / side / 3; // as `.maps` has columns
  const wide = 3 * side * cell;
  const point = (/** @type {number[] | null} */ to, /** @type {boolean} */ kept) => {
    const [row, column] = (to ?? [-1, 0]).map((one) => Math.floor(one / cell));
    near.value = row < 0 || row >= side || column >= 3 * side ? -1 : (Math.floor(column / side) * side + row) * side + (column % side);
    if (kept && near.value >= 0) pinned.value = near.value;
  };
  const step = (/** @type {number[]} */ [down, across]) => {
    near.value = -1;
    pinned.value = down || across ? Math.min(Math.max(k + down * side + across, 0), count - 1) : 0;
  };
  const shown = (/** @type {string} */ id, /** @type {string} */ title, /** @type {Float64Array} */ values) => html`<figure>
    <${Board} id=${id} label=${`${title}: ${significant(values[k])} at channel ${c}, row ${u}, column ${v}.`} width=${wide} height=${wide / 3} reads=${[values]} marks=${[k, cell]} onStep=${step} onPoint=${point}
      draw=${(/** @type {any} */ context, /** @type {number} */ dense) => paint(context, dense, values.map((_, i) => values[((Math.floor(i / side) % 3) * side + Math.floor(i / side / 3)) * side + (i % side)]), 3 * side, cell)}
      over=${(/** @type {any} */ context, /** @type {number} */ dense) => {
        for (const one of [1, 2]) outline(context, one * side * cell * dense, 0, 0, side * cell * dense, "#fbfaf7", dense / 2);
        outline(context, (c * side + v) * cell * dense, u * cell * dense, cell * dense, cell * dense, AMBER, dense);
      }} />
    <${Canvas} width=${wide} height=${20} reads=${[values, k, wide]} draw=${(/** @type {any} */ context, /** @type {number} */ dense) => {
      const each = (wide * dense) / count;
      context.setTransform(each, 0, 0, 20 * dense, 0, 0);
      paint(context, 1, values, count, 1);
      context.setTransform(1, 0, 0, 1, 0, 0);
      outline(context, k * each, 0, each, 20 * dense, AMBER, dense);
    }} /><figcaption>${title}: red, green, blue; below it as a row of ${whole(count)}<${Scale} values=${values} /></figcaption></figure>`;
  return html`<div class="equality" ref=${frame}><h2>The patch at row ${at[0]}, column ${at[1]}</h2>
    <div class="maps">${shown("numbers", "as it lies in the tensor", row)}${shown("filter", `filter ${now.filter}`, weight)}</div>
    <p class="num formula" id="number">x[${c}, ${y}, ${x}] = ${significant(row[k], 6)} · number ${whole((c * height + y) * width + x)} of the tensor · number ${c} · ${side}² + ${u} · ${side} + ${v} = ${whole(k)} of the row · times ${significant(weight[k], 6)} = ${significant(row[k] * weight[k], 6)}</p>
    <dl class="formulas" id="ways">
      <dt>convolution, kernel ${side}, stride ${side}</dt><dd><b>${significant(ways[0], 10)}</b></dd>
      <dt>row · weights + bias</dt><dd><b>${significant(ways[1], 10)}</b> = ${significant(ways[1] - bias, 6)} + ${significant(bias)}</dd>
      <dt>largest difference</dt><dd><span id="most">${significant(Math.max(...ways) - Math.min(...ways), 2)}</span>, of both here and both by the library</dd></dl>
    <p class="openit"><${Why} label="Why this value?" what=${`row ${at[0]}, column ${at[1]}`} subject=${{ of: "patch", model: now.model, patch: side, filter: now.filter, path: `output:0,0,${at.join()}` }} /></p>
    <p class="fine agreement">${now.agreement}</p></div>`;
}
