// The lanes of the memory view and their legend, as elements.

import { CLOSE, factorWords, heatPixels, openingPath, signed, styleReach, VIRIDIS, wavePath } from "./memory_data.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with a class and a text. */
export function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

/** Set attributes: name -> value. */
export function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

/** An SVG of class `name` with one path of class `shapeName`, stretched to its box. */
function drawing(name, width, height, path, shapeName) {
  const svg = document.createElementNS(SVG, "svg");
  setAll(svg, { class: name, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const shape = document.createElementNS(SVG, "path");
  setAll(shape, { d: path, class: shapeName });
  svg.append(shape);
  return svg;
}

/** The lane of the sound; `wave` as of `wavePath`. */
export function waveLane(wave) {
  return drawing("wave", Math.max(1, wave.length / 2 - 1), 100, wavePath(wave), "sound");
}

/** The lane of the lip opening in millimetres; arguments as of `openingPath`. */
export function openingLane(opening, reach) {
  return drawing("opening", opening.length, 100, openingPath(opening, reach), "area");
}

/** A canvas with the heatmap's rows `slots`; `data` as `unpacked` returns it. */
export function heatLane(data, slots) {
  const canvas = make("canvas", "rows");
  canvas.width = data.frames;
  canvas.height = slots.length;
  canvas.style.setProperty("--count", slots.length);
  canvas.setAttribute("aria-hidden", "true");
  paint(canvas, data, slots, false);
  return canvas;
}

/** Paint such a canvas; arguments as of `heatPixels`. */
export function paint(canvas, data, slots, byStyle) {
  const pixels = heatPixels(data, slots, byStyle);
  canvas.getContext("2d").putImageData(new ImageData(pixels, data.frames), 0, 0);
}

/**
 * The bar of a slot's weight: it starts at the average, in the middle, and goes to the right for more.
 * @param {object} data as `unpacked` returns it
 * @param {number} slot
 * @returns {HTMLElement}
 */
export function styleBar({ style, reference }, slot) {
  const track = make("span", "style-bar");
  track.setAttribute("aria-hidden", "true");
  if (!style) return track;
  const change = style[slot] - 1;
  const bar = make("span", Math.abs(change) <= CLOSE ? "close" : change > 0 ? "more" : "less");
  const share = (50 * Math.abs(change)) / styleReach(style);
  bar.style.width = `${share}%`;
  bar.style.left = `${change > 0 ? 50 : 50 - share}%`;
  track.append(bar);
  track.title = factorWords(style[slot], reference);
  return track;
}

/** The colour scale of the heatmap, by share or by style. */
export function legend(data, byStyle) {
  const box = make("div", "legend");
  const bar = make("span", "colors");
  const colors = byStyle ? [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1].map(signed) : VIRIDIS;
  bar.style.background = `linear-gradient(90deg, ${colors.map((color) => `rgb(${color})`).join(", ")})`;
  const ends = byStyle ? ["less", "average", "more"] : ["0 %", "share", "100 %"];
  const scale = make("span", "scale");
  scale.append(bar, ...["low", "middle", "high"].map((name, k) => make("span", name, ends[k])));
  box.title = byStyle ? `Share of the slot × its weight against ${data.reference}` : "Share of the slot in the memory address";
  box.append(scale);
  return box;
}
