// A recording at one press and its end at the next: WAV at 16 kHz, given to the page's own field for sound.

import { talk, until } from "./page.js";

const RATE = 16000, LONGEST = 60; // Hz, seconds
let running = null;

/**
 * Begin a recording, or end the one that runs.
 * @param {string} button id of the button that is pressed
 * @param {string} field id of the field that gets the recording
 * @param {string} text of the button while nothing is recorded
 * @returns {Promise<Array>} no values for Gradio
 */
export async function press(button, field, text) {
  const element = document.getElementById(button);
  if (running) {
    running.stop();
    return [];
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (problem) {
    console.info(problem);
    element.textContent = "No microphone: allow it, or upload";
    setTimeout(() => { element.textContent = text; }, 5000);
    return [];
  }
  record(stream, element, field, text);
  return [];
}

function record(stream, element, field, text) {
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  const begun = performance.now();
  const show = () => {
    const seconds = (performance.now() - begun) / 1000;
    element.textContent = `■ Stop ${field === "sound" ? "and talk " : ""}${seconds.toFixed(0)} s`;
    if (seconds >= LONGEST) recorder.stop();
  };
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  recorder.addEventListener("stop", async () => {
    running = null;
    clearInterval(ticking);
    stream.getTracks().forEach((track) => track.stop());
    element.textContent = text;
    element.classList.remove("recording");
    try {
      const wav = wavOf(await samplesOf(new Blob(pieces, { type: recorder.mimeType })));
      if (await given(new File([wav], "recording.wav", { type: "audio/wav" }), field) && field === "sound") await talk();
    } catch (problem) {
      console.info(problem);
      element.textContent = "Nothing was recorded; try again";
      setTimeout(() => { element.textContent = text; }, 5000);
    }
  });
  recorder.start();
  running = recorder;
  element.classList.add("recording");
  const ticking = setInterval(show, 250);
  show();
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
