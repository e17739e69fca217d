/** The field of a unit over the photo, its outline dashed and what counts in it bright; and those numbers alone. */

import { colored } from "../draw/colors.js";
import { drawGrid } from "../draw/grid.js";
import { html, useMemo } from "../html.js";
import { fixed, shape, significant } from "../math/format.js";
import { pixelsOf } from "../state.js";
import { Canvas, ink, useSize } from "./parts.js";

const HIGHEST = 420;

/** @typedef {import("./fields.js").Unit} Unit */

/**
 * The photo's middle as the input's gray pixels, nearest ones: what is seen of it, nothing is computed from it.
 * @param {import("../state.js").Pixels} small @param {[number, number]} hw @returns {ImageData}
 */
function middleOf(small, [height, width]) {
  const share = Math.min(small.height / height, small.width / width);
  const [top, left] = [(small.height - height * share) / 2, (small.width - width * share) / 2];
  const made = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const row = Math.min(small.height - 1, Math.floor(top + (y + 0.5) * share));
      const from = 3 * (row * small.width + Math.min(small.width - 1, Math.floor(left + (x + 0.5) * share)));
      const gray = 0.299 * small.bytes[from] + 0.587 * small.bytes[from + 1] + 0.114 * small.bytes[from + 2];
      made.data.set([gray, gray, gray, 255], 4 * (y * width + x));
    }
  }
  return made;
}

/** @param {any} props */
export function FieldMap({ photo, unit, heat, name, onKeyDown, onKeep }) {
  const [frame, size] = useSize();
  const { small } = pixelsOf(photo).value;
  const [height, width] = unit.inputHw;
  const [down, across] = unit.reach;
  const side = Math.min(size.width / (width + 2 * across), HIGHEST / (height + 2 * down));
  const sheet = useMemo(() => (small ? middleOf(small, unit.inputHw) : null), [small, height, width]);
  const [wide, high] = [(width + 2 * across) * side, (height + 2 * down) * side];
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!(side > 0)) return;
    const cell = side * dense;
    hatched(context, wide * dense, high * dense, dense);
    context.imageSmoothingEnabled = cell < 1;
    const place = /** @type {const} */ ([across * cell, down * cell, width * cell, height * cell]);
    context.fillStyle = ink("--paper");
    context.fillRect(...place);
    if (sheet) {
      context.globalAlpha = 0.6;
      context.drawImage(onSheet(sheet), ...place);
      context.globalAlpha = 1;
    }
    if (heat) context.drawImage(onSheet(glow(heat)), ...place);
    const [top, left] = [(unit.start[0] + down) * cell, (unit.start[1] + across) * cell];
    const [tall, broad] = [unit.size[0] * cell, unit.size[1] * cell];
    for (const [style, thick, dash] of /** @type {[string, number, number[]][]} */ ([
      [ink("--paper"), 4, []],
      [ink("--field"), 2, [6 * dense, 4 * dense]],
    ])) {
      context.strokeStyle = style;
      context.lineWidth = thick * dense;
      context.setLineDash(dash);
      context.strokeRect(left, top, broad, tall);
    }
    context.setLineDash([]);
  };
  /** @param {MouseEvent} event */
  const under = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const [y, x] = [(event.clientY - box.top) / side - down, (event.clientX - box.left) / side - across];
    onKeep(unit.near(Math.floor(y), Math.floor(x)));
  };
  return html`<figure class="map" ref=${frame}>
    <div class="stack keys" id="field" tabindex="0" role="application" style=${{ width: `${wide}px`, height: `${high}px` }} onClick=${under} onKeyDown=${onKeyDown}
      aria-label=${`The field of unit ${unit.unit.join(", ")} of ${unit.grid.join(" × ")} ${name}: ${unit.size.join(" by ")} pixels, from row ${unit.start[0]} and column ${unit.start[1]}. Arrow keys move by one unit, with Shift by ten; Escape goes to the middle.`}>
      <${Canvas} width=${wide} height=${high} draw=${draw} reads=${[sheet, heat, side, ...unit.start, ...unit.size, across]} />
    </div>
    <figcaption>unit ${unit.unit.join(", ")} of ${shape(unit.grid)} ${name} · input ${shape(unit.inputHw)} px · <span class="outline">dashed</span>: ${unit.through ? "what it sees by itself" : "all that can count"};
      bright: what does, by the root of its share${across ? "; hatched: padding" : ""}</figcaption>
  </figure>`;
}

/** @param {{shape: number[], values: ArrayLike<number>}} heat @returns {ImageData} its square root as how much it covers */
function glow({ shape: [height, width], values }) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]);
  const made = new ImageData(width, height);
  for (let i = 0; i < values.length; i++) {
    if (values[i] > 0) made.data.set([242, 184, 75, 20 + 225 * Math.sqrt(values[i] / most)], 4 * i);
  }
  return made;
}

