import assert from "node:assert/strict";
import { test } from "node:test";

import { clockTime, frameAt, marks, steppedBy, within } from "#page/clock.js";

test("a time is brought into the sound, and what is no number is its beginning", () => {
  assert.equal(within(-0.5, 4), 0);
  assert.equal(within(2.5, 4), 2.5);
  assert.equal(within(9, 4), 4);
  assert.equal(within("1.5", 4), 1.5);
  for (const nothing of [NaN, undefined, null, "soon"]) assert.equal(within(nothing, 4), 0);
});

test("a clock shows minutes, seconds and tenths, and carries what is rounded up", () => {
  assert.equal(clockTime(0), "0:00.0");
  assert.equal(clockTime(9.04), "0:09.0");
  assert.equal(clockTime(59.96), "1:00.0");
  assert.equal(clockTime(63.25), "1:03.3");
  assert.equal(clockTime(3599.99), "60:00.0");
});

test("a frame lasts until the next one begins", () => {
  assert.equal(frameAt(0, 30, 90), 0);
  assert.equal(frameAt(0.99 / 30, 30, 90), 0);
  assert.equal(frameAt(1.01 / 30, 30, 90), 1);
  assert.equal(frameAt(99, 30, 90), 89);
  assert.equal(frameAt(-1, 30, 90), 0);
});

test("marks of an axis are at least 70 pixels apart and reach the end", () => {
  assert.deepEqual(marks(4, 280), { step: 1, times: [0, 1, 2, 3, 4] });
  assert.deepEqual(marks(1, 700).times.map((time) => time.toFixed(1)), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]);
  for (const [seconds, width] of [[0.3, 120], [4.578, 900], [19.9, 1194], [60, 3600], [60, 420]]) {
    const { step, times } = marks(seconds, width);
    assert.ok((step * width) / seconds >= 70 - 1e-9, `${seconds} s in ${width}`);
    assert.ok(times.at(-1) <= seconds + 1e-6 && times.at(-1) + step > seconds);
  }
  assert.equal(marks(600, 120).step, 10); // the longest there is
});

test("keys move the playhead by frames and seconds, and stay within the sound", () => {
  const at = (key, seconds, fast = false) => steppedBy(key, fast, seconds, 4, 25);
  const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);
  near(at("ArrowRight", 1), 1.04);
  near(at("ArrowUp", 1), 1.04);
  near(at("ArrowLeft", 1), 0.96);
  near(at("ArrowRight", 1, true), 1.4);
  near(at("ArrowRight", 1.03), 1.04); // from within a frame: to where the next begins
  near(at("ArrowLeft", 1.03), 0.96);
  near(at("PageUp", 1), 2);
  near(at("PageDown", 0.5), 0);
  near(at("Home", 3), 0);
  near(at("End", 3), 4);
  near(at("ArrowRight", 4), 4);
  assert.equal(at("Enter", 1), null);
});

test("a playhead that steps through thirds of a second visits every frame", () => {
  let seconds = 0;
  for (let frame = 1; frame <= 90; frame += 1) {
    seconds = steppedBy("ArrowRight", false, seconds, 10, 30);
    assert.equal(frameAt(seconds + 1e-9, 30, 300), frame);
  }
  for (let frame = 89; frame >= 0; frame -= 1) {
    seconds = steppedBy("ArrowLeft", false, seconds, 10, 30);
    assert.equal(frameAt(seconds + 1e-9, 30, 300), frame);
  }
});
