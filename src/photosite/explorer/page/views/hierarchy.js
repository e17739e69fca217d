/** Hierarchy: a network as a map; each value as feature maps, and what every place of them sees of the photo. */

import { Superseded } from "../api.js";
import { html, useEffect, useMemo, useSignal } from "../html.js";
import { integer } from "../math/address.js";
import { fixed, shape, significant, whole } from "../math/format.js";
import { namesOf } from "../math/network.js";
import { about, build, choose, modelNames, question, route, wordsOf } from "../state.js";
import { ActivationMap, useActivationMap } from "./activation.js";
import { ChannelGrid, ChannelMap, Strongest } from "./channels.js";
import { Collection } from "./collection.js";
import { KernelPicture } from "./kernels.js";
import { NetworkMap } from "./network.js";
import { Fault, Select, useAnswer } from "./parts.js";
import { Sight } from "./sight.js";
import { modelOf, Why } from "./why_link.js";
import { Steps } from "./steps.js";

/**
 * @typedef {object} NetNode
 * @property {string} name
 * @property {string} kind
 * @property {string} module
 * @property {string} type
 * @property {number[]} shape
 * @property {string} dtype
 * @property {string[]} inputs
 * @property {string} layout "" where it holds no map
 * @property {[number, number]} grid
 * @property {number} channels
 * @property {number} parameters
 * @property {boolean} moves it computes nothing
 * @property {string} main why it is one of the main depths
 * @property {string} main_name of the module that it ends
 * @property {boolean} reads_picture
 * @property {[number, number] | null} size of its field
 * @property {[number, number] | null} jump
 * @property {string[]} global_by
 * @property {string[]} at_most
 * @property {string} unknown
 */
/**
 * @typedef {object} Network
 * @property {string} key of the model
 * @property {string} model
 * @property {string[]} notes
 * @property {NetNode[]} nodes
 * @property {[number, number]} input_hw
 * @property {[number, number, number, number]} crop
 * @property {string[]} methods
 */
/**
 * @typedef {object} Maps
 * @property {string} node
 * @property {string} layout
 * @property {[number, number]} grid
 * @property {number} channels
 * @property {number} room
 * @property {"variance" | "size"} sorted_by
 * @property {string} why_no_field
 * @property {Float32Array} maps
 * @property {Int32Array} order
 * @property {Int32Array} rows
 * @property {Int32Array} columns
 * @property {Float64Array} photo_rows
 * @property {Float64Array} photo_columns
 * @property {[number, number, string][]} [largest]
 * @property {[number, number] | null} [range]
 */
/** @typedef {{row: number, column: number}} Place */

/** @param {{photo: import("../state.js").Photo}} props */
export function Hierarchy({ photo }) {
  const { params } = route.value;
  const network = useSignal(/** @type {Network | null} */ (null));
  const fault = useSignal("");
  const waits = useSignal("");
  const models = about.value?.models ?? [];
  const wanted = params.model ?? models[0]?.name ?? "";
  useEffect(() => {
    if (!wanted) return;
    let gone = false;
    /** A model is built where it is not yet, then read as a graph. */
    const read = async () => {
      fault.value = "";
      waits.value = wanted;
      try {
        const model = await build(wanted);
        const { data } = await question("hierarchy", { photo: photo.key, model: model.key });
        if (!gone) network.value = { ...data, key: model.key };
      } catch (error) {
        if (gone || error instanceof Superseded) return;
        network.value = null;
        fault.value = wordsOf(error);
      } finally {
        if (!gone) waits.value = "";
      }
    };
    read();
    return () => {
      gone = true;
    };
  }, [wanted, photo.key]);
  const found = network.value?.model === wanted ? network.value : null; // of another model nothing is shown meanwhile
  const node = useMemo(() => (found ? nodeOf(found, params.node) : null), [found, params.node]);
  /** @param {string} name @param {boolean} [follow] */
  const pick = (name, follow = false) => choose({ node: name, ch: "", row: "", col: "", all: "" }, { follow });
  return html`<section class="hierarchy" aria-labelledby="title">
    <div class="title"><h1 id="title">Hierarchy</h1>
      <p>From edges to objects: choose an operation, look at what it makes of the photo, point at a cell to see what it sees.</p></div>
    <div class="settings">
      <${Select} label="model" value=${waits.value || wanted} of=${(wanted ? modelNames.value : ["", ...modelNames.value]).map((name) => [name, name || "choose one"])}
        onChoose=${(/** @type {string} */ name) => choose({ model: name, node: "", ch: "", row: "", col: "", all: "" })} />
      <span class="hint" role="status">${waits.value ? `reading ${waits.value} …` : found ? `${found.nodes.length} operations, for an input of ${shape(found.input_hw)}` : ""}</span>
    </div>
    <${Fault} words=${fault.value} />
    ${found?.notes.map((note) => html`<p class="fine note" key=${note}>${note}</p>`)}
    <${Steps} photo=${photo} network=${found} node=${node} onPick=${pick} />
    <div class="netside">
      <${NetworkMap} network=${found} node=${node} onPick=${pick} />
      ${found && node ? html`<${Detail} photo=${photo} network=${found} node=${node} onPick=${pick} />` : html`<div class="detail"></div>`}
    </div>
  </section>`;
}

