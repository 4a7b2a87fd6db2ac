// A button that records at one press and ends at the next, or when it has lasted long enough: sound (record.js), or the
// visitor's face (film.js).

/**
 * Make what a press of such a button does. One recorder of a kind runs at a time.
 * @param {object} kind
 * @param {object} kind.constraints what is recorded, as getUserMedia takes it
 * @param {number} kind.longest seconds after which it ends by itself
 * @param {function(string): string} [kind.stopping] field -> words before the seconds on the button meanwhile
 * @param {function(): object} [kind.settings] as MediaRecorder takes them
 * @param {number} [kind.slice] milliseconds after which what is there is kept; absent: all at the end
 * @param {function(MediaStream)} [kind.begun] is called when it records
 * @param {function(object)} kind.ended {blob, seconds, field, button, text}: is called with what was recorded
 * @param {function(object)} kind.refused {button, text}: is called where there is no microphone or camera
 * @returns {function(string, string, string): Promise<Array>} of the ids of the button and of the field that gets the
 *   recording, and the button's text while nothing is recorded; no values for Gradio
 */
export function recorder(kind) {
  let running = null;
  return async (id, field, text) => {
    const button = document.getElementById(id);
    if (running) {
      running.stop();
      return [];
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia(kind.constraints);
    } catch (problem) {
      console.info(problem);
      kind.refused({ button, text });
      return [];
    }
    running = begin(stream, kind, { button, field, text }, () => { running = null; });
    return [];
  };
}

function begin(stream, kind, { button, field, text }, over) {
  const { longest, slice, stopping = () => "Stop ", settings = () => ({}), begun = () => {}, ended } = kind;
  const machine = new MediaRecorder(stream, settings());
  const pieces = [], start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const show = () => {
    button.textContent = `■ ${stopping(field)}${seconds().toFixed(0)} s`;
    if (seconds() >= longest && machine.state === "recording") machine.stop();
  };
  begun(stream);
  machine.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  machine.addEventListener("stop", () => {
    const lasted = seconds();
    over();
    clearInterval(ticking);
    stream.getTracks().forEach((track) => track.stop());
    button.textContent = text;
    button.classList.remove("recording");
    ended({ blob: new Blob(pieces, { type: machine.mimeType }), seconds: lasted, field, button, text });
  });
  machine.start(slice);
  button.classList.add("recording");
  const ticking = setInterval(show, 250);
  show();
  return machine;
}
