/** A photo's way through a network in a few pictures, from the part that the model gets to what it says. */

import { html, useMemo, useSignal } from "../html.js";
import { shape, significant } from "../math/format.js";
import { pixelsOf } from "../state.js";
import { painted, Patch, SmallMap } from "./channels.js";
import { Fault, useAnswer } from "./parts.js";

/** @typedef {import("./hierarchy.js").NetNode} NetNode */
/** @typedef {{model: string, channels: Map<string, {channel: number, values: Float32Array}>, largest: [number, number, string][]}} Found */

const NONE = new Float32Array(0);

/** @param {{photo: import("../state.js").Photo, network: import("./hierarchy.js").Network | null, node: NetNode | null, onPick: (name: string) => void}} props */
export function Steps({ photo, network, node, onPick }) {
  const answer = useSignal(/** @type {Found | null} */ (null));
  const fault = useSignal("");
  const model = network?.key ?? "";
  useAnswer(network ? "steps" : "", { photo: photo.key, model }, fault, (found) => {
    if (!found) return;
    const { data, arrays } = found;
    const channels = data.depths.map((/** @type {any} */ one, /** @type {number} */ i) => [
      one.node,
      { channel: one.channel, values: arrays[i].values },
    ]);
    answer.value = { model, channels: new Map(channels), largest: data.largest ?? [] };
  });
  const found = network && answer.value?.model === network.key ? answer.value : null;
  const loaded = pixelsOf(photo).value;
  const main = network?.nodes.filter((one) => one.main) ?? [];
  return html`<${Fault} words=${fault.value} />
    <ol class="steps" aria-label="The main depths, from the photo to what the model says">
      ${network ? html`<li><${Patch} pixels=${loaded.whole ?? loaded.small} photo=${photo} box=${inside(network.crop, photo.size_hw)} /><b>photo</b><small>${shape(network.input_hw)}</small></li>` : null}
      ${main.map(
        (one) => html`<${Step} key=${one.name} one=${one} found=${found?.channels.get(one.name)} chosen=${one === node} onPick=${onPick} />`,
      )}
      ${
        found?.largest.length
          ? html`<li class="says"><b>says</b>${found.largest
              .slice(0, 3)
              .map(([index, value, title]) => html`<small key=${index}>${title || `number ${index}`} <span class="num">${significant(value, 3)}</span></small>`)}</li>`
          : null
      }
    </ol>`;
}

/** @param {{one: NetNode, found: {channel: number, values: Float32Array} | undefined, chosen: boolean, onPick: (name: string) => void}} props */
function Step({ one, found, chosen, onPick }) {
  const colors = useMemo(() => painted(found?.values ?? NONE).colors, [found]);
  const size = shape([one.channels, ...one.grid]);
  return html`<li><button type="button" aria-pressed=${chosen} onClick=${() => onPick(one.name)}
    title=${`${one.name}, ${size}: ${one.main}${found ? `; channel ${found.channel}, the most varied` : ""}`}>
    <${SmallMap} colors=${colors} grid=${one.grid} /><b>${one.main_name}</b><small>${size}</small></button></li>`;
}

/** @param {number[]} box @param {[number, number]} size the part of a box that lies in the photo */
function inside([top, left, bottom, right], [height, width]) {
  return [Math.max(top, 0), Math.max(left, 0), Math.min(bottom, height), Math.min(right, width)];
}
