/** Pixels: the photo as a grid of numbers, from the whole to single cells, and one pixel in every space. */

import { drawPhoto, outline } from "../draw/photo.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { shape, significant } from "../math/format.js";
import { clamp, fit, pixelAt, reveal, zoom } from "../math/viewport.js";
import { choose, pixelsOf, route } from "../state.js";
import { Memory } from "./memory.js";
import { arrow, Canvas, Choice, Fault, useAnswer, useSize } from "./parts.js";
import { Readout } from "./readout.js";

/** @typedef {import("../math/viewport.js").Viewport} Viewport */
/** @typedef {{x: number, y: number}} Place */

export const PATTERNS = /** @type {const} */ (["RGGB", "BGGR", "GRBG", "GBRG"]);
const CELLS = 48; // frame pixels of a cell in which its numbers are written

/** @param {{photo: import("../state.js").Photo}} props */
export function Pixels({ photo }) {
  const [height, width] = photo.size_hw;
  const { params } = route.value;
  const loaded = pixelsOf(photo).value;
  const hover = useSignal(/** @type {Place | null} */ (null));
  const tensor = useSignal(/** @type {import("./readout.js").Tensor | null} */ (null));
  const tensorError = useSignal("");
  const pinned = useMemo(
    () => ({
      x: integer(params.x, 0, width - 1, Math.floor(width / 2)),
      y: integer(params.y, 0, height - 1, Math.floor(height / 2)),
    }),
    [params.x, params.y, width, height],
  );
  const recipe = params.recipe ?? "imagenet";
  const pattern = word(params.pattern, PATTERNS, "RGGB");
  useAnswer("tensor", { photo: photo.key, recipe }, tensorError, (found) => {
    tensor.value = found && { ...found.data, x: found.arrays.x.values, table: found.arrays.table.values };
  });
  return html`<section class="pixels" aria-labelledby="title">
    <div class="title"><h1 id="title">Pixels</h1>
      <p>A photo is a grid of numbers. Point at a pixel to read it, scroll or double-click to come closer, click to keep it.</p></div>
    <div class="two">
      <${Stage} photo=${photo} loaded=${loaded} hover=${hover} pinned=${pinned} pattern=${pattern} />
      <${Readout} photo=${photo} pixels=${loaded.whole} hover=${hover} pinned=${pinned} tensor=${tensor} recipe=${recipe}
        pattern=${pattern} />
    </div>
    <${Fault} words=${loaded.error} />
    <${Fault} words=${tensorError.value} />
    <${Memory} hover=${hover} pinned=${pinned} tensor=${tensor} recipe=${recipe} />
  </section>`;
}

/**
 * The photo in its frame.
 * @param {{photo: import("../state.js").Photo, loaded: import("../state.js").Loaded, pinned: Place, pattern: string,
 *   hover: import("../vendor/signals.js").Signal<Place | null>}} props
 */
