import assert from "node:assert/strict";
import { test } from "node:test";

import { between, fieldOfView, shorterTurn } from "#page/viewing.js";

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

test("a turn takes the shorter way, also across the back and after whole turns", () => {
  near(shorterTurn(0, 1), 1);
  near(shorterTurn(1, 0), -1);
  near(shorterTurn(-3, 3), 6 - 2 * Math.PI);
  near(shorterTurn(3, -3), 2 * Math.PI - 6);
  near(shorterTurn(0.5 + 8 * Math.PI, 1), 0.5);
  near(shorterTurn(0.5 - 8 * Math.PI, 1), 0.5);
});

test("a stage that is narrower than high sees as much across as a square one", () => {
  near(fieldOfView(20, 1), 20);
  near(fieldOfView(20, 2), 20);
  const half = Math.tan((fieldOfView(20, 0.5) * Math.PI) / 360);
  near(half * 0.5, Math.tan(Math.PI / 18));
});

test("light lies between the two nearest azimuths, all round", () => {
  const azimuths = [-180, -90, 0, 90];
  assert.deepEqual(between(45, azimuths), { first: 2, second: 3, share: 0.5 });
  assert.deepEqual(between(0, azimuths), { first: 2, second: 3, share: 0 });
  assert.deepEqual(between(-180, azimuths), { first: 0, second: 1, share: 0 });
  const across = between(171, azimuths);
  assert.deepEqual([across.first, across.second], [3, 0]);
  near(across.share, 0.9);
  assert.equal(between(180, azimuths).share, 1);
  assert.deepEqual(between(77, [0]), { first: 0, second: 0, share: 0 });
  const [early, late] = [between(-179, [-170, 10]), between(179, [-170, 10])];
  assert.deepEqual([early.first, early.second, late.first, late.second], [1, 0, 1, 0]);
  near(early.share, 171 / 180);
  near(late.share, 169 / 180);
});
