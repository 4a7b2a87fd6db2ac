// A voice and its frames through one WebSocket, as memorytalker.live.agent sends them, shown in step with each other.
import { NAMES } from "./delivery_table.js";
import { driverOf } from "./drive.js";
import { frameAt } from "./frames.js";
import { SpeechStream } from "./speech_stream.js";
import { vowelsOf } from "./visemes.js";

/** Frames that wait to be shown at the most: ten minutes. */
const MOST = 18_000;

/**
 * Play what arrives, and move a face by it.
 *
 * Messages: text {rate} begins an utterance, after the ones before; binary is its sound, samples of 16 bits; text
 * {t, curves, visemes} is a frame at `t` seconds of it; text {stop: true} is silence at once.
 * @param {WebSocket} socket
 * @param {AudioContext} context of the sound; what `node` of the result plays is to be connected to what is heard
 * @param {object|Function} target as of Talker.drive; a function is called once a display frame
 * @returns {{node: AudioNode, close: Function}}
 */
export function followPipe(socket, context, target) {
  const move = driverOf(target, NAMES);
  const node = context.createGain();
  let [speech, begun, frames, raf] = [null, 0, [], 0];
  socket.binaryType = "arraybuffer";

  function begin(rate) {
    if (speech?.rate !== rate) {
      speech?.stop();
      frames = [];
      speech = new SpeechStream(context, { rate });
      speech.node.connect(node);
    }
    begun = speech.seconds;
  }

  function take({ data }) {
    if (typeof data !== "string") {
      speech?.push(new Uint8Array(data));
      return;
    }
    const { rate, stop, t, curves, visemes = {} } = JSON.parse(data);
    if (rate) begin(rate);
    if (stop) {
      speech?.stop();
      [speech, frames] = [null, []];
    }
    if (!curves || !speech) return;
    frames.push({ t, curves, visemes, vowels: vowelsOf(visemes), heard: begun + t });
    if (frames.length > MOST) frames.shift();
  }

  function show() {
    const played = speech?.playedAt(context.currentTime - (context.outputLatency || 0)) ?? null;
    const frame = played === null ? null : frameAt(frames, played);
    if (frame) {
      move(frame);
      frames.splice(0, frames.findLastIndex(({ heard }) => heard <= played)); // the rest has been shown
    }
    raf = requestAnimationFrame(show);
  }

  socket.addEventListener("message", take);
  raf = requestAnimationFrame(show);
  return {
    node,
    close() {
      cancelAnimationFrame(raf);
      socket.removeEventListener("message", take);
      speech?.stop();
      socket.close();
    },
  };
}