/** @param {ImageData} image */
function onSheet(image) {
  const sheet = new OffscreenCanvas(image.width, image.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (sheet.getContext("2d")).putImageData(image, 0, 0);
  return sheet;
}

/** @param {CanvasRenderingContext2D} context @param {number} wide @param {number} high @param {number} dense */
export function hatched(context, wide, high, dense) {
  context.beginPath();
  for (let at = -high; at < wide; at += 6 * dense) {
    context.moveTo(at, high);
    context.lineTo(at + high, 0);
  }
  context.strokeStyle = ink("--rule");
  context.lineWidth = dense;
  context.stroke();
}

/** @param {any} props the effective field within the theoretical one, on its own grid */
export function HeatMap({ unit, seen, found, name, how }) {
  const [frame, size] = useSize();
  const heat = found?.heat ?? null;
  const data = found?.data ?? null;
  const [height, width] = unit.inputHw;
  const [top, left] = [0, 1].map((k) => (unit.through ? 0 : Math.max(0, unit.start[k])));
  const [bottom, right] = [0, 1].map((k) =>
    Math.min(unit.inputHw[k], unit.through ? Infinity : unit.start[k] + unit.size[k]),
  );
  const [rows, columns] = [Math.max(1, bottom - top), Math.max(1, right - left)];
  const fit = Math.min(size.width / columns, HIGHEST / rows);
  const side = fit >= 2 ? Math.floor(fit) : fit;
  const part = useMemo(() => {
    if (!heat || heat.shape[0] !== height || heat.shape[1] !== width) return null;
    const values = new Float64Array(rows * columns);
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) values[y * columns + x] = heat.values[(top + y) * width + left + x];
    return values;
  }, [heat, top, left, rows, columns]);
  const most = part ? part.reduce((a, b) => Math.max(a, b), 0) : 0;
  const outside = part ? 1 - shareWithin(heat, unit) : 0;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!part || !(side > 0)) return;
    const colors = new Uint8ClampedArray(4 * part.length);
    colored(part, 0, most, "magnitude", colors);
    const text = (/** @type {number} */ y, /** @type {number} */ x) => fixed(100 * part[y * columns + x], 2);
    const grid = { height: rows, width: columns, colors, side, text };
    drawGrid(context, grid, dense, { paper: ink("--paper"), rule: ink("--rule") });
  };
  const gaps = seen ? seen.map((/** @type {Uint8Array} */ line) => line.reduce((a, b) => a + b, 0)) : null;
  const drawn = data && part;
  return html`<figure class="map" ref=${frame}>
    <div class="stack still" style=${{ width: `${columns * side}px`, height: `${rows * side}px` }}>
      <${Canvas} width=${columns * side} height=${rows * side} draw=${draw} reads=${[part, side]} label="What counts of the field, pixel by pixel" />
      ${drawn ? null : html`<p class="hint waits">${found?.fault ? "" : "computing the gradient …"}</p>`}
    </div>
    <figcaption>what counts of it · ${shape([rows, columns])} float64 · <span class="scale"><i class="ramp magnitude"></i>0 … ${drawn ? `${significant(100 * most, 3)} %` : "…"}</span></figcaption>
    <dl class="formulas" id="effective">
      <dt>can count</dt><dd><b>${shape(unit.size)}</b> pixels${unit.through ? `, and everything through ${unit.through}` : ""}${gaps && (gaps[0] < rows || gaps[1] < columns) ? `, of which ${shape(gaps)} in the input: between them are gaps` : ""}</dd>
      <dt>95% of what counts</dt><dd><b id="width95">${drawn ? shape(data.width95) : "…"}</b> pixels${drawn && data.ratio && !unit.through ? `, ${significant(100 * data.ratio[0], 2)} % of the side` : ""}</dd>
      <dt>standard deviation</dt><dd>${drawn ? data.deviation.map((/** @type {number} */ one) => significant(one, 3)).join(" × ") : "…"} pixels</dd>
      <dt>computed from</dt><dd>${drawn ? how || wordsFor(data, name) : "…"}</dd>
      ${outside > 1e-9 ? html`<dt>outside of the dashed box</dt><dd id="outside">${significant(100 * outside, 3)} % of what counts</dd>` : null}
    </dl>
  </figure>`;
}

/** @param {{values: ArrayLike<number>}} heat @param {Unit} unit how much of it lies in the box that the unit sees by itself */
function shareWithin({ values }, { inputHw: [height, width], start, size }) {
  let share = 0;
  for (let y = Math.max(0, start[0]); y < Math.min(height, start[0] + size[0]); y++)
    for (let x = Math.max(0, start[1]); x < Math.min(width, start[1] + size[1]); x++) share += values[y * width + x];
  return share;
}

/** @param {any} data @param {string} name */
function wordsFor(data, name) {
  if (data.grid) return `the absolute gradient of ${name}, averaged over ${data.draws} pictures of noise`;
  const lost = data.of - data.draws;
  return `the absolute gradient, averaged over ${data.draws} networks of ${data.channels} channels with random weights, each with noise of its own${lost ? `; ${lost} more had none` : ""}`;
}
