// Reading of what memorytalker.page.playback writes, and the curves at a time. Arithmetic only, no WebGL.
//
// {format, head: path below the page's root or null, fps, seconds, names: [n], upper: [names of the upper face],
// weights: base64 of T * n uint16 (weight * 65535), turns: base64 of T * 3 float32 (yaw, pitch and roll in radians) or
// absent, sound: base64 of a WAV file}; without names there is nothing to play in 3D, and without seconds the head waits.
// The motion before the sliders of a style act: {frames, names, weights, turns (at a strength of 1), speaking: base64 of T
// float32 (0 in silence to 1), arousal: base64 of T float32 (how excited the voice sounds, -1 to 1) or absent, deliveries:
// those that the value was made with, heard: whether it was made to follow the arousal}. That in the neutral style:
// {frames, names, weights, turns, apart: base64 of T float32 (millimetres at the lips)}.

import { bytesOf } from "./bytes.js";
import { DeliveredRows, keyOf, turned, turnStrength } from "./delivering.js";

/** The only format that these scripts read; memorytalker.page.playback.FORMAT. */
export const FORMAT = 4;

/** Shapes that expression moves, and speech does not. */
const LIVELY = /^(eye|brow)/;

/** Curves as they are: strengths and gains of 1, offsets of 0. */
export const UNCHANGED = Object.freeze({ upper_face: 1, lower_face: 1, gains: {}, offsets: {} });

/** A value of another format; its message is written for visitors. */
export class FormatError extends Error {}

/**
 * Parse a value of the player.
 * @param {string} text JSON
 * @returns {object} its content
 * @throws {FormatError} it is of another format
 */
export function opened(text) {
  const content = JSON.parse(text);
  if (content?.format !== FORMAT) throw new FormatError("This page was loaded before an update; reload it.");
  return content;
}

/** The curves of a value, changed by an animator's corrections as memorytalker.face.adjust does. */
export class Curves {
  /** `content` is what `opened` returned. */
  constructor({ names, upper, fps, weights, turns }) {
    this.names = names;
    this.fps = fps;
    this.upper = new Set(upper);
    this.given = this.own = unpacked(weights);
    this.turns = turns ? new Float32Array(bytesOf(turns).buffer) : null;
    this.other = this.plain = this.deliveries = this.library = this.rows = null;
    this.alive = true;
    this.heard = false;
    this.frames = this.given.length / names.length;
    this.adjust(UNCHANGED);
  }

  /**
   * Set strengths, gains and offsets: weight * gain * strength + offset, within 0 and 1.
   * @param {{upper_face: number, lower_face: number, gains: Object<string, number>, offsets: Object<string, number>}} changes
   */
  adjust({ upper_face, lower_face, gains, offsets }) {
    this.changes = { upper_face, lower_face, gains, offsets };
    const still = (name) => !this.alive && !this.rows && LIVELY.test(name);
    this.gains = this.names.map((name) => (still(name) ? 0 : (this.upper.has(name) ? upper_face : lower_face) * (gains[name] ?? 1)));
    this.offsets = this.names.map((name) => offsets[name] ?? 0);
  }

  /**
   * Take the same motion in the neutral style.
   * @param {?object} other as described above; null for none
   * @returns {boolean} whether it fits these curves
   */
  compareWith(other) {
    const fits = Boolean(other) && other.frames === this.frames && String(other.names) === String(this.names);
    this.other = fits ? unpacked(other.weights) : null;
    this.apart = fits ? new Float32Array(bytesOf(other.apart).buffer) : null;
    if (!fits) this.given = this.own;
    this.#redeliver();
    return fits;
  }

  /**
   * Take the motion before the sliders of a style act.
   * @param {?object} plain as described above; null for none
   */
  startFrom(plain) {
    const fits = Boolean(plain) && plain.frames === this.frames && String(plain.names) === String(this.names);
    this.plain = fits ? {
      weights: unpacked(plain.weights),
      speaking: new Float32Array(bytesOf(plain.speaking).buffer),
      arousal: plain.arousal ? new Float32Array(bytesOf(plain.arousal).buffer) : null,
      heard: plain.heard === true,
      turns: plain.turns ? new Float32Array(bytesOf(plain.turns).buffer) : null,
      key: keyOf(plain.deliveries),
    } : null;
    this.#redeliver();
  }

