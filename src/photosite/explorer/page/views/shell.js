/** The page around the views: the ray with its stations, the photos, and where a photo can be dropped. */

import { html, useEffect, useRef, useState } from "../html.js";
import { writeHash } from "../math/address.js";
import { shape } from "../math/format.js";
import {
  about,
  choose,
  photo,
  pixelsOf,
  route,
  routeOf,
  show,
  theme,
  trouble,
  upload,
  uploadError,
  uploading,
} from "../state.js";
import { Convolution } from "./convolution.js";
import { Fields } from "./fields.js";
import { Hierarchy } from "./hierarchy.js";
import { Normalization } from "./normalization.js";
import { Canvas, Fault } from "./parts.js";
import { Pixels } from "./pixels.js";
import { Pooling } from "./pooling.js";
import { Residual } from "./residual.js";
import { WhyThisValue } from "./why.js";
import { whyByKey } from "./why_link.js";
import { Tokens } from "./tokens.js";

const STATIONS = [
  { view: "pixels", title: "Pixels", line: "what a photo is made of", View: Pixels },
  { view: "convolution", title: "Convolution", line: "what a kernel makes of it", View: Convolution },
  { view: "pooling", title: "Pooling", line: "fewer numbers, and what a shift does", View: Pooling },
  { view: "fields", title: "Receptive fields", line: "how far a number sees", View: Fields },
  { view: "hierarchy", title: "Hierarchy", line: "what a network makes of it", View: Hierarchy },
  { view: "normalization", title: "Normalization", line: "which numbers share a mean", View: Normalization },
  { view: "residual", title: "Residual", line: "what a shortcut carries", View: Residual },
  { view: "tokens", title: "Patches and tokens", line: "what a language model reads", View: Tokens },
  { view: "why", title: "Why this value", line: "where a number comes from", View: WhyThisValue },
];
const THEMES = ["auto", "light", "dark"];

