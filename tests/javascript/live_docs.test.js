// The examples of docs/live.md run as they are written, with a service, a socket and an AudioContext that are stubs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { smallModel } from "./live_model.js";

const DOCS = readFileSync(new URL("../../docs/live.md", import.meta.url), "utf8");
const LIBRARY = new URL("../../web/src/index.js", import.meta.url).href;

/** The code after a mark, as a module. */
function example(name) {
  const found = new RegExp(`<!-- example: ${name} -->\n\`\`\`js\n([^]*?)\`\`\``).exec(DOCS);
  assert.ok(found, `docs/live.md has no example ${name}`);
  const code = found[1].replace('"./src/index.js"', JSON.stringify(LIBRARY));
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

const contexts = [];
class FakeContext {
  currentTime = 1;
  started = [];
  destination = { heard: [] };
  audioWorklet = { addModule: async () => {} };
  constructor({ sampleRate }) {
    this.sampleRate = sampleRate;
    contexts.push(this);
  }
  #node() {
    const to = [];
    return { context: this, to, connect: (other) => (to.push(other), other), disconnect() {} };
  }
  createGain() {
    return this.#node();
  }
  createBuffer(channels, count, rate) {
    const data = new Float32Array(count);
    return { count, rate, data, getChannelData: () => data };
  }
  createBufferSource() {
    return { connect() {}, stop() {}, start: (at) => this.started.push(at) };
  }
  resume() {
    this.resumed = true;
  }
}
const delays = [];
class FakeDelay {
  delayTime = { value: 0 };
  to = [];
  constructor(context, { delayTime }) {
    this.delayTime.value = delayTime;
    delays.push(this);
  }
  connect(other) {
    this.to.push(other);
  }
}
let show = null;
let worklet = null;
Object.assign(globalThis, {
  AudioContext: FakeContext,
  DelayNode: FakeDelay,
  AudioWorkletNode: class {
    port = { postMessage() {} };
    constructor() {
      worklet = this;
    }
  },
  requestAnimationFrame: (call) => ((show = call), 1),
  cancelAnimationFrame() {},
  mesh: { morphTargetDictionary: { jawOpen: 0 }, morphTargetInfluences: [0] },
});

test("a stream of speech is played in step with the face that it moves", async () => {
  const asked = [];
  const { config, tensors } = smallModel();
  globalThis.fetch = async (address, request) => {
    if (`${address}`.endsWith("config.json")) return { ok: true, json: async () => config };
    if (`${address}`.endsWith("model.safetensors")) return { ok: true, arrayBuffer: async () => tensors };
    asked.push([address, JSON.parse(request.body)]);
    return new Response(new Uint8Array(2 * 24000).map((_, k) => (k % 2 ? (k >> 4) % 20 : 0)));
  };
  const { say } = await example("stream");
  const speech = await say("hello");
  assert.equal(asked[0][0], "/v1/audio/speech");
  assert.deepEqual([asked[0][1].input, asked[0][1].response_format], ["hello", "pcm"]);
  const context = contexts.at(-1);
  assert.equal(context.sampleRate, 24000);
  assert.equal(speech.seconds, 1);
  assert.ok(context.started.length >= 1 && context.started[0] > 1);
  assert.ok(speech.node.to.includes(worklet), "the network follows the speech");
  const delayed = delays.at(-1);
  assert.ok(speech.node.to.includes(delayed) && delayed.to.includes(context.destination) && !speech.node.to.includes(context.destination));
  // What is played comes out of the worklet, and the face is where the sound is that is heard now.
  const samples = Float32Array.from({ length: 24000 }, (_, k) => 0.3 * Math.sin(k / 20));
  for (let k = 0; k < 50; k += 1) {
    worklet.port.onmessage({ data: { samples: samples.subarray(480 * k, 480 * (k + 1)), end: 1.25 + 0.02 * (k + 1) } });
  }
  context.currentTime = 1.25 + 0.5 + delayed.delayTime.value;
  show();
  assert.ok(globalThis.mesh.morphTargetInfluences[0] > 0);
});

test("a pipe moves the face with its sound", async () => {
  let socket = null;
  const sent = [];
  globalThis.WebSocket = class extends EventTarget {
    constructor(url) {
      super();
      assert.equal(url, "ws://127.0.0.1:8765");
      socket = this;
    }
    send(words) {
      sent.push(words);
    }
  };
  const { say } = await example("pipe, page");
  const context = contexts.at(-1);
  say("hello");
  assert.deepEqual([sent, context.resumed], [["hello"], true]);
  const give = (data) => socket.dispatchEvent(Object.assign(new Event("message"), { data }));
  give(JSON.stringify({ rate: 24000 }));
  give(new Uint8Array(48000).buffer);
  for (let k = 0; k < 30; k += 1) give(JSON.stringify({ t: k / 30, frame: k, curves: { jawOpen: k / 30 }, visemes: {} }));
  const [begun] = context.started;
  context.currentTime = begun + 0.6;
  show();
  assert.ok(Math.abs(globalThis.mesh.morphTargetInfluences[0] - 0.6) < 1e-6);
});
