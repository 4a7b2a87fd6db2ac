// Clock: arithmetic of times in seconds.

/** `seconds` brought into 0 to `length`; what is no number is 0. */
export function within(seconds, length) {
  return Math.min(Math.max(Number(seconds) || 0, 0), length);
}

/** Minutes, seconds and tenths: 63.25 -> "1:03.3". */
export function clockTime(seconds) {
  const tenths = Math.round(10 * seconds);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** Index of the frame that is shown at a time, among `frames` at `fps` Hz. */
export function frameAt(seconds, fps, frames) {
  return Math.min(frames - 1, Math.max(0, Math.floor(seconds * fps)));
}

/** Times of the marks on an axis of `width` pixels, at least 70 apart where that can be, and the step between them. */
export function marks(seconds, width) {
  const wanted = (70 * seconds) / width;
  const step = STEPS.find((one) => one >= wanted) ?? STEPS.at(-1);
  const times = [];
  for (let count = 0; count * step <= seconds + 1e-6; count += 1) times.push(count * step);
  return { step, times };
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10];

/** Where a key takes a playhead: one frame, a second, or an end; with `fast`, ten times as far; null for other keys. */
export function steppedBy(key, fast, seconds, length, fps) {
  const frame = 1 / fps;
  const steps = { ArrowLeft: -frame, ArrowRight: frame, ArrowDown: -frame, ArrowUp: frame, PageDown: -1, PageUp: 1 };
  const ends = { Home: 0, End: length };
  if (key in ends) return ends[key];
  if (!(key in steps)) return null;
  // From the middle of a frame, so that rounding never keeps the playhead where it is.
  return within((Math.floor(seconds * fps + 1e-3) + 0.5) / fps + (fast ? 10 : 1) * steps[key] - frame / 2, length);
}
