// A film of the visitor's own face at one press and its end at the next, given to the page's own field for files.

import { given } from "./record.js";
import { recorder } from "./recorder.js";

const SHORTEST = 10, LONGEST = 60; // seconds
/** About a third of the largest upload for a minute. */
const QUALITY = { videoBitsPerSecond: 1_500_000, audioBitsPerSecond: 64_000 };
const CAMERA = { audio: true, video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" } };
const KINDS = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];

/** Begin a film, or end the one that runs; as `recorder` returns it. */
export const press = recorder({
  constraints: CAMERA,
  longest: LONGEST,
  slice: 1000,
  settings: () => ({ mimeType: KINDS.find((kind) => MediaRecorder.isTypeSupported(kind)), ...QUALITY }),
  begun: preview,
  ended: hand,
  refused: () => say("No camera and microphone: allow both, or upload a video."),
});

/** Give a film to its field, if a style can be learned from it. */
async function hand({ blob, seconds, field }) {
  if (seconds < SHORTEST) {
    say(`That was ${seconds.toFixed(0)} s; a style needs at least ${SHORTEST} s. Press again and go on speaking.`);
    return;
  }
  const kind = blob.type.split(";")[0];
  const file = new File([blob], `me.${kind === "video/mp4" ? "mp4" : "webm"}`, { type: kind });
  say((await given(file, field)) ? "" : "The film could not be handed over; please upload a video instead.");
}

/** Show the visitor the camera's picture while it is filmed. */
function preview(stream) {
  const place = document.getElementById("film-preview");
  const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true, srcObject: stream });
  video.setAttribute("aria-label", "Your camera");
  place.replaceChildren(video);
  place.hidden = false;
}

/** One sentence in place of the picture. */
function say(words) {
  const place = document.getElementById("film-preview");
  const line = Object.assign(document.createElement("p"), { textContent: words });
  line.setAttribute("role", "status");
  place.replaceChildren(line);
  place.hidden = !words;
}
