// The live talker of web/: names of faces, weights, time, and what it refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, visemeOf } from "#web/drive.js";
import { powerSpectrum } from "#web/fft.js";
import { controlsOf, createTalker, driverOf, frameAt, visemesOf, vowelsOf } from "#web/index.js";
import { leastSquares } from "#web/least_squares.js";
import { Resampler } from "#web/resampling.js";
import { fetchWeights, fromHalf, readConfig, readTensors } from "#web/weights.js";

const SHAPES = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthClose", "tongueOut"];
const FRAME = {
  t: 1,
  heard: 5,
  curves: { jawOpen: 0.5, mouthSmileLeft: 0.25, mouthSmileRight: 0.75, tongueOut: 0.1 },
  visemes: { sil: 0.2, aa: 0.8 },
  vowels: { aa: 0.6, ih: 0.1 },
};

function mesh(names) {
  return {
    morphTargetDictionary: Object.fromEntries(names.map((name, k) => [name, k])),
    morphTargetInfluences: names.map(() => 0),
  };
}

test("names are found in every spelling", () => {
  for (const name of ["mouthSmileLeft", "MouthSmileLeft", "mouthSmile_L", "mouth_smile_left", "face.mouthSmileLeft", "LeftMouthSmile"]) {
    assert.equal(plain(name), "mouthsmileleft", name);
  }
  assert.equal(plain("mouthSmile_R"), "mouthsmileright");
  assert.equal(plain("mouthRollLower"), "mouthrolllower");
  const visemes = { viseme_PP: "PP", "vrc.v_ih": "I", v_oh: "O", viseme_aa: "aa", "vrc.v_ee": "E", "vrc.v_e": "E" };
  for (const [name, viseme] of Object.entries(visemes)) assert.equal(visemeOf(name), viseme, name);
  assert.equal(visemeOf("sleepy"), null);
});

test("a face with the shapes of ARKit is moved by them alone", () => {
  const face = mesh(["JawOpen", "mouthSmile_L", "mouthSmile_R", "viseme_aa", "hair"]);
  driverOf(face, SHAPES)(FRAME);
  assert.deepEqual(face.morphTargetInfluences, [0.5, 0.25, 0.75, 0, 0]);
});

test("a face with visemes is moved by them", () => {
  const face = mesh(["viseme_sil", "viseme_PP", "viseme_aa", "viseme_E", "viseme_U", "tongueOut"]);
  driverOf(face, SHAPES)(FRAME);
  assert.deepEqual(face.morphTargetInfluences, [0.2, 0, 0.8, 0, 0, 0.1]);
});

test("an avatar of VRM is moved by its vowels, and a group by all its meshes", () => {
  const old = mesh(["Fcl_MTH_A", "Fcl_MTH_I", "Fcl_EYE_Close"]);
  const set = {};
  const vrm = { expressionManager: { expressionMap: { aa: {}, ih: {}, happy: {} }, setValue: (name, weight) => (set[name] = weight) } };
  driverOf({ traverse: (visit) => [{}, old].forEach(visit) }, SHAPES)(FRAME);
  driverOf(vrm, SHAPES)(FRAME);
  assert.deepEqual(old.morphTargetInfluences, [0.6, 0.1, 0]);
  assert.deepEqual(set, { aa: 0.6, ih: 0.1 });
});

test("a face that nothing fits is refused, and a function takes every frame", () => {
  assert.throws(() => driverOf(mesh(["hair"]), SHAPES), /ARKit, Oculus or VRM/);
  assert.throws(() => driverOf({ expressionManager: { expressionMap: {} } }, SHAPES), /no expressions/);
  const taken = [];
  driverOf((frame) => taken.push(frame), SHAPES)(FRAME);
  assert.deepEqual(taken, [FRAME]);
  assert.deepEqual(controlsOf(["hair"], SHAPES), []);
});

