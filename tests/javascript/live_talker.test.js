// The live talker of web/ with a sound that arrives: frames, time, faces, and the worklet that hears.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTalker } from "#web/index.js";
import { smallModel } from "./live_model.js";

const RATE = 48000;
const SOUND = Float32Array.from({ length: RATE }, (_, k) => 0.2 * Math.sin(k / 40) * Math.sin(k / 5000));

function pieces(samples, size) {
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, k) => samples.subarray(k * size, (k + 1) * size));
}

test("frames do not depend on how the sound is cut, and the rest comes at the end", () => {
  const spoken = [960, 128, 48000].map((size) => {
    const talker = createTalker({ model: smallModel() });
    const frames = pieces(SOUND, size).flatMap((part) => talker.push(part, RATE));
    assert.ok(frames.length >= 26 && frames.length <= 27, "less the look-ahead");
    return [...frames, ...talker.end()];
  });
  assert.equal(spoken[0].length, 30);
  assert.deepEqual(spoken[0], spoken[1]);
  assert.deepEqual(spoken[0], spoken[2]);
  assert.deepEqual(spoken[0].map(({ frame }) => frame), [...Array(30).keys()]);
  assert.ok(spoken[0].some(({ curves }) => Math.abs(curves.jawOpen - spoken[0][0].curves.jawOpen) > 0.005));
});

test("a style is one weight for each slot, and the rate stays", async () => {
  const talker = createTalker({ model: smallModel(), visemes: false });
  const neutral = talker.push(SOUND, RATE);
  assert.deepEqual(neutral[0].visemes, {});
  assert.throws(() => talker.push(SOUND, 44100), /reset/);
  assert.throws(() => (talker.style = [1, 2]), /3 weights/);
  assert.throws(() => createTalker({ model: smallModel(), style: [1] }), /3 weights/);
  talker.reset();
  talker.style = [1, 1, 1];
  assert.deepEqual(talker.push(SOUND, RATE), neutral);
  talker.reset();
  talker.style = [3, 3, 3];
  assert.notDeepEqual(talker.push(SOUND, RATE), neutral);
  assert.equal(await talker.ready, talker);
});

test("a node is followed, a face is shown in time, and stopping ends both", async () => {
  const sent = [];
  const shown = [];
  let worklet = null;
  globalThis.AudioWorkletNode = class {
    constructor(context, name) {
      assert.equal(name, "memorytalker-sound");
      this.port = { postMessage: (message) => sent.push(message) };
      worklet = this;
    }
  };
  globalThis.requestAnimationFrame = (call) => shown.push(call);
  globalThis.cancelAnimationFrame = () => (shown.length = 0);
  const added = [];
  const context = { sampleRate: RATE, currentTime: 10, audioWorklet: { addModule: async (url) => added.push(`${url}`) } };
  const joined = [];
  const node = { context, connect: (to) => joined.push(to), disconnect: (from) => assert.equal(from, joined.pop()) };
  const face = { morphTargetDictionary: { jawOpen: 0 }, morphTargetInfluences: [0] };
  const frames = [];
  const talker = createTalker({ model: smallModel() }).connect(node).drive(face).drive((frame) => frames.push(frame));
  await talker.connected;
  assert.ok(added[0].endsWith("/web/src/worklet.js") && joined[0] === worklet);

  let end = 5; // the sound began when the context's clock said 5
  for (const samples of pieces(SOUND, 960)) {
    end += samples.length / RATE;
    worklet.port.onmessage({ data: { samples, end } });
  }
  assert.ok(frames.length >= 26);
  frames.forEach(({ t, heard }) => assert.ok(Math.abs(heard - 5 - t) < 1e-9));
  assert.ok(Math.abs(talker.lookahead - 14 / 120) < 1e-12 && talker.showDelay > talker.lookahead);
  context.currentTime = 5 + frames[20].t + talker.showDelay;
  shown.pop()();
  assert.ok(Math.abs(face.morphTargetInfluences[0] - frames[20].curves.jawOpen) < 1e-9);

  talker.disconnect();
  assert.deepEqual([sent.length, joined.length, shown.length], [1, 0, 0]);
  worklet.port.onmessage({ data: { samples: SOUND, end } });
  assert.ok(frames.length < 30, "nothing is heard any more");
});

test("a browser without worklets is told why", async () => {
  const talker = createTalker({ model: smallModel() }).connect({ context: { sampleRate: RATE } });
  await assert.rejects(talker.connected, /https/);
});

test("the worklet hands on the mean of the channels with its time", async () => {
  const messages = [];
  let Processor = null;
  globalThis.AudioWorkletProcessor = class {
    port = { postMessage: (message, moved) => messages.push({ ...message, moved }) };
  };
  globalThis.registerProcessor = (name, one) => (Processor = one);
  globalThis.sampleRate = RATE;
  globalThis.currentTime = 0;
  await import("#web/worklet.js");
  const processor = new Processor();
  for (let block = 0; block < 20; block += 1) {
    globalThis.currentTime = (128 * block) / RATE;
    const channels = block < 19 ? [new Float32Array(128).fill(block), new Float32Array(128).fill(0)] : [];
    assert.equal(processor.process([channels]), true);
  }
  const size = messages[0].samples.length;
  assert.equal(size % 128, 0);
  assert.ok(size >= 0.015 * RATE && size <= 0.025 * RATE);
  assert.ok(Math.abs(messages[0].end - size / RATE) < 1e-9);
  assert.equal(messages[1].samples[0], size / 128 / 2);
  processor.port.onmessage();
  assert.equal(processor.process([[]]), false);
});
