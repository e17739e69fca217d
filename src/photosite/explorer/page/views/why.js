/** Why this value: a number as the sum of its terms, each of which can be opened in turn, down to the photo's pixels. */

import { TABLES } from "../draw/colors.js";
import { drawPhoto } from "../draw/photo.js";
import { drawField, drawRegions } from "../draw/sight.js";
import { html, useEffect, useRef, useSignal } from "../html.js";
import { shape, significant, whole } from "../math/format.js";
import { around, clamp, fit } from "../math/viewport.js";
import { choose, modelNames, pixelsOf, route } from "../state.js";
import { Canvas, Fault, Select, useAnswer, useSize } from "./parts.js";

const STATIONS = /** @type {Record<string, string>} */ ({ convolution: "Convolution", pooling: "Pooling", normalization: "Normalization", patch: "Patches and tokens" });
const FIRST = 24;
const HIGHEST = 420;
const SMALL = 132;

/** @param {{photo: import("../state.js").Photo}} props */
export function WhyThisValue({ photo }) {
  const { photo: _, ...rest } = route.value.params;
  const found = useSignal(/** @type {any} */ (null));
  const hover = useSignal(/** @type {ArrayLike<number> | null} */ (null));
  const fault = useSignal("");
  const list = useRef(/** @type {any} */ (null));
  const walks = useRef(false);
  const query = { ...rest, photo: photo.key };
  const asked = JSON.stringify(query);
  useAnswer("why", query, fault, (answer) => {
    hover.value = null;
    found.value = answer && {
      ...answer.data,
      ...Object.fromEntries(Object.entries(answer.arrays).map(([key, { values }]) => [key, values])),
      asked,
    };
  });
  const now = found.value;
  useEffect(() => {
    if (!now || !walks.current) return;
    walks.current = false;
    (list.current?.querySelector("button") ?? document.querySelector("#main"))?.focus({ preventScroll: true });
  }, [now]);
  /** @param {Record<string, string | number>} to */
  const go = (to) => {
    walks.current = true;
    choose({ at: "", ...to });
  };
  const here = now?.chain[now.at];
  const up = (/** @type {number} */ to) => go(rest.path?.includes(">") ? { at: to } : { path: now.chain[to].path });
  const open = (/** @type {string} */ part) => go({ path: `${here.path};${part}` });
  const keys = useRef(/** @type {any} */ (null));
  /** @param {KeyboardEvent} event */
  keys.current = (event) => {
    const { key, target, shiftKey, ctrlKey, metaKey, altKey } = /** @type {any} */ (event);
    if (!now || ctrlKey || metaKey || altKey || /INPUT|SELECT/.test(target.tagName)) return;
    const all = [...(list.current?.querySelectorAll("button") ?? [])];
    const step = (shiftKey ? 10 : 1) * (key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0);
    if (step && all.length) all[Math.min(Math.max(all.indexOf(target) + step, 0), all.length - 1)].focus();
    else if (key === "ArrowRight") (all.find((one) => one === target) ?? all[0])?.click();
    else if (/^(ArrowLeft|Backspace|Escape)$/.test(key) && now.at > 0) up(now.at - 1);
    else if (key === "f" && now.largest) open(">999");
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    const listen = (/** @type {KeyboardEvent} */ event) => keys.current(event);
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
  /** @param {any} event */
  const typed = (event) => {
    event.preventDefault();
    const [, name, index] = /^(.+?)\s*[[:]([\d,\s]*)\]?$/.exec(event.currentTarget.elements.number.value.trim()) ?? [];
    if (name) choose({ path: `${name}:${index.replace(/\s/g, "")}`, at: "" });
    else fault.value = "write a name and an index, such as layer4[0, 12, 3, 5]";
  };
  const fresh = (/** @type {string} */ model) => choose({ ...Object.fromEntries(Object.keys(rest).map((key) => [key, ""])), model });
  return html`<section class="whyview" aria-labelledby="title">
    <div class="title"><h1 id="title">Why this value</h1>
      <p>Every number is made of others. Open a term, and the terms of that one, until you stand on a pixel.</p></div>
    <div class="settings">
      ${
        now && now.of !== "model"
          ? html`<span class="choice"><span class="label">a number of</span> ${now.of === "input" ? "a model's input" : `the station ${STATIONS[now.of]}`}</span>
        ${modelNames.value.length ? html`<button type="button" class="open" onClick=${() => fresh("")}>take a model's score</button>` : null}`
          : html`<${Select} label="model" value=${rest.model ?? now?.model ?? ""} of=${modelNames.value.map((name) => [name, name])} onChoose=${fresh} />`
      }
      <form class="paste" onSubmit=${typed}><label class="select"><span class="label">any number</span>
        <input type="text" name="number" placeholder=${now?.chain[0].name ?? ""} /></label><button class="open">open</button></form>
      <span class="hint" role="status">${now?.asked === asked || fault.value ? "" : "computing …"}</span></div>
    <${Fault} words=${fault.value} />
    <div class="whyside">${now ? html`<${Sight} photo=${photo} found=${now} hover=${hover} /><${Apart} key=${here.path} found=${now} list=${list} hover=${hover} onUp=${up} onOpen=${open} />` : null}</div>
  </section>`;
}

/** @param {any} props the way to a number, the number, and its terms */
function Apart({ found, list, hover, onUp, onOpen }) {
  const { chain, at, terms, value, factor, product, is_sum: isSum, residual, count } = found;
  const many = useSignal(FIRST);
  const here = chain[at];
  const crumbs = useRef(/** @type {any} */ (null));
  useEffect(() => {
    const { current } = crumbs;
    current.scrollTop = current.children[at].offsetTop - current.offsetTop - current.clientHeight / 2;
  }, [found]);
  const finite = product.filter(Number.isFinite);
  const most = Math.max(...finite.map(Math.abs), 1e-300);
  const more = count - Math.min(many.value, terms.length);
  const made = here.value - (residual ?? 0);
  return html`<div class="apart">
    <ol class="crumbs" ref=${crumbs} aria-label="The way to this number">${chain.map(
      (/** @type {any} */ one, /** @type {number} */ k) => html`<li key=${k}><button type="button" class="link" aria-current=${k === at ? "step" : undefined} title=${`${one.name} = ${one.value}`}
        onClick=${() => onUp(k)}>${one.name} = <b>${significant(one.value)}</b></button></li>`,
    )}</ol>
    <div class="whyhead"><p class="label" id="whyname">${here.name}${found.title ? html` · <b>${found.title}</b>` : null}</p>
      <output id="whyvalue" class="num" title=${String(here.value)}>${significant(here.value)}</output>
      <p><b>${found.op}</b>${found.module ? html` in <code>${found.module}</code>` : ""}${found.said ? `: ${found.said}` : ""}</p>
      ${here.through.length ? html`<p class="fine">came through ${here.through.join(", ")} as it is</p>` : null}
      ${found.why_not ? html`<p class="theend" id="ends">${found.why_not}</p>` : null}</div>
    ${
      count
        ? html`<div class="head"><p class="num" id="whysum">${isSum ? html`${count > 1 ? `sum of all ${whole(count)} terms` : "its one term"} = <b title=${String(made)}>${significant(made)}</b>, left over <span title=${String(residual)}>${significant(residual ?? 0, 2)}</span>` : `a function of ${whole(count)} numbers, those first that move it most`}</p>
      ${found.largest ? html`<button type="button" class="open" onClick=${() => onOpen(">999")} title="The largest term, its largest term, and so on (f)">follow the largest to the pixels</button>` : null}</div>
    <ol class="terms" ref=${list} aria-label="Terms, the largest first. Up and down arrow keys walk, Enter opens, Backspace goes back.">${terms.slice(0, many.value).map(
      (/** @type {[string, string]} */ [name, part], /** @type {number} */ k) => {
        const share = Number.isFinite(product[k]) ? (50 * product[k]) / most : 0;
        const words = `${value[k]} ${isSum ? "×" : "slope"} ${factor[k]}${isSum ? ` = ${product[k]}` : ""}`;
        const point = () => (hover.value = found.boxes[4 * k] < 0 ? null : found.boxes.subarray(4 * k, 4 * k + 4));
        const cells = html`<span class="name">${name}</span>
          <svg class="signed" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class=${share < 0 ? "minus" : "plus"} x=${50 + Math.min(share, 0)} width=${Math.abs(share)} height="10" /><path d="M50 0V10" /></svg>
          <span class="num of">${significant(value[k])} ${isSum ? "×" : "slope"} ${significant(factor[k])}</span><b class="num">${isSum ? `= ${significant(product[k])}` : ""}</b>`;
        return html`<li key=${k} onPointerEnter=${point} onPointerLeave=${() => (hover.value = null)} onFocusIn=${point}>${part ? html`<button type="button" title=${words} aria-label=${`${name}: ${words}. Open`} onClick=${() => onOpen(part)}>${cells}</button>` : html`<span class="row" title=${words}>${cells}</span>`}</li>`;
      },
    )}</ol>
    ${
      more > 0
        ? html`<p class="fine">and ${whole(more)} more${isSum ? html`, which add <span class="num">${significant(product.slice(many.value).reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, found.rest))}</span>` : ""}${" "}
      ${many.value < terms.length ? html`<button type="button" class="link" onClick=${() => (many.value = terms.length)}>show ${whole(terms.length - many.value)} of them</button>` : null}</p>`
        : null
    }`
        : null
    }
  </div>`;
}

