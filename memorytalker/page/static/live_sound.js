// Sound of the tab Live: an example in place of the microphone, and how loud it is.

/**
 * An example voice as a source, like `openMicrophone` of web/ gives one; it is heard as late as the face is shown.
 * @param {AudioContext} context
 * @param {object} talker of web/
 * @param {string} address of a sound file
 * @param {string} words what it says
 * @param {Function} ended called at its end
 */
export function exampleSource(context, talker, address, words, ended) {
  const sound = new Audio(address);
  const node = context.createMediaElementSource(sound);
  talker.inStep(node).connect(context.destination);
  let [over, timer] = [false, 0];
  sound.onended = () => (timer = setTimeout(() => over || ended(), 600)); // the face is still to come
  return {
    node,
    label: `an example (${words})`,
    begin: () => sound.play(),
    get muted() {
      return sound.muted;
    },
    set muted(muted) {
      sound.muted = muted;
    },
    stop() {
      over = true;
      clearTimeout(timer);
      sound.pause();
      node.disconnect();
    },
  };
}

/** Loudness of a node, in decibels below full scale. */
export class Level {
  constructor(context, node) {
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 2048;
    this.samples = new Float32Array(this.analyser.fftSize);
    node.connect(this.analyser);
  }

  read() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return 10 * Math.log10(Math.max(power, 1e-10));
  }
}
