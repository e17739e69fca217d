/** Receptive fields: layers are added, and the field of a unit grows; how much of it counts is measured. */

import { Superseded } from "../api.js";
import { html, useEffect, useMemo, useSignal } from "../html.js";
import { integer, word } from "../math/address.js";
import { layersText, misfit, parseLayers, pixelsSeen, placeNear, reaches } from "../math/fields.js";
import { shape, significant } from "../math/format.js";
import { OWN, STACKS } from "../math/stacks.js";
import { about, build, choose, modelNames, question, route, wordsOf } from "../state.js";
import { FieldMap, HeatMap } from "./fieldmaps.js";
import { Why } from "./why_link.js";
import { LayerTable, NetworkTable } from "./layers.js";
import { arrow, Choice, Fault, Select } from "./parts.js";

const SIDES = [16, 32, 48, 64, 96, 128, 160, 224, 320, 384, 512];
const RESTS = 180; // ms until the library is asked for the gradient

/**
 * @typedef {object} Unit whose field is looked at, whoever counted it
 * @property {[number, number]} inputHw
 * @property {[number, number]} grid
 * @property {[number, number]} unit
 * @property {[number, number]} size
 * @property {[number, number]} jump
 * @property {[number, number]} start of its field, without borders
 * @property {[number, number]} reach drawn around the input: the most that a layer's middle unit sees of it
 * @property {string} through operation by which it sees everything else, too; "" for none
 * @property {(down: number, across: number) => [number, number]} near the unit whose center is nearest to a pixel
 */

/** @param {{photo: import("../state.js").Photo}} props */
export function Fields({ photo }) {
  const { params } = route.value;
  const key = word(params.stack, [...STACKS.map((one) => one.key), "own", "model"], "own");
  return html`<section class="fields" aria-labelledby="title">
    <div class="title"><h1 id="title">Receptive fields</h1>
      <p>Which pixels can change a number, layer by layer, and how much each of them does.</p></div>
    ${key === "model" ? html`<${Network} photo=${photo} />` : html`<${Stack} key="stack" photo=${photo} name=${key} />`}
  </section>`;
}

/** @param {{value: string}} props */
function Source({ value }) {
  const rest = { at: "", y: "", x: "", layers: "" };
  return html`<${Select} label="layers" value=${value} of=${[
    ["own", "your own stack"],
    ...STACKS.map((one) => [one.key, one.title]),
    ["model", "a model"],
  ]} onChoose=${(/** @type {string} */ stack) => choose({ ...rest, stack: stack === "own" ? "" : stack })} />`;
}

