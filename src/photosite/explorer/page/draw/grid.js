/** An array as a grid of cells, with its padding around it and a kernel's window over it. */

import { source } from "../math/convolution.js";
import { inkOn } from "./colors.js";
import { outline } from "./photo.js";

/**
 * @typedef {object} Grid
 * @property {number} height
 * @property {number} width
 * @property {Uint8ClampedArray} colors RGBA, height × width
 * @property {number} side of a cell, in pixels of the page
 * @property {[number, number]} [padding] cells above and below, and to the left and right
 * @property {import("../math/convolution.js").Mode} [mode] what stands there
 * @property {(row: number, column: number) => string} [text] of a cell, where there is room
 * @property {number} [shownTo] cells from here on are dimmed
 */

/** @type {HTMLCanvasElement | null} */
let sheet = null;

/**
 * @param {CanvasRenderingContext2D} context @param {Grid} grid @param {number} dense
 * @param {{paper: string, rule: string}} inks
 */
export function drawGrid(context, grid, dense, inks) {
  const { height, width, padding: [down, across] = [0, 0], mode = "zero" } = grid;
  const side = grid.side * dense;
  sheet ??= document.createElement("canvas");
  sheet.width = width + 2 * across;
  sheet.height = height + 2 * down;
  const paper = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  const image = paper.createImageData(sheet.width, sheet.height);
  for (let y = -down; y < height + down; y++) {
    for (let x = -across; x < width + across; x++) {
      const [row, column] = [source(y, height, mode), source(x, width, mode)];
      const to = 4 * ((y + down) * sheet.width + x + across);
      if (row < 0 || column < 0) continue; // zeros: hatched below
      const from = 4 * (row * width + column);
      const faded = row !== y || column !== x || (grid.shownTo !== undefined && y * width + x > grid.shownTo);
      for (let c = 0; c < 3; c++) image.data[to + c] = grid.colors[from + c];
      image.data[to + 3] = faded ? 110 : 255;
    }
  }
  paper.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(sheet, 0, 0, sheet.width * side, sheet.height * side);
  if (down || across) hatch(context, width, height, [down, across], side, dense, inks.rule);
  if (grid.side >= 9) lines(context, sheet.width, sheet.height, side);
  if (grid.text && grid.side >= 30) {
    context.font = `${Math.min(14, grid.side * 0.34) * dense}px ui-monospace, Menlo, Consolas, monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = 4 * (y * width + x);
        context.fillStyle = inkOn(grid.colors[from], grid.colors[from + 1], grid.colors[from + 2]);
        context.fillText(grid.text(y, x), (x + across + 0.5) * side, (y + down + 0.5) * side);
      }
    }
  }
}

/** Padding is hatched, whatever stands there.
 * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {[number, number]} padding
 * @param {number} side @param {number} dense @param {string} color
 */
function hatch(context, width, height, [down, across], side, dense, color) {
  const [right, bottom] = [(width + 2 * across) * side, (height + 2 * down) * side];
  context.save();
  context.beginPath();
  context.rect(0, 0, right, bottom);
  context.rect(across * side, down * side, width * side, height * side);
  context.clip("evenodd");
  context.beginPath();
  for (let at = -bottom; at < right; at += 6 * dense) {
    context.moveTo(at, bottom);
    context.lineTo(at + bottom, 0);
  }
  context.strokeStyle = color;
  context.lineWidth = dense;
  context.stroke();
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {number} columns @param {number} rows @param {number} side */
function lines(context, columns, rows, side) {
  context.beginPath();
  for (let x = 0; x <= columns; x++) {
    context.moveTo(Math.round(x * side) + 0.5, 0);
    context.lineTo(Math.round(x * side) + 0.5, rows * side);
  }
  for (let y = 0; y <= rows; y++) {
    context.moveTo(0, Math.round(y * side) + 0.5);
    context.lineTo(columns * side, Math.round(y * side) + 0.5);
  }
  context.strokeStyle = "rgb(128 128 128 / 30%)";
  context.lineWidth = 1;
  context.stroke();
}

/**
 * The kernel over its window: a frame around all, and one around each cell where they lie apart.
 * @param {CanvasRenderingContext2D} context @param {{row: number, column: number, rows: number, columns: number}} kernel
 * @param {{stride: [number, number], dilation: [number, number]}} options @param {number} cell @param {number} dense @param {string} color
 */
export function drawWindow(context, kernel, { stride, dilation }, cell, dense, color) {
  const side = cell * dense;
  const [top, left] = [kernel.row * stride[0] * side, kernel.column * stride[1] * side]; // counted with the padding
  const [high, wide] = [dilation[0] * (kernel.rows - 1) + 1, dilation[1] * (kernel.columns - 1) + 1];
  outline(context, left, top, wide * side, high * side, color, dense);
  if ((dilation[0] === 1 && dilation[1] === 1) || cell < 5) return;
  context.strokeStyle = color;
  context.lineWidth = 1.5 * dense;
  for (let u = 0; u < kernel.rows; u++) {
    for (let v = 0; v < kernel.columns; v++) {
      context.strokeRect(
        left + v * dilation[1] * side + dense,
        top + u * dilation[0] * side + dense,
        side - 2 * dense,
        side - 2 * dense,
      );
    }
  }
}
