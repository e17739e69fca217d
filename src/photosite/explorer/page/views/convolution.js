/** Convolution: a kernel slides over the photo; each place becomes the sum of what lies under it times the kernel. */

import { Superseded } from "../api.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../html.js";
import { integer, pair, pairText, word } from "../math/address.js";
import { convolve, refusal, windowAt } from "../math/convolution.js";
import { shape, significant } from "../math/format.js";
import { inputOf } from "../math/input.js";
import { GALLERY, numbersOf, parseKernel } from "../math/kernels.js";
import { choose, photo as chosen, question, route, wordsOf } from "../state.js";
import { KernelPicker } from "./kernels.js";
import { InputMap, lookOf, OutputMap } from "./maps.js";
import { arrow, Choice, Fault, Select, useAnswer, WholeNumber } from "./parts.js";
import { Formulas, Products } from "./products.js";
import { Why } from "./why_link.js";

const SIDES = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
const MOST = 64; // of stride, padding and dilation, as the library's half has it
const ASKED_AT_MOST = 24_000; // characters of a kernel in a question
const TYPED = "0,-1,0;-1,5,-1;0,-1,0";
const SPEEDS = /** @type {const} */ (["1", "8", "64"]); // places at a tick of Play

/**
 * Everything that the address says of this view.
 * @param {Record<string, string>} params
 */
function choicesOf(params) {
  return {
    kernel: word(params.kernel, [...GALLERY.map((one) => one.key), "typed", "layer"], "sobel-x"),
    typed: params.k ?? TYPED,
    filter: integer(params.f, 0, 1e6, 0),
    side: integer(params.side, 4, 256, 48),
    cut: word(params.cut, /** @type {const} */ (["whole", "square"]), "whole"),
    channels: word(params.channels, /** @type {const} */ (["gray", "rgb"]), "gray"),
    numbers: word(params.numbers, /** @type {const} */ (["levels", "unit", "normalized"]), "levels"),
    stride: pair(params.stride, 1, MOST, 1),
    padding: pair(params.pad, 0, MOST, 0),
    mode: word(params.mode, /** @type {const} */ (["zero", "reflect", "replicate"]), "zero"),
    dilation: pair(params.dil, 1, MOST, 1),
    apart: params.apart === "1",
    look: word(params.as, /** @type {const} */ (["auto", "signed", "gray", "magnitude"]), "auto"),
    speed: word(params.speed, SPEEDS, "1"),
  };
}

