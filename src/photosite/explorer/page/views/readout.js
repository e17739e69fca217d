/** One pixel in every space: computed here, but for the sensor, which the library is asked for when the pointer rests. */

import { html, useSignal } from "../html.js";
import { levelsToHsv, levelsToLab, levelsToLinear, levelsToYcbcr, photositeColor } from "../math/color.js";
import { fixed, shape, significant, whole } from "../math/format.js";
import { inputPixel } from "../math/tensor.js";
import { choose } from "../state.js";
import { Fault, Select, useAnswer, WholeNumber } from "./parts.js";
import { Why } from "./why_link.js";

/**
 * @typedef {object} Tensor
 * @property {Float32Array} x 3 × height × width
 * @property {Float32Array} table 3 × 256
 * @property {string} recipe
 * @property {string[]} recipes
 * @property {number[]} input_hw
 * @property {number[]} picture_hw
 * @property {number[]} resized_hw
 * @property {number[]} start_hw
 * @property {number[]} mean
 * @property {number[]} std
 * @property {string} channel_order
 * @property {string} layout
 */

const RESTS = 90; // ms until the sensor is asked for

/** @param {any} props */
export function Readout({ photo, pixels, hover, pinned, tensor, recipe, pattern }) {
  const [height, width] = photo.size_hw;
  const at = hover.value ?? pinned;
  const sensor = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const query = { photo: photo.key, x: at.x, y: at.y, recipe, pattern };
  useAnswer("pixels", query, fault, (found) => (sensor.value = found?.data ?? sensor.value), RESTS);

  const known = sensor.value;
  const fresh = known && known.at.x === at.x && known.at.y === at.y && known.bayer.pattern === pattern ? known : null;
  const from = pixels ? 3 * (at.y * width + at.x) : 0;
  /** @type {import("../math/color.js").Triple | null} of a photo that is still on its way, the library's */
  const levels = pixels ? [pixels.bytes[from], pixels.bytes[from + 1], pixels.bytes[from + 2]] : (fresh?.rgb ?? null);
  const color = levels ? `rgb(${levels.join(" ")})` : "transparent";
  return html`<aside class="readout" aria-label="The pixel">
    <div class="who"><span class="swatch" style=${{ background: color }}></span>
      <${WholeNumber} label="x" value=${at.x} low=${0} high=${width - 1} onChoose=${(/** @type {number} */ x) => choose({ x, y: at.y })} />
      <${WholeNumber} label="y" value=${at.y} low=${0} high=${height - 1} onChoose=${(/** @type {number} */ y) => choose({ x: at.x, y })} />
      <span class="hint">${hover.value ? "under the pointer" : "kept"}</span></div>
    <table class="spaces"><tbody>
      <${Row} id="rgb" name="RGB" parts="R G B" unit="levels" values=${levels?.map(String)} tint />
      <${Row} id="linear" name="Linear light" parts="R G B" unit="0 … 1" values=${levels && fixedAll(levelsToLinear(levels), 4)} tint />
      <${Row} id="hsv" name="HSV" parts="H S V" unit=${levels && levelsToHsv(levels)[1] === 0 ? "gray: no hue" : "H in degrees"}
        values=${levels && fixedOf(levelsToHsv(levels), [1, 4, 4])} />
      <${Row} id="ycbcr" name="YCbCr" parts="Y Cb Cr" unit="0 … 1" values=${levels && fixedAll(levelsToYcbcr(levels), 4)} />
      <${Row} id="lab" name="Lab" parts="L* a* b*" unit="D65" values=${levels && fixedAll(levelsToLab(levels), 2)} />
    </tbody></table>
    <${Sensor} at=${at} pattern=${pattern} bayer=${fresh?.bayer ?? null} />
    <${Fault} words=${fault.value} />
    <${InTensor} at=${at} levels=${levels} tensor=${tensor.value} recipe=${recipe} />
  </aside>`;
}

/** @param {any} props three numbers of one space */
function Row({ id, name, parts, unit, values, tint }) {
  const names = parts.split(" ");
  return html`<tr id=${`space-${id}`}><th scope="row">${name}</th>
    ${names.map(
      (/** @type {string} */ part, /** @type {number} */ c) => html`<td class=${tint ? `num c${c}` : "num"} key=${part}>
      <small>${part}</small> ${values ? values[c] : "…"}</td>`,
    )}
    <td class="unit">${unit}</td></tr>`;
}

