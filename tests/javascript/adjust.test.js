import assert from "node:assert/strict";
import { test } from "node:test";

import { chosen, reset, reshaped, strengthened, withShape, words } from "#page/adjust.js";
import { UNCHANGED } from "#page/playback.js";

/** What players heard, in place of the document. */
const heard = [];
globalThis.document = { dispatchEvent: ({ type, detail }) => heard.push({ type, ...detail }) };
globalThis.CustomEvent = class { constructor(type, { detail }) { Object.assign(this, { type, detail }); } };

test("changes of one shape after another add up, and players hear of each", () => {
  reshaped("animate", "jawOpen", "gains", 1.2);
  assert.deepEqual(chosen("animate", "browInnerUp"), [1, 0]);
  reshaped("animate", "jawOpen", "gains", 1); // the slider follows the choice
  reshaped("animate", "jawOpen", "offsets", -0.1);
  const [last, said] = strengthened("animate", "lower_face", 2);
  assert.deepEqual(JSON.parse(last), { upper_face: 1, lower_face: 2, gains: { jawOpen: 1.2 }, offsets: { browInnerUp: -0.1 } });
  assert.deepEqual(heard.map(({ type, channel }) => [type, channel]), Array(4).fill(["memorytalker:adjust", "animate"]));
  assert.deepEqual(heard.at(-1).changes, JSON.parse(last));
  assert.match(said, /browInnerUp − 0\.10, jawOpen × 1\.20\./);
  assert.deepEqual(chosen("animate", "jawOpen"), [1.2, 0]);
  assert.deepEqual(chosen("animate", "browInnerUp"), [1, -0.1]);
  assert.deepEqual(chosen("another", "browInnerUp"), [1, 0]);
});

test("a shape that is put back is no change", () => {
  const once = withShape(UNCHANGED, "gains", "jawOpen", 2);
  assert.deepEqual(once, { ...UNCHANGED, gains: { jawOpen: 2 } });
  assert.deepEqual(withShape(once, "gains", "jawOpen", 1), { ...UNCHANGED });
  assert.deepEqual(withShape(UNCHANGED, "offsets", "jawOpen", 0), { ...UNCHANGED });
  assert.equal(words(UNCHANGED), "");
});

test("all changes are undone at once", () => {
  heard.length = 0;
  assert.deepEqual(reset("animate"), [JSON.stringify(UNCHANGED), "", 1, 1, 1, 0]);
  assert.deepEqual(heard, [{ type: "memorytalker:adjust", channel: "animate", changes: UNCHANGED }]);
  assert.deepEqual(chosen("animate", "jawOpen"), [1, 0]);
});
