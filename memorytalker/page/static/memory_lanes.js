// What the memory view is drawn with: its lanes, their colours, and how its data are unpacked.

const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121],
  [110, 206, 88], [181, 222, 43], [253, 231, 37],
];
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

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export function unpacked(value) {
  const address = bytes(value.address);
  const opening = value.opening && new Float32Array(bytes(value.opening).buffer);
  const widest = opening ? opening.reduce((a, b) => Math.max(a, b), 0) : 0;
  const reach = Math.max(5, Math.ceil(widest / 5) * 5); // millimetres at the top of the curve's lane
  const wave = new Int8Array(bytes(value.wave).buffer);
  return { ...value, address, opening, reach, wave, frames: address.length / value.labels.length };
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
  const count = wave.length / 2;
  const loudest = wave.reduce((a, b) => Math.max(a, Math.abs(b)), 6);
  const y = (sample) => (50 - (47 * sample) / loudest).toFixed(1);
  let above = "";
  let below = "";
  for (let i = 0; i < count; i += 1) {
    above += `${i ? "L" : "M"}${i} ${y(wave[2 * i + 1])}`;
    below = `L${i} ${y(wave[2 * i])}${below}`;
  }
  return drawing("wave", Math.max(1, count - 1), 100, `${above}${below}Z`, "sound");
}

export function openingLane(opening, reach) {
  // A frame lasts until the next one begins; its value stands in its middle.
  const y = (value) => (100 - (100 * value) / reach).toFixed(2);
  let line = `M0 100L0 ${y(opening[0])}`;
  opening.forEach((value, frame) => (line += `L${frame + 0.5} ${y(value)}`));
  line += `L${opening.length} ${y(opening.at(-1))}L${opening.length} 100Z`;
  return drawing("opening", opening.length, 100, line, "gap");
}

export function heatLane({ address, labels, frames }, slots) {
  const canvas = make("canvas", "rows");
  canvas.width = frames;
  canvas.height = slots.length;
  canvas.style.setProperty("--count", slots.length);
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  const image = context.createImageData(frames, slots.length);
  slots.forEach((slot, row) => {
    for (let frame = 0; frame < frames; frame += 1) {
      image.data.set([...viridis(address[frame * labels.length + slot] / 255), 255], 4 * (row * frames + frame));
    }
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

function viridis(share) {
  const place = Math.min(share, 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return VIRIDIS[low].map((from, i) => Math.round(from + (VIRIDIS[low + 1][i] - from) * (place - low)));
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