/** @param {{photo: import("../state.js").Photo}} props */
export function Convolution({ photo }) {
  const { params } = route.value;
  const choices = choicesOf(params);
  const patch = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const layer = useSignal(/** @type {import("./kernels.js").Layer | null} */ (null));
  const hover = useSignal(/** @type {{row: number, column: number} | null} */ (null));
  const playing = useSignal(false);
  const { side, cut, channels, numbers, stride, padding, mode, dilation } = choices;
  const [cx, cy] = [
    integer(params.cx, 0, photo.size_hw[1] - 1, Math.floor(photo.size_hw[1] / 2)),
    integer(params.cy, 0, photo.size_hw[0] - 1, Math.floor(photo.size_hw[0] / 2)),
  ];
  /** @type {Record<string, string | number>} */
  const where = { photo: photo.key, side, cut, ...(cut === "square" ? { cx, cy } : {}) };
  const learnedBy = choices.kernel === "layer" ? layer.value : null;
  if (learnedBy) where.model = learnedBy.model;
  useAnswer("patch", where, fault, (found) => {
    if (!found) return;
    const { shape: sizes, values } = found.arrays.picture;
    patch.value = { height: sizes[0], width: sizes[1], bytes: values, table: found.arrays.table.values };
  });

  const kernel = useMemo(
    () => kernelOf(choices, learnedBy),
    [choices.kernel, choices.typed, choices.filter, channels, learnedBy, params.bias],
  );
  const options = { stride, padding, mode, dilation };
  const now = patch.value;
  const input = useMemo(
    () => (now ? inputOf(now, kernel?.channels === 3 ? "rgb" : channels, numbers, now.table) : null),
    [now, channels, numbers, kernel?.channels],
  );
  const impossible = input && kernel ? refusal(input, kernel, options) : "";
  const output = useMemo(
    () => (input && kernel && !impossible ? convolve(input, kernel, options) : null),
    [input, kernel, impossible, mode, ...stride, ...padding, ...dilation],
  );
  const count = output ? output.height * output.width : 0;
  const pinned = output
    ? {
        row: integer(params.y, 0, output.height - 1, Math.floor(output.height / 2)),
        column: integer(params.x, 0, output.width - 1, Math.floor(output.width / 2)),
      }
    : { row: 0, column: 0 };
  const near = hover.value;
  const at = near && output && near.row < output.height && near.column < output.width ? near : pinned;
  const window = useMemo(
    () => (input && kernel && output ? windowAt(input, kernel, options, at.row, at.column) : null),
    [input, kernel, output, at.row, at.column],
  );

  const move = useRef(/** @type {any} */ (null));
  move.current = {
    /** @param {number} number of a place, in the order in which the kernel slides @param {boolean} [follow] */
    to: (number, follow = true) => {
      if (!output) return;
      hover.value = null;
      const next = Math.min(Math.max(number, 0), count - 1);
      choose({ y: Math.floor(next / output.width), x: next % output.width }, { follow });
    },
    number: output ? pinned.row * output.width + pinned.column : 0,
    count,
    speed: Number(choices.speed),
  };
  useEffect(() => {
    if (!playing.value) return;
    const timer = setInterval(() => {
      const { to, number, count: all, speed } = move.current;
      if (number >= all - 1) playing.value = false;
      else to(number + speed);
    }, 120);
    return () => clearInterval(timer);
  }, [playing.value]);
  const play = () => {
    if (!playing.value && move.current.number >= count - 1) move.current.to(0);
    playing.value = !playing.value;
  };
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!output || /INPUT|SELECT/.test(target.tagName) || target.className === "scroll") return;
    const go = arrow(event);
    if (go) {
      const row = Math.min(Math.max(pinned.row + go[0], 0), output.height - 1);
      const column = Math.min(Math.max(pinned.column + go[1], 0), output.width - 1);
      move.current.to(row * output.width + column);
    } else if (event.key === " " && target.tagName !== "BUTTON") play();
    else if (event.key === "Home") move.current.to(0);
    else if (event.key === "End") move.current.to(count - 1);
    else if (event.key === "Escape") {
      playing.value = false;
      hover.value = null;
      choose({ x: "", y: "" });
    } else return;
    event.preventDefault();
  };
  const place = { row: at.row, column: at.column };
  const set = (/** @type {string} */ key) => (/** @type {string | number} */ value) => choose({ [key]: value });
  return html`<section class="convolution" aria-labelledby="title" onKeyDown=${keyed}>
    <div class="title"><h1 id="title">Convolution</h1>
      <p>A kernel slides over the photo. At each place it multiplies what lies under it and adds up: one number of the output.</p></div>
    <${KernelPicker} kernel=${choices.kernel} filter=${choices.filter} typed=${choices.typed} colors=${channels === "rgb"} layer=${layer} />
    <${Settings} choices=${choices} set=${set} photo=${photo} learned=${choices.kernel === "layer"} bias=${kernel?.bias ?? 0} />
    <${Fault} words=${fault.value || impossible} />
    ${
      input && kernel
        ? html`<div class="maps">
      <${InputMap} input=${input} patch=${now} kernel=${kernel} options=${options} place=${place} hover=${hover} numbers=${numbers}
        output=${output} onKeep=${(/** @type {any} */ one) => move.current.to(one.row * (output?.width ?? 1) + one.column, false)} />
      <${OutputMap} output=${output} look=${lookOf(choices.look, kernel, numbers)} wish=${choices.look} onWish=${set("as")} like=${stride[0] === 1 && stride[1] === 1 ? [input.height + 2 * padding[0], input.width + 2 * padding[1]] : [1, 1]} kernel=${kernel} numbers=${numbers} place=${place} hover=${hover}
        playing=${playing.value} onKeep=${(/** @type {any} */ one) => move.current.to(one.row * (output?.width ?? 1) + one.column, false)} /></div>`
        : html`<p class="maps empty hint">${choices.kernel === "layer" && !layer.value ? "The model's first layer is being read; the first time takes a few seconds." : ""}</p>`
    }
    ${
      output
        ? html`<div class="transport" role="group" aria-label="Slide the kernel">
      <button type="button" onClick=${() => move.current.to(move.current.number - 1)} disabled=${move.current.number === 0}>Back</button>
      <button type="button" class="main" aria-pressed=${playing.value} onClick=${play}>${playing.value ? "Pause" : "Play"}</button>
      <button type="button" onClick=${() => move.current.to(move.current.number + 1)} disabled=${move.current.number >= count - 1}>Step</button>
      <input type="range" min="0" max=${count - 1} value=${at.row * output.width + at.column} aria-label="Place of the kernel"
        onInput=${(/** @type {any} */ event) => move.current.to(Number(event.currentTarget.value))} />
      <span class="num where">row ${at.row}, column ${at.column} of ${output.height} × ${output.width}</span>
      <${Choice} label="speed" value=${choices.speed} of=${SPEEDS.map((one) => [one, `×${one}`])} onChoose=${set("speed")} /></div>`
        : null
    }
    ${
      window && kernel && input && output
        ? html`<div class=${kernel.columns > 5 ? "numbers wide" : "numbers"}>
      <div class="scroll" tabindex="0" role="region" aria-label="Products under the kernel"><${Products} window=${window} kernel=${kernel} />
        <p class="openit">row ${at.row}, column ${at.column} of the output <${Why} label="Why this value?" what="" subject=${{ of: "convolution", ...asked(where, kernel, options, numbers), path: `output:0,0,${at.row},${at.column}` }} /></p></div>
      <div><${Formulas} input=${input} kernel=${kernel} options=${options} height=${output.height} width=${output.width}
        filters=${learnedBy?.shape[0] ?? 1} hasBias=${learnedBy?.has_bias ?? kernel.bias !== 0} />
        <${Agreement} where=${where} kernel=${kernel} options=${options} numbers=${numbers} output=${output} /></div></div>`
        : null
    }
  </section>`;
}