/** @param {any} props what one photosite counted */
function Sensor({ at, pattern, bayer }) {
  const c = photositeColor(pattern, at.x, at.y);
  return html`<div class="sensor" id="sensor">
    <svg class="quad" width="34" height="34" viewBox="0 0 34 34" aria-hidden="true">${[0, 1, 2, 3].map((place) => {
      const [x, y] = [place % 2, Math.floor(place / 2)];
      const here = x === at.x % 2 && y === at.y % 2;
      return html`<rect key=${place} class=${`f${pattern[place].toLowerCase()}${here ? "" : " off"}`} x=${1 + 17 * x} y=${1 + 17 * y} width="15" height="15" rx="3" />`;
    })}</svg>
    <p><b class=${`c${c}`}>${["Red", "Green", "Blue"][c]}</b> photosite:${" "}
      <span class="num" data-counts>${bayer ? whole(bayer.raw_counts) : "…"}</span> counts,${" "}
      <span class="num">${bayer ? significant(bayer.electrons, 4) : "…"}</span> electrons.
      <span class="hint">The other two colors are guessed from its neighbors.</span></p>
    <${Select} label="mosaic" value=${pattern} of=${["RGGB", "BGGR", "GRBG", "GBRG"].map((one) => [one, one])}
      onChoose=${(/** @type {string} */ value) => choose({ pattern: value === "RGGB" ? "" : value })} />
  </div>`;
}

/** @param {any} props where the pixel is in a model's input */
function InTensor({ at, levels, tensor, recipe }) {
  const place = tensor ? inputPixel(at.x, at.y, tensor) : null;
  const names = tensor?.recipes ?? [recipe];
  const size = tensor ? tensor.input_hw[0] * tensor.input_hw[1] : 0;
  const alone =
    tensor && levels
      ? levels.map((/** @type {number} */ level, /** @type {number} */ c) => tensor.table[256 * c + level])
      : null;
  const there = place ? [0, 1, 2].map((c) => tensor.x[c * size + place[0] * tensor.input_hw[1] + place[1]]) : null;
  return html`<div class="intensor">
    <div class="head"><h2>As a model's input <small>${tensor ? shape([3, ...tensor.input_hw]) : ""}</small></h2>
      <${Select} label="recipe" value=${recipe} of=${names.map((/** @type {string} */ one) => [one, one])}
        onChoose=${(/** @type {string} */ value) => choose({ recipe: value === "imagenet" ? "" : value })} /></div>
    <table class="spaces"><tbody>
      <${Row} id="alone" name="this pixel alone" parts="R G B" unit="" values=${alone && fixedAll(alone, 3)} tint />
      <${Row} id="tensor" name=${place ? `x[0, c, ${place[0]}, ${place[1]}]` : "x[0, c, y, x]"} parts="c=0 c=1 c=2"
        unit=""
        values=${there ? fixedAll(order(there, tensor), 3) : tensor ? ["–", "–", "–"] : null} tint=${tensor?.channel_order !== "BGR"} />
    </tbody></table>
    ${place ? html`<p class="fine">Why these values?${[0, 1, 2].map((c) => html`<${Why} key=${c} label=${`c = ${c}`} what=${`Why x[0, ${c}, ${place[0]}, ${place[1]}]?`} subject=${{ of: "input", recipe, path: `input:${(tensor.layout === "BHWC" ? [0, ...place, c] : [0, c, ...place]).join(",")}` }} />`)}</p>` : null}
    <p class="fine">${
      tensor && !place
        ? "This pixel lies outside of what the recipe keeps: no number of the input stands for it."
        : tensor && String(tensor.resized_hw) !== String(tensor.picture_hw)
          ? `The photo was resized first: one number of the input covers ${covers(tensor)
              .map((one) => significant(one, 3))
              .join(" × ")} photo pixels.`
          : "\u00a0"
    }</p>
  </div>`;
}

/** @param {Tensor} tensor photo pixels for each pixel of the input, down and across */
function covers({ picture_hw, resized_hw }) {
  return picture_hw.map((size, axis) => size / resized_hw[axis]);
}

/** @param {number[]} rgb @param {Tensor} tensor in the order of its channels */
function order(rgb, tensor) {
  return tensor.channel_order === "BGR" ? [rgb[2], rgb[1], rgb[0]] : rgb;
}

/** @param {number[]} values @param {number} decimals */
function fixedAll(values, decimals) {
  return values.map((value) => fixed(value, decimals));
}

/** @param {number[]} values @param {number[]} decimals */
function fixedOf(values, decimals) {
  return values.map((value, k) => fixed(value, decimals[k]));
}
