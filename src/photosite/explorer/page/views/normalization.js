/** Normalization: which numbers of a block share a mean, how good a batch's mean is, and what a model's norms do. */

import { colored, limits } from "../draw/colors.js";
import { html, useMemo, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { shape, significant } from "../math/format.js";
import { EPS, indexUnder, layoutOf, moved, normalize, NORMS, placeIn, setsOf } from "../math/normalization.js";
import { choose, route } from "../state.js";
import { BatchSize } from "./batch_size.js";
import { NormOfModel } from "./norm_of_model.js";
import { arrow, Canvas, Choice, Fault, ink, Select, useAnswer, useSize } from "./parts.js";
import { Why } from "./why_link.js";

const SIDE = 256; // of the photo that the crops are taken from
const GAP = 8;
const LARGEST = 16; // side of a cell

/** @param {{photo: import("../state.js").Photo}} props */
export function Normalization({ photo }) {
  const { params } = route.value;
  const norm = word(
    params.norm,
    NORMS.map((one) => one.key),
    "batch",
  );
  const seed = integer(params.seed, 0, 9, 0);
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const hover = useSignal(/** @type {number | null} */ (null));
  const where = { photo: photo.key, side: SIDE, seed };
  useAnswer("normalization", where, fault, (answer) => {
    if (!answer) return;
    const { shape: sizes, values } = answer.arrays.x;
    found.value = { channels: answer.data.channels, sizes, values };
  });
  const block = found.value;
  const deep = block?.sizes[1] ?? 6;
  const of = Array.from({ length: deep }, (_, k) => k + 1).filter((one) => deep % one === 0);
  const groups = of.includes(Number(params.groups)) ? Number(params.groups) : 2;
  const sets = useMemo(() => (block ? setsOf(norm, block.sizes, groups) : null), [block, norm, groups]);
  const done = useMemo(() => (block && sets ? normalize(block.values, sets, norm !== "rms") : null), [block, sets, norm]);
  const last = block ? block.values.length - 1 : 0;
  const kept = integer(params.at, 0, last, Math.min(14, last));
  const at = Math.min(hover.value ?? kept, last);
  const set = (/** @type {string} */ key) => (/** @type {string | number} */ value) => choose({ [key]: value });
  const words = NORMS.find((one) => one.key === norm) ?? NORMS[0];
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    if (!block) return;
    const go = arrow(event);
    if (go) choose({ at: moved(block.sizes, kept, ...go) }, { follow: true });
    else if (event.key === "Escape") choose({ at: "" });
    else return;
    hover.value = null;
    event.preventDefault();
  };
  return html`<section class="normalization" aria-labelledby="title">
    <div class="title"><h1 id="title">Normalization</h1>
      <p>Take a mean away, divide by a deviation. The norms differ in one thing: which numbers share them.</p></div>
    <div class="settings">
      <${Choice} label="norm" value=${norm} of=${NORMS.map((one) => [one.key, one.words])} onChoose=${set("norm")} />
      ${norm === "group" ? html`<${Choice} label="groups G" value=${String(groups)} of=${of.map((one) => [String(one), String(one)])} onChoose=${set("groups")} />` : null}
      <${Select} label="crops" value=${String(seed)} of=${Array.from({ length: 10 }, (_, k) => [String(k), `seed ${k}`])} onChoose=${set("seed")} />
    </div>
    <${Fault} words=${fault.value} />
    ${
      block && sets && done
        ? html`<p class="shares"><b>${words.words}</b>: averages over <span class="num">${words.over}</span>, ${words.where}; ${significant(done.count.length)} means of ${significant(done.count[0])} numbers each.</p>
      <div class="maps"><${Block} block=${block} values=${block.values} sets=${sets} at=${at} hover=${hover} keyed=${keyed}
        name="before" onKeep=${(/** @type {number} */ one) => choose({ at: one })} />
      <${Block} block=${block} values=${done.result} sets=${sets} at=${at} hover=${hover} keyed=${keyed}
        name="normalized" onKeep=${(/** @type {number} */ one) => choose({ at: one })} /></div>
      <${Readout} block=${block} sets=${sets} done=${done} at=${at} norm=${norm}
        subject=${{ of: "normalization", side: SIDE, seed, norm, groups }} />`
        : html`<p class="maps empty hint"></p>`
    }
    <${BatchSize} where=${where} />
    <${NormOfModel} photo=${photo} />
  </section>`;
}