/** @param {any} props */
function Settings({ choices, set, photo, learned, bias }) {
  const sides = [...new Set([...SIDES, choices.side])].sort((a, b) => a - b);
  const steps = /** @type {[string, string, [number, number], number][]} */ ([
    ["stride", "stride", choices.stride, 1],
    ["dilation", "dil", choices.dilation, 1],
    ["padding", "pad", choices.padding, 0],
  ]);
  const apart = choices.apart || steps.some(([, , [down, across]]) => down !== across);
  return html`<div class="settings">
    <${Select} label="photo at" value=${String(choices.side)} of=${sides.map((one) => [String(one), `${one} px`])} onChoose=${set("side")} />
    <${Choice} label="part" value=${choices.cut} of=${[
      ["whole", "whole"],
      ["square", "square"],
    ]} onChoose=${set("cut")} />
    ${
      choices.cut === "square"
        ? html`<${WholeNumber} label="around x" low=${0} high=${photo.size_hw[1] - 1} onChoose=${set("cx")}
      value=${integer(route.value.params.cx, 0, photo.size_hw[1] - 1, Math.floor(photo.size_hw[1] / 2))} />
      <${WholeNumber} label="y" low=${0} high=${photo.size_hw[0] - 1} onChoose=${set("cy")}
      value=${integer(route.value.params.cy, 0, photo.size_hw[0] - 1, Math.floor(photo.size_hw[0] / 2))} />`
        : null
    }
    ${
      learned
        ? null
        : html`<${Choice} label="channels" value=${choices.channels} of=${[
            ["gray", "gray"],
            ["rgb", "R+G+B"],
          ]} onChoose=${set("channels")} />`
    }
    <${Select} label="numbers" value=${choices.numbers} of=${[
      ["levels", "0 … 255"],
      ["unit", "0 … 1"],
      ["normalized", "normalized"],
    ]} onChoose=${set("numbers")} />
    ${steps.map(
      ([label, key, both, low]) => html`<span class="choice pair" key=${label}>${(apart ? ["rows", "columns"] : [""]).map(
        (side, way) => html`<${WholeNumber} key=${side} label=${way ? side : `${label} ${side}`.trim()} value=${both[way]} low=${low} high=${MOST}
          onChoose=${(/** @type {number} */ next) => set(key)(pairText(apart ? (way ? [both[0], next] : [next, both[1]]) : [next, next]))} />`,
      )}</span>`,
    )}
    <${Choice} label="rows and columns" value=${apart ? "1" : ""} of=${[
      ["", "together"],
      ["1", "apart"],
    ]} onChoose=${(/** @type {string} */ one) =>
      choose({ apart: one, ...(one ? {} : Object.fromEntries(steps.map(([, key, [down]]) => [key, down]))) })} />
    ${
      choices.padding.some(Boolean)
        ? html`<${Select} label="by" value=${choices.mode} of=${[
            ["zero", "zeros"],
            ["reflect", "reflection"],
            ["replicate", "replication"],
          ]} onChoose=${set("mode")} />`
        : null
    }
    ${
      learned
        ? null
        : html`<label class="number"><span class="label">bias</span><input type="number" step="any" value=${bias}
      onChange=${(/** @type {any} */ event) => set("bias")(Number(event.currentTarget.value) || "")} /></label>`
    }
  </div>`;
}