/** @param {any} props what a number sees of the photo, close by and in the whole, and where its terms lie */
function Sight({ photo, found, hover }) {
  const [frame, size] = useSize();
  const [height, width] = photo.size_hw;
  const picture = { width, height };
  const loaded = pixelsOf(photo).value;
  const pixels = loaded.whole ?? loaded.small;
  const { sees, tiles, sums } = found;
  const most = Math.max(...sums.map(Math.abs), 1e-300);
  const within = (/** @type {number} */ wide, /** @type {number} */ high) => {
    const scale = Math.min(wide / width, high / height);
    return { width: Math.floor(width * scale), height: Math.floor(height * scale) };
  };
  const sheet = within(size.width, HIGHEST);
  const reach = sees?.map((/** @type {number} */ edge, /** @type {number} */ side) =>
    Math[side < 2 ? "min" : "max"](edge, ...tiles.filter((/** @type {number} */ _, /** @type {number} */ k) => k % 4 === side)),
  );
  const near = sees && sheet.width && around(reach, picture, sheet);
  /** @param {any} at @param {typeof sheet} on @param {boolean} [marks] */
  const draw = (at, on, marks) => (/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ dense) => {
    if (!pixels) return;
    drawPhoto(context, pixels, pixels.width / width, at, on, dense, { channels: [true, true, true], pattern: "" });
    if (marks) {
      const regions = Array.from(sums, (sum, k) => {
        const share = /** @type {number} */ (sum) / most;
        const [r, g, b] = TABLES.signed.subarray(3 * Math.round(127.5 * (1 + share)));
        return { box: tiles.subarray(4 * k, 4 * k + 4), color: `rgb(${r} ${g} ${b} / ${24 + 48 * Math.abs(share)}%)` };
      });
      drawRegions(context, regions, at, dense);
    }
    if (sees) drawField(context, sees, at, dense, "#f2b84b");
  };
  const view = sheet.width ? (near ? clamp(near, picture, sheet) : fit(picture, sheet)) : null;
  const small = within(SMALL, SMALL);
  const reads = [pixels, found, view?.scale, view?.left, view?.top];
  const pointed = hover.value;
  return html`<figure class="map whysight" ref=${frame}>
    <div class="stack" style=${{ width: `${sheet.width}px`, height: `${sheet.height}px` }}>
      ${
        view
          ? html`<${Canvas} ...${sheet} draw=${draw(view, sheet, true)} reads=${reads} label=${`${photo.title}${near ? ", close by" : ""}. ${found.sight}`} />
      <${Canvas} class="over" ...${sheet} reads=${[pointed, ...reads]} draw=${(/** @type {any} */ context, /** @type {number} */ dense) => pointed && drawField(context, pointed, view, dense, "#6f4fa3")} />`
          : null
      }
      ${near ? html`<div class="inset"><${Canvas} ...${small} draw=${draw(fit(picture, small), small)} reads=${[pixels, found]} /></div>` : null}
    </div>
    <figcaption>${photo.title} · ${shape([height, width])} px${sums.length ? html` · terms at their places <span class="scale"><i class="ramp signed"></i>±${significant(most, 3)}</span>` : null}</figcaption>
    <p class="hint" id="whysees">${found.sight}</p>
  </figure>`;
}
