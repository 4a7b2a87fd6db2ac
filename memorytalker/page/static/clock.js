// Arithmetic of times in seconds.

/** `seconds` clamped to 0 to `length`; 0 for what is not a number. */
export function within(seconds, length) {
  return Math.min(Math.max(Number(seconds) || 0, 0), length);
}

/** A time in seconds as minutes, seconds and tenths: 63.25 -> "1:03.3". */
export function clockTime(seconds) {
  const tenths = Math.round(10 * seconds);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** Index of the frame shown at a time in seconds, of `frames` frames at `fps` Hz. */
export function frameAt(seconds, fps, frames) {
  return Math.min(frames - 1, Math.max(0, Math.floor(seconds * fps)));
}

/**
 * Marks of a time axis, at least 70 pixels apart where a step of STEPS allows it.
 * @param {number} seconds length of the axis
 * @param {number} width of the axis in pixels
 * @returns {{step: number, times: number[]}} in seconds
 */
export function marks(seconds, width) {
  const wanted = (70 * seconds) / width;
  const step = STEPS.find((one) => one >= wanted) ?? STEPS.at(-1);
  const times = [];
  for (let count = 0; count * step <= seconds + 1e-6; count += 1) times.push(count * step);
  return { step, times };
}

/** Seconds between two marks. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10];

/**
 * The time to which a key moves the playhead: by a frame, by a second, or to an end.
 * @param {string} key of a KeyboardEvent
 * @param {boolean} fast move ten times as far
 * @param {number} seconds present time
 * @param {number} length of the recording in seconds
 * @param {number} fps frames per second
 * @returns {?number} seconds; null for other keys
 */
export function steppedBy(key, fast, seconds, length, fps) {
  const frame = 1 / fps;
  const steps = { ArrowLeft: -frame, ArrowRight: frame, ArrowDown: -frame, ArrowUp: frame, PageDown: -1, PageUp: 1 };
  const ends = { Home: 0, End: length };
  if (key in ends) return ends[key];
  if (!(key in steps)) return null;
  // From the middle of a frame: rounding then never keeps the playhead in place.
  return within((Math.floor(seconds * fps + 1e-3) + 0.5) / fps + (fast ? 10 : 1) * steps[key] - frame / 2, length);
}
