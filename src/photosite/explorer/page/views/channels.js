/** The channels of a value: all of them small, one of them large, and the places where that one is strongest. */

import { colored, drawTiles, limits } from "../draw/colors.js";
import { drawGrid } from "../draw/grid.js";
import { outline } from "../draw/photo.js";
import { html, useMemo } from "../html.js";
import { shape, significant, whole } from "../math/format.js";
import { drawnAs, fieldOf, strongest } from "../math/network.js";
import { choose, pixelsOf } from "../state.js";
import { arrow, Canvas, ink, useSize } from "./parts.js";
import { modelOf, Why } from "./why_link.js";

/** @typedef {import("./hierarchy.js").Maps} Maps */
/** @typedef {import("./hierarchy.js").Place} Place */

const HIGHEST = 360;
const SMALL = 84;
const PATCHES = 6;

/**
 * @param {ArrayLike<number>} values
 * @returns {{low: number, high: number, drawn: ReturnType<typeof drawnAs>, colors: Uint8ClampedArray}}
 */
export function painted(values) {
  const { low, high } = limits(values);
  const drawn = drawnAs(low, high);
  const colors = new Uint8ClampedArray(4 * values.length);
  colored(values, drawn.low, drawn.high, drawn.look, colors);
  return { low, high, drawn, colors };
}

/**
 * One channel, with the place that is looked at.
 * @param {{maps: Maps | null, node: import("./hierarchy.js").NetNode, values: Float32Array, channel: number, place: Place,
 *   pinned: Place, hover: import("../vendor/signals.js").Signal<Place | null>, onKeep: (one: Place, follow?: boolean) => void}} props
 */
export function ChannelMap({ maps, node, values, channel, place, pinned, hover, onKeep }) {
  const [frame, size] = useSize();
  const [height, width] = node.grid;
  const fitting = Math.min(size.width / width, HIGHEST / height);
  const side = fitting >= 2 ? Math.floor(fitting) : fitting;
  const { low, high, drawn, colors } = useMemo(() => painted(values), [values]);
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!values.length) return;
    const text = (/** @type {number} */ y, /** @type {number} */ x) => significant(values[y * width + x], side >= 40 ? 3 : 2);
    const inks = { paper: ink("--paper"), rule: ink("--rule") };
    drawGrid(context, { height, width, colors, side, text }, dense, inks);
  };
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const drawOver = (context, dense) => {
    const cell = side * dense;
    outline(context, pinned.column * cell, pinned.row * cell, cell, cell, "#f2b84b", dense);
    if (place !== pinned) outline(context, place.column * cell, place.row * cell, cell, cell, "#ffffff", dense);
  };
  /** @param {MouseEvent} event @returns {Place | null} */
  const under = (event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / side);
    const column = Math.floor((event.clientX - box.left) / side);
    return row >= 0 && row < height && column >= 0 && column < width ? { row, column } : null;
  };
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    const move = arrow(event);
    if (move) {
      hover.value = null;
      const row = Math.min(Math.max(pinned.row + move[0], 0), height - 1);
      onKeep({ row, column: Math.min(Math.max(pinned.column + move[1], 0), width - 1) }, true);
    } else if (event.key === "Escape") {
      hover.value = null;
      choose({ row: "", col: "" });
    } else return;
    event.preventDefault();
  };
  const value = values[place.row * width + place.column];
  const [wide, tall] = [width * side, height * side];
  return html`<figure class="map channelmap" ref=${frame}>
    <div class="stack keys" tabindex="0" role="application" style=${{ width: `${wide}px`, height: `${tall}px` }} onKeyDown=${keyed}
      aria-label=${`Channel ${channel}, ${height} by ${width}. Row ${place.row}, column ${place.column}: ${value === undefined ? "…" : significant(value, 6)}. Arrow keys move by one place, with Shift by ten.`}
      onPointerMove=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && (hover.value = under(event))}
      onPointerLeave=${() => (hover.value = null)}
      onClick=${(/** @type {MouseEvent} */ event) => {
        const one = under(event);
        if (one) onKeep(one);
      }}>
      <${Canvas} width=${wide} height=${tall} draw=${draw} reads=${[colors, side]} />
      <${Canvas} class="over" width=${wide} height=${tall} draw=${drawOver} reads=${[place.row, place.column, pinned, side, colors]} />
    </div>
    <figcaption>channel ${channel} · ${shape([height, width])} ${node.dtype} · ${values.length ? `${significant(low)} … ${significant(high)}` : "…"}
      <span class="scale"><i class=${`ramp ${drawn.look}`}></i>${significant(drawn.low)} … ${significant(drawn.high)}</span></figcaption>
    <p class="cellvalue" id="cell">row ${place.row}, column ${place.column} <output class="num">${value === undefined ? "…" : significant(value, 6)}</output>
      ${value === undefined ? null : html`<${Why} subject=${{ of: "model", ...modelOf(), path: `${node.name}@${channel},${place.row},${place.column}` }} />`}</p>
    <p class="hint" id="field">${seen(maps, place)}</p>
  </figure>`;
}

/** @param {Maps | null} maps @param {Place} place what it sees, in pixels of the input and of the photo */
function seen(maps, place) {
  if (!maps?.rows) return "…";
  const box = fieldOf(maps.rows, maps.columns, place.row, place.column);
  const photo = fieldOf(maps.photo_rows, maps.photo_columns, place.row, place.column);
  if (!box || !photo) return `what it sees is not known${maps.why_no_field ? `: ${maps.why_no_field}` : ""}`;
  const [top, left, bottom, right] = photo.map((edge) => significant(edge, 6));
  return `sees rows ${box[0]} … ${box[2] - 1}, columns ${box[1]} … ${box[3] - 1} of the input: y ${top} … ${bottom}, x ${left} … ${right} of the photo`;
}

