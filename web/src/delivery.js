// A style over the curves of a frame: gains, offsets and moods, with the mouth's contacts kept; the numbers of
// memorytalker/styles/live_delivery.py, delivery.py and face/mouth_contacts.py.
import {
  ADDED, AROUSAL_REACH, AT_TEETH, CLOSED, EASE_SECONDS, FREE, LARGEST_GAIN, LOWERING, MIDDLE, MOODS, MOUTH, NAMES, OFF_TEETH, OPENINGS, PARTING,
  SCALED, SILENCE, SPEAKING_SECONDS, SPEAKING_SHARE, TEETH_REST,
} from "./delivery_table.js";

export const GAIN_GROUPS = Object.keys(SCALED);
export const OFFSET_GROUPS = Object.keys(ADDED);
export const MOOD_NAMES = Object.keys(MOODS);
const BROWS = GAIN_GROUPS.indexOf("brows");
const JAW = NAMES.indexOf("jawOpen");
const CHIN = NAMES.indexOf("mouthShrugLower");
/** Groups that a style may name although no curve belongs to them. */
const OTHER_GROUPS = ["head"];

/** What a style changes of a stream of frames. */
export class Delivery {
  /**
   * @param {object[]} deliveries [{start, gains, offsets, moods}] as in the file of a style; the first begins at 0
   * @param {string[]} slots labels of the memory slots
   */
  constructor(deliveries, slots) {
    this.deliveries = deliveries.map(({ start = 0, gains = {}, offsets = {}, moods = {} }) => ({
      start,
      gains: numbers("gains", gains, GAIN_GROUPS, 1, 0, 4),
      offsets: numbers("offsets", offsets, OFFSET_GROUPS, 0, -1, 1),
      moods: numbers("moods", moods, MOOD_NAMES, 0, 0, 1),
    }));
    this.silence = slots.indexOf(SILENCE);
  }

  /** Whether any curve is changed at any time. */
  get changes() {
    return this.deliveries.some(
      ({ gains, offsets, moods }) => gains.some((one) => one !== 1) || [...offsets, ...moods].some((one) => one !== 0),
    );
  }

  /** How much somebody speaks, 0 to 1, after a frame with this address; `before` is that after the frame before. */
  speaking(before, address, fps) {
    const spoken = this.silence < 0 ? 1 : 1 - address[this.silence];
    return before + (1 - Math.exp(-1 / (SPEAKING_SECONDS * fps))) * (spoken - before);
  }

  /**
   * The changed weights {name: weight} of all shapes of the head, of {name: weight} at `seconds`. Moods and brows follow
   * how excited the voice sounds where that is known, -1 to 1; null: they do not.
   */
  apply(curves, seconds, speaking, arousal = null) {
    const { gains, offsets, moods } = withArousal(this.#at(seconds), arousal);
    const before = NAMES.map((name) => curves[name] ?? 0);
    const scales = new Array(NAMES.length).fill(1);
    Object.values(SCALED).forEach((shapes, group) => shapes.forEach((k) => (scales[k] *= gains[group])));
    const after = before.map((weight, k) => weight * scales[k]);
    Object.values(ADDED).forEach(([up, down], group) => {
      const offset = offsets[group];
      for (const [k, weight] of offset > 0 ? up : down) after[k] += Math.abs(offset) * weight;
    });
    const weights = kept(before, withMoods(after.map(held), moods, speaking));
    return Object.fromEntries(NAMES.map((name, k) => [name, weights[k]]));
  }

  /** Gains, offsets and moods at a time, eased from one delivery to the next. */
  #at(seconds) {
    const [first, ...later] = this.deliveries;
    const found = { gains: [...first.gains], offsets: [...first.offsets], moods: [...first.moods] };
    later.forEach((delivery, k) => {
      const share = eased((seconds - delivery.start) / EASE_SECONDS + 0.5);
      for (const name of Object.keys(found)) {
        found[name].forEach((_, i) => (found[name][i] += share * (delivery[name][i] - this.deliveries[k][name][i])));
      }
    });
    return found;
  }
}

/**
 * What a style is to the network: {weights: one per slot or null, delivery: Delivery or null}.
 * @param {null|ArrayLike<number>|object} style null, slot weights, or the content of a file that Style.save wrote
 * @param {string[]} slots labels of the memory slots
 */
