/** Over a photo: what a model does not get, what a place sees, and how much each tile of it speaks for a class. */

import { colored, drawTiles } from "./colors.js";

/** @typedef {[number, number, number, number]} Edges top, left, bottom, right in the photo */
/** @typedef {import("../math/viewport.js").Viewport} Viewport */

/**
 * @param {Edges} box @param {Viewport} view @param {number} dense
 * @returns {[number, number, number, number]} x, y, width, height
 */
export function onCanvas([top, left, bottom, right], view, dense) {
  const side = view.scale * dense;
  return [(left - view.left) * side, (top - view.top) * side, (right - left) * side, (bottom - top) * side];
}

/**
 * What lies outside is dimmed.
 * @param {CanvasRenderingContext2D} context @param {Edges} crop @param {Edges} photo @param {Viewport} view
 * @param {number} dense @param {string} paper
 */
export function drawCrop(context, crop, photo, view, dense, paper) {
  context.save();
  context.beginPath();
  context.rect(...onCanvas(photo, view, dense));
  context.rect(...onCanvas(crop, view, dense));
  context.globalAlpha = 0.7;
  context.fillStyle = paper;
  context.fill("evenodd");
  context.restore();
}

/**
 * A field: dashed, seen on any color.
 * @param {CanvasRenderingContext2D} context @param {Edges} box @param {Viewport} view @param {number} dense
 * @param {string} color
 */
export function drawField(context, box, view, dense, color) {
  const [x, y, width, height] = onCanvas(box, view, dense);
  const grow = Math.max(0, 4 * dense - Math.min(width, height)) / 2;
  context.save();
  for (const [style, thick, dash] of /** @type {[string, number, number[]][]} */ ([
    ["#14161a", 4, []],
    ["#fbfaf7", 2, []],
    [color, 2, [5, 4]],
  ])) {
    context.strokeStyle = style;
    context.lineWidth = thick * dense;
    context.setLineDash(dash.map((one) => one * dense));
    context.strokeRect(x - grow, y - grow, width + 2 * grow, height + 2 * grow);
  }
  context.restore();
}

/**
 * A map as tiles over the part of the photo that a model gets.
 * @param {CanvasRenderingContext2D} context @param {ArrayLike<number>} shares 0 … 1 @param {[number, number]} grid
 * @param {Edges} crop @param {Viewport} view @param {number} dense
 */
export function drawShares(context, shares, [rows, columns], crop, view, dense) {
  const colors = new Uint8ClampedArray(4 * rows * columns);
  colored(shares, 0, 1, "magnitude", colors);
  for (let i = 0; i < shares.length; i++) colors[4 * i + 3] = 40 + 150 * shares[i]; // what says little hides little
  drawTiles(context, colors, rows, columns, onCanvas(crop, view, dense));
}

/**
 * Parts of a photo in colors, with what lies below shining through.
 * @param {CanvasRenderingContext2D} context @param {{box: Edges, color: string}[]} regions @param {Viewport} view
 * @param {number} dense
 */
export function drawRegions(context, regions, view, dense) {
  for (const { box, color } of regions) {
    const [x, y, width, height] = onCanvas(box, view, dense);
    context.fillStyle = color;
    context.fillRect(x + 0.5, y + 0.5, Math.max(width - 1, 1), Math.max(height - 1, 1));
  }
}
