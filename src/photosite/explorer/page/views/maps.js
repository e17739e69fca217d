/** The two grids of a convolution: what the kernel slides over, and what comes out. */

import { colored, limits } from "../draw/colors.js";
import { drawGrid, drawWindow } from "../draw/grid.js";
import { outline } from "../draw/photo.js";
import { html, useMemo } from "../html.js";
import { pairText } from "../math/address.js";
import { shape, significant } from "../math/format.js";
import { Canvas, ink, Select, useSize } from "./parts.js";

const HIGHEST = 340;
const LOOKS = ["auto", "signed", "gray", "magnitude"];
const WHERE = { levels: "0 … 255", unit: "0 … 1", normalized: "normalized" };

/** @typedef {import("../draw/colors.js").Look} Look */

/**
 * How an output is drawn best: gray where a kernel keeps the picture a picture, around zero elsewhere.
 * @param {"auto" | Look} look @param {import("../math/convolution.js").Kernel} kernel @param {string} numbers
 * @returns {Look}
 */
export function lookOf(look, kernel, numbers) {
  if (look !== "auto") return look;
  const sum = kernel.values.reduce((total, one) => total + one, 0);
  return numbers !== "normalized" && sum > 1e-9 ? "gray" : "signed";
}

/** @param {{width: number}} frame @param {number} columns @param {number} rows the side of a cell, whole if it can be */
function cellSide(frame, columns, rows) {
  const side = Math.min(frame.width / columns, HIGHEST / rows);
  return side >= 2 ? Math.floor(side) : side;
}

/** @param {MouseEvent} event @param {number} side @returns {[number, number]} row and column under the pointer */
function cellUnder(event, side) {
  const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
  return [Math.floor((event.clientY - box.top) / side), Math.floor((event.clientX - box.left) / side)];
}

/** @param {any} props */
export function InputMap({ input, patch, kernel, options, place, hover, numbers, output, onKeep }) {
  const [frame, size] = useSize();
  const { padding, mode, stride, dilation } = options;
  const [rows, columns] = [input.height + 2 * padding[0], input.width + 2 * padding[1]];
  const side = cellSide(size, columns, rows);
  const colors = useMemo(() => {
    const made = new Uint8ClampedArray(4 * input.height * input.width);
    for (let i = 0; i < input.height * input.width; i++) {
      const [red, green, blue] = patch.bytes.subarray(3 * i, 3 * i + 3);
      const gray = 0.299 * red + 0.587 * green + 0.114 * blue;
      made.set(input.channels === 3 ? [red, green, blue, 255] : [gray, gray, gray, 255], 4 * i);
    }
    return made;
  }, [input, patch]);
  /** @param {MouseEvent} event the place whose window has its middle nearest to the pointer */
  const placeUnder = (event) => {
    if (!output) return null;
    const [row, column] = cellUnder(event, side);
    const [down, across] = [(dilation[0] * (kernel.rows - 1)) / 2, (dilation[1] * (kernel.columns - 1)) / 2];
    return {
      row: Math.min(Math.max(Math.round((row - down) / stride[0]), 0), output.height - 1),
      column: Math.min(Math.max(Math.round((column - across) / stride[1]), 0), output.width - 1),
    };
  };
  const draw = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    const text =
      input.channels === 1
        ? (/** @type {number} */ y, /** @type {number} */ x) => significant(input.values[y * input.width + x], 3)
        : undefined;
    drawGrid(context, { height: input.height, width: input.width, colors, side, padding, mode, text }, dense, {
      paper: ink("--paper"),
      rule: ink("--muted"),
    });
  };
  const drawOver = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    if (output)
      drawWindow(
        context,
        { ...place, rows: kernel.rows, columns: kernel.columns },
        { stride, dilation },
        side,
        dense,
        "#f2b84b",
      );
  };
  const [wide, high] = [columns * side, rows * side];
  return html`<figure class="map" ref=${frame}>
    <div class="stack" style=${{ width: `${wide}px`, height: `${high}px` }}
      onPointerMove=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && (hover.value = placeUnder(event))}
      onPointerLeave=${() => (hover.value = null)} onClick=${(/** @type {MouseEvent} */ event) => output && onKeep(placeUnder(event))}>
      <${Canvas} width=${wide} height=${high} draw=${draw} reads=${[colors, side, ...padding, mode, input]} label="The input, with the kernel's window over it" />
      <${Canvas} class="over" width=${wide} height=${high} draw=${drawOver} reads=${[place.row, place.column, kernel, side, ...stride, ...dilation, output]} />
    </div>
    <figcaption>input · ${shape([input.channels, input.height, input.width])} · ${WHERE[/** @type {"unit"} */ (numbers)]}${padding.some(Boolean) ? ` · ${pairText(padding).replace("x", " × ")} hatched around` : ""}</figcaption>
  </figure>`;
}