export function readStyle(style, slots) {
  if (!style) return { weights: null, delivery: null };
  if (typeof style.length === "number") {
    if (style.length !== slots.length) throw new Error(`A style has ${slots.length} weights, one for each slot.`);
    return { weights: Float32Array.from(style), delivery: null };
  }
  const { deliveries = [{}], slot_weights: named = {}, slot_share: share = 1 } = style;
  const labels = Object.keys(named);
  if (labels.length && share && (labels.length !== slots.length || slots.some((slot) => !(slot in named)))) {
    throw new Error("This style weights other memory slots than the network has; adapt it again with its weights.");
  }
  const weights = labels.length && share ? Float32Array.from(slots, (slot) => 1 + share * (named[slot] - 1)) : null;
  const delivery = new Delivery(deliveries, slots);
  return { weights, delivery: delivery.changes ? delivery : null };
}

/** Moods and brows made stronger for an excited voice, weaker for a calm one; see with_arousal in Python. */
function withArousal(values, arousal) {
  if (arousal === null) return values;
  const factor = 1 + AROUSAL_REACH * arousal;
  const gains = values.gains.map((gain, k) => (k === BROWS ? Math.min(LARGEST_GAIN, Math.max(0, gain * factor)) : gain));
  return { ...values, gains, moods: values.moods.map((strength) => held(strength * factor)) };
}

function numbers(what, given, known, rest, low, high) {
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name) && !OTHER_GROUPS.includes(name)) {
      throw new Error(`There is no ${name} among the ${what} of a style; there are ${known.join(", ")}.`);
    }
    if (!(value >= low && value <= high)) throw new Error(`${what} of a style go from ${low} to ${high}, not ${value}.`);
  }
  return known.map((name) => given[name] ?? rest);
}

function withMoods(curves, strengths, speaking) {
  const total = Math.max(1, strengths.reduce((sum, one) => sum + one, 0));
  if (!strengths.some(Boolean)) return curves;
  const added = new Array(NAMES.length).fill(0);
  Object.values(MOODS).forEach((pose, mood) => pose.forEach(([k, weight]) => (added[k] += (strengths[mood] / total) * weight)));
  const share = 1 - (1 - SPEAKING_SHARE) * speaking;
  const weights = curves.map((weight, k) => weight + (MOUTH.includes(k) ? share : 1) * added[k]);
  // A lid that closes closes all the way: what a mood does to the eyes gives way to a blink.
  for (const side of ["Left", "Right"]) {
    const open = 1 - curves[NAMES.indexOf(`eyeBlink${side}`)];
    for (const name of ["eyeBlink", "eyeWide", "eyeSquint"]) {
      const k = NAMES.indexOf(name + side);
      weights[k] = curves[k] + open * added[k];
    }
  }
  return weights.map(held);
}

/** Changed weights with the contacts that the unchanged ones have; see MouthContacts.kept. */
function kept(before, after) {
  const weights = [...after];
  const closed = 1 - eased((opening(before) - CLOSED) / (FREE - CLOSED));
  const teeth = 1 - eased((dot(before, LOWERING) + TEETH_REST - AT_TEETH) / (OFF_TEETH - AT_TEETH));
  const holding = Math.max(closed, teeth);
  for (const k of PARTING) weights[k] += holding * (before[k] - weights[k]);
  const apart = opening(weights) - Math.max(opening(before), CLOSED);
  weights[CHIN] += (closed * Math.max(apart, 0)) / -Math.max(...OPENINGS[CHIN]);
  const moved = weights.reduce((sum, weight, k) => sum + (weight - before[k]) * LOWERING[k], 0);
  weights[JAW] -= ((1 - closed) * teeth * moved) / LOWERING[JAW];
  const through = Math.min(dot(before, MIDDLE), 0) - dot(weights, MIDDLE);
  weights[JAW] += ((1 - closed) * Math.max(through, 0)) / MIDDLE[JAW];
  return weights.map(held);
}

/** Metres by which the lips are apart where they are furthest apart. */
function opening(weights) {
  const places = new Array(OPENINGS[0].length).fill(0);
  weights.forEach((weight, k) => {
    if (weight) OPENINGS[k].forEach((metres, place) => (places[place] += weight * metres));
  });
  return Math.max(...places);
}

function dot(a, b) {
  return a.reduce((sum, one, k) => sum + one * b[k], 0);
}

function eased(share) {
  const x = held(share);
  return x * x * (3 - 2 * x);
}

function held(weight) {
  return Math.min(1, Math.max(0, weight));
}
