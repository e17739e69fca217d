/** What views share: choices, numbers to type, frames for canvases, and errors where they were made. */

import { Superseded } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { question, theme, wordsOf } from "../state.js";

/**
 * Asks when what it asks for changes; nothing comes of an answer that nobody waits for any more.
 * @param {string} name of the question; "" for none @param {Record<string, string | number>} query
 * @param {import("../vendor/signals.js").Signal<string>} fault gets the words of an error, "" where there is none
 * @param {(answer: import("../api.js").Message | null) => void} got null for an error
 * @param {number} [rests] ms for which choices have to rest
 */
export function useAnswer(name, query, fault, got, rests = 0) {
  useEffect(() => {
    if (!name) return undefined;
    let gone = false;
    const timer = setTimeout(async () => {
      let [answer, words] = [/** @type {import("../api.js").Message | null} */ (null), ""];
      try {
        answer = await question(name, query);
      } catch (error) {
        if (error instanceof Superseded) return;
        words = wordsOf(error);
      }
      if (gone) return;
      fault.value = words;
      got(answer);
    }, rests);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [name, ...Object.values(query)]);
}

/**
 * One of a few words, as buttons of which one is down.
 * @param {{label: string, value: string, of: [string, string][], onChoose: (value: string) => void}} props
 */
export function Choice({ label, value, of, onChoose }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    <span class="label">${label}</span>
    <span class="segments">${of.map(
      ([key, words]) =>
        html`<button type="button" key=${key} aria-pressed=${key === value} onClick=${() => onChoose(key)}>${words}</button>`,
    )}</span>
  </div>`;
}

/**
 * A whole number with its bounds, one step up or down by keys and buttons of the browser's own.
 * @param {{label: string, value: number, low: number, high: number, onChoose: (value: number) => void}} props
 */
export function WholeNumber({ label, value, low, high, onChoose }) {
  /** @param {{currentTarget: HTMLInputElement}} event */
  const typed = ({ currentTarget }) => {
    const next = Number(currentTarget.value);
    if (currentTarget.value !== "" && Number.isInteger(next) && next >= low && next <= high) onChoose(next);
  };
  return html`<label class="number"><span class="label">${label}</span>
    <input type="number" min=${low} max=${high} step="1" value=${value} onInput=${typed}
      onBlur=${(/** @type {any} */ event) => (event.currentTarget.value = String(value))} /></label>`;
}

/**
 * @param {{label: string, value: string, of: [string, string][], onChoose: (value: string) => void}} props
 */
export function Select({ label, value, of, onChoose }) {
  return html`<label class="select"><span class="label">${label}</span>
    <select value=${value} onChange=${(/** @type {any} */ event) => onChoose(event.currentTarget.value)}>
      ${of.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value}>${words}</option>`)}
    </select></label>`;
}

/**
 * How many rows and columns an arrow key moves by, with Shift ten; nothing for another key.
 * @param {KeyboardEvent} event @returns {[number, number] | undefined}
 */
export function arrow({ key, shiftKey }) {
  const step = shiftKey ? 10 : 1;
  return /** @type {Record<string, [number, number]>} */ ({
    ArrowUp: [-step, 0],
    ArrowDown: [step, 0],
    ArrowLeft: [0, -step],
    ArrowRight: [0, step],
  })[key];
}

/** @param {{words: string}} props */
export function Fault({ words }) {
  return words ? html`<p class="fault" role="alert"><b>Error</b> ${words}</p>` : null;
}

/**
 * The size of an element, in pixels; kept up to date.
 * @returns {[{current: any}, {width: number, height: number}]}
 */
export function useSize() {
  const place = useRef(/** @type {any} */ (null));
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => {
      setSize({ width: Math.floor(entry.contentRect.width), height: Math.floor(entry.contentRect.height) });
    });
    watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  return [place, size];
}

/** How many pixels of the screen a pixel of the page has. */
export function density() {
  return Math.min(window.devicePixelRatio || 1, 3);
}

/**
 * A canvas that is drawn anew when what it reads changes.
 * @param {{width: number, height: number, draw: (context: CanvasRenderingContext2D, dense: number) => void, class?: string,
 *   reads: unknown[], label?: string}} props
 */
export function Canvas({ width, height, draw, reads, class: name = "", label = "" }) {
  const place = useRef(/** @type {any} */ (null));
  const dense = density();
  useEffect(() => {
    const canvas = place.current;
    const [wide, high] = [Math.max(1, Math.round(width * dense)), Math.max(1, Math.round(height * dense))];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    draw(context, dense);
  }, [width, height, dense, theme.value, ...reads]);
  const said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<canvas ref=${place} class=${name} style=${{ width: `${width}px`, height: `${height}px` }} ...${said} />`;
}

/** @param {string} name of a color in style.css */
export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
