// Log-mel of sound that is still arriving, a block for each motion frame; the numbers of memorytalker/sound/live_mel.py.
import { powerSpectrum } from "./fft.js";

const EMPHASIS = 0.97;
const LEAST_POWER = 1e-10;

/** Triangles (bins rows) of height 1 on Slaney's scale, from 0 Hz to half the sample rate; as [first bin, weights]. */
export function melTable(bins, transform, sampleRate) {
  const top = sampleRate / 2;
  const perMel = 27 / Math.log(6.4);
  const highest = top < 1000 ? (top * 3) / 200 : 15 + Math.log(top / 1000) * perMel;
  const corners = Array.from({ length: bins + 2 }, (_, k) => {
    const mel = (highest * k) / (bins + 1);
    return mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp((mel - 15) / perMel);
  });
  return Array.from({ length: bins }, (_, band) => {
    const row = Array.from({ length: transform / 2 + 1 }, (_, k) => {
      const hertz = (k * sampleRate) / transform;
      const rising = (hertz - corners[band]) / (corners[band + 1] - corners[band]);
      const falling = (corners[band + 2] - hertz) / (corners[band + 2] - corners[band + 1]);
      return Math.max(0, Math.min(rising, falling));
    });
    const first = Math.max(0, row.findIndex((weight) => weight > 0));
    const last = row.findLastIndex((weight) => weight > 0);
    return [first, Float64Array.from(row.slice(first, last + 1))];
  });
}

/** Where the mel frames of each motion frame lie; `grid` is that of the weights' config.json. */
export function gridOf(grid) {
  const rate = grid.fps * grid.per_frame;
  const melEnd = (number) => Math.floor((2 * (number + 1) * grid.sample_rate + rate) / (2 * rate));
  const firstMel = (frame) => grid.per_frame * frame + grid.ahead - grid.per_frame;
  return {
    ...grid,
    melEnd,
    firstMel,
    lookahead: grid.ahead / rate,
    first: -Math.floor((grid.ahead - 1) / grid.per_frame),
    blockEnd: (frame) => melEnd(grid.per_frame * frame + grid.ahead - 1),
    blockStart: (frame) => Math.min(melEnd(firstMel(frame)) - grid.window, melEnd(firstMel(frame) - 1)),
  };
}

/** Follows one sound: `push` takes samples of any number and gives the blocks that are complete. */
export class Features {
  constructor(grid) {
    this.grid = gridOf(grid);
    this.first = this.grid.blockStart(this.grid.first);
    this.kept = new Float64Array(-this.first);
    this.last = 0;
    this.frame = this.grid.first;
    this.level = grid.quietest;
    this.received = 0;
    this.window = Float64Array.from(
      { length: grid.window },
      (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / grid.window),
    );
    const sum = this.window.reduce((total, value) => total + value, 0);
    this.scale = 1 / (0.5 * sum) ** 2;
    this.table = melTable(grid.bins, grid.transform, grid.sample_rate);
    this.spectrum = powerSpectrum(grid.transform);
    this.windowed = new Float64Array(grid.transform);
    this.power = new Float64Array(grid.transform / 2 + 1);
  }

  /** Take samples in [-1, 1] at the grid's rate; returns [{frame, mel, level}], mel in dB, per_frame x bins. */
  push(samples) {
    const { grid } = this;
    const kept = new Float64Array(this.kept.length + samples.length);
    kept.set(this.kept);
    for (let k = 0; k < samples.length; k += 1) {
      kept[this.kept.length + k] = samples[k] - EMPHASIS * (k ? samples[k - 1] : this.last);
    }
    if (samples.length) this.last = samples[samples.length - 1];
    this.received += samples.length;
    const blocks = [];
    while (grid.blockEnd(this.frame) <= this.first + kept.length) {
      blocks.push(this.#block(kept));
      this.frame += 1;
    }
    const drop = Math.max(0, grid.blockStart(this.frame) - this.first);
    this.kept = kept.slice(drop);
    this.first += drop;
    return blocks;
  }

  #block(kept) {
    const { grid, frame } = this;
    const mel = new Float32Array(grid.per_frame * grid.bins);
    for (let part = 0; part < grid.per_frame; part += 1) {
      const begin = grid.melEnd(grid.firstMel(frame) + part) - grid.window - this.first;
      for (let k = 0; k < grid.window; k += 1) this.windowed[k] = kept[begin + k] * this.window[k];
      this.spectrum(this.windowed, this.power);
      this.table.forEach(([first, weights], band) => {
        let total = 0;
        for (let k = 0; k < weights.length; k += 1) total += weights[k] * this.power[first + k];
        mel[part * grid.bins + band] = 10 * Math.log10(Math.max(total * this.scale, LEAST_POWER));
      });
    }
    const [low, high] = [grid.melEnd(grid.firstMel(frame) - 1) - this.first, grid.blockEnd(frame) - this.first];
    let energy = 0;
    for (let k = low; k < high; k += 1) energy += kept[k] * kept[k];
    const loud = 10 * Math.log10(Math.max(energy / (high - low), LEAST_POWER));
    this.level = Math.max(loud, this.level - grid.release / grid.fps, grid.quietest);
    return { frame, mel, level: this.level };
  }
}
