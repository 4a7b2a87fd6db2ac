// The recording of the tab Live: sound and curves of one length that begin together, as files.
import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf, messageOf, playbackOf, Recorder, timecode, wavOf } from "#page/live_recording.js";
import { Curves, opened } from "#page/playback.js";

const RATE = 8000;
const FPS = 30;

/** A recorder that heard `seconds` of sound whose samples say their own time, from `begin` on, with frames behind it. */
function recorded(seconds, longest = 60) {
  const recorder = new Recorder(RATE, FPS, longest);
  let [time, frame] = [5.003, 0];
  const before = 5.003 - 0.5; // the stream began before the recording
  for (; time < 5.003 + seconds; time += 0.02) {
    const from = time;
    recorder.hear(Float32Array.from({ length: 160 }, (_, k) => (from + k / RATE - 5) / 100), from);
    for (; before + frame / FPS < time - 0.15; frame += 1) {
      const heard = before + frame / FPS;
      recorder.see({ heard, curves: { jawOpen: (heard - 5) / 100, mouthClose: 0.25 }, address: [0.25, 0.75] });
    }
  }
  return recorder;
}

test("sound begins with the first frame and is as long as the frames", () => {
  const take = recorded(2).take();
  assert.ok(take.frames[0].heard >= 5.003 - 1e-6 && take.frames[0].heard < 5.003 + 1 / FPS + 1e-6);
  assert.equal(take.samples.length, Math.round((take.frames.length / FPS) * RATE));
  assert.ok(take.frames.length > 50);
  take.frames.forEach(({ curves }, k) => {
    const sample = take.samples[Math.round((k / FPS) * RATE)];
    assert.ok(Math.abs(sample - curves.jawOpen) < 1e-5, `frame ${k} is not in step`);
  });
});

test("a recording ends when it is full, and nothing is a recording of nothing", () => {
  const recorder = recorded(3, 1);
  assert.ok(recorder.full && recorder.take().frames.length === 30);
  assert.equal(new Recorder(RATE, FPS, 60).take(), null);
});

test("the sound is a WAV file", async () => {
  const take = recorded(1).take();
  const bytes = new DataView(await wavOf(take).arrayBuffer());
  const text = (place) => String.fromCharCode(...[0, 1, 2, 3].map((k) => bytes.getUint8(place + k)));
  assert.deepEqual([text(0), text(8), text(12), text(36)], ["RIFF", "WAVE", "fmt ", "data"]);
  assert.equal(bytes.getUint32(24, true), RATE);
  assert.equal(bytes.byteLength, 44 + 2 * take.samples.length);
  assert.equal(bytes.getUint32(4, true), bytes.byteLength - 8);
  assert.ok(Math.abs(bytes.getInt16(44 + 2 * 400, true) / 32767 - take.samples[400]) < 1e-4);
});

test("the curves are a CSV file of Live Link Face", async () => {
  const take = recorded(1).take();
  const lines = (await csvOf(take, ["jawOpen", "HeadYaw", "mouthClose"]).text()).trimEnd().split("\n");
  assert.equal(lines[0], "Timecode,BlendShapeCount,JawOpen,HeadYaw,MouthClose");
  assert.equal(lines.length, 1 + take.frames.length);
  assert.match(lines[1], /^00:00:00:00.000,3,0\.\d{10},0\.0000000000,0\.2500000000$/);
  assert.equal(timecode(31, 30), "00:00:01:02.000");
  assert.equal(timecode(3600 * 30, 30), "01:00:00:00.000");
});

test("the player and the server read it", async () => {
  const take = recorded(1).take();
  const content = opened(await playbackOf(take, "/head.glb"));
  const curves = new Curves(content);
  const weights = curves.at(10 / FPS, []);
  assert.ok(Math.abs(weights[curves.names.indexOf("mouthClose")] - 0.25) < 1e-4);
  const message = messageOf(take, [1, 2]);
  assert.deepEqual([...Buffer.from(message.address, "base64").subarray(0, 2)], [64, 191]);
  assert.equal(Buffer.from(message.curves, "base64").length, 2 * 2 * take.frames.length);
  assert.equal(Buffer.from(message.sound, "base64").length, 2 * take.samples.length);
});

test("a mood that came later has no weight before", () => {
  const recorder = recorded(1);
  recorder.see({ heard: 6, curves: { jawOpen: 0, mouthClose: 0, browInnerUp: 1 }, address: [1, 0] });
  const take = recorder.take();
  assert.ok(take.names.includes("browInnerUp"));
  const weights = new Uint16Array(Uint8Array.from(Buffer.from(messageOf(take, []).curves, "base64")).buffer);
  assert.equal(weights[take.names.indexOf("browInnerUp")], 0);
  assert.equal(weights[weights.length - 3 + take.names.indexOf("browInnerUp")], 65535);
});