/** @param {any} props a stack of layers, counted here */
function Stack({ photo, name }) {
  const { params } = route.value;
  const preset = STACKS.find((one) => one.key === name);
  const typed = preset ? preset.layers : params.layers === undefined ? OWN : parseLayers(params.layers);
  const layers = useMemo(() => typed ?? OWN, [name, params.layers]);
  const side = integer(params.side, 4, 512, preset ? 224 : 48);
  const weights = word(params.w, /** @type {const} */ (["random", "equal"]), "random");
  const wrong = typed ? misfit(layers, side) : "The address names layers that cannot be; these are the first ones.";
  const found = useMemo(() => reaches(layers, side), [layers, side]);
  const at = integer(params.at, Math.min(1, layers.length), layers.length, layers.length);
  const here = found[at];
  const [row, column] = ["y", "x"].map((one) =>
    integer(params[one], 0, Math.max(0, here.places - 1), Math.floor(here.places / 2)),
  );
  const fits = layers.length > 0 && !misfit(layers, side);
  const seen = useMemo(
    () => (fits ? [row, column].map((place) => pixelsSeen(layers, found, at, place)) : null),
    [layers, found, at, row, column, fits],
  );
  const heat = useHeat(
    fits ? "stack-field" : "",
    { layers: layersText(layers.slice(0, at)), side, y: row, x: column, weights },
  );
  /** @type {Unit} */
  const unit = {
    inputHw: [side, side],
    grid: [here.places, here.places],
    unit: [row, column],
    size: [here.size, here.size],
    jump: [here.jump, here.jump],
    start: [here.start + row * here.jump, here.start + column * here.jump],
    reach: beyond(
      [side, side],
      found.map((each) => overhang(side, each.start + Math.floor(each.places / 2) * each.jump, each.size)),
    ),
    through: "",
    near: (down, across) => [placeNear(here, down), placeNear(here, across)],
  };
  /** @param {import("../math/fields.js").Layer[]} next @param {number} shown */
  const change = (next, shown) =>
    choose({ stack: "", layers: layersText(next), at: shown === next.length ? "" : shown, side, y: "", x: "" });
  const sides = [...new Set([...SIDES, side])].sort((a, b) => a - b);
  return html`<div class="settings"><${Source} value=${name} />
      <${Select} label="input" value=${String(side)} of=${sides.map((one) => [String(one), `${one} × ${one}`])} onChoose=${(/** @type {string} */ value) => choose({ side: value, y: "", x: "" })} />
      <${Choice} label="weights" value=${weights} of=${[
        ["random", "random, ReLU"],
        ["equal", "all equal"],
      ]} onChoose=${(/** @type {string} */ w) => choose({ w: w === "random" ? "" : w })} />
      <span class="hint">${preset ? `${preset.what}; 1 × 1 layers of stride 1 change nothing and are left out, shortcuts too` : ""}</span></div>
    <${Fault} words=${wrong} />
    ${
      fits
        ? html`<${Pictures} photo=${photo} unit=${unit} seen=${seen} heat=${heat.value} name=${`behind layer ${at}`}
          how=${weights === "equal" ? "every layer the mean of what lies under it: one draw, exact" : ""} />
        <div class="transport"><input type="range" min="1" max=${layers.length} value=${at} aria-label="Layer"
          onInput=${(/** @type {any} */ event) => choose({ at: event.currentTarget.value, y: "", x: "" }, { follow: true })} />
          <span class="num where">layer ${at} of ${layers.length}: sees ${shape([here.size, here.size])}, jump ${here.jump}</span></div>`
        : html`<p class="empty">${layers.length ? "" : "No layer yet: add one below."}</p>`
    }
    <${LayerTable} layers=${layers} found=${found} at=${at} fits=${fits} change=${change} />`;
}

