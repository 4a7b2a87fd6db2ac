import assert from "node:assert/strict";
import { test } from "node:test";

import { IdleCurves, lidAt } from "#page/idle.js";
import { wavOf } from "#page/record.js";
import { Curves, Pose } from "#page/playback.js";
import { rotation } from "#page/viewing.js";

const base64 = (values) => Buffer.from(values.buffer).toString("base64");
const grid = Array.from({ length: 6000 }, (_, k) => k / 100); // a minute

test("a waiting face blinks as people do, looks about a little and never moves its mouth", () => {
  const curves = new IdleCurves();
  assert.ok(!curves.names.some((name) => /mouth|jaw|tongue|cheek/.test(name)));
  const closings = grid.filter((time, k) => k && lidAt(time) > 0.5 && lidAt(grid[k - 1]) <= 0.5);
  assert.ok(closings.length >= 10 && closings.length <= 32, `${closings.length} blinks a minute`);
  for (const time of grid) {
    const weights = curves.at(time, []);
    assert.ok(weights.every((weight) => weight >= 0 && weight <= 1));
    assert.ok(weights.every((weight, k) => weight < 0.15 || curves.names[k].startsWith("eyeBlink")));
    assert.ok(curves.turnAt(time).every((angle) => Math.abs(angle) < 0.02));
  }
  assert.ok(grid.some((time) => lidAt(time) > 0.95));
});

test("a rotation is that of the neck: yaw turns to the head's own left, pitch nods, roll first", () => {
  const near = (found, wanted) => found.forEach((value, k) => assert.ok(Math.abs(value - wanted[k]) < 1e-12));
  near(rotation([0, 0, 0]), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  near(rotation([Math.PI / 2, 0, 0]), [0, 0, 1, 0, 1, 0, -1, 0, 0]); // what looked to +z looks to +x
  near(rotation([0, Math.PI / 2, 0]), [1, 0, 0, 0, 0, -1, 0, 1, 0]);
  near(rotation([0, 0, Math.PI / 2]), [0, -1, 0, 1, 0, 0, 0, 0, 1]);
});

test("the neutral style takes the place of the voice's and back, and only where it fits", () => {
  const packed = (...weights) => base64(Uint16Array.from(weights, (weight) => Math.round(65535 * weight)));
  const curves = new Curves({ names: ["jawOpen"], upper: [], fps: 10, weights: packed(0, 0.5, 1) });
  const now = () => Math.round(1000 * curves.at(0.1, [])[0]) / 1000;
  const other = { frames: 3, names: ["jawOpen"], weights: packed(0, 0.25, 0.5), apart: base64(new Float32Array([0, 1.5, 3])) };
  assert.equal(curves.compareWith({ ...other, frames: 2 }), false);
  curves.inStyle(false);
  assert.equal(now(), 0.5); // there is none
  assert.equal(curves.compareWith(other), true);
  curves.inStyle(false);
  assert.equal(now(), 0.25);
  assert.equal(curves.apartAt(0.1), 1.5);
  curves.inStyle(true);
  assert.equal(now(), 0.5);
  curves.inStyle(false);
  curves.compareWith(null);
  assert.equal(now(), 0.5);
  assert.deepEqual(new Pose(["jawOpen"], [0.7]).at(9, []), [0.7]);
});

test("without expression eyes, brows and head are still, and the mouth goes on", () => {
  const turns = base64(new Float32Array([0.1, 0.2, 0.3]));
  const weights = base64(new Uint16Array([65535, 65535]));
  const curves = new Curves({ names: ["eyeBlinkLeft", "jawOpen"], upper: [], fps: 10, weights, turns });
  curves.enliven(false);
  assert.deepEqual([curves.at(0, []), curves.turnAt(0)], [[0, 1], [0, 0, 0]]);
  curves.enliven(true);
  assert.deepEqual(curves.at(0, []), [1, 1]);
});

test("turns lie on the line between two frames", () => {
  const turns = base64(new Float32Array([0, 0, 0, 0.1, 0.2, -0.1]));
  const curves = new Curves({ names: ["jawOpen"], upper: [], fps: 10, weights: base64(new Uint16Array(2)), turns });
  curves.turnAt(0.05).forEach((angle, k) => assert.ok(Math.abs(angle - [0.05, 0.1, -0.05][k]) < 1e-6));
});

test("a recording becomes a WAV file of 16-bit PCM at 16 kHz", () => {
  const bytes = Buffer.from(wavOf(new Float32Array([0, 0.5, -2])));
  assert.equal(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16), "RIFFWAVEfmt ");
  assert.deepEqual([22, 34].map((place) => bytes.readUInt16LE(place)), [1, 16]);
  assert.deepEqual([4, 24, 28, 40].map((place) => bytes.readUInt32LE(place)), [42, 16000, 32000, 6]);
  assert.deepEqual([44, 46, 48].map((place) => bytes.readInt16LE(place)), [0, 16384, -32767]);
});
