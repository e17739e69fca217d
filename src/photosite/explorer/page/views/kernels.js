/** Where a kernel comes from: the gallery, one's own numbers, or what a model learned. */

import { Superseded } from "../api.js";
import { colored, drawTiles } from "../draw/colors.js";
import { html, useEffect, useSignal } from "../html.js";
import { pairText } from "../math/address.js";
import { GALLERY, kernelText, numbersOf, parseKernel } from "../math/kernels.js";
import { about, build, choose, modelNames, question, route, wordsOf } from "../state.js";
import { Canvas, Choice, Fault, Select, WholeNumber } from "./parts.js";

/**
 * @typedef {object} Layer
 * @property {string} model
 * @property {string} layer
 * @property {number[]} shape O, C, K, L
 * @property {Float32Array} weight
 * @property {Float32Array} bias
 * @property {number[]} stride
 * @property {number[]} padding
 * @property {number[]} dilation
 * @property {boolean} has_bias
 * @property {string[]} notes
 */

const THUMB = 40;
const SHOWN = 64;

/**
 * A kernel as a picture: signed numbers around paper, or red, green and blue at once.
 * @param {{values: ArrayLike<number>, channels: number, rows: number, columns: number, side?: number}} props
 */
export function KernelPicture({ values, channels, rows, columns, side = THUMB }) {
  const size = rows * columns;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    const colors = new Uint8ClampedArray(4 * size);
    let most = 0;
    for (let i = 0; i < channels * size; i++) most = Math.max(most, Math.abs(values[i]));
    if (channels === 1) colored(values, -most, most, "signed", colors);
    else {
      for (let i = 0; i < size; i++) {
        for (let c = 0; c < 3; c++) colors[4 * i + c] = 127.5 + (127.5 * values[c * size + i]) / (most || 1);
        colors[4 * i + 3] = 255;
      }
    }
    const scale = (side * dense) / Math.max(rows, columns);
    drawTiles(context, colors, rows, columns, [0, 0, columns * scale, rows * scale]);
  };
  return html`<${Canvas} width=${side} height=${side} draw=${draw} reads=${[values]} />`;
}

/** @param {{kernel: string, filter: number, typed: string, colors: boolean, layer: import("../vendor/signals.js").Signal<Layer | null>}} props */
export function KernelPicker({ kernel, filter, typed, colors, layer }) {
  const plain = { kernel: "", f: "", k: "", bias: "" };
  return html`<div class="picker">
    <div class="gallery" role="group" aria-label="Kernel">
      ${GALLERY.map(
        (one) => html`<button type="button" key=${one.key} aria-pressed=${kernel === one.key} title=${one.what}
        onClick=${() => choose({ ...plain, kernel: one.key, ...(kernel === "layer" ? unlearned : {}) })}>
        <${KernelPicture} values=${numbersOf(one)} channels=${1} rows=${one.rows.length} columns=${one.rows[0].length} />
        <span>${one.title}</span></button>`,
      )}
      <button type="button" aria-pressed=${kernel === "typed"} title="type the numbers" onClick=${() => choose({ ...plain, kernel: "typed", k: typed, ...(kernel === "layer" ? unlearned : {}) })}>
        <span class="sign" aria-hidden="true">123</span><span>Your own</span></button>
      <button type="button" aria-pressed=${kernel === "layer"} title="what a network found by itself"
        onClick=${() => choose({ ...plain, kernel: "layer", ...(layer.value ? learned(layer.value, filter) : unlearned) })}>
        <span class="sign" aria-hidden="true">net</span><span>Learned</span></button>
    </div>
    ${kernel === "typed" ? html`<${Typed} text=${typed} colors=${colors} />` : null}
    ${kernel === "layer" ? html`<${Learned} filter=${filter} layer=${layer} />` : null}
  </div>`;
}

/** What is chosen along with a learned kernel, and left with it. */
const unlearned = { channels: "", numbers: "", stride: "", pad: "", dil: "", mode: "", apart: "" };

/** @param {Layer} one @param {number} filter */
export function learned(one, filter) {
  return {
    kernel: "layer",
    f: filter,
    channels: "rgb",
    numbers: "normalized",
    stride: pairText(one.stride),
    pad: pairText(one.padding),
    dil: pairText(one.dilation),
    mode: "zero",
  };
}

const COLORS = ["red", "green", "blue"];
const SIDES = [1, 3, 5, 7];

