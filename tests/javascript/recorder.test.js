// The one recorder behind "Record" and "Film myself": a press begins, the next ends, and it ends by itself.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { recorder } from "#page/recorder.js";

const stopped = [];

/** A MediaRecorder that gives two pieces and ends a moment after it is told to, as a browser's does. */
class FakeRecorder extends EventTarget {
  constructor(stream, settings) {
    super();
    Object.assign(this, { stream, settings, state: "inactive", mimeType: settings.mimeType ?? "audio/webm" });
  }

  start(slice) {
    Object.assign(this, { slice, state: "recording" });
  }

  stop() {
    this.state = "inactive";
    setTimeout(() => {
      for (const piece of ["one", "two"]) this.dispatchEvent(Object.assign(new Event("dataavailable"), { data: new Blob([piece]) }));
      this.dispatchEvent(new Event("stop"));
    });
  }
}

function page(getUserMedia) {
  const classes = new Set();
  const button = { textContent: "Record", classList: { add: (name) => classes.add(name), remove: (name) => classes.delete(name) }, classes };
  globalThis.document = { getElementById: () => button };
  globalThis.MediaRecorder = FakeRecorder;
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { mediaDevices: { getUserMedia } } });
  return button;
}

const stream = { getTracks: () => [{ stop: () => stopped.push("sound") }, { stop: () => stopped.push("picture") }] };

/** A kind of recorder, and what it was called with. */
function kind(more = {}) {
  const called = [];
  const note = (name) => (...values) => called.push([name, ...values]);
  return { called, constraints: { audio: true }, longest: 1e6, begun: note("begun"), ended: note("ended"), refused: note("refused"), ...more };
}

async function until(condition) {
  for (let k = 0; k < 400 && !condition(); k += 1) await new Promise((wake) => setTimeout(wake, 5));
  assert.ok(condition());
}

afterEach(() => {
  stopped.length = 0;
  delete globalThis.document;
  delete globalThis.MediaRecorder;
});

test("a press begins and the next ends, and everything is let go", async () => {
  let wanted;
  const button = page(async (constraints) => { wanted = constraints; return stream; });
  const one = kind({ stopping: (field) => `End ${field} `, settings: () => ({ mimeType: "video/webm" }), slice: 1000 });
  const press = recorder(one);
  assert.deepEqual(await press("record", "sound", "Record"), []);
  assert.deepEqual(wanted, { audio: true });
  assert.match(button.textContent, /^■ End sound \d+ s$/);
  assert.ok(button.classes.has("recording"));
  assert.deepEqual(one.called, [["begun", stream]]);
  await press("record", "sound", "Record");
  await until(() => one.called.length === 2);
  const [, { blob, seconds, field, button: pressed, text }] = one.called[1];
  assert.equal(await blob.text(), "onetwo");
  assert.equal(blob.type, "video/webm");
  assert.ok(seconds >= 0 && field === "sound" && pressed === button && text === "Record");
  assert.equal(button.textContent, "Record");
  assert.ok(!button.classes.has("recording"));
  assert.deepEqual(stopped, ["sound", "picture"]);
  await press("record", "sound", "Record"); // the next press begins another
  assert.equal(one.called.length, 3);
  await press("record", "sound", "Record");
  await until(() => one.called.length === 4);
});

test("it ends by itself after the longest time", async () => {
  page(async () => stream);
  const one = kind({ longest: 0 });
  await recorder(one)("record", "sound", "Record");
  await until(() => one.called.some(([name]) => name === "ended"));
  assert.deepEqual(stopped, ["sound", "picture"]);
});

test("without a microphone it says so, and another kind goes on", async () => {
  const info = console.info;
  console.info = () => {};
  const button = page(async () => { throw new Error("none"); });
  const one = kind();
  await recorder(one)("record", "sound", "Record");
  console.info = info;
  assert.deepEqual(one.called, [["refused", { button, text: "Record" }]]);
  assert.equal(button.textContent, "Record");
  const [voice, film] = [kind(), kind()];
  page(async () => stream);
  const [first, second] = [recorder(voice), recorder(film)];
  await first("record", "sound", "Record");
  await second("film", "files", "Film");
  assert.deepEqual([voice.called[0][0], film.called[0][0]], ["begun", "begun"]);
  await first("record", "sound", "Record");
  await second("film", "files", "Film");
  await until(() => voice.called.length === 2 && film.called.length === 2);
});
