/** The neighborhood of a pixel as the tensor holds it: three planes, or three numbers a pixel, and their order in memory. */

import { html } from "../html.js";
import { word } from "../math/address.js";
import { fixed, whole } from "../math/format.js";
import { inputPixel, offsetOf, placeOf, strides } from "../math/tensor.js";
import { choose, route } from "../state.js";
import { Choice } from "./parts.js";

const REACH = 2;
const NAMES = ["red", "green", "blue"];

/** @param {any} props */
export function Memory({ hover, pinned, tensor: given, recipe }) {
  /** @type {import("./readout.js").Tensor | null} */
  const tensor = given.value;
  const at = hover.value ?? pinned;
  const layout = word(route.value.params.layout, /** @type {const} */ (["nchw", "nhwc"]), "nchw");
  if (!tensor)
    return html`<section class="memory" aria-label="In memory"><p class="hint">preparing the input by ${recipe} …</p></section>`;
  const [height, width] = tensor.input_hw;
  const bgr = tensor.channel_order === "BGR";
  const place = inputPixel(at.x, at.y, tensor);
  const steps = strides(layout, 3, height, width);
  /** @param {number} c of the tensor @param {number} y @param {number} x */
  const number = (c, y, x) => tensor.x[((bgr ? 2 - c : c) * height + y) * width + x];
  const [row, column] = place ?? [-1, -1];
  const around = Array.from({ length: 2 * REACH + 1 }, (_, k) => k - REACH);
  /** @param {number[]} channels one plane, or all three together */
  const plane = (channels) => html`<table class=${channels.length > 1 ? "cells together" : "cells"}
    aria-label=${channels.map((c) => NAMES[bgr ? 2 - c : c]).join(", ")}><tbody>${around.map(
      (dy) =>
        html`<tr key=${dy}>${around.map((dx) => {
          const [y, x] = [row + dy, column + dx];
          const inside = place && y >= 0 && y < height && x >= 0 && x < width;
          return html`<td key=${dx} class=${`${inside ? "" : "beyond"}${dy === 0 && dx === 0 && place ? " here" : ""}`}>
        ${channels.map((c) => html`<span key=${c} class=${`c${bgr ? 2 - c : c}`}>${inside ? fixed(number(c, y, x), 2) : "\u00a0"}</span>`)}</td>`;
        })}</tr>`,
    )}</tbody></table>`;
  const axes = layout === "nchw" ? ["N", "C", "H", "W"] : ["N", "H", "W", "C"];
  const sizes = { N: 1, C: 3, H: height, W: width };
  const stepOf = { N: steps.n, C: steps.c, H: steps.y, W: steps.x };
  return html`<section class="memory" aria-labelledby="memory">
    <div class="head"><h2 id="memory">The neighborhood in memory</h2>
      <${Choice} label="layout" value=${layout} of=${[
        ["nchw", "NCHW"],
        ["nhwc", "NHWC"],
      ]}
        onChoose=${(/** @type {string} */ value) => choose({ layout: value === "nchw" ? "" : value })} /></div>
    <div class="both">
      <div class="planes">${
        layout === "nchw"
          ? [0, 1, 2].map(
              (c) => html`<figure key=${c}>${plane([c])}
        <figcaption>c = ${c}, ${NAMES[bgr ? 2 - c : c]}</figcaption></figure>`,
            )
          : html`<figure>${plane([0, 1, 2])}<figcaption>each pixel's three numbers stand together</figcaption></figure>`
      }</div>
      <div class="order">
        <table class="strides"><thead><tr><th>axis</th>${axes.map((axis) => html`<th key=${axis} scope="col">${axis}</th>`)}</tr></thead><tbody>
          <tr><th scope="row">size</th>${axes.map((axis) => html`<td key=${axis}>${whole(sizes[/** @type {"N"} */ (axis)])}</td>`)}</tr>
          <tr><th scope="row">stride, numbers</th>${axes.map((axis) => html`<td key=${axis}>${whole(stepOf[/** @type {"N"} */ (axis)])}</td>`)}</tr>
          <tr><th scope="row">stride, bytes</th>${axes.map((axis) => html`<td key=${axis}>${whole(4 * stepOf[/** @type {"N"} */ (axis)])}</td>`)}</tr>
        </tbody></table>
        ${
          place
            ? html`<p class="formula">offset(c, ${row}, ${column}) = c · ${whole(steps.c)} + ${row} · ${whole(steps.y)} + ${column} · ${whole(steps.x)}</p>
        `
            : html`<p class="formula">outside of the input</p>`
        }
      </div>
    </div>
    ${place ? html`<${Strip} layout=${layout} steps=${steps} height=${height} width=${width} row=${row} column=${column} number=${number} bgr=${bgr} />` : null}
    <p class="fine">x · ${axes.map((axis) => sizes[/** @type {"N"} */ (axis)]).join(" × ")} float32 · ${whole(3 * height * width * 4)} bytes, prepared by ${tensor.recipe};${" "}
      ${layout === "nchw" ? "a whole plane lies between a pixel's red and its green" : "a pixel's red, green and blue are neighbors"}</p>
  </section>`;
}

/** @param {any} props memory as one line of numbers, cut where nothing of this pixel stands */
function Strip({ layout, steps, height, width, row, column, number, bgr }) {
  const all = 3 * height * width;
  const starts =
    layout === "nchw"
      ? [0, 1, 2].map((c) => offsetOf(steps, c, row, column) - 3)
      : [offsetOf(steps, 0, row, column) - 9];
  const length = layout === "nchw" ? 7 : 21;
  return html`<div class="strip" role="img" aria-label=${`Numbers as they follow each other in memory, from offset ${Math.max(0, starts[0])}`}>
    ${starts.map(
      (start, k) => html`${k ? html`<span class="gap">⋯<small>+${whole(steps.c)}</small></span>` : null}
      <span class="run" key=${k}>${Array.from({ length }, (_, i) => start + i).map((offset) => {
        if (offset < 0 || offset >= all) return html`<span class="cell none" key=${offset}></span>`;
        const [c, y, x] = placeOf(layout, offset, 3, height, width);
        const here = y === row && x === column;
        return html`<span class=${`cell c${bgr ? 2 - c : c}${here ? " here" : ""}`} key=${offset}>${fixed(number(c, y, x), 1)}
          ${here ? html`<small>${whole(offset)}</small>` : null}</span>`;
      })}</span>`,
    )}</div>`;
}
