// A film of the visitor's own face at one press and its end at the next, given to the page's own field for files.

import { given } from "./record.js";

const SHORTEST = 10, LONGEST = 60; // seconds
/** About a third of the largest upload for a minute. */
const QUALITY = { videoBitsPerSecond: 1_500_000, audioBitsPerSecond: 64_000 };
const CAMERA = { audio: true, video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "user" } };
const KINDS = ["video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
let running = null;

/**
 * Begin a film, or end the one that runs.
 * @param {string} button id of the button that is pressed
 * @param {string} field id of the field that gets the film
 * @param {string} text of the button while nothing is filmed
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
    stream = await navigator.mediaDevices.getUserMedia(CAMERA);
  } catch (problem) {
    console.info(problem);
    say("No camera and microphone: allow both, or upload a video.");
    return [];
  }
  film(stream, element, field, text);
  return [];
}

function film(stream, element, field, text) {
  const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, { mimeType, ...QUALITY });
  const pieces = [];
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const show = () => {
    element.textContent = `■ Stop ${seconds().toFixed(0)} s`;
    if (seconds() >= LONGEST && recorder.state === "recording") recorder.stop();
  };
  preview(stream);
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  recorder.addEventListener("stop", async () => {
    const length = seconds();
    running = null;
    clearInterval(ticking);
    stream.getTracks().forEach((track) => track.stop());
    element.textContent = text;
    element.classList.remove("recording");
    if (length < SHORTEST) {
      say(`That was ${length.toFixed(0)} s; a style needs at least ${SHORTEST} s. Press again and go on speaking.`);
      return;
    }
    const kind = recorder.mimeType.split(";")[0];
    const file = new File(pieces, `me.${kind === "video/mp4" ? "mp4" : "webm"}`, { type: kind });
    say((await given(file, field)) ? "" : "The film could not be handed over; please upload a video instead.");
  });
  recorder.start(1000);
  running = recorder;
  element.classList.add("recording");
  const ticking = setInterval(show, 250);
  show();
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
