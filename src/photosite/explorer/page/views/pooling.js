/** Pooling: six ways to make a map smaller, side by side, and what a shift of the photo by single pixels does to each. */

import { Superseded } from "../api.js";
import { colored, limits } from "../draw/colors.js";
import { drawGrid } from "../draw/grid.js";
import { html, useEffect, useMemo, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { fixed, shape, significant } from "../math/format.js";
import { inputOf } from "../math/input.js";
import { GALLERY, numbersOf } from "../math/kernels.js";
import { columnsOf, reduced, shifted, TITLES, WAYS } from "../math/pooling.js";
import { choose, question, route, wordsOf } from "../state.js";
import { Canvas, Choice, Fault, ink, Select, useAnswer, useSize } from "./parts.js";
import { ShiftCurve } from "./shifts.js";
import { openWhy, Why } from "./why_link.js";

const SIDES = [64, 96, 128, 192, 256];
const MOST = 16; // pixels that the photo is shifted by
const KERNELS = ["identity", "gaussian", "sharpen", "sobel-x", "sobel-y", "laplacian"];

/** @param {{photo: import("../state.js").Photo}} props */
export function Pooling({ photo }) {
  const { params } = route.value;
  const side = integer(params.side, 48, 256, 128);
  const cut = word(params.cut, /** @type {const} */ (["whole", "square"]), "whole");
  const times = integer(params.times, 1, 3, 1);
  const kernel = word(params.kernel, KERNELS, "identity");
  const shift = integer(params.shift, 0, MOST, 1);
  const show = word(params.show, /** @type {const} */ (["output", "unexplained"]), "output");
  const patch = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const where = { photo: photo.key, side, cut };
  useAnswer("patch", where, fault, (found) => {
    if (!found) return;
    const { shape: sizes, values } = found.arrays.picture;
    patch.value = { height: sizes[0], width: sizes[1], bytes: values };
  });
  const now = patch.value;
  const factor = 2 ** times;
  const numbers = useMemo(() => numbersOf(/** @type {any} */ (GALLERY.find((one) => one.key === kernel))), [kernel]);
  const x = useMemo(() => {
    const made = now ? inputOf(now, "gray", "unit", []) : null;
    return made ? { height: made.height, width: made.width, values: Float64Array.from(made.values) } : null;
  }, [now]);
  const room = x ? x.width - MOST : 0;
  const small = x && (room < 8 * factor || x.height < 8 * factor);
  const all = useMemo(() => {
    if (!x || small) return null;
    return WAYS.map((way) => {
      const long = reduced(x, way, numbers, times); // goes on to the right, for what is carried in from there
      const shifts = Array.from({ length: MOST + 1 }, (_, by) => {
        const z = reduced(columnsOf(x, by, room), way, numbers, times);
        return { z, ...shifted(long, z, by, factor) };
      });
      return { way, shifts };
    });
  }, [x, numbers, times, small]);
  const set = (/** @type {string} */ key) => (/** @type {string | number} */ value) => choose({ [key]: value });
  const move = (/** @type {number} */ to) => choose({ shift: Math.min(Math.max(to, 0), MOST) }, { follow: true });
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    if (/INPUT|SELECT/.test(/** @type {HTMLElement} */ (event.target).tagName)) return;
    const go = /** @type {Record<string, number>} */ ({
      ArrowLeft: shift - (event.shiftKey ? 10 : 1),
      ArrowRight: shift + (event.shiftKey ? 10 : 1),
      Home: 0,
      End: MOST,
      Escape: 1,
    })[event.key];
    if (go === undefined) return;
    move(go);
    event.preventDefault();
  };
  return html`<section class="pooling" aria-labelledby="title" onKeyDown=${keyed}>
    <div class="title"><h1 id="title">Pooling</h1>
      <p>Fewer numbers, made in six ways. Shift the photo by a pixel: an output that only moved can be predicted; what cannot is aliasing.</p></div>
    <div class="settings">
      <${Select} label="photo at" value=${String(side)} of=${[...new Set([...SIDES, side])].sort((a, b) => a - b).map((one) => [String(one), `${one} px`])} onChoose=${set("side")} />
      <${Choice} label="part" value=${cut} of=${[
        ["whole", "whole"],
        ["square", "square"],
      ]} onChoose=${set("cut")} />
      <${Choice} label="times" value=${String(times)} of=${["1", "2", "3"].map((one) => [one, one])} onChoose=${set("times")} />
      <${Select} label="kernel of the convolution" value=${kernel} of=${KERNELS.map((one) => [one, GALLERY.find((each) => each.key === one)?.title ?? one])} onChoose=${set("kernel")} />
      <${Choice} label="show" value=${show} of=${[
        ["output", "outputs"],
        ["unexplained", "what the shift does not explain"],
      ]} onChoose=${(/** @type {string} */ value) => choose({ show: value === "output" ? "" : value })} /></div>
    <${Fault} words=${fault.value || (small && x ? `${x.height} × ${x.width} px are too few to shift by ${MOST} and halve ${times} times: choose a larger photo` : "")} />
    ${
      all && x
        ? html`<div class="transport"><button type="button" onClick=${() => move(shift - 1)} disabled=${shift === 0}>Back</button>
        <button type="button" onClick=${() => move(shift + 1)} disabled=${shift === MOST}>Step</button>
        <input type="range" min="0" max=${MOST} value=${shift} aria-label="Shift of the photo, in pixels" onInput=${(/** @type {any} */ event) => move(Number(event.currentTarget.value))} />
        <span class="num where">photo shifted by ${shift} of ${MOST} px, ${significant(shift / factor)} places of the output</span></div>
      <div class="ways" tabindex="0" role="group" aria-label="Six outputs. Left and right arrow keys shift the photo by one pixel, with Shift by ten.">
        ${all.map((one) => html`<${Output} key=${one.way} way=${one.way} here=${one.shifts[shift]} show=${show} shift=${shift}
          subject=${{ of: "pooling", side, cut, left: shift, width: room, times, kernel: numbers.join(",") }} />`)}</div>
      <${ShiftCurve} all=${all} shift=${shift} factor=${factor} onMove=${move} />
      <${Agreement} where=${where} shift=${shift} width=${room} times=${times} numbers=${numbers} all=${all} />`
        : html`<p class="maps empty hint"></p>`
    }
  </section>`;
}

