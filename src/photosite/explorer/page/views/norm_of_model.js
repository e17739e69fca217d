/** What a model's own norm does to the photo: mean and variance of each channel and of each place, before and behind. */

import { Superseded } from "../api.js";
import { html, useEffect, useSignal } from "../html.js";
import { even } from "../math/axis.js";
import { shape, significant } from "../math/format.js";
import { about, build, choose, modelNames, question, route, wordsOf } from "../state.js";
import { Fault, Select, useSize } from "./parts.js";

const ROWS = /** @type {[string, string][]} */ ([
  ["channel_mean", "mean of each channel, over places"],
  ["channel_variance", "variance of each channel"],
  ["place_mean", "mean of each place, over channels"],
  ["place_variance", "variance of each place"],
]);

/** @param {{photo: import("../state.js").Photo}} props */
export function NormOfModel({ photo }) {
  const { params } = route.value;
  const models = about.value?.models ?? [];
  const names = modelNames.value;
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const waits = useSignal("");
  const name = params.model && names.includes(params.model) ? params.model : (models[0]?.name ?? "");
  useEffect(() => {
    if (!name) return;
    waits.value = name;
    fault.value = "";
    (async () => {
      try {
        const model = await build(name);
        /** @type {Record<string, string>} */
        const chosen = params.of ? { norm: params.of } : {};
        const { data, arrays } = await question("norm-statistics", { photo: photo.key, model: model.key, ...chosen });
        found.value = { ...data, arrays };
      } catch (error) {
        if (error instanceof Superseded) return;
        found.value = null;
        fault.value = wordsOf(error);
      } finally {
        waits.value = "";
      }
    })();
  }, [photo.key, name, params.of]);
  const now = found.value;
  const [, kind, sizes] = now?.norms[now.number] ?? ["", "", []];
  return html`<div class="of-model"><h2>A model's own norms</h2>
    <p>A CNN's batch norm keeps channels at a scale that it learned over many photos; a transformer's layer norm brings each token to a scale of its own.
      Which of the four spreads becomes narrow shows which one it is.</p>
    <div class="settings">
      <${Select} label="model" value=${waits.value || name} onChoose=${(/** @type {string} */ one) => choose({ model: one, of: "" })}
        of=${[...(name ? [] : [["", "choose one"]]), ...names.map((one) => [one, one])]} />
      ${
        now
          ? html`<${Select} label="norm" value=${String(now.number)} onChoose=${(/** @type {string} */ one) => choose({ of: one })}
          of=${now.norms.map((/** @type {[string, string, number[]]} */ [where, what], /** @type {number} */ k) => [String(k), `${where} · ${what.replace("_", " ")}`])} />
        <span class="num hint">${kind.replace("_", " ")} · ${shape(sizes)}</span>`
          : null
      }
      <span class="hint" role="status">${waits.value ? `reading ${waits.value} …` : ""}</span>
    </div>
    <${Fault} words=${fault.value} />
    ${now ? html`<div class="spreads">${ROWS.map(([key, words]) => html`<${Spread} key=${key} name=${key} words=${words} before=${now.arrays[`before ${key}`].values} behind=${now.arrays[`behind ${key}`].values} />`)}</div>` : null}
  </div>`;
}

/** @param {{name: string, words: string, before: ArrayLike<number>, behind: ArrayLike<number>}} props both on one scale */
function Spread({ name, words, before, behind }) {
  const [frame, size] = useSize();
  const wide = Math.max(size.width, 120);
  const all = [...Array.from(before), ...Array.from(behind)].filter(Number.isFinite);
  const axis = even(Math.min(...all), Math.max(...all));
  const left = (/** @type {number} */ value) => 6 + axis.at(value) * (wide - 12);
  const line = (/** @type {string} */ side, /** @type {ArrayLike<number>} */ values, /** @type {number} */ top) => {
    const [low, high] = [Math.min(...Array.from(values)), Math.max(...Array.from(values))];
    const path = Array.from(values, (one) => (Number.isFinite(one) ? `M${left(one).toFixed(1)} ${top}v16` : "")).join("");
    return { low, high, path, side };
  };
  const lines = [line("before", before, 4), line("behind", behind, 28)];
  return html`<figure class="spread" ref=${frame} data-spread=${name}><h3>${words}</h3>
    <svg width=${wide} height="68" role="img" aria-label=${`${words}: before ${significant(lines[0].low)} to ${significant(lines[0].high)}, behind ${significant(lines[1].low)} to ${significant(lines[1].high)}`}>
      ${lines.map((one) => html`<path key=${one.side} class=${one.side} d=${one.path} />`)}
      ${axis.ticks.map((one) => html`<text key=${one} x=${left(one)} y="62" text-anchor="middle">${significant(one)}</text>`)}
    </svg>
    <figcaption>${lines.map((one) => html`<span key=${one.side} class=${`key ${one.side}`}><i class="dash"></i>${one.side} ${significant(one.low)} … ${significant(one.high)}</span> `)}</figcaption>
  </figure>`;
}
