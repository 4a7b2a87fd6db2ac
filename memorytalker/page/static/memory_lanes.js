// The lanes of the memory view and their legend, as elements.

import { heatPixels, openingPath, VIRIDIS, wavePath } from "./memory_data.js";

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
  canvas.getContext("2d").putImageData(new ImageData(heatPixels(data, slots), data.frames), 0, 0);
  return canvas;
}

/** The colour scale of the heatmap. */
export function legend() {
  const box = make("div", "legend");
  const bar = make("span", "colors");
  bar.style.background = `linear-gradient(90deg, ${VIRIDIS.map((color) => `rgb(${color})`).join(", ")})`;
  const scale = make("span", "scale");
  scale.append(bar, make("span", "low", "0 %"), make("span", "middle", "50 %"), make("span", "high", "100 %"));
  box.append(scale, make("span", "meaning", "share of the slot in the memory address"));
  return box;
}
