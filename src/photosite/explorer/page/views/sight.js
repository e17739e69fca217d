/** The photo, with what a place of a network sees of it, and how much each place speaks for a class. */

import { drawPhoto } from "../draw/photo.js";
import { drawCrop, drawField, drawShares } from "../draw/sight.js";
import { html } from "../html.js";
import { shape } from "../math/format.js";
import { fieldOf, namesOf } from "../math/network.js";
import { fit } from "../math/viewport.js";
import { pixelsOf } from "../state.js";
import { Canvas, ink, useSize } from "./parts.js";

const HIGHEST = 360;

/**
 * @param {{photo: import("../state.js").Photo, network: import("./hierarchy.js").Network, node: import("./hierarchy.js").NetNode,
 *   maps: import("./hierarchy.js").Maps | null, place: import("./hierarchy.js").Place, values: Float32Array,
 *   explained: import("./activation.js").Explained | null}} props
 */
export function Sight({ photo, network, node, maps, place, explained }) {
  const [height, width] = photo.size_hw;
  const [frame, size] = useSize();
  const loaded = pixelsOf(photo).value;
  const scale = Math.min(size.width / width, HIGHEST / height);
  const sheet = { width: Math.floor(width * scale), height: Math.floor(height * scale) };
  const view = sheet.width && sheet.height ? fit({ width, height }, sheet) : null;
  const box = maps?.photo_rows ? fieldOf(maps.photo_rows, maps.photo_columns, place.row, place.column) : null;
  const pixels = loaded.small ?? loaded.whole;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!view || !pixels) return;
    drawPhoto(context, pixels, pixels.width / width, view, sheet, dense, { channels: [true, true, true], pattern: "" });
    if (explained?.positive) drawShares(context, explained.positive, explained.grid, network.crop, view, dense);
    drawCrop(context, network.crop, [0, 0, height, width], view, dense, ink("--paper"));
  };
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const drawOver = (context, dense) => {
    if (view && box) drawField(context, box, view, dense, "#6f4fa3");
  };
  return html`<figure class="map sight" ref=${frame}>
    <div class="stack" style=${{ width: `${sheet.width}px`, height: `${sheet.height}px` }}>
      <${Canvas} width=${sheet.width} height=${sheet.height} draw=${draw} reads=${[pixels, view?.scale, explained, network]}
        label=${`${photo.title}, what the model gets of it${explained?.positive ? ", with a class activation map over it" : ""}`} />
      <${Canvas} class="over" width=${sheet.width} height=${sheet.height} draw=${drawOver} reads=${[box?.join(), view?.scale]} />
    </div>
    <figcaption>${photo.title} · ${shape([height, width])} px · dimmed: what the model does not get${explained?.positive ? ` · ${explained.method}, each place as a tile` : ""}</figcaption>
    <p class="fine">${node.global_by.length ? `Dashed: what convolutions and pools let it see. Through ${namesOf(node.global_by)} it sees everything.` : "Dashed: all that it sees."}${node.at_most.length ? ` An upper bound, behind ${namesOf(node.at_most)}.` : ""}</p>
  </figure>`;
}
