// Frames in time.

/** The frame at a time of the context, between its neighbours; null before the first. */
export function frameAt(frames, time) {
  const after = frames.findIndex(({ heard }) => heard > time);
  if (after === 0 || !frames.length) return null;
  if (after < 0) return frames.at(-1);
  const [one, other] = [frames[after - 1], frames[after]];
  const share = (time - one.heard) / (other.heard - one.heard);
  const between = (a, b) => Object.fromEntries(Object.keys(a).map((name) => [name, a[name] + share * (b[name] - a[name])]));
  return {
    ...one,
    t: one.t + share * (other.t - one.t),
    heard: time,
    curves: between(one.curves, other.curves),
    visemes: between(one.visemes, other.visemes),
    vowels: between(one.vowels, other.vowels),
  };
}
