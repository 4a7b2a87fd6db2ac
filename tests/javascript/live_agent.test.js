// What agents need of web/: speech that arrives as bytes, a pipe of sound and frames, the microphone, styles, and types.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as library from "#web/index.js";
import { readStyle } from "#web/delivery.js";
import { Measures } from "#web/measures.js";
import { smallModel } from "./live_model.js";

const { createTalker, followPipe, openMicrophone, playSpeech, SpeechStream } = library;

/** An AudioContext that plays nothing and notes what it was told. */
function fakeContext() {
  const played = [];
  return {
    currentTime: 10,
    played,
    createGain: () => ({ connect: (to) => to }),
    createBuffer: (channels, count, rate) => ({ count, rate, data: new Float32Array(count), getChannelData() { return this.data; } }),
    createBufferSource() {
      return { connect() {}, start(at) { played.push({ at, buffer: this.buffer }); }, stop() { played.push("stopped"); } };
    },
  };
}

/** Bytes of samples of 16 bits that count up from `first`. */
function counting(first, count) {
  const bytes = new Uint8Array(2 * count);
  const view = new DataView(bytes.buffer);
  for (let k = 0; k < count; k += 1) view.setInt16(2 * k, first + k, true);
  return bytes;
}

test("speech is played gaplessly, however its bytes are cut", () => {
  const context = fakeContext();
  const speech = new SpeechStream(context, { rate: 100, lead: 0.5 });
  const bytes = counting(0, 300);
  for (const [from, to] of [[0, 101], [101, 102], [102, 400], [400, 600]]) speech.push(bytes.subarray(from, to));
  const samples = context.played.flatMap(({ buffer }) => [...buffer.data]);
  assert.deepEqual(samples.map((one) => Math.round(one * 32768)), [...Array(300).keys()]);
  let next = 10.5;
  for (const { at, buffer } of context.played) {
    assert.ok(Math.abs(at - next) < 1e-9);
    next += buffer.count / 100;
  }
  assert.equal(speech.seconds, 3);
  assert.ok(Math.abs(speech.end - 13.5) < 1e-9);
  assert.equal(speech.playedAt(10.4), null);
  assert.ok(Math.abs(speech.playedAt(11.5) - 1) < 1e-9);
  assert.equal(speech.playedAt(20), 3, "no further than there is sound");
});

test("speech that came too late goes on after a pause, and time with it", () => {
  const context = fakeContext();
  const speech = new SpeechStream(context, { rate: 100, lead: 0.5 });
  speech.push(counting(0, 100));
  context.currentTime = 15;
  speech.push(counting(100, 100));
  assert.deepEqual(context.played.map(({ at }) => at), [10.5, 15.5]);
  assert.equal(speech.playedAt(13), 1, "waits");
  assert.equal(speech.playedAt(15.75), 1.25);
  speech.stop();
  assert.equal(context.played.filter((one) => one === "stopped").length, 2);
});

test("the body of a response is played, and a refusal is told", async () => {
  const speech = new SpeechStream(fakeContext(), { rate: 100 });
  const parts = [counting(0, 50), counting(50, 50)];
  await playSpeech({ ok: true, body: new Blob(parts).stream() }, speech);
  assert.equal(speech.seconds, 1);
  await assert.rejects(playSpeech({ ok: false, status: 401 }, speech), /401/);
});

test("a pipe moves the face when its sound is played; utterances follow one another, and a stop is at once", () => {
  let show = null;
  globalThis.requestAnimationFrame = (call) => ((show = call), 1);
  globalThis.cancelAnimationFrame = () => (show = null);
  const socket = new EventTarget();
  const send = (data) => socket.dispatchEvent(Object.assign(new Event("message"), { data }));
  const context = fakeContext();
  const face = { morphTargetDictionary: { jawOpen: 0 }, morphTargetInfluences: [0] };
  socket.close = () => (socket.closed = true);
  const pipe = followPipe(socket, context, face);
  assert.equal(socket.binaryType, "arraybuffer");
  send(JSON.stringify({ t: 0, curves: { jawOpen: 1 } })); // before any utterance: nothing to be in step with
  for (const utterance of [0, 1]) {
    send(JSON.stringify({ rate: 100 }));
    send(counting(0, 100).buffer);
    for (let k = 0; k < 30; k += 1) send(JSON.stringify({ t: k / 30, curves: { jawOpen: (utterance + k / 30) / 2 } }));
  }
  const at = (time) => {
    context.currentTime = time;
    show();
    return face.morphTargetInfluences[0];
  };
  assert.equal(at(10.2), 0, "the sound has not begun");
  assert.ok(Math.abs(at(10.75) - 0.25) < 1e-6, "half a second of the first");
  assert.ok(Math.abs(at(11.75) - 0.75) < 1e-6, "half a second of the second");
  send(JSON.stringify({ stop: true }));
  at(11.9);
  assert.ok(Math.abs(face.morphTargetInfluences[0] - 0.75) < 1e-6 && context.played.includes("stopped"));
  pipe.close();
  assert.ok(show === null && socket.closed);
});

