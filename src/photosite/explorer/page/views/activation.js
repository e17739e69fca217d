/** Class activation maps: which places of a value speak for a class, or why that cannot be said. */

import { Superseded } from "../api.js";
import { colored, drawTiles, limits } from "../draw/colors.js";
import { html, useEffect, useSignal } from "../html.js";
import { shape, significant, whole } from "../math/format.js";
import { drawnAs } from "../math/network.js";
import { choose, question, route, wordsOf } from "../state.js";
import { Canvas, Fault, Select, useAnswer } from "./parts.js";

const SIDE = 112;

/** @typedef {{refused: string, checks: {name: string, verdict: "good" | "bad" | "unclear", said: string}[]}} Audited */
/**
 * @typedef {object} Explained
 * @property {string} node
 * @property {string} method
 * @property {[number, number]} grid
 * @property {number} class
 * @property {number} classes
 * @property {string} title
 * @property {number} score
 * @property {string} refused
 * @property {string[]} notes
 * @property {Audited | null} audit
 * @property {Float32Array} [values]
 * @property {Float32Array} [positive]
 */

/**
 * Asks for the map that the address names; nothing without a method.
 * @param {import("../state.js").Photo} photo @param {import("./hierarchy.js").Network} network
 * @param {import("./hierarchy.js").NetNode} node
 */
export function useActivationMap(photo, network, node) {
  const { cam = "", cls = "" } = route.value.params;
  const found = useSignal(/** @type {Explained | null} */ (null));
  const fault = useSignal("");
  const method = network.methods.includes(cam) && node.layout ? cam : "";
  const query = { photo: photo.key, model: network.key, node: node.name, method, class: cls };
  useEffect(() => {
    found.value = null;
    fault.value = "";
  }, Object.values(query));
  useAnswer(method && "activation-map", query, fault, (answer) => {
    found.value = answer && {
      ...answer.data,
      values: answer.arrays.values?.values,
      positive: answer.arrays.positive?.values,
    };
  });
  return { found, fault, method, query };
}

/** @param {{network: import("./hierarchy.js").Network, node: import("./hierarchy.js").NetNode, cam: ReturnType<typeof useActivationMap>}} props */
export function ActivationMap({ network, node, cam: { found, fault, method, query } }) {
  const one = found.value;
  /** @param {any} event */
  const typed = ({ currentTarget }) => choose({ cls: currentTarget.value.trim() });
  return html`<div class="activation"><div class="head"><h2>What speaks for a class</h2>
    <${Select} label="method" value=${method} of=${[["", "choose one"], ...network.methods.map((name) => [name, name])]}
      onChoose=${(/** @type {string} */ name) => choose({ cam: name })} />
    ${method ? html`<label class="number"><span class="label">class</span><input type="text" inputmode="numeric" placeholder="top" value=${route.value.params.cls ?? ""} onChange=${typed} /></label>` : null}
    <span class="hint" role="status">${method && !one && !fault.value ? "computing …" : ""}</span></div>
    <${Fault} words=${fault.value} />
    ${one?.refused ? html`<p class="refused"><b>No map</b> ${one.refused}</p>` : null}
    ${one?.values ? html`<${Own} one=${one} node=${node} query=${query} />` : null}
  </div>`;
}

/** @param {{one: Explained, node: import("./hierarchy.js").NetNode, query: Record<string, string>}} props the map on its own grid */
function Own({ one, node, query }) {
  const [rows, columns] = one.grid;
  const values = one.values ?? new Float32Array(0);
  const { low, high } = limits(values);
  const drawn = drawnAs(low, high);
  const scale = SIDE / Math.max(rows, columns);
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    const colors = new Uint8ClampedArray(4 * rows * columns);
    colored(values, drawn.low, drawn.high, drawn.look, colors);
    drawTiles(context, colors, rows, columns, [0, 0, columns * scale * dense, rows * scale * dense]);
  };
  return html`<div class="camrow"><${Canvas} width=${columns * scale} height=${rows * scale} draw=${draw} reads=${[values]} label=${`${one.method} on its own grid`} />
    <div><p id="camclass">class <b>${one.class}${one.title ? `, ${one.title}` : ""}</b> · score ${significant(one.score)}</p>
      <p class="hint">${one.method} at ${one.node} · ${shape(one.grid)} · <span id="camrange">${significant(low)} … ${significant(high)}</span>
        <span class="scale"><i class=${`ramp ${drawn.look}`}></i>${significant(drawn.low)} … ${significant(drawn.high)}</span></p>
      <p class="hint">Over the photo: what lies above 0, over the largest.${one.node === node.name ? "" : ` This method chooses its place itself: ${one.node}.`}</p>
      ${one.notes.map((note) => html`<p class="hint" key=${note}>${note}</p>`)}
      <${Audit} one=${one} query=${query} /></div></div>`;
}

/** @param {{one: Explained, query: Record<string, string>}} props whether the map is true */
function Audit({ one, query }) {
  const found = useSignal(one.audit);
  const runs = useSignal(false);
  const told = useSignal("");
  const fault = useSignal("");
  useEffect(() => {
    if (!runs.value) return;
    let done = false;
    fault.value = told.value = "";
    question("map-audit", query)
      .then(
        ({ data }) => {
          if (!done) found.value = one.audit = data.audit;
        },
        (error) => {
          if (!done && !(error instanceof Superseded)) fault.value = wordsOf(error);
        },
      )
      .finally(() => {
        if (!done) runs.value = false;
        done = true;
      });
    const timer = setInterval(async () => {
      const { data } = await question("progress", { of: "map-audit" }).catch(() => ({ data: {} }));
      if (!done && data.progress) told.value = data.progress.map(whole).join(" of ");
    }, 300);
    return () => {
      clearInterval(timer);
      if (!done) question("about", {}, { view: "map-audit" }).catch(() => {}); // a newer question ends the older one
      done = true;
    };
  }, [runs.value]);
  if (!found.value)
    return html`<p class="head"><button type="button" class="more" onClick=${() => (runs.value = !runs.value)}>${runs.value ? "Stop" : "Is it true?"}</button>
      <span class="hint" role="status">${runs.value ? `covering parts of the photo: ${told.value || "…"}` : "covers parts of the photo and shuffles the weights: some 150 passes"}</span></p>
      <${Fault} words=${fault.value} />`;
  const { refused, checks } = found.value;
  const count = (/** @type {string} */ verdict) => checks.filter((check) => check.verdict === verdict).length;
  return html`<div id="audit">${
    refused
      ? html`<p class="refused"><b>Refused</b> ${refused}</p>`
      : html`<p>Checked: ${count("good")} of ${checks.length} checks are good${["bad", "unclear"].map((one) => (count(one) ? `, ${count(one)} ${one}` : ""))}</p>`
  }<dl class="formulas">${checks.map((check) => html`<dt>${check.name}</dt><dd class=${check.verdict === "bad" ? "refused" : ""}><b>${check.verdict}</b> ${check.said}</dd>`)}</dl></div>`;
}
