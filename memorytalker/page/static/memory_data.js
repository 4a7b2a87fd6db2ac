// The memory view's data, as numbers and text: decoding, colours, paths of the curves. Needs no document.

import { bytesOf } from "./bytes.js";
import { frameAt } from "./clock.js";

/** matplotlib's viridis, sRGB, at even steps from 0 to 1. */
export const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121],
  [110, 206, 88], [181, 222, 43], [253, 231, 37],
];

/**
 * Decode a value of the component.
 * @param {object} value as described in memory.js
 * @returns {object} the value with typed arrays, `frames`, and `reach`: millimetres at the top of the opening's lane
 */
export function unpacked(value) {
  const address = bytesOf(value.address);
  const opening = value.opening && new Float32Array(bytesOf(value.opening).buffer);
  const widest = opening ? opening.reduce((a, b) => Math.max(a, b), 0) : 0;
  const reach = Math.max(5, Math.ceil(widest / 5) * 5);
  const wave = new Int8Array(bytesOf(value.wave).buffer);
  return { ...value, address, opening, reach, wave, frames: address.length / value.labels.length };
}

/** A signed scale, safe for colour-blind readers: less, as much, more. */
export const SIGNED = [[58, 150, 235], [24, 29, 36], [240, 150, 40]];

/** The colour [red, green, blue], 0 to 255, of a value from -1 to 1. */
export function signed(value) {
  const end = SIGNED[value < 0 ? 0 : 2], share = Math.min(Math.abs(value), 1) ** 0.6; // small ones are seen as well
  return SIGNED[1].map((from, i) => Math.round(from + (end[i] - from) * share));
}

/** What the style makes of the slots: the largest change of a weight against the average, at least a tenth. */
export function styleReach(style) {
  return Math.max(0.1, ...(style ?? []).map((factor) => Math.abs(factor - 1)));
}

/** The colour [red, green, blue], 0 to 255, of a share from 0 to 1. */
export function viridis(share) {
  const place = Math.min(share, 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((from, i) => Math.round(from + (VIRIDIS[low + 1][i] - from) * (place - low)));
}

/**
 * Pixels of some rows of the heatmap, one per frame.
 * @param {object} data as `unpacked` returns it
 * @param {number[]} slots the rows
 * @param {boolean} byStyle colour by what the style makes of a slot, share times (weight against the average - 1), as a
 *   part of the largest such weight; else by its share of the address
 * @returns {Uint8ClampedArray} RGBA, row by row
 */
export function heatPixels({ address, labels, frames, style }, slots, byStyle = false) {
  const pixels = new Uint8ClampedArray(4 * slots.length * frames);
  const reach = styleReach(style);
  slots.forEach((slot, row) => {
    for (let frame = 0; frame < frames; frame += 1) {
      const share = address[frame * labels.length + slot] / 255;
      const color = byStyle && style ? signed((share * (style[slot] - 1)) / reach) : viridis(share);
      pixels.set([...color, 255], 4 * (row * frames + frame));
    }
  });
  return pixels;
}

/**
 * The outline of the sound as an SVG path, 100 high; silence is a line.
 * @param {Int8Array} wave pairs (smallest, largest) of the samples
 */
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

/**
 * The area under the lip opening as an SVG path, 100 high; a frame is 1 wide.
 * @param {Float32Array} opening in millimetres
 * @param {number} reach millimetres at the top
 */
export function openingPath(opening, reach) {
  // A frame lasts until the next one begins; its value stands in its middle.
  const y = (value) => (100 - (100 * value) / reach).toFixed(2);
  let line = `M0 100L0 ${y(opening[0])}`;
  opening.forEach((value, frame) => { line += `L${frame + 0.5} ${y(value)}`; });
  return `${line}L${opening.length} ${y(opening.at(-1))}L${opening.length} 100Z`;
}

/**
 * The memory address at a time, in words: the three largest shares and the lip opening.
 * @param {object} data as `unpacked` returns it
 * @param {number} seconds
 * @param {?number} row a slot whose share is named as well
 */
export function wordsAt({ labels, words = [], opening, address, frames, fps }, seconds, row = null) {
  const frame = frameAt(seconds, fps, frames);
  const start = frame * labels.length;
  const share = (slot) => Math.round(address[start + slot] / 2.55);
  const top = labels.map((_, slot) => slot).sort((a, b) => address[start + b] - address[start + a]).slice(0, 3);
  const named = (slot) => `${slotName(labels[slot], words[slot])} ${share(slot)} %`;
  const read = top.filter((slot, place) => place === 0 || share(slot) >= 5).map(named).join(", ");
  const apart = opening ? `; lips ${opening[frame].toFixed(1)} mm apart` : "";
  const here = row === null || top.includes(row) ? "" : ` (${named(row)})`;
  return `${Math.max(0, seconds).toFixed(2)} s: ${read}${here}${apart}`;
}

/**
 * What is recalled at a time, in a few words for below the head: "uw, as in goose, 68 %".
 * @param {object} data as `unpacked` returns it
 * @param {number} seconds
 */
export function recalledAt({ labels, words = [], address, frames, fps }, seconds) {
  const start = frameAt(seconds, fps, frames) * labels.length;
  let top = 0;
  for (let slot = 1; slot < labels.length; slot += 1) if (address[start + slot] > address[start + top]) top = slot;
  return `${described(labels[top], words[top])}, ${Math.round(address[start + top] / 2.55)} %`;
}

/** A slot's label with its sample word: "uw, as in goose". */
export function described(label, word = "") {
  if (label === "sil") return "silence";
  return word ? `${label}, as in ${word}` : label;
}

/** A slot's label in words, with its sample word if there is one. */
export function slotName(label, word = "") {
  return label === "sil" ? "silence" : `/${label}/${word ? ` (${word})` : ""}`;
}

/** A factor of the average in words: "close to average", "1.30 × the average speaker". */
export function factorWords(factor, reference) {
  if (Math.abs(factor - 1) <= CLOSE) return `${factor.toFixed(2)} ×, close to average`;
  return `${factor.toFixed(2)} × ${reference}`;
}

/** Factors that differ from 1 by no more are close to average, as memorytalker.page.insight.CLOSE. */
export const CLOSE = 0.05;

/** The one of `rows`, pairs [slot, {top, bottom}] in pixels, at the height `y`; undefined where there is none. */
export function rowAt(rows, y) {
  return rows.find(([, box]) => y >= box.top && y < box.bottom);
}

/** Index of the button to which a key moves from `here`, cyclic among `count`; null for other keys. */
export function walkedBy(key, here, count) {
  const there = { ArrowDown: here + 1, ArrowRight: here + 1, ArrowUp: here - 1, ArrowLeft: here - 1, Home: 0, End: count - 1 };
  return here >= 0 && key in there ? (there[key] + count) % count : null;
}
