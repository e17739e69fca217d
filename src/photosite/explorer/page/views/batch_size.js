/** How far a batch's mean lies from the mean of all, by batch size: measured, and as two formulas have it. */

import { html, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { significant } from "../math/format.js";
import { choose, route } from "../state.js";
import { Chart } from "./chart.js";
import { Fault, Select, useAnswer } from "./parts.js";

/** @param {{where: Record<string, string | number>}} props */
export function BatchSize({ where }) {
  const { params } = route.value;
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const near = useSignal(/** @type {number | null} */ (null));
  useAnswer("batch-error", where, fault, (answer) => {
    if (answer) found.value = { ...answer.data, arrays: answer.arrays };
  });
  const now = found.value;
  if (!now) return html`<div class="batch empty-chart"><${Fault} words=${fault.value} /></div>`;
  /** @type {{sizes: number[], channels: string[], numbers: number, batches: number}} */
  const { sizes, channels, numbers, batches } = now;
  const channel = word(params.channel, channels, channels[0]);
  const column = channels.indexOf(channel);
  const of = (/** @type {string} */ name) =>
    sizes.map((_, k) => now.arrays[name].values[k * channels.length + column]);
  const [measured, byPixels, byPictures] = ["measured", "by_pixels", "by_pictures"].map(of);
  const kept = integer(params.size, 0, sizes.length - 1, 5);
  const at = Math.min(near.value ?? kept, sizes.length - 1);
  const most = Math.log2(sizes[sizes.length - 1]);
  const across = {
    low: 1,
    high: sizes[sizes.length - 1],
    ticks: sizes,
    at: (/** @type {number} */ size) => Math.log2(size) / most,
  };
  const times = measured[at] / byPixels[at];
  return html`<div class="batch"><h2>How good is a batch's mean?</h2>
    <div class="settings">
      <label class="slide"><span class="label">batch size B</span>
        <input type="range" min="0" max=${sizes.length - 1} value=${at} aria-valuetext=${String(sizes[at])}
          onInput=${(/** @type {any} */ event) => choose({ size: event.currentTarget.value }, { follow: true })} />
        <span class="num" id="size">${sizes[at]}</span></label>
      <${Select} label="channel" value=${channel} of=${channels.map((one) => [one, one])} onChoose=${(/** @type {string} */ one) => choose({ channel: one })} />
    </div>
    <p class="reading">Batches of ${sizes[at]} crops miss the mean by <b id="measured">${significant(measured[at])}</b>, measured over ${batches} of them.
      If all ${significant(sizes[at] * numbers)} numbers were independent, σ/√(B·H·W) = <span id="by-pixels">${significant(byPixels[at])}</span> would do: ${Number.isFinite(times) ? html`it is <b>${significant(times, 3)} times</b> as much` : "there is no spread at all"}, since neighbors in a photo resemble each other.
      With σ of the crops' means, σ/√B = <span id="by-pictures">${significant(byPictures[at])}</span>.</p>
    <${Chart} title="Error of the estimated mean" xs=${sizes} across=${across} xWords="batch size B" at=${at}
      label=${`Error of the estimated mean of ${channel} by batch size`}
      curves=${[
        { words: "σ/√(B·H·W), numbers independent", look: "without", values: byPixels },
        { words: "σ of crop means/√B", look: "field", values: byPictures },
        { words: "measured", look: "with", values: measured, dots: true },
      ]}
      onHover=${(/** @type {number | null} */ k) => (near.value = k)} onKeep=${(/** @type {number} */ k) => choose({ size: k })} />
    <p class="hint">A crop has ${numbers} numbers in a channel. ${batches} batches give an error to about ${significant(100 / Math.sqrt(2 * batches), 2)} %.</p>
    <${Fault} words=${fault.value} /></div>`;
}
