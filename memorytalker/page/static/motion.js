// Computes positions and normals of a head's fine mesh from a package of memorytalker.rendering.web_package, frame by
// frame, as memorytalker.rendering.surface does. Arithmetic only, no WebGL.

import { decoded } from "./bytes.js";

/** What a head looks like at rest. */
export function appearanceOf(fields) {
  const names = ["template", "faces", "edges", "fineFaces", "colors", "finishes", "sky", "keys"];
  const arrays = Object.fromEntries(names.map((name) => [name, decoded(fields[name])]));
  return { ...fields, ...arrays, count: arrays.template.length / 3, fine: arrays.template.length / 3 + arrays.edges.length / 2 };
}

/** Values per given vertex (width numbers each) -> per fine vertex: those between two others are their mean. */
export function spread(appearance, values, width, result) {
  const { count, edges } = appearance;
  result.set(values);
  for (let e = 0, out = count * width; e < edges.length; e += 2) {
    const a = edges[e] * width, b = edges[e + 1] * width;
    for (let k = 0; k < width; k += 1, out += 1) result[out] = 0.5 * (values[a + k] + values[b + k]);
  }
  return result;
}

/** One head in motion. `positions` and `normals` are those of the fine mesh at the time of the last `place`. */
export class MovingHead {
  constructor(appearance, fields) {
    this.appearance = appearance;
    this.moving = decoded(fields.moving);
    this.shapes = Float32Array.from(decoded(fields.shapes));
    this.weights = decoded(fields.weights);
    [this.frames, this.rank] = this.weights.shape;
    this.positions = new Float32Array(appearance.fine * 3);
    this.normals = new Float32Array(appearance.fine * 3);
    this.raw = new Float32Array(appearance.count * 3); // normals before they are brought to length 1
    this.positions.set(appearance.template);
    const everyFace = Uint32Array.from({ length: appearance.faces.length / 3 }, (_, f) => f);
    const everyVertex = Uint32Array.from({ length: appearance.count }, (_, v) => v);
    this.#addNormals(everyFace);
    this.#normalise(everyVertex);
    this.#refine(Uint32Array.from({ length: appearance.edges.length / 2 }, (_, e) => e));
    this.#findTouched();
    this.place(0);
  }

  /** What changes when the moving vertices move: faces, the vertices whose normals they make, the edges at these. */
  #findTouched() {
    const { faces, edges, count } = this.appearance;
    const moves = new Uint8Array(count), touched = new Uint8Array(count);
    for (const vertex of this.moving) moves[vertex] = 1;
    const movingFaces = [];
    for (let f = 0; f < faces.length; f += 3) {
      if (moves[faces[f]] || moves[faces[f + 1]] || moves[faces[f + 2]]) {
        movingFaces.push(f / 3);
        touched[faces[f]] = touched[faces[f + 1]] = touched[faces[f + 2]] = 1;
      }
    }
    this.movingFaces = Uint32Array.from(movingFaces);
    this.touched = Uint32Array.from({ length: count }, (_, v) => v).filter((v) => touched[v] || moves[v]);
    this.touchedEdges = Uint32Array.from({ length: edges.length / 2 }, (_, e) => e).filter(
      (e) => touched[edges[2 * e]] || touched[edges[2 * e + 1]],
    );
    // What faces that never move add to the normals of touched vertices stays.
    const still = new Uint8Array(faces.length / 3).fill(1);
    for (const face of this.movingFaces) still[face] = 0;
    this.raw.fill(0);
    this.#addNormals(Uint32Array.from({ length: still.length }, (_, f) => f).filter((f) => still[f]));
    this.rest = this.raw.slice();
  }

  /** Move to a frame; between two frames every vertex is on the straight line from one to the other. */
  place(frame) {
    const { moving, shapes, weights, rank, positions } = this;
    const template = this.appearance.template;
    const at = Math.min(Math.max(frame, 0), this.frames - 1);
    const first = Math.floor(at), second = Math.min(first + 1, this.frames - 1), share = at - first;
    const size = moving.length * 3;
    const sum = (this.sum ??= new Float32Array(size));
    sum.fill(0);
    for (let k = 0; k < rank; k += 1) {
      const weight = (1 - share) * weights[first * rank + k] + share * weights[second * rank + k];
      for (let i = 0, s = k * size; i < size; i += 1, s += 1) sum[i] += weight * shapes[s];
    }
    for (let m = 0, i = 0; m < moving.length; m += 1) {
      const v = 3 * moving[m];
      positions[v] = template[v] + sum[i++];
      positions[v + 1] = template[v + 1] + sum[i++];
      positions[v + 2] = template[v + 2] + sum[i++];
    }
    for (const v of this.touched) {
      this.raw[3 * v] = this.rest[3 * v];
      this.raw[3 * v + 1] = this.rest[3 * v + 1];
      this.raw[3 * v + 2] = this.rest[3 * v + 2];
    }
    this.#addNormals(this.movingFaces);
    this.#normalise(this.touched);
    this.#refine(this.touchedEdges);
  }

  /** Add each face's normal, as long as twice its area, to its three corners. */
  #addNormals(which) {
    const p = this.positions, raw = this.raw, faces = this.appearance.faces;
    for (const face of which) {
      const a = 3 * faces[3 * face], b = 3 * faces[3 * face + 1], c = 3 * faces[3 * face + 2];
      const ux = p[b] - p[a], uy = p[b + 1] - p[a + 1], uz = p[b + 2] - p[a + 2];
      const vx = p[c] - p[a], vy = p[c + 1] - p[a + 1], vz = p[c + 2] - p[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      raw[a] += x; raw[a + 1] += y; raw[a + 2] += z;
      raw[b] += x; raw[b + 1] += y; raw[b + 2] += z;
      raw[c] += x; raw[c + 1] += y; raw[c + 2] += z;
    }
  }

  #normalise(which) {
    const raw = this.raw, normals = this.normals;
    for (const vertex of which) {
      const v = 3 * vertex;
      const length = Math.max(Math.hypot(raw[v], raw[v + 1], raw[v + 2]), 1e-20);
      normals[v] = raw[v] / length;
      normals[v + 1] = raw[v + 1] / length;
      normals[v + 2] = raw[v + 2] / length;
    }
  }

  /** Places and normals of the vertices between two given ones: Phong tessellation, as in the videos. */
  #refine(which) {
    const { edges, count, roundness } = this.appearance;
    const p = this.positions, n = this.normals, rise = 0.25 * roundness;
    for (const e of which) {
      const a = 3 * edges[2 * e], b = 3 * edges[2 * e + 1], out = 3 * (count + e);
      const x = p[b] - p[a], y = p[b + 1] - p[a + 1], z = p[b + 2] - p[a + 2];
      const onB = rise * (x * n[b] + y * n[b + 1] + z * n[b + 2]);
      const onA = rise * (x * n[a] + y * n[a + 1] + z * n[a + 2]);
      for (let k = 0; k < 3; k += 1) {
        p[out + k] = 0.5 * (p[a + k] + p[b + k]) + onB * n[b + k] - onA * n[a + k];
        n[out + k] = n[a + k] + n[b + k];
      }
      const length = Math.max(Math.hypot(n[out], n[out + 1], n[out + 2]), 1e-20);
      n[out] /= length; n[out + 1] /= length; n[out + 2] /= length;
    }
  }
}
