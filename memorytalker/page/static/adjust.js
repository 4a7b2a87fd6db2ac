// What the sliders of memorytalker.page.adjust do, in the browser alone. Players follow by "memorytalker:adjust".

import { UNCHANGED } from "./playback.js";

/**
 * Take over the sliders' values.
 * @param {string} channel of the player
 * @param {string} text JSON of the changes so far, as `Curves.adjust` takes them; "" for none
 * @param {number} upper strength of the upper face
 * @param {number} lower strength of the lower face
 * @param {string} shape that gain and offset belong to
 * @param {number} gain
 * @param {number} offset
 * @returns {string[]} the changes as JSON, and in words as HTML
 */
export function changed(channel, text, upper, lower, shape, gain, offset) {
  const changes = withShape({ ...read(text), upper_face: upper, lower_face: lower }, shape, gain, offset);
  tell(channel, changes);
  return [JSON.stringify(changes), words(changes)];
}

/** Gain and offset of a shape that was chosen. */
export function chosen(text, shape) {
  const { gains, offsets } = read(text);
  return [gains[shape] ?? 1, offsets[shape] ?? 0];
}

/** Undo all changes; the values of the changes, their words and the four sliders. */
export function reset(channel) {
  tell(channel, UNCHANGED);
  return ["", "", 1, 1, 1, 0];
}

/** The changes with gain and offset of one shape; what changes nothing is left out. */
export function withShape(changes, shape, gain, offset) {
  const gains = { ...changes.gains }, offsets = { ...changes.offsets };
  delete gains[shape];
  delete offsets[shape];
  if (gain !== 1) gains[shape] = gain;
  if (offset !== 0) offsets[shape] = offset;
  return { ...changes, gains, offsets };
}

/** The changed shapes in words, as HTML: names of shapes are plain letters. */
export function words({ gains, offsets }) {
  const shapes = [...new Set([...Object.keys(gains), ...Object.keys(offsets)])].sort();
  const parts = shapes.map((shape) => {
    const offset = offsets[shape] ?? 0;
    const added = offset ? ` ${offset < 0 ? "−" : "+"} ${Math.abs(offset).toFixed(2)}` : "";
    return `${shape}${shape in gains ? ` × ${gains[shape].toFixed(2)}` : ""}${added}`;
  });
  return parts.length ? `<p class="small">Changed shapes: ${parts.join(", ")}.</p>` : "";
}

function read(text) {
  return text ? JSON.parse(text) : UNCHANGED;
}

function tell(channel, changes) {
  document.dispatchEvent(new CustomEvent("memorytalker:adjust", { detail: { channel, changes } }));
}
