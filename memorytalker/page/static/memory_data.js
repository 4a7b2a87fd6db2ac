// What the memory view shows, as numbers and words: decoding, colours, paths of the curves. No document is needed here.

import { bytesOf } from "./bytes.js";
import { frameAt } from "./clock.js";

/** Colours from 0 to 1 at even steps, sRGB: matplotlib's viridis. */
export const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121],
  [110, 206, 88], [181, 222, 43], [253, 231, 37],
];

/** A value of the component (memory.js says what is in it) with its arrays decoded, and the number of its frames. */
export function unpacked(value) {
  const address = bytesOf(value.address);
  const opening = value.opening && new Float32Array(bytesOf(value.opening).buffer);
  const widest = opening ? opening.reduce((a, b) => Math.max(a, b), 0) : 0;
  const reach = Math.max(5, Math.ceil(widest / 5) * 5); // millimetres at the top of the curve's lane
  const wave = new Int8Array(bytesOf(value.wave).buffer);
  return { ...value, address, opening, reach, wave, frames: address.length / value.labels.length };
}

/** The colour [red, green, blue] of a share of 0 to 1. */
export function viridis(share) {
  const place = Math.min(share, 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((from, i) => Math.round(from + (VIRIDIS[low + 1][i] - from) * (place - low)));
}

/** Pixels (red, green, blue, opaque) of the rows `slots` of the heatmap, row by row, one a frame. */
export function heatPixels({ address, labels, frames }, slots) {
  const pixels = new Uint8ClampedArray(4 * slots.length * frames);
  slots.forEach((slot, row) => {
    for (let frame = 0; frame < frames; frame += 1) {
      pixels.set([...viridis(address[frame * labels.length + slot] / 255), 255], 4 * (row * frames + frame));
    }
  });
  return pixels;
}

/** Outline of the sound, pairs (smallest, largest), as a path 100 high; silence stays a line. */
export function wavePath(wave) {
  const loudest = wave.reduce((a, b) => Math.max(a, Math.abs(b)), 6);
  const y = (sample) => (50 - (47 * sample) / loudest).toFixed(1);
  let above = "";
  let below = "";
  for (let i = 0; i < wave.length / 2; i += 1) {
    above += `${i ? "L" : "M"}${i} ${y(wave[2 * i + 1])}`;
    below = `L${i} ${y(wave[2 * i])}${below}`;
  }
  return `${above}${below}Z`;
}

/** Area under the lip opening in millimetres as a path 100 high, which `reach` millimetres fill; one frame is 1 wide. */
export function openingPath(opening, reach) {
  // A frame lasts until the next one begins; its value stands in its middle.
  const y = (value) => (100 - (100 * value) / reach).toFixed(2);
  let line = `M0 100L0 ${y(opening[0])}`;
  opening.forEach((value, frame) => { line += `L${frame + 0.5} ${y(value)}`; });
  return `${line}L${opening.length} ${y(opening.at(-1))}L${opening.length} 100Z`;
}

/** What is read at a time, in words: the three largest shares, that of the slot `row` if one is asked for, the lips. */
export function wordsAt({ labels, opening, address, frames, fps }, seconds, row = null) {
  const frame = frameAt(seconds, fps, frames);
  const start = frame * labels.length;
  const share = (slot) => Math.round(address[start + slot] / 2.55);
  const top = labels.map((_, slot) => slot).sort((a, b) => address[start + b] - address[start + a]).slice(0, 3);
  const named = (slot) => `${slotName(labels[slot])} ${share(slot)} %`;
  const read = top.filter((slot, place) => place === 0 || share(slot) >= 5).map(named).join(", ");
  const apart = opening ? `; lips ${opening[frame].toFixed(1)} mm apart` : "";
  const here = row === null || top.includes(row) ? "" : ` (${named(row)})`;
  return `${Math.max(0, seconds).toFixed(2)} s: ${read}${here}${apart}`;
}

/** What a slot is called in words. */
export function slotName(label) {
  return label === "sil" ? "silence" : `/${label}/`;
}

/** Which of `rows`, pairs [slot, {top, bottom}] in pixels, lies at the height `y`; undefined where none does. */
export function rowAt(rows, y) {
  return rows.find(([, box]) => y >= box.top && y < box.bottom);
}

/** Index of the button that a key moves to from `here`, round and round among `count`; null for other keys. */
export function walkedBy(key, here, count) {
  const there = { ArrowDown: here + 1, ArrowRight: here + 1, ArrowUp: here - 1, ArrowLeft: here - 1, Home: 0, End: count - 1 };
  return here >= 0 && key in there ? (there[key] + count) % count : null;
}
