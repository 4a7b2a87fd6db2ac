// The microphone as an AudioNode, and why there is none, in plain sentences.

/** Names of DOMException -> what to do. */
const PROBLEMS = {
  NotAllowedError: "The microphone is not allowed; allow it for this page in the browser, and try again.",
  NotFoundError: "There is no microphone; connect one and try again.",
  OverconstrainedError: "The chosen microphone is not there any more; choose another.",
  NotReadableError: "The microphone is used by another program, or switched off in the system; free it and try again.",
  AbortError: "The microphone could not be started; try again.",
  SecurityError: "The microphone is forbidden on this page by its owner or by the system.",
};
export const INSECURE = "A browser gives the microphone only to pages that come over https or from this machine; open this one so.";
export const UNPLUGGED = "The microphone was unplugged; connect it, or choose another, and start again.";

/** An error of getUserMedia as a sentence. */
export function microphoneProblem(error) {
  return PROBLEMS[error?.name] ?? `The microphone could not be opened (${error?.message || error}).`;
}

/**
 * Ask for the microphone. Rejects with an Error whose message is a sentence.
 *
 * The sound is taken as it is, since cleaning it costs time and the network has learned from noise.
 * @param {AudioContext} context
 * @param {{device?: string, lost?: Function}} options `device`: a deviceId, the system's microphone by default;
 *   `lost`: called with a sentence when it is gone
 * @returns {Promise<{node: AudioNode, label: string, device: string, muted: boolean, stop: Function}>} `muted` may be set
 */
export async function openMicrophone(context, { device = "", lost = () => {} } = {}) {
  const devices = globalThis.navigator?.mediaDevices;
  if (!devices?.getUserMedia) throw new Error(INSECURE);
  const wanted = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  if (device) wanted.deviceId = { exact: device };
  let stream;
  try {
    stream = await devices.getUserMedia({ audio: wanted });
  } catch (error) {
    throw new Error(microphoneProblem(error), { cause: error });
  }
  const [track] = stream.getAudioTracks();
  track.onended = () => lost(UNPLUGGED);
  const node = context.createMediaStreamSource(stream);
  return {
    node,
    label: track.label,
    device: track.getSettings?.().deviceId ?? "",
    get muted() {
      return !track.enabled;
    },
    set muted(muted) {
      track.enabled = !muted;
    },
    stop() {
      track.onended = null;
      node.disconnect();
      for (const one of stream.getTracks()) one.stop();
    },
  };
}
