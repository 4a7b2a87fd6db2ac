// The weights of a live network: config.json and model.safetensors, as memorytalker/live_weights.py writes them.

const FORMAT = 1;
/** Bytes of the header of a safetensors file, and of the whole file, at the most. */
const LARGEST_HEADER = 1_000_000;
const LARGEST_FILE = 64_000_000;

/** Read a safetensors file: {name: {shape, data: Float32Array}}. Throws a plain sentence for any other file. */
export function readTensors(buffer) {
  const size = buffer.byteLength >= 8 ? Number(new DataView(buffer).getBigUint64(0, true)) : Infinity;
  if (size > Math.min(LARGEST_HEADER, buffer.byteLength - 8) || buffer.byteLength > LARGEST_FILE) {
    throw new Error("This is not a safetensors file of a live network; fetch model.safetensors again.");
  }
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = { F16: 2, F32: 4 }[dtype];
    if (!bytes || end - begin !== bytes * count || 8 + size + end > buffer.byteLength) {
      throw new Error(`The tensor ${name} is damaged; fetch model.safetensors again.`);
    }
    const part = buffer.slice(8 + size + begin, 8 + size + end);
    tensors[name] = { shape, data: dtype === "F32" ? new Float32Array(part) : fromHalf(new Uint16Array(part)) };
  }
  return tensors;
}

/** Half precision to single. */
export function fromHalf(halves) {
  return Float32Array.from(halves, (half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return half & 0x8000 ? -size : size;
  });
}

/** Check config.json and return its part `live`. */
export function readConfig(values) {
  if (values?.format !== FORMAT || !values.live?.grid || !Array.isArray(values.live.shapes)) {
    throw new Error("This config.json does not describe a live network of this version; fetch both files again.");
  }
  return values.live;
}

/** Fetch the folder of a live network. */
export async function fetchWeights(folder, get = fetch) {
  const base = `${folder}`.replace(/\/?$/, "/");
  const [config, tensors] = await Promise.all(
    ["config.json", "model.safetensors"].map(async (name) => {
      const answer = await get(base + name);
      if (answer.status === 404) {
        throw new Error(`There are no live weights here: ${base + name} cannot be fetched (404). docs/live.md says how to make them.`);
      }
      if (!answer.ok) throw new Error(`${base + name} cannot be fetched (${answer.status}); check the model's address.`);
      return name.endsWith("json") ? answer.json() : answer.arrayBuffer();
    }),
  );
  return { config, tensors };
}
