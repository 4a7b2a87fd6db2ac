// What the sliders of a style do to a head in the browser: the curves as memorytalker.styles.delivery changes them, by the
// library of the live network (web/src/delivery.js), and the strength of the head's turns. Arithmetic only.

/** Seconds of a change from one delivery to the next, and radians that a head turns by at most; as in Python. */
const EASE_SECONDS = 0.45, LARGEST_ANGLE = (40 * Math.PI) / 180;
const RESTS = { gains: 1, offsets: 0, moods: 0 };

/** A text that is the same for deliveries that do the same. */
export function keyOf(deliveries) {
  return JSON.stringify(deliveries.map(({ start = 0, head_motion = 0, ...groups }) => [
    start, round(head_motion),
    ...Object.entries(RESTS).map(([group, rest]) => Object.entries(groups[group] ?? {})
      .map(([name, value]) => [name, round(value)]).filter(([, value]) => value !== rest).sort()),
  ]));
}

/** Strength of the head's turns at a time: its motion times the gain of the head, eased from one delivery to the next. */
export function turnStrength(deliveries, seconds) {
  const [motion, gain] = [({ head_motion = 0 }) => head_motion, ({ gains = {} }) => gains.head ?? 1].map((of) =>
    deliveries.slice(1).reduce((found, each, k) => {
      const share = Math.min(Math.max((seconds - each.start) / EASE_SECONDS + 0.5, 0), 1);
      return found + share * share * (3 - 2 * share) * (of(each) - of(deliveries[k]));
    }, of(deliveries[0])));
  return motion * gain;
}

/** A turn [yaw, pitch, roll] in radians at a strength. */
export function turned(angles, strength) {
  return angles.map((angle) => Math.min(Math.max(strength * angle, -LARGEST_ANGLE), LARGEST_ANGLE));
}

/** The curves of T frames under deliveries, frame by frame as they are asked for. */
export class DeliveredRows {
  /**
   * @param {{weights: Float32Array, names: string[], fps: number, speaking: Float32Array, arousal: ?Float32Array,
   *   still: ?RegExp}} motion T * n weights by name; moods and brows follow `arousal`; shapes that match `still` only do
   *   what the delivery says
   * @param {object} delivery a `Delivery` of the library
   */
  constructor(motion, delivery) {
    this.motion = motion;
    this.delivery = delivery;
    this.rows = new Map();
  }

  /** Weights (n) of a frame. */
  row(frame) {
    const { names, weights, fps, speaking, arousal, still } = this.motion;
    if (!this.rows.has(frame)) {
      const weightOf = (name, k) => (still?.test(name) ? 0 : weights[frame * names.length + k]);
      const before = Object.fromEntries(names.map((name, k) => [name, weightOf(name, k)]));
      const after = this.delivery.apply(before, frame / fps, speaking[frame], arousal ? arousal[frame] : null);
      this.rows.set(frame, Float32Array.from(names, (name) => after[name] ?? before[name]));
    }
    return this.rows.get(frame);
  }
}

/** A waiting face under a delivery, with the interface of `IdleCurves`. */
export class DeliveredIdle {
  constructor(idle, delivery) {
    this.idle = idle;
    this.delivery = delivery;
    this.names = Object.keys(delivery.apply({}, 0, 0));
    this.rest = new Float32Array(idle.names.length);
  }

  adjust() {}

  at(seconds, weights) {
    const rest = this.idle.at(seconds, this.rest);
    const before = Object.fromEntries(this.idle.names.map((name, k) => [name, rest[k]]));
    const after = this.delivery.apply(before, 0, 0);
    this.names.forEach((name, k) => { weights[k] = after[name]; });
    return weights;
  }

  turnAt(seconds) {
    return this.idle.turnAt(seconds);
  }
}

function round(value) {
  return Math.round(1000 * value) / 1000;
}
