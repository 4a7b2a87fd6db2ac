// A voice that arrives as bytes, as speech services send it, played through an AudioNode.

/** Seconds that arrived sound waits before it is played, so that a late packet makes no gap. */
const LEAD = 0.25;

/**
 * Raw samples of 16 bits, little endian, mono. Give the context the same rate (`new AudioContext({ sampleRate: 24000 })`),
 * so that nothing is resampled piece by piece.
 */
export class SpeechStream {
  #left = new Uint8Array(0);
  #segments = [];
  #received = 0;
  #sources = new Set();

  /** @param {AudioContext} context @param {{rate?: number, lead?: number}} options of the samples, in Hz; seconds */
  constructor(context, { rate = 24000, lead = LEAD } = {}) {
    Object.assign(this, { context, rate, lead });
    /** The node that plays: connect a talker to it, and what `talker.inStep(node)` gives to what is heard. */
    this.node = context.createGain();
    /** Time of the context at which all that has arrived will have been played. */
    this.end = 0;
  }

  /** Take bytes (Uint8Array) of any number; a sample may be cut in two. */
  push(bytes) {
    const joined = new Uint8Array(this.#left.length + bytes.length);
    joined.set(this.#left);
    joined.set(bytes, this.#left.length);
    const count = joined.length >> 1;
    this.#left = joined.slice(2 * count);
    if (!count) return;
    const view = new DataView(joined.buffer);
    const buffer = this.context.createBuffer(1, count, this.rate);
    const samples = buffer.getChannelData(0);
    for (let k = 0; k < count; k += 1) samples[k] = view.getInt16(2 * k, true) / 32768;
    if (this.end < this.context.currentTime) {
      this.end = this.context.currentTime + this.lead;
      this.#segments.push({ t: this.#received / this.rate, at: this.end });
    }
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.node);
    source.start(this.end);
    this.#sources.add(source);
    source.onended = () => this.#sources.delete(source);
    this.end += count / this.rate;
    this.#received += count;
  }

  /** Seconds of sound that have arrived. */
  get seconds() {
    return this.#received / this.rate;
  }

  /** Seconds of the stream that are played at a time of the context; null before the first. */
  playedAt(time) {
    const place = this.#segments.findLastIndex(({ at }) => at <= time);
    if (place < 0) return null;
    const { t, at } = this.#segments[place];
    return Math.min(t + time - at, this.#segments[place + 1]?.t ?? this.seconds);
  }

  /** Be silent at once. */
  stop() {
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
    this.end = 0;
  }
}

/**
 * Play the body of a fetch response while it arrives. Settles when all of it has arrived; `speech.end` is when it ends.
 * @param {Response} response @param {SpeechStream} speech
 */
export async function playSpeech(response, speech) {
  if (!response.ok) throw new Error(`The speech service answered with ${response.status}; check its address and key.`);
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return speech;
    speech.push(value);
  }
}
