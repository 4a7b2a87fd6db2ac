// A face that waits: it blinks, looks about a little and breathes. Arithmetic only, no WebGL.

/** Shapes that a waiting face moves; a head may lack some. */
const NAMES = [
  "eyeBlinkLeft", "eyeBlinkRight", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight",
  "eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight", "browInnerUp",
];
// Seconds: a blink falls in every such stretch, at a place drawn by chance; how fast a lid falls and rises
// (VanderWerf et al. 2003, doi:10.1152/jn.00557.2002); how long the eyes rest on one place; how long a breath lasts.
const BLINK_EVERY = 3.6, CLOSING = 0.1, OPENING = 0.2, RESTING = 1.3, BREATH = 4.2;
const NOD = 0.007, SWAY = 0.009; // radians that the head moves with breath and balance

/** The curves of a waiting face, with the interface of `Curves` in playback.js; they have no end. */
export class IdleCurves {
  constructor() {
    this.names = NAMES;
  }

  /** A waiting face is not changed by sliders. */
  adjust() {}

  /** The weights at a time in seconds, into `weights` in the order of `names`. */
  at(seconds, weights) {
    const lid = lidAt(seconds);
    const { aside, up } = gazeAt(seconds);
    const values = {
      eyeBlinkLeft: lid, eyeBlinkRight: lid,
      eyeLookInLeft: Math.max(-aside, 0), eyeLookOutRight: Math.max(-aside, 0),
      eyeLookOutLeft: Math.max(aside, 0), eyeLookInRight: Math.max(aside, 0),
      eyeLookUpLeft: Math.max(up, 0), eyeLookUpRight: Math.max(up, 0),
      eyeLookDownLeft: Math.max(-up, 0), eyeLookDownRight: Math.max(-up, 0),
      browInnerUp: 0.04 * (1 + Math.sin(0.7 * seconds)),
    };
    NAMES.forEach((name, k) => { weights[k] = values[name]; });
    return weights;
  }

  /** Yaw, pitch and roll of the head in radians. */
  turnAt(seconds) {
    const breath = Math.sin((2 * Math.PI * seconds) / BREATH);
    return [SWAY * Math.sin(0.53 * seconds), NOD * breath, 0.5 * SWAY * Math.sin(0.37 * seconds + 1)];
  }
}

/** How far the lids are closed at a time, 0 to 1. */
export function lidAt(seconds) {
  const stretch = Math.floor(seconds / BLINK_EVERY);
  const begins = BLINK_EVERY * (stretch + 0.15 + 0.7 * chance(stretch));
  const since = seconds - begins;
  if (since < 0 || since > CLOSING + OPENING) return 0;
  return since < CLOSING ? eased(since / CLOSING) : eased(1 - (since - CLOSING) / OPENING);
}

/** Where the eyes look, as weights of the looking shapes: to the head's own left, and up. */
function gazeAt(seconds) {
  const rest = Math.floor(seconds / RESTING);
  const share = eased(Math.min((seconds / RESTING - rest) * 20, 1)); // a saccade is short
  const place = (n, seed) => (chance(n + seed) - 0.5) * 0.16;
  const mix = (seed) => place(rest - 1, seed) + share * (place(rest, seed) - place(rest - 1, seed));
  return { aside: mix(100), up: 0.6 * mix(700) };
}

function eased(share) {
  return share * share * (3 - 2 * share);
}

/** A number from 0 to 1 that is always the same for the same whole number. */
function chance(n) {
  const mixed = Math.sin(n * 127.1 + 11.7) * 43758.5453;
  return mixed - Math.floor(mixed);
}
