// What the sliders of memorytalker.page.adjust do, in the browser alone. Players follow by "memorytalker:adjust".

import { UNCHANGED } from "./playback.js";

/** Channel of a player -> its changes, and -> the shape that gain and offset belong to. */
const present = new Map(), shapes = new Map();

/**
 * Take over the strength of half a face.
 * @param {string} channel of the player
 * @param {string} field "upper_face" or "lower_face"
 * @param {number} value
 * @returns {string[]} all changes as JSON, as `Curves.adjust` takes them, and in words as HTML
 */
export function strengthened(channel, field, value) {
  return tell(channel, { ...changesOf(channel), [field]: value });
}

/**
 * Take over gain or offset of the chosen shape.
 * @param {string} channel of the player
 * @param {string} first shape that is chosen at first
 * @param {string} field "gains" or "offsets"
 * @param {number} value
 * @returns {string[]} as `strengthened`
 */
export function reshaped(channel, first, field, value) {
  return tell(channel, withShape(changesOf(channel), field, shapes.get(channel) ?? first, value));
}

/** Choose a shape: its gain and offset. */
export function chosen(channel, shape) {
  shapes.set(channel, shape);
  const { gains, offsets } = changesOf(channel);
  return [gains[shape] ?? 1, offsets[shape] ?? 0];
}

/** Undo all changes; the values of the changes, their words and the four sliders. */
export function reset(channel) {
  return [...tell(channel, UNCHANGED), 1, 1, 1, 0];
}

/** The changes with another gain or offset of one shape; what changes nothing is left out. */
export function withShape(changes, field, shape, value) {
  const values = { ...changes[field] };
  if (value === UNCHANGING[field]) delete values[shape];
  else values[shape] = value;
  return { ...changes, [field]: values };
}

const UNCHANGING = { gains: 1, offsets: 0 };

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

function changesOf(channel) {
  return present.get(channel) ?? UNCHANGED;
}

function tell(channel, changes) {
  present.set(channel, changes);
  document.dispatchEvent(new CustomEvent("memorytalker:adjust", { detail: { channel, changes } }));
  return [JSON.stringify(changes), words(changes)];
}