/** @param {{text: string, colors: boolean}} props numbers to type: one table, or one for each color */
function Typed({ text, colors }) {
  const { planes, error } = parseKernel(text);
  const fault = useSignal("");
  const [height, width] = [planes[0].length || 3, planes[0][0]?.length ?? 3];
  const own = colors && planes.length === 3;
  /** @param {string} next */
  const typed = (next) => {
    const found = parseKernel(next);
    fault.value = found.error;
    if (!found.error) choose({ k: kernelText(found.planes) }, { follow: true });
  };
  /** @param {number} plane @param {number} row @param {number} column @param {string} value */
  const changed = (plane, row, column, value) =>
    typed(
      planes
        .map((rows, p) =>
          rows
            .map((line, r) => line.map((one, c) => (p === plane && r === row && c === column ? value : one)).join(","))
            .join(";"),
        )
        .join("|"),
    );
  /** @param {number} high @param {number} wide */
  const resized = (high, wide) => {
    const [down, across] = [Math.trunc((height - high) / 2), Math.trunc((width - wide) / 2)]; // there and back again
    const sized = planes.map((rows) =>
      Array.from({ length: high }, (_, r) =>
        Array.from({ length: wide }, (_, c) => rows[r + down]?.[c + across] ?? 0),
      ),
    );
    choose({ k: kernelText(sized) });
  };
  return html`<div class="typed">
    ${planes.slice(0, own ? 3 : 1).map(
      (rows, p) => html`<div class="grid" key=${p}>${own ? html`<b class=${`c${p}`}>${COLORS[p]}</b>` : null}
      <table class="enter" aria-label=${own ? `Your kernel, ${COLORS[p]}` : "Your kernel"}><tbody>${rows.map(
        (line, r) =>
          html`<tr key=${r}>${line.map(
            (value, c) => html`<td key=${c}>
      <input type="text" inputmode="decimal" aria-label=${`${own ? `${COLORS[p]}, ` : ""}row ${r}, column ${c}`} value=${String(value)}
        onChange=${(/** @type {any} */ event) => changed(p, r, c, event.currentTarget.value)} /></td>`,
          )}</tr>`,
      )}</tbody></table></div>`,
    )}
    <div class="side">
      <div class="head"><${Choice} label="size" value=${height === width ? String(height) : ""} of=${SIDES.map((one) => [String(one), `${one} × ${one}`])}
        onChoose=${(/** @type {string} */ one) => resized(Number(one), Number(one))} />
        <${WholeNumber} label="or rows" value=${height} low=${1} high=${11} onChoose=${(/** @type {number} */ next) => resized(next, width)} />
        <${WholeNumber} label="columns" value=${width} low=${1} high=${11} onChoose=${(/** @type {number} */ next) => resized(height, next)} /></div>
      ${
        colors
          ? html`<${Choice} label="red, green, blue" value=${own ? "own" : "same"} of=${[
              ["same", "the same kernel"],
              ["own", "each its own"],
            ]} onChoose=${(/** @type {string} */ one) => choose({ k: kernelText(one === "own" ? [planes[0], planes[0], planes[0]] : [planes[0]]) })} />`
          : null
      }
      <label class="paste"><span class="label">or all at once</span>
        <input type="text" spellcheck="false" aria-label="All numbers; rows apart by semicolons" value=${text}
          onChange=${(/** @type {any} */ event) => typed(event.currentTarget.value)} /></label>
      <p class="hint">Numbers or fractions such as 1/9; rows apart by semicolons, kernels for red, green and blue by |. Any size up to 11 × 11.</p>
    </div>
    <${Fault} words=${fault.value || error} />
  </div>`;
}

/** @param {{filter: number, layer: import("../vendor/signals.js").Signal<Layer | null>}} props */
function Learned({ filter, layer }) {
  const fault = useSignal("");
  const waits = useSignal("");
  const all = useSignal(false);
  const models = about.value?.models ?? [];
  const one = layer.value;
  /** @param {string} name @param {boolean} [picked] by hand; else what the address says stays */
  const take = async (name, picked = true) => {
    fault.value = "";
    waits.value = name;
    try {
      const model = await build(name);
      const { data, arrays } = await question("first-layer", { model: model.key });
      const { shape, values } = arrays.weight;
      const weight = /** @type {Float32Array} */ (values);
      /** @type {Layer} */
      const found = {
        ...data,
        model: model.key,
        shape,
        weight,
        bias: /** @type {Float32Array} */ (arrays.bias.values),
      };
      layer.value = found;
      const { params } = route.peek();
      if (params.kernel === "layer")
        choose(
          { ...learned(found, Math.min(filter, shape[0] - 1)), ...(picked ? {} : params), model: name },
          { follow: true },
        );
    } catch (error) {
      if (!(error instanceof Superseded)) fault.value = wordsOf(error);
    } finally {
      waits.value = "";
    }
  };
  const now = models.find((model) => model.key === one?.model)?.name ?? "";
  useEffect(() => {
    if (!one && models[0]) take(route.peek().params.model ?? models[0].name, false);
  }, []);
  const [count, channels, rows, columns] = one?.shape ?? [0, 3, 1, 1];
  const size = channels * rows * columns;
  const shown = all.value ? count : Math.min(count, SHOWN);
  return html`<div class="learned">
    <div class="head"><${Select} label="model" value=${waits.value || now} of=${modelNames.value.map((name) => [name, name])} onChoose=${take} />
      <span class="hint" role="status">${waits.value ? `reading ${waits.value} …` : one ? `${one.layer}: ${count} filters of ${channels} × ${rows} × ${columns}` : ""}</span></div>
    ${
      one
        ? html`<div class="filters" role="group" aria-label="Filter">${Array.from(
            { length: shown },
            (_, f) => html`<button type="button" key=${f}
      aria-pressed=${f === filter} aria-label=${`filter ${f}`} title=${`filter ${f}`} onClick=${() => choose({ f })}>
      <${KernelPicture} values=${one.weight.subarray(f * size, (f + 1) * size)} channels=${channels} rows=${rows} columns=${columns} side=${28} /></button>`,
          )}
      ${shown < count ? html`<button type="button" class="more" onClick=${() => (all.value = true)}>show all ${count}</button>` : null}</div>`
        : null
    }
    ${one?.notes.map((note) => html`<p class="fine" key=${note}>${note}</p>`)}
    <${Fault} words=${fault.value} />
  </div>`;
}