/** @param {Network} network @param {string | undefined} name the node of that name, else the first of the main depths */
function nodeOf({ nodes }, name) {
  return (
    nodes.find((one) => one.name === name) ??
    nodes.find((one) => one.main) ??
    nodes.find((one) => one.layout) ??
    nodes[0] ??
    null
  );
}

/** @param {{photo: import("../state.js").Photo, network: Network, node: NetNode, onPick: (name: string) => void}} props */
function Detail({ photo, network, node, onPick }) {
  const { params } = route.value;
  const answer = useSignal(/** @type {Maps | null} */ (null));
  const fault = useSignal("");
  const hover = useSignal(/** @type {Place | null} */ (null));
  const all = params.all === "1";
  const cam = useActivationMap(photo, network, node);
  const query = { photo: photo.key, model: network.key, node: node.name, all: all ? 1 : 0 };
  useEffect(() => {
    hover.value = null;
  }, Object.values(query));
  useAnswer("feature-maps", query, fault, (found) => {
    const values = Object.entries(found?.arrays ?? {}).map(([key, one]) => [key, one.values]);
    answer.value = found && { ...found.data, ...Object.fromEntries(values) };
  });
  const maps = answer.value?.node === node.name ? answer.value : null;
  const [height, width] = maps?.grid ?? [0, 0];
  const index = Math.max(0, maps?.order?.indexOf(integer(params.ch, 0, 1 << 30, -1)) ?? 0);
  const pinned = useMemo(
    () => ({
      row: integer(params.row, 0, Math.max(0, height - 1), Math.floor(height / 2)),
      column: integer(params.col, 0, Math.max(0, width - 1), Math.floor(width / 2)),
    }),
    [params.row, params.col, height, width],
  );
  const place = hover.value ?? pinned;
  const values = useMemo(
    () => maps?.maps?.subarray(index * height * width, (index + 1) * height * width) ?? new Float32Array(0),
    [maps, index],
  );
  /** @param {Place} one @param {boolean} [follow] */
  const keep = (one, follow = false) => choose({ row: one.row, col: one.column }, { follow });
  const grid = useMemo(
    () => html`<${ChannelGrid} maps=${maps} node=${node} index=${index} all=${all} />`,
    [maps, node, index, all],
  ); // the same while the pointer moves: 2048 maps are not compared anew
  return html`<div class="detail">
    <${About} network=${network} node=${node} onPick=${onPick} />
    <${Fault} words=${fault.value} />
    ${
      node.layout
        ? html`<div class="sights">
        <${ChannelMap} maps=${maps} node=${node} values=${values} channel=${maps?.order?.[index] ?? 0} place=${place} hover=${hover}
          pinned=${pinned} onKeep=${keep} />
        <${Sight} photo=${photo} network=${network} node=${node} maps=${maps} place=${place} values=${values} explained=${cam.found.value} />
      </div>
      <${Strongest} photo=${photo} maps=${maps} values=${values} pinned=${pinned} onKeep=${keep} />
      <${Collection} photo=${photo} network=${network} node=${node} channel=${maps?.order?.[index] ?? -1} />
      <${ActivationMap} network=${network} node=${node} cam=${cam} />
      ${node.reads_picture ? html`<${Learned} key=${node.name} photo=${photo} network=${network} node=${node} channel=${maps?.order?.[index] ?? -1} />` : null}
      ${grid}`
        : fault.value
          ? null
          : html`<${Numbers} node=${node} maps=${maps} />`
    }
  </div>`;
}