  /**
   * Move as the sliders of a style say.
   * @param {?object[]} deliveries as in the file of a style
   * @param {?object} library with the class `Delivery`, of web/src/delivery.js
   * @param {boolean} heard whether moods and brows follow how excited the voice sounds
   */
  deliver(deliveries, library, heard = false) {
    Object.assign(this, { deliveries, library, heard });
    this.#redeliver();
  }

  /** Whether the sliders say something else than the value was made with. */
  get moved() {
    if (!this.plain || !this.library || !this.deliveries) return false;
    const other = Boolean(this.plain.arousal) && this.heard !== this.plain.heard;
    return other || keyOf(this.deliveries) !== this.plain.key;
  }

  #redeliver() {
    const own = this.given === this.own;
    const possible = this.plain && this.library && this.deliveries;
    // What came has the sliders in it; another style, or a face without expression, is made of the motion before them.
    const delivery = possible && !(own && this.alive && !this.moved) ? new this.library.Delivery(this.deliveries, []) : null;
    const weights = own ? this.plain?.weights : this.other;
    const arousal = this.heard ? this.plain?.arousal : null;
    const motion = { ...this.plain, weights, arousal, names: this.names, fps: this.fps, still: this.alive ? null : LIVELY };
    this.rows = delivery ? new DeliveredRows(motion, delivery) : null;
    this.adjust(this.changes);
  }

  /** Weights (n) of a frame, before an animator's corrections. */
  #row(frame) {
    const count = this.names.length;
    return this.rows ? this.rows.row(frame) : this.given.subarray(frame * count, (frame + 1) * count);
  }

  /** Move in the style of the voice, or in the neutral one. */
  inStyle(own) {
    this.given = own || !this.other ? this.own : this.other;
    this.#redeliver();
  }

  /** Show blinks, glances, brows and turns of the head, or leave them out. */
  enliven(alive) {
    this.alive = alive;
    this.#redeliver();
  }

  /** Yaw, pitch and roll of the head at a time, in radians. */
  turnAt(seconds) {
    const turns = this.moved && this.plain.turns ? this.plain.turns : this.turns;
    if (!turns || !this.alive) return [0, 0, 0];
    const frame = Math.min(Math.max(seconds * this.fps, 0), this.frames - 1);
    const first = Math.floor(frame), second = Math.min(first + 1, this.frames - 1), share = frame - first;
    const at = [0, 1, 2].map((k) => (1 - share) * turns[3 * first + k] + share * turns[3 * second + k]);
    return turns === this.turns ? at : turned(at, turnStrength(this.deliveries, seconds));
  }

  /** Millimetres between both styles at the lips, at a time; null where there is one style. */
  apartAt(seconds) {
    return this.apart ? this.apart[Math.min(Math.max(Math.floor(seconds * this.fps), 0), this.frames - 1)] : null;
  }

  /**
   * The weights at a time; between two frames each lies on the straight line from one to the other.
   * @param {number} seconds
   * @param {number[]|Float32Array} weights is filled, in the order of `names`
   */
  at(seconds, weights) {
    const { gains, offsets } = this;
    const count = this.names.length;
    const frame = Math.min(Math.max(seconds * this.fps, 0), this.frames - 1);
    const first = Math.floor(frame), second = Math.min(first + 1, this.frames - 1), share = frame - first;
    const [here, next] = [this.#row(first), this.#row(second)];
    for (let k = 0; k < count; k += 1) {
      const one = within(here[k] * gains[k] + offsets[k]);
      const other = within(next[k] * gains[k] + offsets[k]);
      weights[k] = (1 - share) * one + share * other;
    }
    return weights;
  }
}

/** A single face, held: weights (n) of named curves. */
export class Pose {
  constructor(names, weights) {
    this.names = names;
    this.weights = weights;
  }

  at(seconds, weights) {
    this.weights.forEach((weight, k) => { weights[k] = weight; });
    return weights;
  }
}

function unpacked(weights) {
  return Float32Array.from(new Uint16Array(bytesOf(weights).buffer), (weight) => weight / 65535);
}

function within(weight) {
  return Math.min(Math.max(weight, 0), 1);
}