/** @param {any} props a model, of which the library says everything */
function Network({ photo }) {
  const { params } = route.value;
  const found = useSignal(/** @type {any} */ (null));
  const fault = useSignal("");
  const waits = useSignal("");
  const models = about.value?.models ?? [];
  const names = modelNames.value;
  const name = names.includes(params.model ?? "") ? /** @type {string} */ (params.model) : (models[0]?.name ?? "");
  useEffect(() => {
    if (!name) return undefined;
    let left = false;
    waits.value = name;
    fault.value = "";
    (async () => {
      try {
        const model = await build(name);
        const { data } = await question("network-fields", { model: model.key });
        if (!left) found.value = { ...data, model: model.key, of: name };
      } catch (error) {
        if (!left && !(error instanceof Superseded)) fault.value = wordsOf(error);
      } finally {
        if (!left) waits.value = "";
      }
    })();
    return () => {
      left = true;
    };
  }, [name]);
  const now = found.value?.of === name ? found.value : null;
  const rows = now?.rows ?? [];
  const at = integer(params.at, 1, Math.max(1, rows.length), rows.length);
  const one = rows[at - 1];
  const [row, column] = ["y", "x"].map((key, k) =>
    one ? integer(params[key], 0, one.grid[k] - 1, one.unit[k]) : 0,
  );
  const asked = { model: now?.model ?? "", node: one?.node ?? "", y: row, x: column };
  const heat = useHeat(one ? "network-heat" : "", asked);
  const said = heat.value?.data?.unit && one ? heat.value.data : null;
  const moved = one ? [row - one.unit[0], column - one.unit[1]] : [0, 0];
  const start = one ? (said?.start ?? [0, 1].map((k) => one.start[k] + moved[k] * one.jump[k])) : [0, 0];
  /** @type {Unit | null} */
  const unit = one?.size
    ? {
        inputHw: now.input_hw,
        grid: one.grid,
        unit: [row, column],
        size: said ? [said.stop[0] - said.start[0], said.stop[1] - said.start[1]] : one.size,
        jump: one.jump,
        start,
        reach: beyond(
          now.input_hw,
          rows.flatMap((/** @type {any} */ each) =>
            [0, 1].map((k) => overhang(now.input_hw[k], each.start[k], each.stop[k] - each.start[k])),
          ),
        ),
        through: through(one.global_by),
        near: (down, across) => {
          const places = [down, across].map((pixel, k) => {
            const place = one.unit[k] + Math.round((pixel + 0.5 - one.center[k]) / one.jump[k]);
            return Math.min(Math.max(place, 0), one.grid[k] - 1);
          });
          return [places[0], places[1]];
        },
      }
    : null;
  return html`<div class="settings"><${Source} value="model" />
      ${names.length ? html`<${Select} label="model" value=${name} of=${names.map((each) => [each, each])} onChoose=${(/** @type {string} */ model) => choose({ model, at: "", y: "", x: "" })} />` : html`<span class="hint">No model is open: start with \`photosite explore photo.jpg --model resnet18\`.</span>`}
      <span class="hint" role="status">${waits.value ? `reading ${waits.value} …` : ""}</span></div>
    <${Fault} words=${fault.value} />
    ${
      unit
        ? html`<${Pictures} photo=${photo} unit=${unit} seen=${null} heat=${heat.value} name=${one.name} how="" />
        <div class="transport"><input type="range" min="1" max=${rows.length} value=${at} aria-label="Layer"
          onInput=${(/** @type {any} */ event) => choose({ at: event.currentTarget.value, y: "", x: "" }, { follow: true })} />
          <span class="num where">${one.name}: sees ${shape(one.size)}, jump ${significant(one.jump[0])}</span>
          <${Why} label="Why its first channel's number?" what="" subject=${{ of: "model", model: name, path: `${one.node}@0,${row},${column}` }} /></div>`
        : html`<p class="maps empty hint">${waits.value ? "The model is being read; the first time takes a few seconds." : ""}</p>`
    }
    ${now ? html`<${NetworkTable} rows=${rows} at=${at} />` : null}`;
}

/** @param {string[]} operations in a few words */
function through([first, ...rest]) {
  return first ? `${first}${rest.length ? ` and ${rest.length} more` : ""}` : "";
}

/** @param {number} side of the input @param {number} start of a field @param {number} size how far it lies beyond */
function overhang(side, start, size) {
  return Math.max(0, -start, start + size - side);
}

/** @param {[number, number]} hw of the input @param {number[]} all overhangs @returns {[number, number]} */
function beyond(hw, all) {
  const most = Math.ceil(Math.min(Math.max(...all), 1.5 * Math.min(...hw)));
  return [most, most];
}

/**
 * What the library computes of a unit, asked for when choices rest.
 * @param {string} name of the question; "" for none @param {Record<string, string | number>} query
 */
function useHeat(name, query) {
  const found = useSignal(/** @type {any} */ (null));
  useEffect(() => {
    found.value = null;
    if (!name) return undefined;
    let left = false;
    const timer = setTimeout(() => {
      question(name, query, { view: "field" }).then(
        ({ data, arrays }) => {
          if (!left) found.value = { data, heat: arrays.heat, fault: "" };
        },
        (error) => {
          if (!left && !(error instanceof Superseded)) found.value = { data: null, heat: null, fault: wordsOf(error) };
        },
      );
    }, RESTS);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [name, ...Object.values(query)]);
  return found;
}

/** @param {any} props the two pictures, and the keys that move the unit */
function Pictures({ photo, unit, seen, heat, name, how }) {
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    const go = arrow(event);
    if (go) {
      const [y, x] = [0, 1].map((k) => Math.min(Math.max(unit.unit[k] + go[k], 0), unit.grid[k] - 1));
      choose({ y, x }, { follow: true });
    } else if (event.key === "Escape") choose({ y: "", x: "" });
    else return;
    event.preventDefault();
  };
  return html`<div class="maps">
      <${FieldMap} photo=${photo} unit=${unit} heat=${heat?.heat ?? null} name=${name} onKeyDown=${keyed}
        onKeep=${(/** @type {[number, number]} */ [y, x]) => choose({ y, x })} />
      <${HeatMap} unit=${unit} seen=${seen} found=${heat} name=${name} how=${how} /></div>
    <${Fault} words=${heat?.fault ?? ""} />`;
}
