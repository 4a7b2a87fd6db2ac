// Angles of a camera that turns about a head. Arithmetic only.

/** The shorter turn between two angles in radians, in [-pi, pi). */
export function shorterTurn(from, to) {
  const whole = 2 * Math.PI;
  return ((((to - from + Math.PI) % whole) + whole) % whole) - Math.PI;
}

/**
 * A rotation, row by row: roll first, yaw last, as memorytalker.face.neck.rotations has it.
 * @param {number[]} turn yaw, pitch and roll in radians
 * @returns {number[]} 9 numbers
 */
export function rotation([yaw, pitch, roll]) {
  const [cy, sy, cp, sp, cr, sr] = [yaw, pitch, roll].flatMap((angle) => [Math.cos(angle), Math.sin(angle)]);
  return [
    cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp,
    cp * sr, cp * cr, -sp,
    cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp,
  ];
}

/**
 * The vertical field of view that keeps the head's width on a narrow stage.
 * @param {number} angle degrees, for a stage at least as wide as high
 * @param {number} aspect width / height
 * @returns {number} degrees
 */
export function fieldOfView(angle, aspect) {
  const half = Math.tan((angle * Math.PI) / 360) / Math.min(aspect, 1);
  return (360 * Math.atan(half)) / Math.PI;
}

/**
 * The two neighbours of an azimuth, for linear interpolation.
 * @param {number} azimuth degrees
 * @param {number[]} azimuths degrees, ascending, round the full circle
 * @returns {{first: number, second: number, share: number}} indices, and the weight of the second, 0 to 1
 */
export function between(azimuth, azimuths) {
  let second = azimuths.findIndex((one) => one > azimuth);
  if (second < 0) second = 0;
  const first = (second + azimuths.length - 1) % azimuths.length;
  const turn = (to, from) => (to - from + 720) % 360;
  const share = azimuths.length > 1 ? turn(azimuth, azimuths[first]) / (turn(azimuths[second], azimuths[first]) || 360) : 0;
  return { first, second, share };
}
