// The live network, one motion frame at a time; the numbers of memorytalker/models/live.py.
import { readConfig, readTensors } from "./weights.js";

const DECODED = 3;
const FARTHEST = 4;
const NORM_EPSILON = 1e-5;

/** A network: `step` takes the block of the next frame. `state` is all that it remembers. */
export class Network {
  /** @param weights {config, tensors}: the parsed config.json and the bytes of model.safetensors. */
  constructor({ config, tensors }) {
    this.config = readConfig(config);
    this.tensors = readTensors(tensors);
    const { taps, channels, dilations, slots, width, shapes, grid, hidden } = this.config;
    const inputs = grid.per_frame * grid.bins + 1;
    this.input = this.#linear("input", inputs, channels);
    this.blocks = dilations.map((gap, k) => ({
      gap,
      norm: this.#norm(`norms.${k}`, channels),
      convolution: this.#linear(`convolutions.${k}`, taps * channels, channels),
    }));
    this.lastNorm = this.#norm("last_norm", channels);
    this.logits = this.#linear("logits", channels, slots.length);
    this.text = this.#linear("text", channels, width);
    this.slots = this.#tensor("slots", [slots.length, width]);
    this.decoder = this.#linear("decoder", DECODED * 2 * width, hidden);
    this.curves = this.#linear("curves", hidden, shapes.length);
    this.melMean = this.#tensor("mel_mean", [grid.bins]);
    this.melSpread = this.#tensor("mel_spread", [grid.bins]);
    this.levelRange = this.#tensor("level_range", [2]);
  }

  /** The state before the first frame. */
  start() {
    const { taps, channels, width } = this.config;
    return {
      layers: this.blocks.map(({ gap }) => new Past((taps - 1) * gap, channels)),
      features: new Past(DECODED - 1, 2 * width),
    };
  }

  /** Compute a frame: {curves, address}, Float32Arrays in the order of config.shapes and config.slots. */
  step({ mel, level }, style, state) {
    const { taps, channels, scaling, width } = this.config;
    const x = this.input(this.#normalised(mel, level));
    this.blocks.forEach(({ gap, norm, convolution }, k) => {
      const known = state.layers[k];
      const now = norm(x);
      const beside = new Float32Array(taps * channels);
      for (let tap = 0; tap < taps - 1; tap += 1) beside.set(known.before((taps - 1 - tap) * gap), tap * channels);
      beside.set(now, (taps - 1) * channels);
      known.push(now);
      const y = convolution(beside);
      for (let c = 0; c < channels; c += 1) x[c] += y[c] / (1 + Math.exp(-y[c]));
    });
    const last = this.lastNorm(x);
    const address = softmax(this.logits(last), scaling);
    const feature = new Float32Array(2 * width);
    feature.set(this.text(last));
    for (let slot = 0; slot < address.length; slot += 1) {
      const share = address[slot] * (style ? style[slot] : 1);
      for (let c = 0; c < width; c += 1) feature[width + c] += share * this.slots[slot * width + c];
    }
    const beside = new Float32Array(DECODED * 2 * width);
    for (let tap = 0; tap < DECODED - 1; tap += 1) {
      beside.set(state.features.before(DECODED - 1 - tap), tap * 2 * width);
    }
    beside.set(feature, (DECODED - 1) * 2 * width);
    state.features.push(feature);
    const hidden = this.decoder(beside).map((value) => value / (1 + Math.exp(-value)));
    return { curves: this.curves(hidden).map((value) => Math.min(1, Math.max(0, value))), address };
  }

  #normalised(mel, level) {
    const result = new Float32Array(mel.length + 1);
    const bins = this.melMean.length;
    for (let k = 0; k < mel.length; k += 1) {
      result[k] = hold((mel[k] - level - this.melMean[k % bins]) / this.melSpread[k % bins]);
    }
    result[mel.length] = hold((level - this.levelRange[0]) / this.levelRange[1]);
    return result;
  }

  #tensor(name, shape) {
    const found = this.tensors[name];
    if (!found || found.shape.join() !== shape.join()) {
      throw new Error(`The weights have no tensor ${name} of the shape ${shape.join(" x ")}; fetch both files again.`);
    }
    return found.data;
  }

  #linear(name, inputs, outputs) {
    const weight = this.#tensor(`${name}.weight`, [outputs, inputs]);
    const bias = this.#tensor(`${name}.bias`, [outputs]);
    return (x) => {
      const result = new Float32Array(outputs);
      for (let row = 0, place = 0; row < outputs; row += 1, place += inputs) {
        let [a, b, c, d] = [bias[row], 0, 0, 0];
        let k = 0;
        for (; k + 3 < inputs; k += 4) {
          a += weight[place + k] * x[k];
          b += weight[place + k + 1] * x[k + 1];
          c += weight[place + k + 2] * x[k + 2];
          d += weight[place + k + 3] * x[k + 3];
        }
        for (; k < inputs; k += 1) a += weight[place + k] * x[k];
        result[row] = a + b + c + d;
      }
      return result;
    };
  }

  #norm(name, size) {
    const [weight, bias] = [this.#tensor(`${name}.weight`, [size]), this.#tensor(`${name}.bias`, [size])];
    return (x) => {
      let [sum, squares] = [0, 0];
      for (let k = 0; k < size; k += 1) sum += x[k];
      const mean = sum / size;
      for (let k = 0; k < size; k += 1) squares += (x[k] - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / size + NORM_EPSILON);
      return x.map((value, k) => (value - mean) * scale * weight[k] + bias[k]);
    };
  }
}

/** The latest vectors of a layer; before the first there were zeros. */
class Past {
  constructor(length, size) {
    this.kept = Array.from({ length }, () => new Float32Array(size));
    this.place = 0;
  }

  before(frames) {
    const { length } = this.kept;
    return this.kept[(this.place - frames + 2 * length) % length];
  }

  push(vector) {
    if (!this.kept.length) return;
    this.kept[this.place] = vector;
    this.place = (this.place + 1) % this.kept.length;
  }
}

function softmax(logits, scaling) {
  const highest = Math.max(...logits);
  const shares = logits.map((value) => Math.exp(scaling * (value - highest)));
  const sum = shares.reduce((total, value) => total + value, 0);
  return shares.map((value) => value / sum);
}

function hold(value) {
  return Math.min(FARTHEST, Math.max(-FARTHEST, value));
}
