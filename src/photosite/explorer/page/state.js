/** What the page remembers: the address, the theme, the token, photos and models. The one file that does. */

import { ask, Refusal, Superseded } from "./api.js";
import { batch, computed, effect, signal } from "./html.js";
import { readHash, writeHash } from "./math/address.js";

/** @typedef {{key: string, title: string, size_hw: [number, number]}} Photo */
/** @typedef {{key: string, name: string, recipe: string | null, notes: string[]}} Model */
/** @typedef {{version: string, photos: Photo[], models: Model[], names: string[], collection: number}} About */
/** @typedef {{height: number, width: number, bytes: Uint8Array}} Pixels */
/** @typedef {{small: Pixels | null, whole: Pixels | null, range: number[] | null, error: string}} Loaded */

export const VIEWS = ["pixels", "convolution", "pooling", "fields", "hierarchy", "residual", "normalization", "tokens", "why"];

/** The token came in the address; it stays with the tab and leaves the address. */
const token = (() => {
  const given = new URLSearchParams(location.search).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.hash);
  }
  return sessionStorage.getItem("token") ?? "";
})();

export const route = signal(readHash(location.hash, VIEWS));
export const about = signal(/** @type {About | null} */ (null));
export const trouble = signal(
  token ? "" : "Open the address that `photosite explore` printed: it holds the key to this page.",
);
export const uploadError = signal("");
export const uploading = signal("");
export const theme = signal(localStorage.getItem("theme") ?? "auto");
export const reduced = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {Map<string, Record<string, string>>} the choices of each view, for coming back to it */
const left = new Map();
/** @type {Map<string, import("./vendor/signals.js").Signal<Loaded>>} */
const loaded = new Map();

/** The photo that is looked at; null where there is none. */
export const photo = computed(() => {
  const photos = about.value?.photos ?? [];
  return photos.find((one) => one.key === route.value.params.photo) ?? photos[0] ?? null;
});

addEventListener("popstate", () => {
  route.value = readHash(location.hash, VIEWS);
});
addEventListener("hashchange", () => {
  route.value = readHash(location.hash, VIEWS);
});

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  localStorage.setItem("theme", theme.value);
});

/**
 * Choose something: a step that the browser's back button takes back, unless it only follows the pointer.
 * @param {Record<string, string | number>} changes "" leaves a choice out @param {{follow?: boolean}} [how]
 */
export function choose(changes, { follow = false } = {}) {
  const { view, params } = route.peek();
  const next = {
    ...params,
    ...Object.fromEntries(Object.entries(changes).map(([key, value]) => [key, String(value)])),
  };
  for (const key of Object.keys(next)) if (next[key] === "") delete next[key];
  show({ view, params: next }, follow);
}

/** @param {string} view @returns {import("./math/address.js").Route} where its station leads */
export function routeOf(view) {
  const { params } = route.value;
  if (route.value.view === view) return route.value;
  const kept = { ...left.get(view) };
  delete kept.photo;
  return { view, params: params.photo ? { ...kept, photo: params.photo } : kept };
}

/** @param {import("./math/address.js").Route} next @param {boolean} [follow] */
export function show(next, follow = false) {
  const hash = writeHash(next);
  if (hash === location.hash) return;
  const now = route.peek();
  left.set(now.view, now.params);
  if (follow) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  route.value = next;
}

/**
 * Ask the library, with the token.
 * @param {string} name @param {Record<string, string | number>} [query] @param {{view?: string, body?: Blob}} [how]
 */
export function question(name, query, how) {
  return ask(token, name, query, how);
}

/** What there is; the first thing that is asked. */
export async function start() {
  if (!token) return;
  try {
    about.value = (await question("about")).data;
  } catch (error) {
    if (!(error instanceof Superseded)) trouble.value = wordsOf(error);
  }
}

/** @param {unknown} error in one line */
export function wordsOf(error) {
  return error instanceof Refusal || error instanceof Error ? error.message : String(error);
}

/**
 * A photo's pixels: first small ones, then all.
 * @param {Photo} one
 */
export function pixelsOf(one) {
  const known = loaded.get(one.key);
  if (known) return known;
  const made = signal(/** @type {Loaded} */ ({ small: null, whole: null, range: null, error: "" }));
  for (const key of [...loaded.keys()].slice(0, -2)) loaded.delete(key);
  loaded.set(one.key, made);
  load(one, made);
  return made;
}

/** @param {Photo} one @param {import("./vendor/signals.js").Signal<Loaded>} into */
async function load(one, into) {
  try {
    const small = await question("overview", { photo: one.key, side: 1024 }, { view: `overview ${one.key}` });
    const { shape, values } = small.arrays.picture;
    const pixels = { height: shape[0], width: shape[1], bytes: /** @type {Uint8Array} */ (values) };
    const all = shape[0] === one.size_hw[0] && shape[1] === one.size_hw[1];
    into.value = { small: pixels, whole: all ? pixels : null, range: small.data.range, error: "" };
    if (all) return;
    const found = (await question("photo", { photo: one.key }, { view: `photo ${one.key}` })).arrays.picture;
    const bytes = /** @type {Uint8Array} */ (found.values);
    into.value = { ...into.value, whole: { height: found.shape[0], width: found.shape[1], bytes } };
  } catch (error) {
    loaded.delete(one.key);
    into.value = { ...into.value, error: error instanceof Superseded ? "" : wordsOf(error) };
  }
}

/** @param {Photo} one that the library has opened: the page shows it @param {Record<string, string | number>} [choices] */
export function opened(one, choices = {}) {
  const now = about.peek();
  if (!now) return;
  batch(() => {
    if (photo.value) choose({ photo: photo.value.key }, { follow: true }); // so that there is a way back to it
    about.value = { ...now, photos: [one, ...now.photos.filter((had) => had.key !== one.key)].slice(0, 6) };
    choose({ photo: one.key, x: "", y: "", z: "", cx: "", cy: "", ...choices });
  });
}

/** @param {File} file a photo that was dropped or chosen */
export async function upload(file) {
  uploadError.value = "";
  uploading.value = file.name;
  try {
    if (file.size > 64 << 20) throw new Error(`${file.name}: at most 64 MiB; name it on the command line instead`);
    opened((await question("upload", { title: file.name }, { body: file })).data);
  } catch (error) {
    if (!(error instanceof Superseded)) uploadError.value = wordsOf(error);
  } finally {
    uploading.value = "";
  }
}

/** The models that there are or could be. */
export const modelNames = computed(() => [
  ...new Set([...(about.value?.models ?? []).map((one) => one.name), ...(about.value?.names ?? [])]),
]);

/** @param {string} name of a model, which is built where it is not yet @returns {Promise<Model>} */
export async function build(name) {
  const had = about.peek()?.models.find((one) => one.name === name);
  if (had) return had;
  const { data } = await question("build", { name });
  const now = about.peek();
  if (now && !now.models.some((one) => one.key === data.key)) about.value = { ...now, models: [...now.models, data] };
  return data;
}
