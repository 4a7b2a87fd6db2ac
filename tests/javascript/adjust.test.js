import assert from "node:assert/strict";
import { test } from "node:test";

import { changed, chosen, reset, withShape, words } from "#page/adjust.js";
import { UNCHANGED } from "#page/playback.js";

/** What players heard, in place of the document. */
const heard = [];
globalThis.document = { dispatchEvent: ({ type, detail }) => heard.push({ type, ...detail }) };
globalThis.CustomEvent = class { constructor(type, { detail }) { Object.assign(this, { type, detail }); } };

test("changes of one shape after another add up, and players hear of each", () => {
  const [first] = changed("animate", "", 1, 1, "jawOpen", 1.2, 0);
  const [second, said] = changed("animate", first, 0.5, 2, "browInnerUp", 1, -0.1);
  assert.deepEqual(JSON.parse(second), { upper_face: 0.5, lower_face: 2, gains: { jawOpen: 1.2 }, offsets: { browInnerUp: -0.1 } });
  assert.deepEqual(heard.map(({ type, channel, changes }) => [type, channel, changes.upper_face]), [["memorytalker:adjust", "animate", 1], ["memorytalker:adjust", "animate", 0.5]]);
  assert.match(said, /browInnerUp − 0\.10, jawOpen × 1\.20\./);
  assert.deepEqual(chosen(second, "jawOpen"), [1.2, 0]);
  assert.deepEqual(chosen(second, "browInnerUp"), [1, -0.1]);
  assert.deepEqual(chosen("", "browInnerUp"), [1, 0]);
});

test("a shape that is put back is no change", () => {
  const once = withShape(UNCHANGED, "jawOpen", 2, 0.25);
  assert.deepEqual(once, { ...UNCHANGED, gains: { jawOpen: 2 }, offsets: { jawOpen: 0.25 } });
  assert.deepEqual(withShape(once, "jawOpen", 1, 0), { ...UNCHANGED });
  assert.equal(words(UNCHANGED), "");
});

test("all changes are undone at once", () => {
  heard.length = 0;
  assert.deepEqual(reset("animate"), ["", "", 1, 1, 1, 0]);
  assert.deepEqual(heard, [{ type: "memorytalker:adjust", channel: "animate", changes: UNCHANGED }]);
});