/** @param {{network: Network, node: NetNode, onPick: (name: string) => void}} props what is known of an operation without running it */
function About({ network, node, onPick }) {
  const readers = network.nodes.filter((one) => one.inputs.includes(node.name)).map((one) => one.name);
  /** @param {string[]} names */
  const links = (names) =>
    names.map(
      (name) => html`<button type="button" class="link" key=${name} onClick=${() => onPick(name)}>${name}</button> `,
    );
  return html`<div class="aboutnode">
    <h2 id="node">${node.name}</h2>
    <p class="hint">${node.kind}${node.module ? html` in <code>${node.module}</code>` : ""} · ${shape(node.shape)} ${node.dtype}${node.main ? html` · <b>${node.main}</b>` : null}</p>
    <dl class="formulas">
      <dt>sees</dt><dd id="sees">${sees(node)}</dd>
      ${node.parameters ? html`<dt>parameters</dt><dd>${whole(node.parameters)}</dd>` : null}
      <dt>reads</dt><dd>${node.inputs.length ? links(node.inputs) : "the picture"}</dd>
      <dt>read by</dt><dd>${readers.length ? links(readers) : "nothing: it is what the model returns"}</dd>
    </dl>
  </div>`;
}

/** @param {NetNode} node how far each place sees, in words */
function sees(node) {
  if (node.unknown) return `not known: ${node.unknown}`;
  const words = [];
  if (node.size) {
    words.push(`${shape(node.size)} px of the input${node.at_most.length ? " at most" : ""}`);
    if (node.jump && node.layout && node.jump[0] && node.jump[1])
      words.push(`places ${node.jump.map((step) => significant(step)).join(" × ")} px apart`);
  }
  if (node.global_by.length) words.push(`everything, by ${namesOf(node.global_by)}`);
  return words.length ? words.join(" · ") : "no pixel on its own";
}

/** @param {{node: NetNode, maps: Maps | null}} props a value without places */
function Numbers({ node, maps }) {
  if (!maps?.largest) return html`<p class="hint">…</p>`;
  const most = Math.max(...maps.largest.map(([, value]) => Math.abs(value)), 1e-30);
  return html`<p class="hint">It holds no map of places. Its largest of ${whole(node.shape.reduce((a, b) => a * b, 1))} numbers${maps.range ? `, ${significant(maps.range[0])} … ${significant(maps.range[1])}` : ""}:</p>
    <table class="largest" aria-label="Largest numbers"><tbody>${maps.largest.map(
      ([index, value, title]) => html`<tr key=${index}><th class="num">${index}</th><td>${title}</td><td class="num">${fixed(value, 4)}<${Why} what=${`of ${title || `number ${index}`}`} subject=${{ of: "model", ...modelOf(), path: `${node.name}#${index}` }} /></td>
      <td><svg width="120" height="10" aria-hidden="true"><rect class="barfill" width=${Math.max(0, (120 * value) / most)} height="10" rx="2" /></svg></td></tr>`,
    )}</tbody></table>`;
}

/** @param {{photo: import("../state.js").Photo, network: Network, node: NetNode, channel: number}} props kernels that read the picture */
function Learned({ photo, network, node, channel }) {
  const weight = useSignal(/** @type {import("../api.js").NumberArray | null} */ (null));
  const fault = useSignal("");
  useAnswer("node-kernels", { photo: photo.key, model: network.key, node: node.name }, fault, (found) => {
    weight.value = found?.arrays.weight ?? null;
  });
  const found = weight.value;
  if (!found || channel < 0) return html`<${Fault} words=${fault.value} />`;
  const [count, channels, rows, columns] = found.shape;
  const size = channels * rows * columns;
  const values = /** @type {Float32Array} */ (found.values);
  const own = values.subarray(channel * size, (channel + 1) * size);
  let [low, high] = [Infinity, -Infinity];
  for (const value of own) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return html`<figure class="kernelof"><${KernelPicture} values=${own} channels=${channels} rows=${rows} columns=${columns} side=${72} />
    <figcaption>kernel of channel ${channel} · ${shape([channels, rows, columns])} · ${significant(low)} … ${significant(high)} · one of ${count},
      which read the picture itself</figcaption></figure>`;
}
