/** Class activation maps: which places of a value speak for a class, or why that cannot be said. */

import { Superseded } from "../api.js";
import { colored, limits } from "../draw/colors.js";
import { html, useEffect, useSignal } from "../html.js";
import { shape, significant } from "../math/format.js";
import { drawnAs } from "../math/network.js";
import { choose, question, route, wordsOf } from "../state.js";
import { Canvas, Fault, Select } from "./parts.js";

const SIDE = 112;

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
  const waits = useSignal(false);
  const method = network.methods.includes(cam) && node.layout ? cam : "";
  useEffect(() => {
    found.value = null;
    fault.value = "";
    waits.value = !!method;
    if (!method) return;
    let gone = false;
    question("activation-map", { photo: photo.key, model: network.key, node: node.name, method, class: cls }).then(
      ({ data, arrays }) => {
        if (gone) return;
        waits.value = false;
        found.value = {
          ...data,
          values: /** @type {Float32Array | undefined} */ (arrays.values?.values),
          positive: /** @type {Float32Array | undefined} */ (arrays.positive?.values),
        };
      },
      (error) => {
        if (gone || error instanceof Superseded) return;
        waits.value = false;
        fault.value = wordsOf(error);
      },
    );
    return () => {
      gone = true;
    };
  }, [photo.key, network, node.name, method, cls]);
  return { found, fault, waits, method };
}

/** @param {{network: import("./hierarchy.js").Network, node: import("./hierarchy.js").NetNode, cam: ReturnType<typeof useActivationMap>}} props */
export function ActivationMap({ network, node, cam: { found, fault, waits, method } }) {
  const one = found.value;
  /** @param {any} event */
  const typed = ({ currentTarget }) => choose({ cls: currentTarget.value.trim() });
  return html`<div class="activation"><div class="head"><h2>What speaks for a class</h2>
    <${Select} label="method" value=${method} of=${[["", "choose one"], ...network.methods.map((name) => [name, name])]}
      onChoose=${(/** @type {string} */ name) => choose({ cam: name })} />
    ${method ? html`<label class="number"><span class="label">class</span><input type="text" inputmode="numeric" placeholder="top" value=${route.value.params.cls ?? ""} onChange=${typed} /></label>` : null}
    <span class="hint" role="status">${waits.value ? "computing …" : ""}</span></div>
    <${Fault} words=${fault.value} />
    ${one?.refused ? html`<p class="refused"><b>No map</b> ${one.refused}</p>` : null}
    ${one?.values ? html`<${Own} one=${one} node=${node} />` : null}
  </div>`;
}

/** @param {{one: Explained, node: import("./hierarchy.js").NetNode}} props the map on its own grid */
function Own({ one, node }) {
  const [rows, columns] = one.grid;
  const values = one.values ?? new Float32Array(0);
  const { low, high } = limits(values);
  const drawn = drawnAs(low, high);
  const scale = SIDE / Math.max(rows, columns);
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    const small = new OffscreenCanvas(columns, rows);
    const paper = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d"));
    const image = paper.createImageData(columns, rows);
    colored(values, drawn.low, drawn.high, drawn.look, image.data);
    paper.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, columns * scale * dense, rows * scale * dense);
  };
  return html`<div class="camrow"><${Canvas} width=${columns * scale} height=${rows * scale} draw=${draw} reads=${[values]} label=${`${one.method} on its own grid`} />
    <div><p id="camclass">class <b>${one.class}${one.title ? `, ${one.title}` : ""}</b> · score ${significant(one.score)}</p>
      <p class="hint">${one.method} at ${one.node} · ${shape(one.grid)} · <span id="camrange">${significant(low)} … ${significant(high)}</span>
        <span class="scale"><i class=${`ramp ${drawn.look}`}></i>${significant(drawn.low)} … ${significant(drawn.high)}</span></p>
      <p class="hint">Over the photo: what lies above 0, over the largest.${one.node === node.name ? "" : ` This method chooses its place itself: ${one.node}.`}</p>
      ${one.notes.map((note) => html`<p class="hint" key=${note}>${note}</p>`)}
      <p class="fine">Whether such a map is true, <code>photosite explain</code> checks.</p></div></div>`;
}
