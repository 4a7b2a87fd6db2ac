import assert from "node:assert/strict";
import { test } from "node:test";

import { bytesOf } from "#page/bytes.js";
import { areSounds } from "#page/files.js";
import { Morphs } from "#page/morphs.js";
import { Curves, FORMAT, FormatError, opened, UNCHANGED } from "#page/playback.js";

const base64 = (values) => Buffer.from(values.buffer).toString("base64");
/** Two curves over three frames at 10 Hz: 0, 0.5, 1 and 0.25, 0.25, 0.75. */
const content = {
  names: ["browInnerUp", "jawOpen"], upper: ["browInnerUp"], fps: 10,
  weights: base64(Uint16Array.from([0, 0.25, 0.5, 0.25, 1, 0.75], (weight) => Math.round(65535 * weight))),
};
const at = (seconds, changes = {}) => {
  const curves = new Curves(content);
  curves.adjust({ ...UNCHANGED, ...changes });
  return curves.at(seconds, []).map((weight) => Math.round(1e4 * weight) / 1e4);
};

test("every byte survives base64, and the buffer is its own", () => {
  const all = Uint8Array.from({ length: 256 }, (_, k) => k);
  const found = bytesOf(base64(all));
  assert.deepEqual(found, all);
  assert.equal(found.buffer.byteLength, 256);
  assert.equal(bytesOf("").length, 0);
});

test("a value of the format known is opened, and any other is refused in a sentence for the visitor", () => {
  assert.equal(opened(JSON.stringify({ format: FORMAT, fps: 30 })).fps, 30);
  for (const other of [{ format: FORMAT + 1 }, { format: FORMAT - 1 }, { format: String(FORMAT) }, { fps: 30 }, [], null, 7]) {
    assert.throws(() => opened(JSON.stringify(other)), (problem) => {
      assert.ok(problem instanceof FormatError);
      assert.equal(problem.message, "This page was loaded before an update; reload it.");
      return true;
    });
  }
  assert.throws(() => opened("{"), SyntaxError);
});

test("curves are at their weights in frames, between them and beyond the ends", () => {
  assert.deepEqual(at(0), [0, 0.25]);
  assert.deepEqual(at(0.1), [0.5, 0.25]);
  assert.deepEqual(at(0.125), [0.625, 0.375]);
  assert.deepEqual(at(-1), [0, 0.25]);
  assert.deepEqual(at(9), [1, 0.75]);
});

test("strengths, gains and offsets change the curves they name, within 0 and 1", () => {
  assert.deepEqual(at(0.1, { upper_face: 0.5 }), [0.25, 0.25]);
  assert.deepEqual(at(0.1, { lower_face: 2 }), [0.5, 0.5]);
  assert.deepEqual(at(0.1, { gains: { jawOpen: 3 }, lower_face: 0.5 }), [0.5, 0.375]);
  assert.deepEqual(at(0.1, { offsets: { jawOpen: 0.2, browInnerUp: -0.9, tongueOut: 1 } }), [0, 0.45]);
  assert.deepEqual(at(0.15, { upper_face: 2 }), [1, 0.5]); // each frame is held within 0 and 1 before the line between them
  assert.deepEqual(at(0.05, { upper_face: 4 }), [0.5, 0.25]);
});

test("a mesh lies at rest plus its targets times their influences", () => {
  const attributes = { position: { array: Float32Array.of(1, 2, 3, 4, 5, 6) }, normal: { array: Float32Array.of(0, 0, 1, 0, 0, 1) } };
  const target = (...values) => ({ array: Float32Array.from(values) });
  const geometry = { attributes, morphAttributes: { position: [target(0, 0, 0, 1, 0, -1), target(2, 0, 0, 0, 0, 4)], normal: [target(0, 1, 0, 0, 0, 0), target(0, 0, 0, 0, 0, 0)] } };
  const morphs = new Morphs(geometry);
  assert.deepEqual(geometry.morphAttributes, {}); // or three.js would add them once more
  for (const influences of [[1, 0.5], [0, 0], [0.5, 0.25]]) {
    const [one, other] = influences;
    morphs.place(influences);
    assert.deepEqual([...attributes.position.array], [1 + 2 * other, 2, 3, 4 + one, 5, 6 - one + 4 * other]);
    assert.deepEqual([...attributes.normal.array], [0, one, 1, 0, 0, 1]);
    assert.ok(attributes.position.needsUpdate);
  }
});

test("sound is distinguished from video and from files without a type", () => {
  assert.ok(areSounds([]));
  assert.ok(areSounds([{ type: "audio/wav" }, { type: "audio/x-any" }]));
  assert.ok(!areSounds([{ type: "audio/wav" }, { type: "video/webm" }]));
  assert.ok(!areSounds([{ type: "" }]));
});
