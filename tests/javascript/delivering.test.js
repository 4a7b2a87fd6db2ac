import assert from "node:assert/strict";
import { test } from "node:test";

import { DeliveredIdle, keyOf, turned, turnStrength } from "#page/delivering.js";
import { IdleCurves } from "#page/idle.js";
import { Curves } from "#page/playback.js";

import * as library from "../../web/src/delivery.js";

const base64 = (values) => Buffer.from(values.buffer).toString("base64");
const packed = (...weights) => base64(Uint16Array.from(weights, (weight) => Math.round(65535 * weight)));
const rounded = (weights) => weights.map((weight) => Math.round(1e3 * weight) / 1e3);
const still = { start: 0, gains: {}, offsets: {}, moods: {}, head_motion: 0.5 };
const names = ["browInnerUp", "jawOpen"];
const content = { names, upper: ["browInnerUp"], fps: 10, weights: packed(0, 0.4, 0, 0.4, 0, 0.4), turns: base64(new Float32Array(9).fill(0.1)) };
const plain = {
  frames: 3, names, weights: packed(0.1, 0.4, 0.1, 0.4, 0.1, 0.4), turns: base64(new Float32Array(9).fill(0.2)),
  speaking: base64(new Float32Array(3)), deliveries: [still],
};

test("deliveries are the same whatever the order of their parts, and what changes nothing is left out", () => {
  const one = [{ start: 0, gains: { jaw: 1.2, brows: 1 }, offsets: { corners: 0.1 }, moods: {}, head_motion: 0.5 }];
  const other = [{ head_motion: 0.50001, moods: { joy: 0 }, offsets: { corners: 0.1, brows: 0 }, gains: { jaw: 1.2 }, start: 0 }];
  assert.equal(keyOf(one), keyOf(other));
  assert.notEqual(keyOf(one), keyOf([{ ...one[0], start: 1 }]));
  assert.notEqual(keyOf(one), keyOf([{ ...one[0], moods: { joy: 0.2 } }]));
});

test("the head turns by its motion times its gain, eased from one moment to the next, and not too far", () => {
  const deliveries = [{ start: 0, head_motion: 0.2 }, { start: 2, head_motion: 1, gains: { head: 0.5 } }];
  assert.equal(turnStrength(deliveries, 0), 0.2);
  assert.ok(Math.abs(turnStrength(deliveries, 2) - 0.6 * 0.75) < 1e-9);
  assert.equal(turnStrength(deliveries, 4), 0.5);
  assert.deepEqual(turned([0.1, -0.2, 9], 2), [0.2, -0.4, (40 * Math.PI) / 180]);
});

test("sliders act on the motion before them, and their first place is the value itself", () => {
  const curves = new Curves(content);
  curves.deliver([still], library);
  assert.equal(curves.moved, false); // the motion before them has not come yet
  curves.startFrom(plain);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0, 0.4]);
  assert.deepEqual(rounded(curves.turnAt(0.1)), [0.1, 0.1, 0.1]);
  curves.deliver([{ ...still, gains: { jaw: 1.5 }, head_motion: 1 }], library);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0.1, 0.6]);
  assert.deepEqual(rounded(curves.turnAt(0.1)), [0.2, 0.2, 0.2]);
  curves.deliver([still], library);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0, 0.4]);
  curves.startFrom({ ...plain, frames: 7 });
  assert.equal(curves.plain, null); // of another value
});

test("without the style of the voice the sliders stay where they are", () => {
  const curves = new Curves(content);
  curves.startFrom({ ...plain, deliveries: [{ ...still, gains: { jaw: 1.5 } }] });
  curves.deliver([{ ...still, gains: { jaw: 1.5 } }], library);
  assert.deepEqual(rounded(curves.at(0, [])), [0, 0.4]); // as it came, with the gain in it
  curves.compareWith({ frames: 3, names, weights: packed(0, 0.2, 0, 0.2, 0, 0.2), apart: base64(new Float32Array(3)) });
  curves.inStyle(false);
  assert.deepEqual(rounded(curves.at(0, [])), [0, 0.3]);
  curves.deliver([still], library);
  assert.deepEqual(rounded(curves.at(0, [])), [0, 0.2]);
});

test("a face without expression still feels what the sliders say", () => {
  const curves = new Curves(content);
  curves.enliven(false);
  curves.startFrom(plain);
  curves.deliver([{ ...still, moods: { sadness: 1 } }], library);
  assert.ok(curves.at(0, [])[0] > 0.3); // the brows of the mood
  curves.deliver([still], library);
  assert.deepEqual(rounded(curves.at(0, [])), [0, 0.4]); // those of expression are left out
  curves.enliven(true);
  curves.deliver([{ ...still, gains: { jaw: 1.5 } }], library);
  assert.deepEqual(rounded(curves.at(0, [])), [0.1, 0.6]);
});

test("moods and brows follow the voice at once where that is known, and where the value does already", () => {
  const excited = { ...plain, arousal: base64(new Float32Array(3).fill(0.8)), heard: false };
  const curves = new Curves(content);
  curves.startFrom(excited);
  curves.deliver([still], library, true);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0.14, 0.4]); // brows of 0.1, and 0.5 of 0.8 more
  curves.deliver([still], library, false);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0, 0.4]); // the value itself
  curves.startFrom({ ...excited, heard: true });
  curves.deliver([still], library, true);
  assert.equal(curves.moved, false);
  curves.deliver([still], library, false);
  assert.deepEqual(rounded(curves.at(0.1, [])), [0.1, 0.4]);
  curves.startFrom(plain); // of a voice of which nothing is known
  curves.deliver([still], library, true);
  assert.equal(curves.moved, false);
});

test("a waiting face feels what the sliders say, and blinks on", () => {
  const face = new DeliveredIdle(new IdleCurves(), new library.Delivery([{ moods: { joy: 1 } }], []));
  const weights = face.at(0.05, []);
  const smile = weights[face.names.indexOf("mouthSmileLeft")];
  assert.ok(smile > 0.2, smile);
  const lids = Array.from({ length: 200 }, (_, k) => face.at(k / 20, [])[face.names.indexOf("eyeBlinkLeft")]);
  assert.ok(Math.max(...lids) > 0.7 && face.turnAt(1).length === 3);
});