/** @param {any} props pictures downwards, channels to the right; what shares the mean of the marked number is lit */
function Block({ block, values, sets, at, hover, keyed, name, onKeep }) {
  const [frame, size] = useSize();
  const { sizes, channels } = block;
  const [, deep, , across] = sizes;
  const fitting = Math.floor((size.width - (deep - 1) * GAP) / (deep * across));
  const layout = layoutOf(sizes, Math.max(2, Math.min(LARGEST, fitting)), GAP);
  const { low, high } = useMemo(() => limits(values), [values]);
  const most = Math.max(Math.abs(low), Math.abs(high));
  const colors = useMemo(() => {
    const made = new Uint8ClampedArray(4 * values.length);
    colored(values, -most, most, "signed", made);
    return made;
  }, [values, most]);
  const set = sets[at];
  const draw = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    const { side, step } = layout;
    for (let i = 0; i < values.length; i++) {
      const { b, c, y, x } = placeIn(sizes, i);
      context.globalAlpha = sets[i] === set ? 1 : 0.22;
      context.fillStyle = `rgb(${colors[4 * i]} ${colors[4 * i + 1]} ${colors[4 * i + 2]})`;
      const [left, top] = [(c * step.x + x * side) * dense, (b * step.y + y * side) * dense];
      context.fillRect(left, top, side * dense, side * dense);
    }
    context.globalAlpha = 1;
    context.strokeStyle = ink("--rule");
    context.lineWidth = dense;
    for (let tile = 0; tile < sizes[0] * deep; tile++) {
      const [left, top] = [(tile % deep) * step.x * dense, Math.floor(tile / deep) * step.y * dense];
      context.strokeRect(left, top, across * side * dense, sizes[2] * side * dense);
    }
    outlines(context, { sizes, sets, set, layout, dense, color: ink("--light") });
    const { b, c, y, x } = placeIn(sizes, at);
    context.strokeStyle = ink("--ink");
    context.lineWidth = 2 * dense;
    context.strokeRect((c * step.x + x * side) * dense, (b * step.y + y * side) * dense, side * dense, side * dense);
  };
  /** @param {MouseEvent} event */
  const under = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    return indexUnder(sizes, layout, event.clientX - box.left, event.clientY - box.top);
  };
  const place = placeIn(sizes, at);
  return html`<figure class="map block" ref=${frame}>
    <div class="names" aria-hidden="true" style=${{ gridTemplateColumns: `repeat(${deep}, ${layout.step.x}px)` }}>
      ${channels.map((/** @type {string} */ one) => html`<small key=${one}>${one}</small>`)}</div>
    <div class="stack keys" tabindex="0" role="application" onKeyDown=${keyed} data-block=${name}
      style=${{ width: `${layout.wide}px`, height: `${layout.high}px` }}
      aria-label=${`The block ${name}. Picture ${place.b}, ${channels[place.c]}, row ${place.y}, column ${place.x}: ${significant(values[at])}. Arrow keys move by one number, with Shift by ten.`}
      onPointerMove=${(/** @type {PointerEvent} */ event) => {
        const one = under(event);
        if (event.pointerType === "mouse") hover.value = one < 0 ? null : one;
      }}
      onPointerLeave=${() => (hover.value = null)}
      onClick=${(/** @type {MouseEvent} */ event) => under(event) >= 0 && onKeep(under(event))}>
      <${Canvas} width=${layout.wide} height=${layout.high} draw=${draw} reads=${[colors, set, at, layout.side, sets]} />
    </div>
    <figcaption>${name} · ${shape(sizes)} · ${significant(low)} … ${significant(high)}
      <span class="scale"><i class="ramp signed"></i>±${significant(most)}</span></figcaption>
  </figure>`;
}

/**
 * A line around each part of the set, where a neighbor is not of it.
 * @param {CanvasRenderingContext2D} context @param {any} what
 */
function outlines(context, { sizes, sets, set, layout, dense, color }) {
  const [, , height, width] = sizes;
  const { side, step } = layout;
  context.beginPath();
  for (let i = 0; i < sets.length; i++) {
    if (sets[i] !== set) continue;
    const { b, c, y, x } = placeIn(sizes, i);
    const [left, top] = [(c * step.x + x * side) * dense, (b * step.y + y * side) * dense];
    const [right, bottom] = [left + side * dense, top + side * dense];
    const edge = (/** @type {boolean} */ open, /** @type {number[]} */ [ax, ay, bx, by]) => {
      if (!open) return;
      context.moveTo(ax, ay);
      context.lineTo(bx, by);
    };
    edge(x === 0 || sets[i - 1] !== set, [left, top, left, bottom]);
    edge(x === width - 1 || sets[i + 1] !== set, [right, top, right, bottom]);
    edge(y === 0 || sets[i - width] !== set, [left, top, right, top]);
    edge(y === height - 1 || sets[i + width] !== set, [left, bottom, right, bottom]);
  }
  context.strokeStyle = color;
  context.lineWidth = 1.5 * dense;
  context.stroke();
}

/** @param {any} props the marked number, what it shares, and what becomes of it */
function Readout({ block, sets, done, at, norm, subject }) {
  const { b, c, y, x } = placeIn(block.sizes, at);
  const set = sets[at];
  const value = block.values[at];
  const [mean, variance, square] = [done.mean[set], done.variance[set], done.square[set]];
  const signed = (/** @type {number} */ one) => (one < 0 ? `− (${significant(one)})` : `− ${significant(one)}`);
  return html`<dl class="formulas block-readout">
    <dt>number</dt><dd>picture ${b}, ${block.channels[c]}, row ${y}, column ${x}: <b id="value">${significant(value)}</b></dd>
    <dt>shares with</dt><dd><span id="shared">${done.count[set]}</span> numbers: mean <span id="mean">${significant(mean)}</span>,
      variance <span id="variance">${significant(variance)}</span>, mean square <span id="square">${significant(square)}</span></dd>
    <dt>${norm === "rms" ? "x / √(mean of x² + ε)" : "(x − mean) / √(variance + ε)"}</dt>
    <dd>${norm === "rms" ? significant(value) : html`(${significant(value)} ${signed(mean)})`} / √(${significant(norm === "rms" ? square : variance)} + ${significant(EPS)}) =${" "}<b id="result">${significant(done.result[at])}</b>
      <${Why} subject=${{ ...subject, path: `output:${[b, c, y, x].join(",")}` }} /></dd></dl>`;
}
