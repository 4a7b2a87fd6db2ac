// Resampling of sound that is still arriving; the numbers of memorytalker/sound/resampling.py.

const ZEROS = 12;
const CUTOFF = 0.92;
export const LOWEST_RATE = 8000;
export const HIGHEST_RATE = 192000;

/** Follows one sound at `rate` Hz: `push` takes samples and gives those at `target` Hz that can be made. */
export class Resampler {
  constructor(rate, target = 16000) {
    if (!(rate >= LOWEST_RATE && rate <= HIGHEST_RATE)) {
      throw new RangeError(`Sound at ${rate} Hz cannot be followed; choose ${LOWEST_RATE} to ${HIGHEST_RATE}.`);
    }
    this.same = rate === target;
    const shared = divisor(rate, target);
    this.step = rate / shared;
    this.phases = target / shared;
    this.half = Math.ceil(ZEROS * Math.max(1, rate / target));
    this.table = tapsOf(this.half, this.phases, CUTOFF * Math.min(1, target / rate));
    this.kept = new Float64Array(this.half - 1);
    this.first = 1 - this.half;
    this.made = 0;
  }

  push(samples) {
    if (this.same) return Float32Array.from(samples);
    const kept = new Float64Array(this.kept.length + samples.length);
    kept.set(this.kept);
    kept.set(samples, this.kept.length);
    const end = this.first + kept.length;
    const result = [];
    for (;;) {
      const place = Math.floor((this.made * this.step) / this.phases);
      if (place + this.half >= end) break;
      const taps = this.table[(this.made * this.step) % this.phases];
      const begin = place - this.first + 1 - this.half;
      let total = 0;
      for (let k = 0; k < taps.length; k += 1) total += kept[begin + k] * taps[k];
      result.push(Math.min(1, Math.max(-1, total)));
      this.made += 1;
    }
    const next = Math.floor((this.made * this.step) / this.phases) + 1 - this.half;
    const drop = Math.max(0, next - this.first);
    this.kept = kept.slice(drop);
    this.first += drop;
    return Float32Array.from(result);
  }
}

function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}

/** The windowed sinc of each phase; every phase adds up to 1. */
function tapsOf(half, phases, band) {
  return Array.from({ length: phases }, (_, phase) => {
    const taps = Float64Array.from({ length: 2 * half }, (_, k) => {
      const distance = k + 1 - half - phase / phases;
      const near = Math.min(1, Math.max(-1, distance / half));
      const angle = Math.PI * band * distance;
      return band * (angle === 0 ? 1 : Math.sin(angle) / angle) * Math.cos((Math.PI / 2) * near) ** 2;
    });
    const sum = taps.reduce((total, value) => total + value, 0);
    return taps.map((value) => value / sum);
  });
}