/**
 * The kernel that is chosen; null where there is none yet.
 * @param {ReturnType<typeof choicesOf>} choices @param {import("./kernels.js").Layer | null} layer
 * @returns {import("../math/convolution.js").Kernel | null}
 */
function kernelOf({ kernel, typed, filter, channels }, layer) {
  if (kernel === "layer") {
    if (!layer) return null;
    const [count, deep, rows, columns] = layer.shape;
    const one = Math.min(filter, count - 1);
    const size = deep * rows * columns;
    const values = Array.from(layer.weight.subarray(one * size, (one + 1) * size));
    return { channels: deep, rows, columns, values, bias: layer.bias[one] };
  }
  const bias = Number(route.value.params.bias ?? 0) || 0;
  const named = GALLERY.find((one) => one.key === kernel);
  const { planes, error } = named ? { planes: [named.rows], error: "" } : parseKernel(typed);
  if (error) return null;
  const rows = planes[0];
  const deep = channels === "rgb" ? 3 : 1;
  return {
    channels: deep,
    rows: rows.length,
    columns: rows[0].length,
    values: Array.from({ length: deep }, (_, c) => (named ? numbersOf(named) : (planes[c] ?? rows).flat())).flat(),
    bias,
  };
}

/**
 * A convolution as the library is asked for it.
 * @param {Record<string, string | number>} where @param {import("../math/convolution.js").Kernel} kernel
 * @param {import("../math/convolution.js").Options} options @param {string} numbers @returns {Record<string, string | number>}
 */
function asked(where, { channels, values, rows, bias }, { stride, padding, mode, dilation }, numbers) {
  return {
    ...where,
    channels: channels === 3 ? "rgb" : "gray",
    numbers,
    kernel: values.join(","),
    rows,
    bias,
    stride: pairText(stride),
    padding: pairText(padding),
    mode,
    dilation: pairText(dilation),
  };
}

/** @param {any} props whether the library finds the same numbers */
function Agreement({ where, kernel, options, numbers, output }) {
  const found = useSignal(/** @type {{words: string, bad: boolean}} */ ({ words: "", bad: false }));
  useEffect(() => {
    let left = false;
    found.value = { words: "", bad: false };
    const words = kernel.values.join(",");
    if (words.length > ASKED_AT_MOST) {
      found.value = {
        words: `${kernel.values.length} weights are more than a question holds: not compared with photosite.ops.conv`,
        bad: false,
      };
      return undefined;
    }
    const timer = setTimeout(async () => {
      try {
        const { arrays } = await question("convolution", asked(where, kernel, options, numbers));
        const theirs = arrays.y.values;
        let [most, size] = [theirs.length === output.values.length ? 0 : Infinity, 1];
        for (let i = 0; i < theirs.length; i++) {
          most = Math.max(most, Math.abs(theirs[i] - output.values[i]));
          size = Math.max(size, Math.abs(theirs[i]));
        }
        const bad = !(most <= 1e-9 * size);
        if (!left)
          found.value = {
            bad,
            words: `photosite.ops.conv on these ${shape([output.height, output.width])} numbers: largest difference ${significant(most, 2)}`,
          };
      } catch (error) {
        if (!left && !(error instanceof Superseded)) found.value = { words: wordsOf(error), bad: true };
      }
    }, 250);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [output, kernel, numbers, chosen.value?.key]);
  return found.value.bad
    ? html`<${Fault} words=${found.value.words} />`
    : html`<p class="fine agreement">${found.value.words || "\u00a0"}</p>`;
}
