// Prints the frames of raw float32 samples: node live_curves.js WEIGHTS SAMPLES RATE CHUNK [STYLE as JSON].
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTalker } from "#web/index.js";

const [folder, file, rate, chunk, style] = process.argv.slice(2);
const bytes = readFileSync(join(folder, "model.safetensors"));
const model = {
  config: JSON.parse(readFileSync(join(folder, "config.json"), "utf8")),
  tensors: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
};
const talker = createTalker({ model, style: style ? JSON.parse(style) : null });
const data = readFileSync(file);
const samples = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
const frames = [];
for (let first = 0; first < samples.length; first += Number(chunk)) {
  frames.push(...talker.push(samples.subarray(first, first + Number(chunk)), Number(rate)));
}
frames.push(...talker.end());
const shapes = Object.keys(frames[0].curves);
console.log(
  JSON.stringify({
    numbers: frames.map(({ frame }) => frame),
    shapes,
    curves: frames.map(({ curves }) => shapes.map((name) => curves[name])),
    address: frames.map(({ address }) => [...address]),
    visemes: frames.map(({ visemes }) => Object.values(visemes)),
    vowels: frames.map(({ vowels }) => Object.values(vowels)),
    names: Object.keys(frames[0].visemes),
  }),
);
