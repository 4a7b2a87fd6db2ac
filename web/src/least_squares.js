// Least squares of small systems with unknowns from 0 up (Lawson and Hanson 1974, Solving Least Squares Problems, 23).

const TOLERANCE = 1e-12;
/** A column whose part of its own is a smaller share than this is a mix of the others. */
const OWN_PART = 1e-9;

/** x >= 0 that makes |rows x - target| smallest; `rows` are arrays of one length. */
export function leastSquares(rows, target) {
  const count = rows[0].length;
  const x = new Array(count).fill(0);
  const free = new Set();
  const mixed = new Set();
  const scale = Math.max(...rows.flat().map(Math.abs)) ** 2;
  for (let round = 0; round < 3 * count; round += 1) {
    const left = rows.map((row, k) => target[k] - row.reduce((sum, value, c) => sum + value * x[c], 0));
    const pulls = x.map((_, c) => (free.has(c) || mixed.has(c) ? -Infinity : rows.reduce((sum, row, k) => sum + row[c] * left[k], 0)));
    const next = pulls.indexOf(Math.max(...pulls));
    if (!(pulls[next] > TOLERANCE * scale)) break;
    free.add(next);
    for (;;) {
      const columns = [...free].sort((a, b) => a - b);
      const solved = solve(rows, columns, target);
      if (!solved) {
        free.delete(next);
        mixed.add(next);
        break;
      }
      if (solved.every((value) => value > 0)) {
        x.fill(0);
        columns.forEach((c, k) => (x[c] = solved[k]));
        break;
      }
      // Go towards the solution until the first unknown reaches 0, which then stays there.
      const steps = columns.map((c, k) => (solved[k] > 0 ? Infinity : x[c] / (x[c] - solved[k])));
      const step = Math.min(...steps);
      columns.forEach((c, k) => {
        x[c] += Math.min(1, step) * (solved[k] - x[c]);
        if (steps[k] === step || x[c] <= 0) {
          x[c] = 0;
          free.delete(c);
        }
      });
    }
  }
  return x;
}

/** Least squares over some columns, made orthogonal (modified Gram-Schmidt); null if one is a mix of the others. */
function solve(rows, columns, target) {
  const left = [...target];
  const basis = [];
  const triangle = [];
  const shares = [];
  for (const c of columns) {
    const column = rows.map((row) => row[c]);
    const whole = Math.sqrt(dot(column, column));
    const above = basis.map((one) => {
      const share = dot(one, column);
      one.forEach((value, k) => (column[k] -= share * value));
      return share;
    });
    const length = Math.sqrt(dot(column, column));
    if (!(length > OWN_PART * whole)) return null;
    basis.push(column.map((value) => value / length));
    triangle.push([...above, length]);
    const share = dot(basis.at(-1), left);
    basis.at(-1).forEach((value, k) => (left[k] -= share * value));
    shares.push(share);
  }
  for (let k = columns.length - 1; k >= 0; k -= 1) {
    shares[k] /= triangle[k][k];
    for (let j = 0; j < k; j += 1) shares[j] -= triangle[k][j] * shares[k];
  }
  return shares;
}

function dot(a, b) {
  return a.reduce((sum, value, k) => sum + value * b[k], 0);
}
