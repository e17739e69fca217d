/** A photo, or a part of it as large cells with their numbers. */

import { photositeColor } from "../math/color.js";
import { inkOn } from "./colors.js";

/** @typedef {import("../math/viewport.js").Viewport} Viewport */
/** @typedef {{height: number, width: number, bytes: Uint8Array}} Pixels */
/** @typedef {{channels: [boolean, boolean, boolean], pattern: string}} Look `pattern` of a mosaic; "" for none */

export const NUMBERS_FROM = 44;
/** Cells of so many pixels have room for their numbers. */

/** @type {HTMLCanvasElement | null} */
let sheet = null;

/**
 * @param {CanvasRenderingContext2D} context @param {Pixels} pixels @param {number} share of the photo's size that these have
 * @param {Viewport} view in the photo's pixels @param {{width: number, height: number}} frame @param {number} dense
 * @param {Look} look
 */
export function drawPhoto(context, pixels, share, view, frame, dense, look) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, frame.width * dense, frame.height * dense);
  const scale = (view.scale / share) * dense; // of the pixels at hand
  const step = Math.max(1, Math.floor(1 / scale));
  const left = Math.max(0, Math.floor(view.left * share));
  const top = Math.max(0, Math.floor(view.top * share));
  const right = Math.min(pixels.width, Math.ceil((view.left + frame.width / view.scale) * share));
  const bottom = Math.min(pixels.height, Math.ceil((view.top + frame.height / view.scale) * share));
  const [width, height] = [Math.ceil((right - left) / step), Math.ceil((bottom - top) / step)];
  if (width < 1 || height < 1) return;
  sheet ??= document.createElement("canvas");
  sheet.width = width;
  sheet.height = height;
  const paper = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  const image = paper.createImageData(width, height);
  fill(image.data, pixels, left, top, width, height, step, look);
  paper.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = scale < 1;
  context.imageSmoothingQuality = "high";
  const place = [(left - view.left * share) * scale, (top - view.top * share) * scale];
  context.drawImage(sheet, place[0], place[1], width * step * scale, height * step * scale);
  if (share === 1 && view.scale >= 12) grid(context, view, frame, dense, left, top, right, bottom);
  if (share === 1 && view.scale >= NUMBERS_FROM) numbers(context, pixels, view, dense, left, top, right, bottom, look);
}

/**
 * @param {Uint8ClampedArray} into @param {Pixels} pixels @param {number} left @param {number} top @param {number} width
 * @param {number} height @param {number} step @param {Look} look
 */
function fill(into, pixels, left, top, width, height, step, { channels, pattern }) {
  const { bytes } = pixels;
  const keep = channels.map((on) => (on ? 1 : 0));
  let to = 0;
  for (let row = 0; row < height; row++) {
    const y = top + row * step;
    let from = (y * pixels.width + left) * 3;
    for (let column = 0; column < width; column++) {
      const only = pattern ? photositeColor(pattern, left + column * step, y) : -1;
      for (let c = 0; c < 3; c++) into[to + c] = only < 0 || only === c ? bytes[from + c] * keep[c] : 0;
      into[to + 3] = 255;
      to += 4;
      from += 3 * step;
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context @param {Viewport} view @param {{width: number, height: number}} frame
 * @param {number} dense @param {number} left @param {number} top @param {number} right @param {number} bottom
 */
function grid(context, view, frame, dense, left, top, right, bottom) {
  context.beginPath();
  for (let x = left; x <= right; x++) {
    const at = Math.round((x - view.left) * view.scale * dense) + 0.5;
    context.moveTo(at, Math.max(0, (top - view.top) * view.scale * dense));
    context.lineTo(at, Math.min(frame.height, (bottom - view.top) * view.scale) * dense);
  }
  for (let y = top; y <= bottom; y++) {
    const at = Math.round((y - view.top) * view.scale * dense) + 0.5;
    context.moveTo(Math.max(0, (left - view.left) * view.scale * dense), at);
    context.lineTo(Math.min(frame.width, (right - view.left) * view.scale) * dense, at);
  }
  context.strokeStyle = "rgb(128 128 128 / 35%)";
  context.lineWidth = 1;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context @param {Pixels} pixels @param {Viewport} view @param {number} dense
 * @param {number} left @param {number} top @param {number} right @param {number} bottom @param {Look} look
 */
function numbers(context, pixels, view, dense, left, top, right, bottom, { channels, pattern }) {
  const size = 12 * dense;
  context.font = `${size}px ui-monospace, Menlo, Consolas, monospace`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const from = (y * pixels.width + x) * 3;
      const only = pattern ? photositeColor(pattern, x, y) : -1;
      const shown = [0, 1, 2].filter((c) => channels[c] && (only < 0 || only === c));
      const [r, g, b] = [0, 1, 2].map((c) => (shown.includes(c) ? pixels.bytes[from + c] : 0));
      context.fillStyle = inkOn(r, g, b);
      shown.forEach((c, line) => {
        const middle = (y + 0.5 - view.top) * view.scale * dense + (line - (shown.length - 1) / 2) * size * 1.1;
        context.fillText(String(pixels.bytes[from + c]), (x + 0.5 - view.left) * view.scale * dense, middle);
      });
    }
  }
}

/**
 * A frame around one cell, seen on any color.
 * @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} width @param {number} height
 * @param {string} color @param {number} dense
 */
export function outline(context, x, y, width, height, color, dense) {
  const grow = Math.max(0, 4 * dense - Math.min(width, height)) / 2;
  const box = [Math.round(x - grow), Math.round(y - grow), Math.round(width + 2 * grow), Math.round(height + 2 * grow)];
  for (const [style, thick] of /** @type {[string, number][]} */ ([
    ["#14161a", 4],
    [color, 2],
  ])) {
    context.strokeStyle = style;
    context.lineWidth = thick * dense;
    context.strokeRect(box[0], box[1], box[2], box[3]);
  }
}