/** @param {any} props */
export function OutputMap({ output, look, wish, onWish, kernel, numbers, place, hover, playing, onKeep, like }) {
  const [frame, size] = useSize();
  const { height, width } = output ?? { height: 1, width: 1 };
  const side = cellSide(size, Math.max(width, like[1]), Math.max(height, like[0])); // cells as large as the input's, where it has as many
  const found = useMemo(() => (output ? limits(output.values) : { low: 0, high: 0 }), [output]);
  const drawn = useMemo(() => {
    if (look === "magnitude") return { low: 0, high: Math.max(Math.abs(found.low), Math.abs(found.high)) };
    if (look === "signed") {
      const most = Math.max(Math.abs(found.low), Math.abs(found.high));
      return { low: -most, high: most };
    }
    const sum = kernel.values.reduce((/** @type {number} */ total, /** @type {number} */ one) => total + one, 0);
    return numbers === "normalized" || !(sum > 0)
      ? found
      : { low: kernel.bias, high: kernel.bias + sum * (numbers === "levels" ? 255 : 1) };
  }, [found, look, kernel, numbers]);
  const colors = useMemo(() => {
    const made = new Uint8ClampedArray(4 * height * width);
    if (output)
      colored(look === "magnitude" ? output.values.map(Math.abs) : output.values, drawn.low, drawn.high, look, made);
    return made;
  }, [output, drawn, look]);
  const shownTo = playing ? place.row * width + place.column : undefined;
  const draw = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    if (!output) return;
    const text = (/** @type {number} */ y, /** @type {number} */ x) => significant(output.values[y * width + x], 3);
    drawGrid(context, { height, width, colors, side, text, shownTo }, dense, {
      paper: ink("--paper"),
      rule: ink("--rule"),
    });
  };
  const drawOver = (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    if (output)
      outline(
        context,
        place.column * side * dense,
        place.row * side * dense,
        side * dense,
        side * dense,
        "#f2b84b",
        dense,
      );
  };
  /** @param {MouseEvent} event */
  const under = (event) => {
    const [row, column] = cellUnder(event, side);
    return row >= 0 && row < height && column >= 0 && column < width ? { row, column } : null;
  };
  const [wide, high] = [width * side, height * side];
  return html`<figure class="map" ref=${frame}>
    <div class="stack keys" tabindex="0" role="application" style=${{ width: `${wide}px`, height: `${high}px` }}
      aria-label=${`The output, ${height} by ${width}. Row ${place.row}, column ${place.column}${output ? `: ${significant(output.values[place.row * width + place.column], 6)}` : ""}. Arrow keys move by one place, with Shift by ten; Space plays.`}
      onPointerMove=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && (hover.value = under(event))}
      onPointerLeave=${() => (hover.value = null)} onClick=${(/** @type {MouseEvent} */ event) => output && under(event) && onKeep(under(event))}>
      <${Canvas} width=${wide} height=${high} draw=${draw} reads=${[colors, side, shownTo]} />
      <${Canvas} class="over" width=${wide} height=${high} draw=${drawOver} reads=${[place.row, place.column, side, output]} />
    </div>
    <figcaption>output · ${shape([1, height, width])} · ${significant(found.low)} … ${significant(found.high)} <span class="scale">
      <i class=${`ramp ${look}`}></i>${significant(drawn.low)} … ${significant(drawn.high)}</span>
      <${Select} label="drawn" value=${wish} of=${LOOKS.map((one) => [one, one === "auto" ? `auto: ${look}` : one])} onChoose=${onWish} /></figcaption>
  </figure>`;
}
