/** Asks the library: the one file that fetches. A newer question of a view ends the older one. */

/** @typedef {Uint8Array | Int32Array | Float32Array | Float64Array} Numbers */
/** @typedef {{shape: number[], values: Numbers}} NumberArray */
/** @typedef {{data: any, arrays: Record<string, NumberArray>}} Message */

const TYPES = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };

/** @type {Map<string, AbortController>} */
const running = new Map();

/** What the library does not do, in its own words. */
export class Refusal extends Error {
  /** @param {number} status @param {string} words */
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/** A newer question came: nobody waits for the answer. */
export class Superseded extends Error {}

/**
 * Ask one question.
 * @param {string} token @param {string} name @param {Record<string, string | number>} [query]
 * @param {{view?: string, body?: Blob}} [how] questions of one `view` end each other; by default those of one name
 * @returns {Promise<Message>}
 */
export async function ask(token, name, query = {}, how = {}) {
  const view = how.view ?? name;
  running.get(view)?.abort();
  const control = new AbortController();
  running.set(view, control);
  try {
    const words = new URLSearchParams(Object.entries({ ...query, view }).map(([key, value]) => [key, String(value)]));
    const answer = await fetch(`api/${name}?${words}`, {
      method: "POST",
      headers: { "X-Photosite-Token": token },
      body: how.body,
      signal: control.signal,
    });
    if (answer.status === 409) throw new Superseded();
    if (!answer.ok) throw new Refusal(answer.status, await wordsOf(answer));
    return unpack(await answer.arrayBuffer());
  } catch (error) {
    if (control.signal.aborted) throw new Superseded();
    if (error instanceof TypeError)
      throw new Refusal(0, "photosite no longer answers: start `photosite explore` again");
    throw error;
  } finally {
    if (running.get(view) === control) running.delete(view);
  }
}

/** @param {Response} answer */
async function wordsOf(answer) {
  try {
    return String((await answer.json()).error);
  } catch {
    return `the library answered ${answer.status}`;
  }
}

/**
 * Read a message of photosite/explorer/message.py; arrays are views into it, not copies.
 * @param {ArrayBuffer} buffer @returns {Message}
 */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const said = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 8) * 8;
  /** @type {Record<string, NumberArray>} */
  const arrays = {};
  for (const { name, dtype, shape, offset } of said.arrays) {
    const Type = TYPES[/** @type {keyof typeof TYPES} */ (dtype)];
    const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    arrays[name] = { shape, values: new Type(buffer, start + offset, count) };
  }
  return { data: said.data, arrays };
}
