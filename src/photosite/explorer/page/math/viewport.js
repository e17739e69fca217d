/** Which part of a picture a frame shows: zoom, pan, and the way from a point of the frame to a pixel. */

/**
 * @typedef {object} Viewport
 * @property {number} scale frame pixels for each picture pixel
 * @property {number} left picture coordinate at the frame's left edge; can be negative
 * @property {number} top
 */
/** @typedef {{width: number, height: number}} Size */

export const CLOSEST = 64;

/** The whole picture, centered.
 * @param {Size} picture @param {Size} frame @returns {Viewport}
 */
export function fit(picture, frame) {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  return clamp({ scale, left: 0, top: 0 }, picture, frame);
}

/** Within what makes sense: not smaller than the whole, not off the frame.
 * @param {Viewport} view @param {Size} picture @param {Size} frame @returns {Viewport}
 */
export function clamp(view, picture, frame) {
  const least = Math.min(frame.width / picture.width, frame.height / picture.height);
  const scale = Math.min(Math.max(view.scale, least), Math.max(CLOSEST, least));
  /** @param {number} start @param {number} side @param {number} shown */
  const inside = (start, side, shown) =>
    shown >= side ? (side - shown) / 2 : Math.min(Math.max(start, 0), side - shown);
  return {
    scale,
    left: inside(view.left, picture.width, frame.width / scale),
    top: inside(view.top, picture.height, frame.height / scale),
  };
}

/** Zoom, with the picture under a point of the frame staying there.
 * @param {Viewport} view @param {number} factor @param {number} x @param {number} y of the frame
 * @param {Size} picture @param {Size} frame @returns {Viewport}
 */
export function zoom(view, factor, x, y, picture, frame) {
  const { scale } = clamp({ ...view, scale: view.scale * factor }, picture, frame);
  return clamp(
    { scale, left: view.left + x / view.scale - x / scale, top: view.top + y / view.scale - y / scale },
    picture,
    frame,
  );
}

/** The pixel under a point of the frame; null beside the picture.
 * @param {Viewport} view @param {number} x @param {number} y @param {Size} picture
 * @returns {[number, number] | null}
 */
export function pixelAt(view, x, y, picture) {
  const column = Math.floor(view.left + x / view.scale);
  const row = Math.floor(view.top + y / view.scale);
  return column >= 0 && column < picture.width && row >= 0 && row < picture.height ? [column, row] : null;
}

/** Move so that a pixel is seen.
 * @param {Viewport} view @param {number} x @param {number} y @param {Size} picture @param {Size} frame
 * @returns {Viewport}
 */
export function reveal(view, x, y, picture, frame) {
  const [across, down] = [frame.width / view.scale, frame.height / view.scale];
  const left = Math.min(Math.max(view.left, x + 1 - across), x);
  const top = Math.min(Math.max(view.top, y + 1 - down), y);
  return clamp({ scale: view.scale, left, top }, picture, frame);
}

/** A box with room around it; null for a box that takes half of the picture or more.
 * @param {ArrayLike<number>} box top, left, bottom, right @param {Size} picture @param {Size} frame
 * @returns {Viewport | null}
 */
export function around(box, picture, frame) {
  const [high, wide] = [Math.max(box[2] - box[0], 3), Math.max(box[3] - box[1], 3)];
  if (high > picture.height / 2 && wide > picture.width / 2) return null;
  const scale = Math.min(frame.width / (wide * 1.8), frame.height / (high * 1.8), CLOSEST);
  const left = (box[1] + box[3] - frame.width / scale) / 2;
  return { scale, left, top: (box[0] + box[2] - frame.height / scale) / 2 };
}
