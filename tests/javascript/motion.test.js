// The arithmetic of the player against memorytalker.rendering.surface: tests/motion_case.py wrote what is expected.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { decoded } from "#page/bytes.js";
import { appearanceOf, MovingHead, spread } from "#page/motion.js";

const { package: content, moments } = JSON.parse(readFileSync(new URL("./motion.json", import.meta.url), "utf8"));

function furthest(found, wanted) {
  assert.equal(found.length, wanted.length);
  return found.reduce((most, value, k) => Math.max(most, Math.abs(value - wanted[k])), 0);
}

const head = () => new MovingHead(appearanceOf(content.appearance), content.motion);

test("points and normals are where Python has them, in frames, between them and beyond the ends", () => {
  const moved = head();
  for (const { frame, positions, normals } of moments) {
    moved.place(frame);
    assert.ok(furthest(moved.positions, decoded(positions)) < 1e-7, `places in frame ${frame}`); // metres
    assert.ok(furthest(moved.normals, decoded(normals)) < 1e-5, `normals in frame ${frame}`);
  }
});

test("what was planted moves and is rounded", () => {
  const [first, second] = moments.map(({ positions }) => decoded(positions));
  assert.ok(furthest(first, second) > 0.01);
  assert.ok(content.appearance.edges.shape[0] > 10);
});

test("a frame does not depend on those shown before", () => {
  const moved = head(), fresh = head();
  for (const frame of [3, 0.5, 2]) moved.place(frame);
  fresh.place(2);
  assert.deepEqual(moved.positions, fresh.positions);
  assert.deepEqual(moved.normals, fresh.normals);
});

test("a head at rest stays at rest", () => {
  const none = { ...content.motion, moving: { type: "uint32", shape: [0], data: "" }, shapes: { type: "int16", shape: [0, 0, 3], data: "" },
    weights: { type: "float32", shape: [4, 0], data: "" } };
  const still = new MovingHead(appearanceOf(content.appearance), none);
  still.place(2);
  assert.deepEqual([...still.positions.subarray(0, 3 * still.appearance.count)], [...decoded(content.appearance.template)]);
});

test("values between two vertices are their mean", () => {
  const appearance = { count: 3, edges: [0, 1, 2, 0] };
  assert.deepEqual([...spread(appearance, [0, 10, 4, 20, 8, 30], 2, new Float32Array(10))], [0, 10, 4, 20, 8, 30, 2, 15, 4, 20]);
});
