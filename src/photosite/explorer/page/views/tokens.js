/** Patches and tokens: one patch embedding, and what published models read: a token's pixels, a pixel's tokens. */

import { drawPhoto, outline } from "../draw/photo.js";
import { drawCrop, drawField, onCanvas } from "../draw/sight.js";
import { html, useMemo, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { shape, whole } from "../math/format.js";
import { middle, of, reading, tokenAt } from "../math/tokens.js";
import { choose, pixelsOf, route } from "../state.js";
import { Board } from "./board.js";
import { hatched } from "./fieldmaps.js";
import { Canvas, Choice, Fault, ink, useAnswer, useSize } from "./parts.js";
import { PatchEmbedding } from "./patches.js";

const CLOSE = 136;
const [AMBER, WHITE] = ["#f2b84b", "#fbfaf7"];
const INKS = ["--edge", "--field", "--less", "--ink", "--red"];

/** @param {{photo: import("../state.js").Photo}} props */
export function Tokens({ photo }) {
  const part = word(route.value.params.part, /** @type {const} */ (["embedding", "models"]), "embedding");
  return html`<section class="tokens" aria-labelledby="title">
    <div class="title"><h1 id="title">Patches and tokens</h1><p>A transformer reads no pixels but patches: each becomes a row of numbers, times one matrix. That is a convolution.</p></div>
    <div class="bar"><${Choice} label="show" value=${part} of=${[
      ["embedding", "one patch embedding"],
      ["models", "front ends of published models"],
    ]} onChoose=${(/** @type {string} */ value) => choose({ part: value })} /></div>
    <${part === "models" ? FrontEnds : PatchEmbedding} photo=${photo} /></section>`;
}

/** @param {any} props */
function FrontEnds({ photo }) {
  const { params } = route.value;
  const all = useSignal(/** @type {any[] | null} */ (null));
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const refused = useSignal("");
  const hover = useSignal(-1);
  const size = photo.size_hw;
  useAnswer("front-ends", { photo: photo.key }, fault, (answer) => (all.value = answer?.data.front_ends ?? []));
  const ends = all.value ?? [];
  const name = params.fe ?? (ends.find((one) => one.name === "llava-next") ?? ends[0])?.name;
  useAnswer(name && "token-map", { photo: photo.key, front_end: name }, refused, (answer) => {
    hover.value = -1;
    const values = Object.entries(answer?.arrays ?? {}).map(([key, one]) => [key, one.values]);
    found.value = answer && { ...answer.data, ...Object.fromEntries(values), count: answer.arrays.tokens.shape[0] };
  });
  const map = found.value; // stays until the next one is there
  const pick = word(params.pick, /** @type {const} */ (["token", "pixel"]), "token");
  const pixel = [params.py, params.px].map((at, k) => integer(at, 0, size[k] - 1, size[k] >> 1));
  const seeing = useMemo(() => (map && pick === "pixel" ? reading(map, pixel) : []), [map, pick, ...pixel]);
  const first = useMemo(() => (map ? Math.max(tokenAt(map, size.map((/** @type {number} */ one) => one / 2), map.roles.length - 1), 0) : 0), [map]);
  const wished = integer(params.t, 0, (map?.count ?? 1) - 1, -1);
  const pinned = pick === "token" ? (wished < 0 ? first : wished) : seeing.includes(wished) ? wished : (seeing.at(-1) ?? -1);
  const keep = (/** @type {number} */ one, follow = false) => {
    hover.value = -1;
    if (one >= 0) choose({ t: Math.min(one, map.count - 1) }, { follow });
  };
  const role = map && pinned >= 0 ? map.tokens[5 * pinned + 1] : 0;
  const other = (/** @type {string} */ value) =>
    keep(seeing.find((/** @type {number} */ one) => map.tokens[5 * one + 1] === Number(value)) ?? tokenAt(map, middle(map, pinned), Number(value)));
  const both = { photo, map, pick, pixel, seeing, pinned, token: hover.value < 0 ? pinned : hover.value, hover, role, onKeep: keep };
  return html`<div class="ends" role="group" aria-label="Front end">${ends.map(
    (one) => html`<button type="button" key=${one.name} aria-pressed=${one.name === name} onClick=${() => choose({ fe: one.name, t: "" })}>${one.name} <b class="num">${one.refusal ? "refused" : whole(one.total)}</b></button>`,
  )}</div>
    ${ends.map((one) => one.refusal && html`<p class="fine" key=${one.name}>${one.refusal}</p>`)}
    <${Fault} words=${fault.value || refused.value} />
    ${
      map
        ? html`<div class="bar"><${Choice} label="pick" value=${pick} of=${[
            ["token", "a token"],
            ["pixel", "a pixel of the photo"],
          ]} onChoose=${(/** @type {string} */ value) => choose({ pick: value })} />
        ${map.roles.length > 1 && html`<${Choice} label="cells of" value=${String(role)} of=${[["1", "the tiles"], ["0", "the whole, smaller"]]} onChoose=${other} />`}</div>
      <div class="two"><${Scene} ...${both} /><${Readout} ...${both} /></div>
      <${Sequence} ...${both} />`
        : html`<p class="maps empty hint">${all.value?.length === 0 ? "This explorer was given no front ends: photosite.explore has them all." : ""}</p>`
    }`;
}

/** @param {any} props the photo with tiles, cells and padding */
function Scene({ photo, map, pick, pixel, seeing, pinned, token, hover, role, onKeep }) {
  const [frame, size] = useSize();
  const { small, whole: full } = pixelsOf(photo).value;
  const pixels = full ?? small;
  const [top, left, bottom, right] = map.sheet;
  const scale = Math.min(size.width / (right - left), 520 / (bottom - top));
  const view = { scale, left, top };
  const [width, height] = [(right - left) * scale, (bottom - top) * scale];
  /** @param {any} context @param {number} dense */
  const draw = (context, dense) => {
    if (!pixels || !scale) return;
    const edges = /** @type {any} */ ([0, 0, ...photo.size_hw]);
    drawPhoto(context, pixels, pixels.width / edges[3], view, { width, height }, dense, { channels: [true, true, true], pattern: "" });
    drawCrop(context, map.seen, edges, view, dense, ink("--paper"));
    context.globalCompositeOperation = "destination-over"; // padding: where no photo is
    hatched(context, width * dense, height * dense, dense);
    context.globalCompositeOperation = "source-over";
    const [cells, tiles] = [new Path2D(), new Path2D()];
    for (let k = 0; k < map.count; k++) if (map.tokens[5 * k] >= 0 && map.tokens[5 * k + 1] === role) cells.rect(...onCanvas(of(map, "cells", k), view, dense));
    for (const one of map.tiles) if (one.role === map.roles[role]) tiles.rect(...onCanvas(one.box, view, dense));
    for (const [path, color, thick] of /** @type {[Path2D, string, number][]} */ ([
      [cells, "rgb(20 22 26 / 25%)", 2],
      [cells, "rgb(251 250 247 / 50%)", 1],
      [tiles, "#14161a", 4],
      [tiles, WHITE, 2],
    ])) {
      context.strokeStyle = color;
      context.lineWidth = thick * dense;
      context.stroke(path);
    }
  };
  /** @param {any} context @param {number} dense */
  const over = (context, dense) => {
    const mark = (/** @type {any} */ box, color = AMBER) => outline(context, ...onCanvas(box, view, dense), color, dense);
    const tile = map.tiles[map.tokens[5 * token]];
    for (const one of seeing) mark(of(map, "cells", one), WHITE);
    if (tile) mark(tile.box);
    if (tile && map.reads[4 * token + 2]) drawField(context, of(map, "reads", token), view, dense, "#6f4fa3");
    if (tile) mark(of(map, "cells", token));
    if (pick === "pixel") mark([...pixel, pixel[0] + 1, pixel[1] + 1], "#ef7f8d");
  };
  const go = (/** @type {number[]} */ to, follow = false) => {
    const [py, px] = to.map((one, k) => Math.min(Math.max(Math.floor(one), 0), photo.size_hw[k] - 1));
    choose({ py, px, t: "" }, { follow });
  };
  const point = (/** @type {number[] | null} */ to, /** @type {boolean} */ kept) => {
    const at = to?.map((one, k) => map.sheet[k] + one / scale);
    if (pick === "token") (kept ? onKeep : (/** @type {number} */ one) => (hover.value = one))(at ? tokenAt(map, at, role) : -1);
    else if (kept && at) go(at);
  };
  const step = (/** @type {number[]} */ [down, across]) => {
    if (!down && !across) choose({ t: "", px: "", py: "" });
    else if (pick === "pixel") go([pixel[0] + down, pixel[1] + across], true);
    else {
      let next = -1; // as far as there are cells
      for (let k = 10; k && next < 0; k--) next = tokenAt(map, middle(map, pinned, Math.round((k * down) / 10), Math.round((k * across) / 10)), role);
      onKeep(next, true);
    }
  };
  return html`<figure ref=${frame}><${Board} id="scene" width=${width} height=${height} draw=${draw} over=${over} reads=${[pixels, map, role]} marks=${[map, token, seeing]} onPoint=${point} onStep=${step}
      label=${`${photo.title} with the tokens of ${map.name}: ${pick === "pixel" ? `pixel ${pixel.join(", ")}, read by ${seeing.length} of them.` : `token ${pinned} of ${map.count}.`}`} />
    <figcaption>${photo.title} · ${shape(photo.size_hw)} px · hatched: padding · dimmed: never seen · <span class="outline">dashed</span>: what token ${token} reads</figcaption></figure>`;
}

/** @param {any} props one token's way back to the photosites */
function Readout({ photo, map, pick, pixel, seeing, pinned, onKeep }) {
  const shown = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  useAnswer(pinned < 0 ? "" : "token", { photo: photo.key, front_end: map.name, token: pinned }, fault, (answer) => {
    const { shape: [height, width] = [0, 0], values: bytes = null } = answer?.arrays.picture ?? {};
    shown.value = answer && { ...answer.data, map, picture: bytes && { height, width, bytes } };
  });
  const list = pick === "pixel" && html`<p class="readers" id="readers"><span>Pixel ${pixel.join(", ")} is read by <b>${seeing.length}</b> tokens</span>
    ${seeing.slice(0, 24).map((/** @type {number} */ one) => html`<button type="button" class="link" key=${one} aria-pressed=${one === pinned} onClick=${() => onKeep(one)}>${whole(one)} of ${map.tiles[map.tokens[5 * one]].name}</button>`)}${seeing.length > 24 ? " …" : ""}</p>`;
  const now = pinned >= 0 && shown.value?.map === map ? shown.value : null;
  if (!now) return html`<div class="readout">${list}<${Fault} words=${fault.value} /></div>`;
  const { token, picture } = now;
  const reads = of(map, "reads", token);
  const photoPixels = { pixels: pixelsOf(photo).value.whole, cell: of(map, "cells", token) };
  return html`<div class="readout">${list}
    <h2>Token <span id="token" class="num">${whole(token)}</span> <small>of ${whole(map.count)}, ${map.kinds[map.tokens[5 * token + 4]]}</small></h2>
    <dl class="formulas" id="way">${now.lines.map((/** @type {string[]} */ [what, words]) => html`<dt key=${what}>${what}</dt><dd>${words}</dd>`)}</dl>
    <div class="wayback">${picture && html`<${Close} title="what the encoder gets" pixels=${picture} box=${[0, 0, picture.height, picture.width]} every=${map.patch} />`}
      ${reads[2] > 0 && html`<${Close} title="the photo's pixels" box=${[...reads]} ...${photoPixels} />
      <${Close} title="its photosites" box=${[reads[0] - 2, reads[1] - 2, reads[2] + 2, reads[3] + 2]} pattern=${map.pattern} ...${photoPixels} />`}</div>
    <p class="fine">${map.source}</p></div>`;
}

/** @param {any} props a box of a picture, from close; its patches or its cell outlined */
function Close({ title, pixels, box: [top, left, bottom, right], pattern = "", cell, every }) {
  const view = { scale: CLOSE / Math.max(bottom - top, right - left), left, top };
  const [width, height] = [(right - left) * view.scale, (bottom - top) * view.scale];
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (pixels) drawPhoto(context, pixels, 1, view, { width, height }, dense, { channels: [true, true, true], pattern });
    if (cell) outline(context, ...onCanvas(cell, view, dense), AMBER, dense);
    for (let y = 0; y < bottom && every; y += every) for (let x = 0; x < right; x += every) outline(context, ...onCanvas([y, x, y + every, x + every], view, dense), WHITE, dense / 2);
  };
  return html`<figure><${Canvas} width=${width} height=${height} draw=${draw} reads=${[pixels, top, left, bottom, right]} label=${title} /><figcaption>${title} · ${shape([bottom - top, right - left])}</figcaption></figure>`;
}