test("why there is no microphone is said in a sentence", async () => {
  const was = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const set = (mediaDevices) => Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  set(undefined);
  await assert.rejects(openMicrophone({}), /https/);
  for (const [name, words] of [["NotAllowedError", /not allowed/], ["NotFoundError", /no microphone/], ["NotReadableError", /another program/], ["Odd", /could not be opened \(broken\)/]]) {
    set({ getUserMedia: () => Promise.reject(Object.assign(new Error("broken"), { name })) });
    await assert.rejects(openMicrophone({}), words);
  }
  const track = { enabled: true, label: "desk", stop: () => (track.stopped = true), getSettings: () => ({ deviceId: "d" }) };
  let asked = null;
  set({ getUserMedia: async (wanted) => ((asked = wanted), { getAudioTracks: () => [track], getTracks: () => [track] }) });
  const node = { disconnect() {} };
  const lost = [];
  const microphone = await openMicrophone({ createMediaStreamSource: () => node }, { device: "d", lost: (why) => lost.push(why) });
  assert.deepEqual(asked.audio.deviceId, { exact: "d" });
  microphone.muted = true;
  assert.equal(track.enabled, false);
  track.onended();
  assert.match(lost[0], /unplugged/);
  microphone.stop();
  assert.ok(track.stopped && track.onended === null);
  if (was) Object.defineProperty(globalThis, "navigator", was);
});

test("a style's file is read, and a wrong one refused", () => {
  const slots = ["sil", "aa", "m"];
  const none = readStyle({ deliveries: [{ head_motion: 1, gains: { head: 2 } }] }, slots);
  assert.deepEqual(none, { weights: null, delivery: null });
  const found = readStyle({ deliveries: [{ gains: { jaw: 1.5 } }], slot_weights: { sil: 1, aa: 3, m: 0 }, slot_share: 0.5 }, slots);
  assert.deepEqual([...found.weights], [1, 2, 0.5]);
  assert.ok(found.delivery.changes);
  assert.throws(() => readStyle({ slot_weights: { aa: 1 } }, slots), /other memory slots/);
  assert.throws(() => readStyle({ deliveries: [{ gains: { ears: 2 } }] }, slots), /ears/);
  assert.throws(() => readStyle({ deliveries: [{ moods: { joy: 2 } }] }, slots), /from 0 to 1/);
  assert.throws(() => readStyle({ deliveries: [{ gains: { jaw: NaN } }] }, slots), /from 0 to 4/);
});

test("a talker changes its style while it follows, and frames then name all shapes", () => {
  const sound = Float32Array.from({ length: 16000 }, (_, k) => 0.2 * Math.sin(k / 14));
  const talker = createTalker({ model: smallModel() });
  const plain = talker.push(sound.subarray(0, 8000));
  talker.style = { deliveries: [{ moods: { joy: 1 }, gains: { jaw: 0 } }] };
  const styled = talker.push(sound.subarray(8000));
  assert.deepEqual(Object.keys(plain[0].curves), ["jawOpen", "mouthSmileLeft"]);
  assert.equal(Object.keys(styled[0].curves).length, 52);
  assert.ok(styled[0].curves.cheekSquintLeft > 0.5 && styled.at(-1).curves.jawOpen < 0.2);
  assert.ok(Object.values(styled[0].curves).every((weight) => weight >= 0 && weight <= 1));
});

test("measures are those of the latest frames", () => {
  const measures = new Measures();
  assert.deepEqual(measures.summary, { known: null, shown: null, load: null });
  for (let k = 1; k <= 100; k += 1) measures.known(k / 1000);
  measures.worked(0.001, 0.02);
  measures.worked(0.003, 0.02);
  assert.equal(measures.summary.known, 0.095);
  assert.ok(Math.abs(measures.summary.load - 0.1) < 1e-12);
  for (let k = 0; k < 600; k += 1) measures.known(1);
  assert.equal(measures.summary.known, 1);
});

test("the types name what the library has", () => {
  const text = readFileSync(new URL("../../web/src/index.d.ts", import.meta.url), "utf8");
  const declared = [...text.matchAll(/^export (?:class|function|const) (\w+)/gm)].map((found) => found[1]);
  assert.deepEqual(declared.sort(), Object.keys(library).sort());
  for (const name of ["Talker", "SpeechStream"]) {
    const body = new RegExp(`class ${name} \\{\n([^]*?)\n\\}`).exec(text)[1].replace(/\/\*\*.*?\*\//gs, "");
    const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[(:]/gm)].map((found) => found[1]).filter((one) => one !== "constructor");
    const made = name === "Talker" ? createTalker({ model: smallModel() }).connect({ context: {} }) : new SpeechStream(fakeContext());
    const own = new Set([...Object.keys(made), ...Object.getOwnPropertyNames(Object.getPrototypeOf(made))]);
    const internal = ["constructor", "context", "lead"];
    assert.deepEqual(members.filter((one) => !own.has(one)), [], `${name} is said to have what it has not`);
    assert.deepEqual([...own].filter((one) => !members.includes(one) && !internal.includes(one)), [], `${name} has what is not said`);
  }
});