/** @param {any} props */
function Output({ way, here, show, shift, subject }) {
  const [frame, size] = useSize();
  const { z, error, spread, change, unexplained } = here;
  const map = show === "output" ? z : error;
  const values = useMemo(
    () => (show === "output" ? z.values : error.values.map((/** @type {number} */ one) => (spread > 0 ? one / spread : 0))),
    [z, error, show],
  );
  const found = useMemo(() => limits(values), [values]);
  const signed = show !== "output" || found.low < -1e-9;
  const most = show === "output" ? Math.max(Math.abs(found.low), Math.abs(found.high)) : 1;
  const [low, high] = signed ? [-most, most] : [0, 1];
  const cell = size.width / z.width;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    const colors = new Uint8ClampedArray(4 * values.length);
    colored(values, low, high, signed ? "signed" : "gray", colors);
    const grid = { height: map.height, width: map.width, colors, side: cell };
    drawGrid(context, grid, dense, { paper: ink("--paper"), rule: ink("--rule") });
  };
  const { title, what } = TITLES[way];
  const at = (/** @type {number} */ row, /** @type {number} */ column) => ({ ...subject, way, path: `output:0,0,${row},${column}` });
  /** @param {MouseEvent} event the number under the pointer is opened */
  const opened = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const [row, column] = [event.clientY - box.top, event.clientX - box.left].map((one) => Math.floor(one / cell));
    if (show === "output" && row < z.height && column < z.width) openWhy(at(row, column));
  };
  return html`<figure class="way" ref=${frame} data-way=${way}>
    <h2>${title}</h2><p class="hint">${what}</p>
    <div class=${show === "output" ? "stack" : ""} onClick=${opened} title=${show === "output" ? "Click a number to open it" : ""}>
      <${Canvas} width=${map.width * cell} height=${map.height * cell} draw=${draw} reads=${[values, cell, low, high]} label=${`${title}, ${map.height} by ${map.width}`} /></div>
    <figcaption>${shape([map.height, map.width])} float64 · ${significant(found.low, 3)} … ${significant(found.high, 3)} <span class="scale"><i class=${`ramp ${signed ? "signed" : "gray"}`}></i>${significant(low, 3)} … ${significant(high, 3)}${show === "output" ? "" : " σ"}</span></figcaption>
    <p class="num figures"><span>changed <b data-change>${change === null ? "–" : fixed(change, 3)}</b></span> <span>not explained <b class="lit" data-unexplained>${unexplained === null ? (shift ? "–" : "– at no shift") : `${fixed(100 * unexplained, 1)} %`}</b></span>
      <${Why} label="Why the middle one?" what=${`of ${title}`} subject=${at(z.height >> 1, z.width >> 1)} /></p>
  </figure>`;
}

/** @param {any} props whether the library makes the same six maps */
function Agreement({ where, shift, width, times, numbers, all }) {
  const found = useSignal(/** @type {{words: string, bad: boolean}} */ ({ words: "", bad: false }));
  useEffect(() => {
    let left = false;
    found.value = { words: "", bad: false };
    const timer = setTimeout(async () => {
      try {
        const { arrays } = await question("pooling", { ...where, left: shift, width, times, kernel: numbers.join(",") });
        let most = 0;
        for (const { way, shifts } of all) {
          const [theirs, ours] = [arrays[way].values, shifts[shift].z.values];
          if (theirs.length !== ours.length) most = Infinity;
          for (let i = 0; i < theirs.length; i++) most = Math.max(most, Math.abs(theirs[i] - ours[i]));
        }
        if (!left)
          found.value = {
            bad: !(most <= 1e-9),
            words: `photosite.ops on these six maps: largest difference ${significant(most, 2)}`,
          };
      } catch (error) {
        if (!left && !(error instanceof Superseded)) found.value = { words: wordsOf(error), bad: true };
      }
    }, 250);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [all, shift]);
  return found.value.bad
    ? html`<${Fault} words=${found.value.words} />`
    : html`<p class="fine agreement">${found.value.words || "\u00a0"}</p>`;
}
