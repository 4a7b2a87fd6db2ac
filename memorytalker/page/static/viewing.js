// Viewing: angles of a camera that turns about a head. Arithmetic only.

/** The shorter way round from an angle to another, radians in [-pi, pi). */
export function shorterTurn(from, to) {
  const whole = 2 * Math.PI;
  return ((((to - from + Math.PI) % whole) + whole) % whole) - Math.PI;
}

/** The vertical field of view in degrees: `angle`, or where the stage is narrower than high, what keeps its width. */
export function fieldOfView(angle, aspect) {
  const half = Math.tan((angle * Math.PI) / 360) / Math.min(aspect, 1);
  return (360 * Math.atan(half)) / Math.PI;
}

/**
 * The two of `azimuths` (degrees, rising, all round) that an azimuth lies between, as indices, and the share of the
 * second.
 */
export function between(azimuth, azimuths) {
  let second = azimuths.findIndex((one) => one > azimuth);
  if (second < 0) second = 0;
  const first = (second + azimuths.length - 1) % azimuths.length;
  const turn = (to, from) => (to - from + 720) % 360;
  const share = azimuths.length > 1 ? turn(azimuth, azimuths[first]) / (turn(azimuths[second], azimuths[first]) || 360) : 0;
  return { first, second, share };
}