/** @param {any} props all tokens in the order in which the language model reads them */
function Sequence({ map, pinned, token, seeing, hover, onKeep }) {
  const [frame, size] = useSize();
  const side = Math.min(Math.max(Math.floor(Math.sqrt((size.width * 128) / map.count)), 3), 14);
  const columns = Math.max(1, Math.floor(size.width / side));
  /** @param {any} context @param {number} dense */
  const draw = (context, dense) => {
    const inks = INKS.map(ink);
    const edge = side * dense - (side > 5 ? dense : 0);
    for (let k = 0; k < map.count; k++) {
      context.fillStyle = inks[map.tokens[5 * k + 4]];
      context.fillRect((k % columns) * side * dense, Math.floor(k / columns) * side * dense, edge, edge);
    }
  };
  /** @param {any} context @param {number} dense */
  const over = (context, dense) => {
    const edge = side * dense;
    for (const k of [...seeing, token]) if (k >= 0) outline(context, (k % columns) * edge, Math.floor(k / columns) * edge, edge, edge, k === token ? AMBER : WHITE, dense);
  };
  const point = (/** @type {number[] | null} */ to, /** @type {boolean} */ kept) => {
    const [row, column] = (to ?? [-1, 0]).map((one) => Math.floor(one / side));
    const k = row * columns + column;
    if (kept) onKeep(k);
    else hover.value = k < map.count ? k : -1;
  };
  return html`<div class="sequence"><h2>The sequence</h2><figure ref=${frame}>
    <${Board} id="sequence" width=${columns * side} height=${Math.ceil(map.count / columns) * side} draw=${draw} over=${over} reads=${[map]} marks=${[map, token, seeing]} onPoint=${point}
      label=${`${map.count} tokens in the order in which a language model reads them; token ${pinned}.`}
      onStep=${(/** @type {number[]} */ [down, across]) => (down || across ? onKeep(Math.max(pinned + down * columns + across, 0), true) : choose({ t: "" }))} />
    <figcaption>${map.present.map((/** @type {number} */ k) => html`<span class="key" key=${k}><i class=${`dot token-${k}`}></i>${map.kinds[k]}</span>`)}${map.beside}</figcaption></figure></div>`;
}