/**
 * The places where a channel is strongest, each as the part of the photo that it sees.
 * @param {{photo: import("../state.js").Photo, maps: Maps | null, values: Float32Array, pinned: Place,
 *   onKeep: (one: Place) => void}} props
 */
export function Strongest({ photo, maps, values, pinned, onKeep }) {
  const loaded = pixelsOf(photo).value;
  const pixels = loaded.whole ?? loaded.small;
  const [height, width] = maps?.grid ?? [0, 0];
  const places = useMemo(
    () => (values.length ? strongest(values, height, width, PATCHES) : []),
    [values, height, width],
  );
  return html`<div class="strongest"><h2>Strongest places in this photo</h2>
    <div class="patches">${places.map(
      (one) => html`<button type="button" key=${`${one.row} ${one.column}`} aria-pressed=${one.row === pinned.row && one.column === pinned.column}
        onClick=${() => onKeep(one)} aria-label=${`row ${one.row}, column ${one.column}: ${significant(one.value)}`}>
        <${Patch} pixels=${pixels} photo=${photo} box=${maps ? fieldOf(maps.photo_rows, maps.photo_columns, one.row, one.column) : null} />
        <span class="num">${significant(one.value, 3)}</span></button>`,
    )}</div></div>`;
}

/** @param {{pixels: import("../draw/photo.js").Pixels | null, photo: import("../state.js").Photo, box: number[] | null}} props */
export function Patch({ pixels, photo, box }) {
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!pixels || !box) return;
    const share = pixels.width / photo.size_hw[1];
    const [top, left, bottom, right] = box.map((edge) => edge * share);
    const scale = (SMALL * dense) / Math.max(bottom - top, right - left, 1e-6);
    const wide = Math.max(1, Math.round((right - left) * scale));
    const high = Math.max(1, Math.round((bottom - top) * scale));
    const image = context.createImageData(wide, high);
    for (let y = 0; y < high; y++) {
      for (let x = 0; x < wide; x++) {
        const row = Math.min(Math.floor(top + (y + 0.5) / scale), pixels.height - 1);
        const from = 3 * (row * pixels.width + Math.min(Math.floor(left + (x + 0.5) / scale), pixels.width - 1));
        image.data.set([pixels.bytes[from], pixels.bytes[from + 1], pixels.bytes[from + 2], 255], 4 * (y * wide + x));
      }
    }
    context.putImageData(image, Math.round((SMALL * dense - wide) / 2), Math.round((SMALL * dense - high) / 2));
  };
  return html`<${Canvas} width=${SMALL} height=${SMALL} draw=${draw} reads=${[pixels, box?.join()]} />`;
}

/**
 * All channels, the most varied first.
 * @param {{maps: Maps | null, node: import("./hierarchy.js").NetNode, index: number, all: boolean}} props
 */
export function ChannelGrid({ maps, node, index, all }) {
  const size = node.grid[0] * node.grid[1];
  const count = maps?.order?.length ?? 0;
  const by = maps?.sorted_by === "size" ? "the largest first" : "by variance over the places, the largest first";
  const most = Math.min(node.channels, maps?.room ?? node.channels);
  const each = useMemo(
    () => Array.from({ length: count }, (_, i) => maps?.maps.subarray(i * size, (i + 1) * size)),
    [maps],
  );
  return html`<div class="channels"><div class="head"><h2>Channels</h2>
    <span class="hint">${maps ? `${whole(count)} of ${whole(node.channels)}, ${by}; each with its own limits` : "…"}</span>
    ${count && count < most ? html`<button type="button" class="more" onClick=${() => choose({ all: 1 })}>show all ${whole(most)}</button>` : null}
    ${all && count > 64 ? html`<button type="button" class="more" onClick=${() => choose({ all: "" })}>show 64</button>` : null}</div>
    <div class="thumbs" role="group" aria-label="Channel">${each.map(
      (values, i) => html`<${Thumb} key=${`${maps?.node} ${i}`} values=${values} grid=${node.grid} channel=${maps?.order[i]} chosen=${i === index} />`,
    )}</div></div>`;
}

/** @param {{values: Float32Array, grid: [number, number], channel: number, chosen: boolean}} props */
function Thumb({ values, grid, channel, chosen }) {
  const look = useMemo(() => painted(values), [values]);
  const said = `${significant(look.low, 2)} … ${significant(look.high, 2)}`;
  return html`<button type="button" aria-pressed=${chosen} onClick=${() => choose({ ch: channel })} aria-label=${`channel ${channel}, ${said}`}>
    <${SmallMap} colors=${look.colors} grid=${grid} />
    <span><b>${channel}</b> <small class="num">${said}</small></span></button>`;
}

/** @param {{colors: Uint8ClampedArray, grid: [number, number]}} props a map whose longer side is SMALL */
export function SmallMap({ colors, grid: [height, width] }) {
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!colors.length) return;
    const scale = (SMALL * dense) / Math.max(height, width);
    const [wide, high] = [width * scale, height * scale];
    drawTiles(context, colors, height, width, [(SMALL * dense - wide) / 2, (SMALL * dense - high) / 2, wide, high]);
  };
  return html`<${Canvas} width=${SMALL} height=${SMALL} draw=${draw} reads=${[colors]} />`;
}
