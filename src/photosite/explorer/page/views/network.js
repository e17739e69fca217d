/** The map of a network: modules as boxes, operations in them, the main depths marked. */

import { html, useEffect, useMemo, useRef } from "../html.js";
import { shape } from "../math/format.js";
import { nested } from "../math/network.js";

/** @typedef {import("./hierarchy.js").NetNode} NetNode */

const SHORT = /** @type {Record<string, string>} */ ({
  conv2d: "conv",
  batch_norm: "bn",
  layer_norm: "ln",
  rms_norm: "rms",
  group_norm: "gn",
  add: "+",
  mul: "×",
  linear: "fc",
  scaled_dot_product_attention: "attn",
  max_pool2d: "max",
  avg_pool2d: "mean",
  adaptive_avg_pool2d: "mean",
  mean: "mean",
  hardswish: "hswish",
  hardsigmoid: "hsigm",
});

/** @param {{network: import("./hierarchy.js").Network | null, node: NetNode | null, onPick: (name: string, follow?: boolean) => void}} props */
export function NetworkMap({ network, node, onPick }) {
  const place = useRef(/** @type {any} */ (null));
  const boxes = useMemo(() => nested(network?.nodes ?? []), [network]);
  useEffect(() => {
    const chosen = place.current?.querySelector("[aria-pressed='true']");
    if (!chosen) return;
    const [outer, inner] = [place.current.getBoundingClientRect(), chosen.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom)
      place.current.scrollTop += inner.top - outer.top - outer.height / 3;
    if (place.current.contains(document.activeElement)) chosen.focus({ preventScroll: true });
  }, [node?.name, network]);
  /** @param {KeyboardEvent} event */
  const keyed = (event) => {
    if (!network || !node || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = network.nodes.length - 1;
    const step = event.shiftKey ? 10 : 1;
    const at = network.nodes.indexOf(node);
    const next = /** @type {Record<string, number>} */ ({
      ArrowLeft: at - step,
      ArrowUp: at - step,
      ArrowRight: at + step,
      ArrowDown: at + step,
      Home: 0,
      End: last,
    })[event.key];
    if (next === undefined) return;
    event.preventDefault();
    onPick(network.nodes[Math.min(Math.max(next, 0), last)].name, true);
  };
  return html`<div class="network">
    <div class="netmap" ref=${place} role="group" aria-label="Operations, in the order in which they run; arrow keys go from one to the next" onKeyDown=${keyed}>
      ${boxes.map((box, i) => html`<${NetBox} key=${i} box=${box} node=${node} onPick=${onPick} />`)}
    </div>
    <p class="fine">A dot moves numbers and computes nothing; a ring marks a main depth.</p>
  </div>`;
}

/** @param {{box: import("../math/network.js").Box<NetNode>, node: NetNode | null, onPick: (name: string) => void}} props */
function NetBox({ box, node, onPick }) {
  const last = lastOf(box);
  return html`<div class=${`netbox${box.title ? "" : " loose"}`}>
    ${box.title ? html`<p class="modulename"><span>${box.title}</span> <small>${last.layout ? shape([last.channels, ...last.grid]) : ""}</small></p>` : null}
    ${box.nodes.length ? html`<div class="chips">${box.nodes.map((one) => html`<${Chip} key=${one.name} one=${one} chosen=${one === node} onPick=${onPick} />`)}</div>` : null}
    ${box.boxes.map((inner, i) => html`<${NetBox} key=${i} box=${inner} node=${node} onPick=${onPick} />`)}
  </div>`;
}

/** @param {import("../math/network.js").Box<NetNode>} box @returns {NetNode} */
function lastOf({ nodes, boxes }) {
  return boxes.length ? lastOf(boxes[boxes.length - 1]) : nodes[nodes.length - 1];
}

/** @param {{one: NetNode, chosen: boolean, onPick: (name: string) => void}} props */
function Chip({ one, chosen, onPick }) {
  const said = `${one.name}, ${one.kind}${one.module ? ` in ${one.module}` : ""}, ${shape(one.shape)}${one.main ? `, main depth: ${one.main}` : ""}`;
  const look = `chip${one.moves ? " moves" : one.parameters ? " learned-one" : ""}${one.main ? " main-depth" : ""}`;
  return html`<button type="button" class=${look} aria-pressed=${chosen} tabindex=${chosen ? 0 : -1} aria-label=${said} title=${said}
    onClick=${() => onPick(one.name)}>${one.moves ? "·" : (SHORT[one.kind] ?? one.kind.slice(0, 6))}</button>`;
}
