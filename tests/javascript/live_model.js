// A small live network with random weights, for tests without Python.

const GRID = {
  fps: 30, per_frame: 4, ahead: 14, bins: 8, window: 400, transform: 512, sample_rate: 16000, release: 0.5, quietest: -60,
};

/** {config, tensors} as createTalker takes them. */
export function smallModel() {
  const live = {
    shapes: ["jawOpen", "mouthSmileLeft"], slots: ["sil", "aa", "m"], name: "live", grid: GRID, channels: 6,
    dilations: [1, 2], taps: 3, width: 4, hidden: 5, scaling: 2,
  };
  const { channels: c, width: w, hidden: h } = live;
  const shapes = {
    "input.weight": [c, 33], "input.bias": [c], "last_norm.weight": [c], "last_norm.bias": [c], "logits.weight": [3, c],
    "logits.bias": [3], "text.weight": [w, c], "text.bias": [w], slots: [3, w], "decoder.weight": [h, 6 * w],
    "decoder.bias": [h], "curves.weight": [2, h], "curves.bias": [2], mel_mean: [8], mel_spread: [8], level_range: [2],
  };
  for (const k of [0, 1]) {
    Object.assign(shapes, { [`norms.${k}.weight`]: [c], [`norms.${k}.bias`]: [c] });
    Object.assign(shapes, { [`convolutions.${k}.weight`]: [c, 3 * c], [`convolutions.${k}.bias`]: [c] });
  }
  const fixed = { mel_mean: [-20], mel_spread: [15], level_range: [-30, 10], "curves.bias": [0.4] };
  let seed = 1;
  const random = () => ((seed = (seed * 48271) % 2147483647) / 2147483647 - 0.5);
  const header = {};
  const data = [];
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((product, side) => product * side, 1);
    const begin = 4 * data.length;
    for (let k = 0; k < count; k += 1) {
      const given = fixed[name];
      data.push(given ? given[k % given.length] : name.includes("norm") && name.endsWith("weight") ? 1 : random());
    }
    header[name] = { dtype: "F32", shape, data_offsets: [begin, 4 * data.length] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + 4 * data.length);
  bytes.set(new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer));
  bytes.set(text, 8);
  bytes.set(new Uint8Array(Float32Array.from(data).buffer), 8 + text.length);
  return { config: { format: 1, live }, tensors: bytes.buffer };
}