function Stage({ photo, loaded, hover, pinned, pattern }) {
  const [height, width] = photo.size_hw;
  const picture = { width, height };
  const { params } = route.value;
  const [place, frame] = useSize();
  const view = useSignal(/** @type {Viewport | null} */ (null));
  const drag = useRef(/** @type {any} */ ({ at: new Map(), moved: false }));
  const channels = /** @type {[boolean, boolean, boolean]} */ (
    ["r", "g", "b"].map((c) => (params.show ?? "rgb").includes(c))
  );
  const mosaic = params.look === "mosaic" ? pattern : "";

  // what the address says; without a zoom in it, the whole photo
  useEffect(() => {
    if (!frame.width || !frame.height) return;
    const scale = Number(params.z);
    if (!(scale > 0)) view.value = fit(picture, frame);
    else {
      const [cx, cy] = [Number(params.cx ?? pinned.x + 0.5), Number(params.cy ?? pinned.y + 0.5)];
      const left = (Number.isFinite(cx) ? cx : width / 2) - frame.width / scale / 2;
      const top = (Number.isFinite(cy) ? cy : height / 2) - frame.height / scale / 2;
      view.value = clamp({ scale, left, top }, picture, frame);
    }
  }, [frame.width, frame.height, params.z, params.cx, params.cy, width, height]);

  /** @param {Viewport} next the address follows when it has come to rest */
  const look = (next) => {
    if (!frame.width || !frame.height) return; // not laid out yet: nothing fits into it
    view.value = next;
    clearTimeout(drag.current.timer);
    drag.current.timer = setTimeout(() => {
      const whole = next.scale <= fit(picture, frame).scale * 1.001;
      const center = [next.left + frame.width / next.scale / 2, next.top + frame.height / next.scale / 2];
      const words = whole
        ? { z: "", cx: "", cy: "" }
        : { z: next.scale.toFixed(3), cx: center[0].toFixed(2), cy: center[1].toFixed(2) };
      choose(words, { follow: true });
    }, 250);
  };
  useEffect(() => () => clearTimeout(drag.current.timer), []);

  /** @param {{clientX: number, clientY: number}} event @returns {[number, number]} */
  const inFrame = ({ clientX, clientY }) => {
    const box = place.current.getBoundingClientRect();
    return [clientX - box.left - place.current.clientLeft, clientY - box.top - place.current.clientTop];
  };
  /** @param {PointerEvent | MouseEvent} event */
  const under = (event) => (view.value ? pixelAt(view.value, ...inFrame(event), picture) : null);
  const closer = (/** @type {number} */ factor, /** @type {[number, number]} */ [x, y]) => {
    if (view.value) look(zoom(view.value, factor, x, y, picture, frame));
  };
  const middle = () => /** @type {[number, number]} */ ([frame.width / 2, frame.height / 2]);
  const toPin = (/** @type {number} */ scale) => {
    const left = pinned.x + 0.5 - frame.width / scale / 2;
    const top = pinned.y + 0.5 - frame.height / scale / 2;
    look(clamp({ scale, left, top }, picture, frame));
  };

  useEffect(() => {
    const element = place.current;
    /** @param {WheelEvent} event */
    const wheel = (event) => {
      event.preventDefault();
      closer(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), inFrame(event));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  });

  const pointer = {
    /** @param {PointerEvent} event */
    down: (event) => {
      drag.current.at.set(event.pointerId, inFrame(event));
      drag.current.moved = drag.current.at.size > 1;
    },
    /** @param {PointerEvent} event */
    move: (event) => {
      const { at } = drag.current;
      const now = inFrame(event);
      const before = at.get(event.pointerId);
      if (before && view.value) {
        const other = [...at.entries()].find(([key]) => key !== event.pointerId)?.[1];
        if (!drag.current.moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
        if (!drag.current.moved) place.current.setPointerCapture(event.pointerId);
        drag.current.moved = true;
        let next = view.value;
        if (other) {
          const spread = (/** @type {number[]} */ one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
          const [x, y] = [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2];
          next = zoom(next, spread(now) / Math.max(1, spread(before)), x, y, picture, frame);
        }
        const step = next.scale * (other ? 2 : 1); // the middle of two fingers moves by half
        const left = next.left - (now[0] - before[0]) / step;
        at.set(event.pointerId, now);
        look(clamp({ ...next, left, top: next.top - (now[1] - before[1]) / step }, picture, frame));
        return;
      }
      const found = under(event);
      hover.value = found ? { x: found[0], y: found[1] } : null;
    },
    /** @param {PointerEvent} event */
    up: (event) => {
      drag.current.at.delete(event.pointerId);
      const found = under(event);
      if (!drag.current.moved && found && event.button === 0) choose({ x: found[0], y: found[1] });
    },
    /** @param {PointerEvent} event */
    leave: (event) => {
      drag.current.at.delete(event.pointerId);
      hover.value = null;
    },
  };

  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    const move = arrow(event);
    if (move && view.value) {
      const x = Math.min(Math.max(pinned.x + move[1], 0), width - 1);
      const y = Math.min(Math.max(pinned.y + move[0], 0), height - 1);
      hover.value = null;
      choose({ x, y }, { follow: true });
      const seen = reveal(view.value, x, y, picture, frame);
      if (seen.left !== view.value.left || seen.top !== view.value.top) look(seen);
    } else if (event.key === "+" || event.key === "=") closer(1.5, middle());
    else if (event.key === "-") closer(1 / 1.5, middle());
    else if (event.key === "0") look(fit(picture, frame));
    else if (event.key === "Enter") toPin(CELLS);
    else if (event.key === "Escape") {
      hover.value = null;
      choose({ x: "", y: "" });
    } else return;
    event.preventDefault();
  };

  /** @param {number} c */
  const toggle = (c) => {
    const next = "rgb"
      .split("")
      .filter((_, k) => (k === c ? !channels[k] : channels[k]))
      .join("");
    choose({ show: next === "rgb" || next === "" ? "" : next });
  };
  const at = view.value;
  const pixels = loaded.whole ?? loaded.small;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!at || !pixels || !loaded.small) return;
    const enough = (loaded.small.width / width) * 1.01 >= at.scale * dense && !mosaic;
    const from = enough ? loaded.small : pixels;
    drawPhoto(context, from, from.width / width, at, frame, dense, { channels, pattern: mosaic });
  };
  const range = loaded.range ? ` · ${loaded.range[0]} … ${loaded.range[1]}` : "";
  const caption = `${photo.title} · ${shape([height, width, 3])} uint8${range}`;
  return html`<figure class="stage">
    <div class="bar">
      <div class="choice" role="group" aria-label="Zoom"><span class="label">zoom</span><span class="segments">
        <button type="button" onClick=${() => look(fit(picture, frame))} title="The whole photo (0)">whole</button>
        <button type="button" onClick=${() => closer(1 / 1.5, middle())} aria-label="Farther away" title="−">−</button>
        <button type="button" onClick=${() => closer(1.5, middle())} aria-label="Closer" title="+">+</button>
        <button type="button" onClick=${() => toPin(CELLS)} title="Single cells around the kept pixel (Enter)">cells</button>
      </span></div>
      <div class="choice" role="group" aria-label="Channels"><span class="label">channels</span><span class="segments rgb">
        ${["R", "G", "B"].map(
          (name, c) => html`<button type="button" key=${name} aria-pressed=${channels[c]}
          aria-label=${["red", "green", "blue"][c]} onClick=${() => toggle(c)}>${name}</button>`,
        )}
      </span></div>
      <${Choice} label="seen" value=${mosaic ? "mosaic" : "photo"} of=${[
        ["photo", "by the eye"],
        ["mosaic", "by the sensor"],
      ]}
        onChoose=${(/** @type {string} */ value) => choose({ look: value === "photo" ? "" : value })} />
    </div>
    <div class="frame" ref=${place} style=${{ aspectRatio: `${width} / ${height}` }} tabindex="0" role="application"
      aria-label=${`${photo.title}, pixel x ${pinned.x}, y ${pinned.y}. Arrow keys move by one pixel, with Shift by ten; plus and minus zoom, Enter shows single cells, 0 the whole.`}
      onPointerDown=${pointer.down} onPointerMove=${pointer.move} onPointerUp=${pointer.up} onPointerLeave=${pointer.leave}
      onPointerCancel=${pointer.leave} onKeyDown=${keyed}
      onDblClick=${(/** @type {MouseEvent} */ event) => at && closer(CELLS / at.scale, inFrame(event))}>
      <${Canvas} width=${frame.width} height=${frame.height} draw=${draw}
        reads=${[at, pixels, loaded.small, mosaic, channels.join()]} />
      <${Marks} frame=${frame} view=${view} hover=${hover} pinned=${pinned} />
    </div>
    <figcaption>${caption}${at ? html` · <span>one pixel of the photo is ${significant(at.scale, 3)} px here</span>` : null}</figcaption>
  </figure>`;
}

/** @param {any} props the frame around the kept pixel, and around the one under the pointer */
function Marks({ frame, view, hover, pinned }) {
  const at = view.value;
  const near = hover.value;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!at) return;
    /** @param {Place} one @param {string} color */
    const mark = (one, color) => {
      const side = at.scale * dense;
      outline(context, (one.x - at.left) * side, (one.y - at.top) * side, side, side, color, dense);
    };
    mark(pinned, "#f2b84b");
    if (near) mark(near, "#ffffff");
  };
  return html`<${Canvas} class="over" width=${frame.width} height=${frame.height} draw=${draw} reads=${[at, near, pinned]} />`;
}
