import assert from "node:assert/strict";
import { test } from "node:test";

import { bytesOf, decoded } from "#page/bytes.js";
import { areSounds } from "#page/files.js";
import { FORMAT, FormatError, opened } from "#page/package.js";

const base64 = (values) => Buffer.from(values.buffer).toString("base64");

test("every byte survives base64, and the buffer is its own", () => {
  const all = Uint8Array.from({ length: 256 }, (_, k) => k);
  const found = bytesOf(base64(all));
  assert.deepEqual(found, all);
  assert.equal(found.buffer.byteLength, 256);
  assert.equal(bytesOf("").length, 0);
});

test("arrays are read in their type, little-endian, with their shape", () => {
  const planted = {
    float32: new Float32Array([1.5, -0.25, 1e-20]), int16: new Int16Array([-32768, 0, 32767]), uint8: new Uint8Array([0, 255]),
    uint16: new Uint16Array([65535, 1]), uint32: new Uint32Array([4294967295, 7]),
  };
  for (const [type, values] of Object.entries(planted)) {
    const found = decoded({ type, shape: [values.length, 1], data: base64(values) });
    assert.deepEqual([...found], [...values], type);
    assert.deepEqual(found.shape, [values.length, 1]);
    assert.equal(found.constructor, values.constructor);
  }
  assert.deepEqual([...decoded({ type: "uint16", shape: [1], data: "AQI=" })], [0x0201]);
});

test("a package of the format known is opened, and any other is refused in a sentence for the visitor", () => {
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

test("sound is distinguished from video and from files without a type", () => {
  assert.ok(areSounds([]));
  assert.ok(areSounds([{ type: "audio/wav" }, { type: "audio/x-any" }]));
  assert.ok(!areSounds([{ type: "audio/wav" }, { type: "video/webm" }]));
  assert.ok(!areSounds([{ type: "" }]));
});
