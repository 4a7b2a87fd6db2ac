// A recording at one press and its end at the next: WAV at 16 kHz, given to the page's own field for sound.

import { talk, until } from "./page.js";
import { recorder } from "./recorder.js";

const RATE = 16000, LONGEST = 60; // Hz, seconds
const SHOWN = 5000; // milliseconds that a button tells what is wrong

/** Begin a recording, or end the one that runs; as `recorder` returns it. */
export const press = recorder({
  constraints: { audio: true },
  longest: LONGEST,
  stopping: (field) => (field === "sound" ? "Stop and talk " : "Stop "),
  ended: hand,
  refused: ({ button, text }) => tell(button, "No microphone: allow it, or upload", text),
});

/** Give a recording to its field; the visitor's own voice then talks. */
async function hand({ blob, field, button, text }) {
  try {
    const wav = wavOf(await samplesOf(blob));
    if (await given(new File([wav], "recording.wav", { type: "audio/wav" }), field) && field === "sound") await talk();
  } catch (problem) {
    console.info(problem);
    tell(button, "Nothing was recorded; try again", text);
  }
}

function tell(button, words, text) {
  button.textContent = words;
  setTimeout(() => { button.textContent = text; }, SHOWN);
}

/** Samples of a recording at RATE, one channel. */
async function samplesOf(blob) {
  const context = new OfflineAudioContext(1, RATE, RATE);
  const decoded = await context.decodeAudioData(await blob.arrayBuffer());
  const length = Math.min(decoded.length, LONGEST * RATE);
  const mono = new Float32Array(length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    const samples = decoded.getChannelData(channel);
    for (let k = 0; k < length; k += 1) mono[k] += samples[k] / decoded.numberOfChannels;
  }
  return mono;
}

/** A WAV file of 16-bit PCM, as an ArrayBuffer. */
export function wavOf(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (place, word) => [...word].forEach((letter, k) => view.setUint8(place + k, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  write(8, "WAVEfmt ");
  [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, RATE, 4], [28, 2 * RATE, 4], [32, 2, 2], [34, 16, 2]]
    .forEach(([place, value, size]) => (size === 4 ? view.setUint32(place, value, true) : view.setUint16(place, value, true)));
  write(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, k) => view.setInt16(44 + 2 * k, Math.round(32767 * Math.min(Math.max(sample, -1), 1)), true));
  return view.buffer;
}

/** Give a file to a field in place of what it holds: whether it was taken. */
export async function given(file, field) {
  const input = () => document.querySelector(`#${field} input[type=file]`);
  document.querySelector(`#${field} button[aria-label='Clear']`)?.click();
  if (!(await until(() => input()))) return false;
  const carrier = new DataTransfer();
  carrier.items.add(file);
  input().files = carrier.files;
  input().dispatchEvent(new Event("change", { bubbles: true }));
  return until(() => document.querySelector(`#${field} button[aria-label='Clear']`));
}