test("between two frames the face is between them, and it holds the last", () => {
  const later = { ...FRAME, t: 2, heard: 6, curves: { ...FRAME.curves, jawOpen: 1 } };
  assert.equal(frameAt([], 1), null);
  assert.equal(frameAt([FRAME, later], 4.9), null);
  const found = frameAt([FRAME, later], 5.25);
  assert.equal(found.t, 1.25);
  assert.equal(found.curves.jawOpen, 0.625);
  assert.equal(frameAt([FRAME, later], 60), later);
});

test("the spectrum is that of the definition", () => {
  const values = Array.from({ length: 16 }, (_, k) => Math.sin(k * k));
  const power = powerSpectrum(16)(values, new Float64Array(9));
  for (let bin = 0; bin <= 8; bin += 1) {
    let [real, imaginary] = [0, 0];
    values.forEach((value, k) => {
      real += value * Math.cos((2 * Math.PI * bin * k) / 16);
      imaginary += value * Math.sin((2 * Math.PI * bin * k) / 16);
    });
    assert.ok(Math.abs(power[bin] - real ** 2 - imaginary ** 2) < 1e-10);
  }
});

test("least squares from 0 up", () => {
  assert.deepEqual(leastSquares([[1, 0], [0, 1]], [3, -2]), [3, 0]);
  const [a, b, c] = leastSquares([[1, 1, 2], [1, 1, 0], [0, 0, 1]], [4, 2, 1]); // the first two look alike
  assert.ok(Math.abs(a + b - 2) < 1e-9 && Math.abs(c - 1) < 1e-9);
});

test("a closed mouth is silent, an open one is a vowel", () => {
  const still = visemesOf({});
  assert.equal(still.sil, 1);
  const open = visemesOf({ jawOpen: 0.6 });
  assert.ok(open.aa > 0.5 && Math.abs(Object.values(open).reduce((sum, one) => sum + one, 0) - 1) < 1e-9);
  assert.ok(vowelsOf(open).aa > 0.5 && vowelsOf(still).aa === 0);
});

test("half precision", () => {
  const halves = new Uint16Array([0x0000, 0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff]);
  const wanted = [0, 1, -2, 0.333251953125, 2 ** -24, 65504];
  assert.deepEqual([...fromHalf(halves)], wanted);
});

test("damaged weights are refused in a plain sentence", async () => {
  assert.throws(() => readTensors(new ArrayBuffer(4)), /fetch model.safetensors again/);
  assert.throws(() => readTensors(new BigUint64Array([10n ** 15n, 0n]).buffer), /fetch model.safetensors again/);
  const header = new TextEncoder().encode(JSON.stringify({ a: { dtype: "F32", shape: [9], data_offsets: [0, 36] } }));
  const file = new Uint8Array(8 + header.length);
  file.set(new Uint8Array(new BigUint64Array([BigInt(header.length)]).buffer));
  file.set(header, 8);
  assert.throws(() => readTensors(file.buffer), /tensor a is damaged/);
  assert.throws(() => readConfig({ format: 2 }), /config.json/);
  await assert.rejects(fetchWeights("models/live", async () => ({ ok: false, status: 404 })), /no live weights.*404/);
  await assert.rejects(fetchWeights("models/live", async () => ({ ok: false, status: 503 })), /503.*address/);
  const asked = [];
  const get = async (address) => (asked.push(address), { ok: true, json: async () => 1, arrayBuffer: async () => 2 });
  assert.deepEqual(await fetchWeights("models/live/", get), { config: 1, tensors: 2 });
  assert.deepEqual(asked.sort(), ["models/live/config.json", "models/live/model.safetensors"]);
});

test("what cannot be is refused", async () => {
  assert.throws(() => new Resampler(4000), /8000 to 192000/);
  const talker = createTalker({ model: "data:,none?" });
  assert.throws(() => talker.push([0]), /await talker.ready/);
  await assert.rejects(talker.ready);
});