export function Shell() {
  const { view } = route.value;
  const station = STATIONS.find((one) => one.view === view) ?? STATIONS[0];
  const here = photo.value;
  useEffect(() => {
    document.title = `${station.title} · photosite`;
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [station.title]);
  useEffect(() => {
    document.addEventListener("keydown", whyByKey);
    return () => document.removeEventListener("keydown", whyByKey);
  }, []);
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the picture</a>
    <nav aria-label="Stations">
      <a class="brand" href="#/pixels" aria-label="photosite" onClick=${(/** @type {MouseEvent} */ event) => follow(event, routeOf("pixels"))}>
        <${Mark} /><span>photosite</span></a>
      <ol>${STATIONS.map((one, number) => html`<${Station} key=${one.view} ...${one} number=${number + 1} />`)}</ol>
      <${Theme} />
    </nav>
    <main id="main" tabindex="-1">
      <${Photos} />
      <${Fault} words=${trouble.value} />
      ${here ? html`<${station.View} key=${`${view} ${here.key}`} photo=${here} />` : html`<${Empty} />`}
    </main>
    <${Drop} />`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  /** @type {HTMLElement | null} */ (document.querySelector("#main"))?.focus();
}

/** @param {MouseEvent} event @param {import("../math/address.js").Route} next */
function follow(event, next) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(next);
}

/** @param {{view: string, title: string, line: string, number: number}} props */
function Station({ view, title, line, number }) {
  const current = route.value.view === view;
  const next = routeOf(view);
  return html`<li><a href=${writeHash(next)} aria-current=${current ? "page" : undefined}
    onClick=${(/** @type {MouseEvent} */ event) => follow(event, next)}>
    <b>${number}</b><span><strong>${title}</strong><small>${line}</small></span></a></li>`;
}

function Mark() {
  return html`<svg class="mark" width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">
    <rect class="fr" width="12" height="12" rx="3" /><rect class="fg" x="14" width="12" height="12" rx="3" />
    <rect class="fg" y="14" width="12" height="12" rx="3" /><rect class="fb" x="14" y="14" width="12" height="12" rx="3" /></svg>`;
}

function Theme() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  return html`<button id="theme" type="button" onClick=${() => (theme.value = next)}
    aria-label=${`Theme: ${theme.value}; change to ${next}`}>${theme.value}<span> theme</span></button>`;
}

function Photos() {
  const photos = about.value?.photos ?? [];
  const place = useRef(/** @type {any} */ (null));
  const here = photo.value;
  /** @param {{currentTarget: HTMLInputElement}} event */
  const chosen = ({ currentTarget }) => {
    const file = currentTarget.files?.[0];
    currentTarget.value = "";
    if (file) upload(file);
  };
  return html`<header class="photos">
    <ul aria-label="Photos that are open">${photos.map(
      (
        one,
      ) => html`<li key=${one.key}><button type="button" class="thumb" aria-pressed=${one === here} title=${one.title}
        aria-label=${`Look at ${one.title}`} onClick=${() => choose({ photo: one.key, x: "", y: "", z: "", cx: "", cy: "" })}>
        <${Thumb} photo=${one} /></button></li>`,
    )}</ul>
    <p class="name">${here ? html`<b>${here.title}</b> <span>${shape(here.size_hw)} px</span>` : null}</p>
    <button type="button" class="open" onClick=${() => place.current.click()}>Open a photo…</button>
    <input ref=${place} type="file" accept="image/*" hidden onChange=${chosen} aria-label="Photo file" />
    <span class="hint">or drop one anywhere</span>
    <span class="hint" role="status">${uploading.value ? `opening ${uploading.value} …` : ""}</span>
    <${Fault} words=${uploadError.value} />
  </header>`;
}

const THUMB = 40;

/** @param {{photo: import("../state.js").Photo}} props */
function Thumb({ photo: one }) {
  const { small } = pixelsOf(one).value;
  /** @param {CanvasRenderingContext2D} context @param {number} dense */
  const draw = (context, dense) => {
    if (!small) return;
    const side = THUMB * dense;
    const least = Math.min(small.height, small.width);
    const [top, left] = [(small.height - least) / 2, (small.width - least) / 2];
    const image = context.createImageData(side, side);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const row = Math.floor(top + (y * least) / side);
        const from = 3 * (row * small.width + Math.floor(left + (x * least) / side));
        image.data.set([small.bytes[from], small.bytes[from + 1], small.bytes[from + 2], 255], 4 * (y * side + x));
      }
    }
    context.putImageData(image, 0, 0);
  };
  return html`<${Canvas} width=${THUMB} height=${THUMB} draw=${draw} reads=${[small]} />`;
}

function Empty() {
  if (trouble.value || !about.value) return html`<p class="empty">${trouble.value ? "" : "…"}</p>`;
  return html`<p class="empty">No photo is open. Drop one here, or open one with the button above.</p>`;
}

function Drop() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    /** @param {DragEvent} event */
    const isFile = (event) => event.dataTransfer?.types.includes("Files") ?? false;
    /** @type {Record<string, (event: DragEvent) => void>} */
    const handlers = {
      dragenter: (event) => isFile(event) && (depth++, setOver(true)),
      dragleave: (event) => isFile(event) && --depth <= 0 && setOver(false),
      dragover: (event) => isFile(event) && event.preventDefault(),
      drop: (event) => {
        depth = 0;
        setOver(false);
        const file = event.dataTransfer?.files[0];
        if (!file) return;
        event.preventDefault();
        upload(file);
      },
    };
    for (const [name, handler] of Object.entries(handlers)) window.addEventListener(name, /** @type {any} */ (handler));
    return () => {
      for (const [name, handler] of Object.entries(handlers))
        window.removeEventListener(name, /** @type {any} */ (handler));
    };
  }, []);
  return html`<div class="drop" hidden=${!over}><p>Drop the photo to open it</p></div>`;
}
