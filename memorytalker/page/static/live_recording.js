// A recording of the tab Live: sound and curves that begin together, and the files that they become in the browser.

import { FORMAT } from "./playback.js";

/** Collects what is heard and what the network says of it. Times are those of the AudioContext, in seconds. */
export class Recorder {
  #chunks = [];
  #frames = [];

  constructor(rate, fps, longest) {
    Object.assign(this, { rate, fps, longest });
  }

  /** Take samples whose first was heard at `begin`. */
  hear(samples, begin) {
    this.#chunks.push({ samples, begin });
  }

  /** Take a frame, after the sound that belongs to it. */
  see(frame) {
    const [first] = this.#chunks;
    if (first && frame.heard >= first.begin - 1e-6 && !this.full) this.#frames.push(frame);
  }

  get seconds() {
    return this.#frames.length / this.fps;
  }

  get full() {
    return this.seconds >= this.longest;
  }

  /** Time at which the sound of the next frame is heard. */
  get reached() {
    return this.#frames.length ? this.#frames.at(-1).heard : -Infinity;
  }

  /** {fps, names, frames: [{curves, address}], rate, samples}, sound and curves of one length; null without frames. */
  take() {
    if (!this.#frames.length) return null;
    const names = Object.keys(this.#frames.at(-1).curves);
    const all = new Set([...names, ...Object.keys(this.#frames[0].curves)]);
    const samples = new Float32Array(Math.round(this.seconds * this.rate));
    const origin = this.#frames[0].heard;
    for (const { samples: chunk, begin } of this.#chunks) {
      const place = Math.round((begin - origin) * this.rate);
      const [from, to] = [Math.max(0, -place), Math.min(chunk.length, samples.length - place)];
      if (to > from) samples.set(chunk.subarray(from, to), place + from);
    }
    return { fps: this.fps, names: [...all], frames: this.#frames, rate: this.rate, samples };
  }
}

/** The sound as a WAV file of 16 bits: Blob. */
export function wavOf({ samples, rate }) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (place, letters) => [...letters].forEach((letter, k) => header.setUint8(place + k, letter.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, 2 * samples.length, true);
  return new Blob([header, pcm(samples)], { type: "audio/wav" });
}

/** The curves as a CSV file of Live Link Face: Blob; `columns` as of memorytalker.exports.livelink. */
export function csvOf({ frames, fps }, columns) {
  const titles = columns.map((name) => name[0].toUpperCase() + name.slice(1));
  const rows = frames.map(({ curves }, k) => {
    const weights = columns.map((name) => (curves[name] ?? 0).toFixed(10));
    return [timecode(k, fps), columns.length, ...weights].join(",");
  });
  return new Blob([["Timecode", "BlendShapeCount", ...titles].join(","), "\n", rows.join("\n"), "\n"], { type: "text/csv" });
}

/** HH:MM:SS:FF.sss, FF.sss in sixtieths of a second. */
export function timecode(frame, fps) {
  const whole = Math.round((frame * 60_000) / fps);
  const [seconds, part] = [Math.floor(whole / 60_000), whole % 60_000];
  const two = (value) => String(value).padStart(2, "0");
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return `${clock}:${two(Math.floor(part / 1000))}.${String(part % 1000).padStart(3, "0")}`;
}

/** What memorytalker.page.live.read_recording reads; `weights` are the style weights. */
export function messageOf(take, weights) {
  const { fps, names, frames, rate, samples } = take;
  const address = Uint8Array.from(frames.flatMap((frame) => Array.from(frame.address, (share) => Math.round(255 * share))));
  return { fps, names, rate, weights, curves: base64(weightsOf(take).buffer), address: base64(address.buffer), sound: base64(pcm(samples).buffer) };
}

/** What the player plays; `head` is the path of the head's file below the page's root. */
export async function playbackOf(take, head) {
  const { fps, names, frames } = take;
  const sound = base64(await wavOf(take).arrayBuffer());
  const weights = base64(weightsOf(take).buffer);
  return JSON.stringify({ format: FORMAT, head, fps, seconds: frames.length / fps, names, upper: [], weights, sound });
}

/** Weights of all frames as uint16, 65535 for 1. */
function weightsOf({ names, frames }) {
  return Uint16Array.from(frames.flatMap(({ curves }) => names.map((name) => Math.round(65535 * (curves[name] ?? 0)))));
}

function pcm(samples) {
  return Int16Array.from(samples, (sample) => Math.round(32767 * Math.min(1, Math.max(-1, sample))));
}

export function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let k = 0; k < bytes.length; k += 32_768) text += String.fromCharCode(...bytes.subarray(k, k + 32_768));
  return btoa(text);
}

/**
 * Put a sound into the tab Animate, as if the visitor had uploaded it there.
 * @param {Blob} sound
 * @returns {Promise<boolean>} whether there is such a tab
 */
export async function handToAnimate(sound) {
  const field = document.getElementById("sound");
  if (!field) return false;
  field.querySelector("button[aria-label='Clear']")?.click();
  const input = await found(() => document.querySelector("#sound input[type=file]"));
  if (!input) return false;
  const carrier = new DataTransfer();
  carrier.items.add(new File([sound], "live.wav", { type: "audio/wav" }));
  input.files = carrier.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  [...document.querySelectorAll("[role=tab]")].find((tab) => tab.textContent.trim() === "Animate")?.click();
  return true;
}

/** What `look` finds, within two seconds. */
async function found(look) {
  for (let tries = 0; tries < 40; tries += 1) {
    const result = look();
    if (result) return result;
    await new Promise((done) => setTimeout(done, 50));
  }
  return null;
}
