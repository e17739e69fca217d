/** Residual: one stack of layers twice, with and without shortcuts; what becomes of the signal and of the gradient. */

import { html, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { even } from "../math/axis.js";
import { figure, reachOf, reading, verdict, wordOf } from "../math/depth.js";
import { choose, route } from "../state.js";
import { Chart } from "./chart.js";
import { Choice, Fault, Select, useAnswer } from "./parts.js";

const BEGINS = /** @type {[string, string][]} */ ([
  ["he", "He: 2/D"],
  ["xavier", "Xavier: 1/D"],
  ["small", "too small: 0.01²"],
  ["large", "too large: 8/D"],
]);
const SIDE = 128; // of the photo that the crops are taken from

/** @param {{photo: import("../state.js").Photo}} props */
export function Residual({ photo }) {
  const { params } = route.value;
  const layers = 2 * Math.floor(integer(params.layers, 2, 64, 32) / 2);
  const width = integer(params.width, 2, 128, 64);
  const begin = word(params.begin, ["he", "xavier", "small", "large"], "xavier");
  const norm = word(params.norm, ["off", "on"], "off");
  const of = word(params.of, ["values", "weights"], "values");
  const seed = integer(params.seed, 0, 9, 0);
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const near = useSignal(/** @type {number | null} */ (null));
  const where = { photo: photo.key, side: SIDE, layers, width, seed };
  useAnswer("residual", { ...where, begin, norm: norm === "on" ? 1 : 0 }, fault, (answer) => {
    if (!answer) return;
    const rows = Object.entries(answer.arrays).map(([name, { shape, values }]) => [
      name,
      [values.subarray(0, shape[1]), values.subarray(shape[1])],
    ]);
    found.value = { ...answer.data, ...Object.fromEntries(rows) };
  });
  const set = (/** @type {string} */ key) => (/** @type {string | number} */ value) =>
    choose({ [key]: value }, { follow: typeof value === "number" });
  const now = found.value;
  const blocks = now?.blocks ?? layers / 2;
  const kept = integer(params.at, 0, blocks, 0);
  const at = Math.min(near.value ?? kept, blocks);
  const go = (/** @type {number} */ next) => set("at")(next);
  return html`<section class="residual" aria-labelledby="title">
    <div class="title"><h1 id="title">Residual</h1>
      <p>The same weights twice: x → relu(F(x)), and with a shortcut x → relu(F(x) + x), where F is two linear layers with a
      rectifier between.</p></div>
    <div class="settings">
      <${Slide} label="layers" value=${layers} low=${2} high=${64} step=${2} onChoose=${set("layers")} />
      <${Slide} label="width D" value=${width} low=${2} high=${128} step=${2} onChoose=${set("width")} />
      <${Select} label="weights begin with variance" value=${begin} of=${BEGINS} onChoose=${set("begin")} />
      <${Choice} label="batch norm" value=${norm} of=${[
        ["off", "off"],
        ["on", "on"],
      ]} onChoose=${set("norm")} />
      <${Select} label="seed" value=${String(seed)} of=${Array.from({ length: 10 }, (_, k) => [String(k), String(k)])} onChoose=${set("seed")} />
    </div>
    <${Fault} words=${fault.value} />
    ${now ? html`<${Curves} now=${now} at=${at} of=${of} near=${near} go=${go} set=${set} />` : html`<p class="curves empty hint"></p>`}
    <div class="curves lower"><${Table} where=${where} begin=${begin} norm=${norm} />
    <div>${now ? html`<${Numbers} now=${now} at=${at} go=${go} />` : null}
    <p class="fine">Input: ${now?.batch ?? 64} random crops of 8 × 8 pixels of the photo at ${SIDE} px, brought to mean 0 and variance 1, through one
      linear layer to D numbers. Gradient: of a random weighting of the output, by the derivatives of photosite.ops; its size is the root of the
      mean square. Linear layers stand for 1 × 1 convolutions. Batch norm as in training, without scale and shift.</p></div></div>
  </section>`;
}

/** @param {any} props */
function Curves({ now, at, of, near, go, set }) {
  const steps = Array.from({ length: now.blocks + 1 }, (_, k) => k);
  const [plain, residual] = [reachOf(now.gradient[0]), reachOf(now.gradient[1])];
  const said = reading(plain, residual, now.blocks);
  const weights = of === "weights";
  const curves = (/** @type {ArrayLike<number>[]} */ two) => [
    { words: "without shortcut", look: "without", values: two[0] },
    { words: "with shortcut", look: "with", values: two[1] },
  ];
  const shown = weights ? now.of_weights : now.gradient;
  const xs = weights ? steps.slice(1) : steps;
  const place = weights ? Math.max(at - 1, 0) : at;
  return html`<p class="reading"><b>The claim ${said.found} here</b><span>: ${said.why}. ${said.words}</span></p>
    <div class="curves">
      <${Chart} title="Variance of the signal" xs=${steps} across=${even(0, now.blocks)} xWords="behind block" at=${at}
        label=${`Variance of the signal behind each of ${now.blocks} blocks, with and without shortcuts`}
        curves=${curves(now.variance)} onHover=${(/** @type {number | null} */ k) => (near.value = k)} onKeep=${go} />
      <div class="pair"><${Chart} title=${weights ? "Gradient of the weights" : "Gradient of the signal"} xs=${xs} at=${place}
        across=${even(xs[0], Math.max(now.blocks, xs[0] + 1))} xWords=${weights ? "of block" : "behind block"}
        label=${`Size of the gradient at each of ${now.blocks} blocks, with and without shortcuts`} curves=${curves(shown)}
        onHover=${(/** @type {number | null} */ k) => (near.value = k === null ? null : k + (weights ? 1 : 0))}
        onKeep=${(/** @type {number} */ k) => go(k + (weights ? 1 : 0))} />
        <${Choice} label="gradient of" value=${of} of=${[
          ["values", "signal"],
          ["weights", "weights"],
        ]} onChoose=${set("of")} /></div>
    </div>`;
}

/** @param {any} props of one block */
function Numbers({ now, at, go }) {
  const numbers = (/** @type {ArrayLike<number>[]} */ two, /** @type {number} */ k) =>
    html`<td>${figure(two[0][k])}</td><td>${figure(two[1][k])}</td>`;
  return html`<h2>At block ${at}</h2><label class="slide"><span class="label">block</span>
      <input type="range" min="0" max=${now.blocks} value=${at} onInput=${(/** @type {any} */ event) => go(Number(event.currentTarget.value))}
        aria-label="Block whose numbers are written" /></label>
      <table class="pairs"><thead><tr><td></td><th>without</th><th>with shortcut</th></tr></thead><tbody>
        <tr data-row="variance"><th>variance behind block ${at}</th>${numbers(now.variance, at)}</tr>
        <tr data-row="gradient"><th>gradient there</th>${numbers(now.gradient, at)}</tr>
        <tr data-row="weights"><th>gradient of its weights</th>${at ? numbers(now.of_weights, at - 1) : html`<td>–</td><td>–</td>`}</tr>
      </tbody></table>`;
}

/** @param {any} props every way to begin, with norms and without */
function Table({ where, begin, norm }) {
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  useAnswer(
    "residual-table",
    where,
    fault,
    (answer) => {
      if (answer) found.value = { settings: answer.data.settings, reach: answer.arrays.reach.values, ...where };
    },
    300,
  );
  const rows = (found.value?.settings ?? []).map((/** @type {[string, boolean]} */ [key, normed], /** @type {number} */ k) => {
    const [plain, residual] = [0, 1].map((i) => wordOf(found.value.reach[2 * k + i], found.value.layers / 2));
    return { key, normed: normed ? "on" : "off", plain, residual, found: verdict(plain, residual) };
  });
  const count = (/** @type {string} */ one) => rows.filter((/** @type {any} */ row) => row.found === one).length;
  return html`<div class="everywhere"><h2>Where the claim holds</h2>
    <p>The claim: without shortcuts the gradient shrinks block by block; with them it reaches the early layers.
      ${rows.length ? html`<span id="count"> At ${found.value.layers} layers of width ${found.value.width} it holds in ${count("holds")} of ${rows.length} settings${count("in part") ? ` and in part in ${count("in part")}` : ""}.</span>` : null}</p>
    <${Fault} words=${fault.value} />
    <div class="scroll"><table class="pairs"><thead><tr><th>weights</th><th>norm</th><th>without</th><th>with</th><th>the claim</th></tr></thead>
    <tbody>${rows.map(
      (/** @type {any} */ row) => html`<tr key=${row.key + row.normed} class=${row.key === begin && row.normed === norm ? "here" : ""}>
      <th><button type="button" class="link" onClick=${() => choose({ begin: row.key, norm: row.normed })}>${BEGINS.find((one) => one[0] === row.key)?.[1]}</button></th>
      <td>${row.normed}</td><td>${figure(row.plain.share, 3)}</td><td>${figure(row.residual.share, 3)}</td><td class="said">${row.found}</td></tr>`,
    )}</tbody></table></div>
    <p class="hint">Gradient before the first block as a share of that behind the last. Less than a tenth is said to shrink, more than ten times to grow;
      in part: it comes back, but grown.</p></div>`;
}

/** @param {{label: string, value: number, low: number, high: number, step: number, onChoose: (value: number) => void}} props */
export function Slide({ label, value, low, high, step, onChoose }) {
  return html`<label class="slide"><span class="label">${label}</span>
    <input type="range" min=${low} max=${high} step=${step} value=${value}
      onInput=${(/** @type {any} */ event) => onChoose(Number(event.currentTarget.value))} /><span class="num">${value}</span></label>`;
}
