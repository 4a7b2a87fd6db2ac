// The 15 visemes of a frame's curves; the numbers of VisemeSolver in memorytalker/face/visemes.py.
import { leastSquares } from "./least_squares.js";
import { MEASURES, SHAPES, TRIANGLE, VISEMES, VRM } from "./viseme_table.js";

const STRICT = 1000 * Math.max(...TRIANGLE.flat().map(Math.abs));
/** Columns: "sil", then the other visemes; the last row makes the weights add up to 1. */
const SYSTEM = [...TRIANGLE.map((row) => [0, ...row]), VISEMES.map(() => STRICT)];

export { VISEMES };
export const VRM_PRESETS = Object.keys(VRM);

/** {viseme: weight} of {ARKit name: weight}: 15 weights from 0 to 1 that add up to 1. */
export function visemesOf(curves) {
  const target = new Array(TRIANGLE.length).fill(0);
  SHAPES.forEach((name, shape) => {
    const weight = curves[name] ?? 0;
    if (weight) MEASURES[shape].forEach((measure, k) => (target[k] += weight * measure));
  });
  const found = leastSquares(SYSTEM, [...target, STRICT]);
  const sum = found.reduce((total, value) => total + value, 0);
  return Object.fromEntries(VISEMES.map((name, k) => [name, found[k] / sum]));
}

/** {VRM's vowel: weight} of {viseme: weight}. */
export function vowelsOf(visemes) {
  const mixed = ([name, recipe]) => {
    const total = Object.entries(recipe).reduce((sum, [viseme, share]) => sum + share * (visemes[viseme] ?? 0), 0);
    return [name, Math.min(1, Math.max(0, total))];
  };
  return Object.fromEntries(Object.entries(VRM).map(mixed));
}
