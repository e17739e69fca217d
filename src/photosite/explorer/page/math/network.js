/** A network as nested boxes, and what is read off its feature maps: limits, strongest places, fields. */

/** @typedef {{name: string, module: string, kind: string}} NodeName */
/**
 * @template {NodeName} T
 * @typedef {{title: string, nodes: T[], boxes: Box<T>[]}} Box a box holds nodes, or boxes
 */

const TOGETHER = 26;
/** A module of so many operations or fewer is one box. */

/**
 * Modules as boxes within boxes, in the order in which operations run.
 * @template {NodeName} T
 * @param {T[]} nodes @param {number} [together] @param {number} [depth] parts of the path that the title has
 * @returns {Box<T>[]}
 */
export function nested(nodes, together = TOGETHER, depth = 0) {
  /** @type {{key: string, title: string, nodes: T[]}[]} */
  const runs = [];
  for (const node of nodes) {
    const parts = node.module ? node.module.split(".") : [];
    const key = parts.slice(0, depth + 1).join(".");
    const last = runs[runs.length - 1];
    if (last && last.key === key) last.nodes.push(node);
    else runs.push({ key, title: parts.length > depth ? key : "", nodes: [node] });
  }
  /** @type {Box<T>[]} */
  const boxes = [];
  for (const run of runs) {
    const last = boxes[boxes.length - 1];
    if (!run.title || run.nodes.length <= 3) {
      if (last && !last.title && !last.boxes.length) last.nodes.push(...run.nodes);
      else boxes.push({ title: "", nodes: [...run.nodes], boxes: [] });
    } else if (run.nodes.length <= together) boxes.push({ title: run.title, nodes: run.nodes, boxes: [] });
    else {
      const inner = nested(run.nodes, together, depth + 1);
      if (inner.length === 1 && inner[0].title) boxes.push(inner[0]); // a path of one
      else boxes.push({ title: run.title, nodes: [], boxes: inner });
    }
  }
  return boxes;
}

/**
 * How a map is drawn: around zero where something lies below it, from zero where nothing does.
 * @param {number} low @param {number} high @returns {{look: "signed" | "magnitude", low: number, high: number}}
 */
export function drawnAs(low, high) {
  if (!(low <= high)) return { look: "magnitude", low: 0, high: 0 }; // nothing finite
  if (low >= 0) return { look: "magnitude", low: 0, high };
  const most = Math.max(-low, Math.abs(high));
  return { look: "signed", low: -most, high: most };
}

/**
 * The places of the largest numbers, none beside another one.
 * @param {ArrayLike<number>} values row by row @param {number} height @param {number} width @param {number} count
 * @returns {{row: number, column: number, value: number}[]}
 */
export function strongest(values, height, width, count) {
  const order = Array.from({ length: height * width }, (_, i) => i).filter((i) => Number.isFinite(values[i]));
  order.sort((a, b) => values[b] - values[a] || a - b);
  /** @type {{row: number, column: number, value: number}[]} */
  const found = [];
  for (const i of order) {
    if (found.length === count) break;
    const [row, column] = [Math.floor(i / width), i % width];
    if (found.every((one) => Math.max(Math.abs(one.row - row), Math.abs(one.column - column)) > 1))
      found.push({ row, column, value: values[i] });
  }
  return found;
}

/**
 * The box that a place sees: the rows of its row and the columns of its column.
 * @param {ArrayLike<number>} rows pairs, below 0 where nothing is seen or known @param {ArrayLike<number>} columns
 * @param {number} row @param {number} column
 * @returns {[number, number, number, number] | null} top, left, bottom, right
 */
export function fieldOf(rows, columns, row, column) {
  const [top, bottom] = [rows[2 * row], rows[2 * row + 1]];
  const [left, right] = [columns[2 * column], columns[2 * column + 1]];
  return top >= 0 && left >= 0 ? [top, left, bottom, right] : null;
}

/** @param {string[]} names the first, and how many more */
export function namesOf(names) {
  return names.length > 2 ? `${names[0]} and ${names.length - 1} more` : names.join(" and ");
}
