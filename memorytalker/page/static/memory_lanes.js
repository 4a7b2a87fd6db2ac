// What the memory view is drawn with: its lanes and their legend.

import { heatPixels, openingPath, VIRIDIS, wavePath } from "./memory_data.js";

const SVG = "http://www.w3.org/2000/svg";

export function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

export function setAll(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

function drawing(name, width, height, path, drawn) {
  const svg = document.createElementNS(SVG, "svg");
  setAll(svg, { class: name, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const shape = document.createElementNS(SVG, "path");
  setAll(shape, { d: path, class: drawn });
  svg.append(shape);
  return svg;
}

export function waveLane(wave) {
  return drawing("wave", Math.max(1, wave.length / 2 - 1), 100, wavePath(wave), "sound");
}

export function openingLane(opening, reach) {
  return drawing("opening", opening.length, 100, openingPath(opening, reach), "gap");
}

export function heatLane(data, slots) {
  const canvas = make("canvas", "rows");
  canvas.width = data.frames;
  canvas.height = slots.length;
  canvas.style.setProperty("--count", slots.length);
  canvas.setAttribute("aria-hidden", "true");
  canvas.getContext("2d").putImageData(new ImageData(heatPixels(data, slots), data.frames), 0, 0);
  return canvas;
}

export function legend() {
  const box = make("div", "legend");
  const bar = make("span", "colours");
  bar.style.background = `linear-gradient(90deg, ${VIRIDIS.map((color) => `rgb(${color})`).join(", ")})`;
  const scale = make("span", "scale");
  scale.append(bar, make("span", "low", "0 %"), make("span", "middle", "50 %"), make("span", "high", "100 %"));
  box.append(scale, make("span", "meaning", "share of the moment that is read from the slot"));
  return box;
}
