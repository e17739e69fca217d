/** The photos that excite a channel most, of a folder that was named or of those that are open: what the unit sees there. */

import { Superseded } from "../api.js";
import { html, useEffect, useSignal } from "../html.js";
import { significant, whole } from "../math/format.js";
import { about, choose, opened, question, wordsOf } from "../state.js";
import { Patch } from "./channels.js";
import { Fault } from "./parts.js";

/** @typedef {{number: number, photo: string, title: string, value: number, place: [number, number] | null, whole: boolean}} Found */
/** @typedef {{of: number, read: number, ended: boolean, left_out: string[], patches: Found[]}} Known */
/** @typedef {Known & {node: string, channel: number, pixels: Record<string, import("../api.js").NumberArray>}} Answer */

/** @param {{photo: import("../state.js").Photo, network: import("./hierarchy.js").Network, node: import("./hierarchy.js").NetNode, channel: number}} props */
export function Collection({ photo, network, node, channel }) {
  const answer = useSignal(/** @type {Answer | null} */ (null));
  const fault = useSignal("");
  const named = about.value?.collection ?? 0;
  const photos = (about.value?.photos ?? []).map((one) => one.key);
  const of = named || photos.length;
  useEffect(() => {
    if (channel < 0 || of < 2) return;
    let gone = false;
    /** Asked again until all photos are done. */
    const read = async () => {
      fault.value = "";
      try {
        do {
          const { data, arrays } = await question("patches", { photo: photo.key, model: network.key, node: node.name, channel });
          if (!gone) answer.value = { ...data, pixels: arrays };
        } while (!gone && !answer.peek()?.ended);
      } catch (error) {
        if (!gone && !(error instanceof Superseded)) fault.value = wordsOf(error);
      }
    };
    read();
    return () => {
      gone = true;
    };
  }, [photo.key, network, node.name, channel, named || [...photos].sort().join()]);
  if (of < 2)
    return html`<p class="fine">Strongest in other photos: open more above, or start with <code>photosite explore --collection FOLDER</code>.</p>`;
  const now = answer.value;
  const found = now?.node === node.name && now.channel === channel ? now : null;
  /** @param {Found} one */
  const look = async (one) => {
    const where = { ch: channel, row: one.place?.[0] ?? "", col: one.place?.[1] ?? "" };
    try {
      if (one.photo) choose({ photo: one.photo, ...where });
      else opened((await question("collected", { number: one.number })).data, where);
    } catch (error) {
      if (!(error instanceof Superseded)) fault.value = wordsOf(error);
    }
  };
  return html`<div class="strongest" id="collection"><div class="head"><h2>Strongest in ${whole(of)} photos</h2>
    <span class="hint" role="status">${found && !found.ended ? `${whole(found.read)} of ${whole(found.of)} looked at …` : ""}</span>
    <span class="hint">${found?.left_out.length ? html`<span title=${found.left_out.join("\n")}>${found.left_out.length} left out: ${found.left_out[0]}</span>` : ""}</span></div>
    <${Fault} words=${fault.value} />
    <div class="patches">${found?.patches.map((one, at) => {
      const { shape, values } = found.pixels[at];
      const [height, width] = shape;
      const where = one.place ? `row ${one.place[0]}, column ${one.place[1]}` : "";
      return html`<button type="button" key=${`${one.number} ${where}`} title=${`${one.title}${where ? ` · ${where}` : ""}${one.whole ? " · sees all of it" : ""}`}
        aria-label=${`${one.title}, ${where}: ${significant(one.value)}`} onClick=${() => look(one)}>
        <${Patch} pixels=${{ height, width, bytes: values }} photo=${{ size_hw: shape }} box=${[0, 0, height, width]} />
        <span class="num">${significant(one.value, 3)}</span><span class="cut">${one.title}</span></button>`;
    })}${found?.ended && !found.patches.length ? html`<p class="hint">In none of them does this channel answer: it is 0 everywhere.</p>` : null}</div></div>`;
}
