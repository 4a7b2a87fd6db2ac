import assert from "node:assert/strict";
import { test } from "node:test";

import {
  factorWords, heatPixels, openingPath, recalledAt, rowAt, SIGNED, signed, slotName, unpacked, VIRIDIS, viridis,
  walkedBy, wavePath, wordsAt,
} from "#page/memory_data.js";

const base64 = (values) => Buffer.from(values.buffer).toString("base64");

/** Three slots over four frames at 2 Hz. */
function planted(more = {}) {
  const address = new Uint8Array([255, 0, 0, 128, 127, 0, 0, 0, 255, 102, 77, 76]);
  const wave = new Int8Array([-10, 20, -127, 127]);
  return unpacked({
    seconds: 2, fps: 2, labels: ["sil", "aa", "t"], address: base64(address), wave: base64(wave),
    opening: base64(new Float32Array([0, 2.5, 12.25, 1])), ...more,
  });
}

test("a value is decoded, and its curve reaches to the next 5 mm", () => {
  const data = planted();
  assert.equal(data.frames, 4);
  assert.deepEqual([...data.wave], [-10, 20, -127, 127]);
  assert.deepEqual([...data.opening], [0, 2.5, 12.25, 1]);
  assert.equal(data.reach, 15);
  assert.equal(planted({ opening: base64(new Float32Array([0.5])) }).reach, 5);
  const without = planted({ opening: null });
  assert.equal(without.opening, null);
  assert.equal(without.reach, 5);
});

test("colours are those of the table at its steps, mixed between, and ever lighter", () => {
  VIRIDIS.forEach((color, k) => assert.deepEqual(viridis(k / 9), color));
  assert.deepEqual(viridis(0.5 / 9), [70, 21, 102]);
  assert.deepEqual(viridis(1.5), VIRIDIS.at(-1));
  const light = Array.from({ length: 101 }, (_, k) => viridis(k / 100)).map(([r, g, b]) => 0.21 * r + 0.72 * g + 0.07 * b);
  assert.ok(light.every((value, k) => k === 0 || value > light[k - 1]));
});

test("pixels of the heatmap stand in the row of their slot and the column of their frame", () => {
  const pixels = heatPixels(planted(), [2, 0]);
  const at = (row, frame) => [...pixels.subarray(4 * (4 * row + frame), 4 * (4 * row + frame) + 4)];
  assert.equal(pixels.length, 32);
  assert.deepEqual(at(0, 2), [...VIRIDIS.at(-1), 255]); // slot 2 in frame 2
  assert.deepEqual(at(1, 0), [...VIRIDIS.at(-1), 255]); // slot 0 in frame 0
  assert.deepEqual(at(0, 0), [...VIRIDIS[0], 255]);
  assert.deepEqual(at(1, 3), [...viridis(102 / 255), 255]);
});

test("the outline of the sound fills its lane, and silence is a line in its middle", () => {
  assert.equal(wavePath(new Int8Array([-10, 20, -127, 127])), "M0 42.6L1 3.0L1 97.0L0 53.7Z");
  assert.equal(wavePath(new Int8Array([0, 0, 0, 0])), "M0 50.0L1 50.0L1 50.0L0 50.0Z");
  assert.equal(wavePath(new Int8Array([-1, 1])), "M0 42.2L0 57.8Z"); // what is hardly there stays small
});

test("the area of the opening is closed and has each value in the middle of its frame", () => {
  assert.equal(openingPath(new Float32Array([0, 2.5]), 5), "M0 100L0 100.00L0.5 100.00L1.5 50.00L2 50.00L2 100Z");
});

test("words say the largest shares first, leave out the small, and add the row asked for", () => {
  const data = planted();
  assert.equal(wordsAt(data, 0), "0.00 s: silence 100 %; lips 0.0 mm apart");
  assert.equal(wordsAt(data, 0.6), "0.60 s: silence 50 %, /aa/ 50 %; lips 2.5 mm apart");
  assert.equal(wordsAt(data, 9), "9.00 s: silence 40 %, /aa/ 30 %, /t/ 30 %; lips 1.0 mm apart");
  assert.equal(wordsAt(planted({ opening: null }), 1.2, 0), "1.20 s: /t/ 100 %");
  const four = unpacked({
    seconds: 1, fps: 1, labels: ["a", "b", "c", "d"], address: base64(new Uint8Array([100, 80, 60, 15])),
    wave: "", opening: null,
  });
  assert.equal(wordsAt(four, -1, 3), "0.00 s: /a/ 39 %, /b/ 31 %, /c/ 24 % (/d/ 6 %)");
  assert.deepEqual(["sil", "sh"].map((label) => slotName(label)), ["silence", "/sh/"]);
});

test("a row is hit from its top to just above its bottom, and a gap between two hits none", () => {
  const rows = [[7, { top: 10, bottom: 20 }], [3, { top: 20, bottom: 30 }], [5, { top: 34, bottom: 44 }]];
  const hit = (y) => rowAt(rows, y)?.[0];
  assert.deepEqual([9.9, 10, 19.9, 20, 30, 34, 44].map(hit), [undefined, 7, 7, 3, undefined, 5, undefined]);
});

test("keys walk round and round among the slots", () => {
  assert.deepEqual(["ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "Home", "End"].map((key) => walkedBy(key, 0, 40)), [1, 1, 39, 39, 0, 39]);
  assert.equal(walkedBy("ArrowDown", 39, 40), 0);
  assert.equal(walkedBy("Enter", 3, 40), null);
  assert.equal(walkedBy("ArrowDown", -1, 40), null); // the focus is elsewhere
});

test("by style a cell is bright where a slot is read and its weight is far from the average, signed", () => {
  assert.deepEqual([-1, 0, 1].map(signed), SIGNED);
  const pixels = heatPixels(planted({ style: [1.2, 0.8, 1] }), [0, 1, 2], true);
  const at = (row, frame) => [...pixels.subarray(4 * (4 * row + frame), 4 * (4 * row + frame) + 3)];
  assert.deepEqual(at(0, 0), SIGNED[2]); // silence fully read, weight 20 % above: the largest there is
  assert.deepEqual(at(1, 0), SIGNED[1]); // not read
  assert.deepEqual(at(2, 2), SIGNED[1]); // fully read, as the average speaker
  assert.ok(at(1, 3)[2] > at(1, 3)[0]); // read in part, weight below
  const without = heatPixels(planted({ style: null }), [0], true);
  assert.deepEqual([...without.subarray(0, 3)], VIRIDIS.at(-1)); // the neutral style has nothing to sign
});

test("what is recalled is said with a sample word, and factors near 1 are close to average", () => {
  const data = planted({ words: ["", "father", "tea"] });
  assert.equal(recalledAt(data, 0), "silence, 100 %");
  assert.equal(recalledAt(data, 1.2), "t, as in tea, 100 %");
  assert.equal(recalledAt(planted(), 1.2), "t, 100 %");
  assert.match(wordsAt(data, 1.2), /\/t\/ \(tea\) 100 %/);
  assert.equal(factorWords(1.049, "the average speaker"), "1.05 ×, close to average");
  assert.equal(factorWords(1.3, "the average speaker"), "1.30 × the average speaker");
});
