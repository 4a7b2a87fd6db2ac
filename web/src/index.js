// MemoryTalker live: a voice goes in, the face that speaks comes out, in the browser and in Node.js.
import { readStyle } from "./delivery.js";
import { NAMES } from "./delivery_table.js";
import { driverOf } from "./drive.js";
import { Features } from "./features.js";
import { frameAt } from "./frames.js";
import { Measures } from "./measures.js";
import { Network } from "./network.js";
import { Resampler } from "./resampling.js";
import { visemesOf, vowelsOf } from "./visemes.js";
import { fetchWeights } from "./weights.js";

export { GAIN_GROUPS, MOOD_NAMES, OFFSET_GROUPS } from "./delivery.js";
export { controlsOf, driverOf } from "./drive.js";
export { frameAt } from "./frames.js";
export { microphoneProblem, openMicrophone } from "./microphone.js";
export { followPipe } from "./pipe.js";
export { SpeechStream, playSpeech } from "./speech_stream.js";
export { visemesOf, vowelsOf } from "./visemes.js";

const RATE = 16000;
/** Frames that a player may look back on. */
const KEPT = 300;

/**
 * Make a talker. `model` is the address of a folder with config.json and model.safetensors, or {config, tensors} with
 * the parsed one and the bytes of the other. Everything may be called at once; it begins when the model is there.
 */
export function createTalker(options) {
  return new Talker(options);
}

export class Talker {
  #sound = null;
  #network = null;
  #state = null;
  #resampler = null;
  #rate = RATE;
  #frame = 0;
  #drivers = [];
  #kept = [];
  #connection = null;
  #raf = 0;
  #given = null;
  #delivery = null;
  #speaking = 0;
  #measures = new Measures();
  #heardIn = null;
  #wide = false;

  constructor({ model, style = null, delay = null, visemes = true }) {
    this.styleWeights = null;
    this.style = style;
    this.visemes = visemes;
    this.delay = delay;
    /** Called with the samples of a node that is followed, and the time of its context at which the first was heard. */
    this.onsound = null;
    const given = typeof model === "object" && model?.tensors ? model : null;
    if (given) this.#load(given);
    /** Settles when the model is there; rejects with a plain sentence if it cannot be. */
    this.ready = given ? Promise.resolve(this) : fetchWeights(model).then((found) => this.#load(found));
    this.ready.catch(() => {}); // whoever awaits it is told
  }

  #load(weights) {
    this.#network = new Network(weights);
    this.style = this.#given;
    this.reset();
    return this;
  }

  /** The configuration of the network: shapes, slots, grid; null before it is there. */
  get config() {
    return this.#network?.config ?? null;
  }

  /** Seconds of sound after a frame's time that the frame waits for. */
  get lookahead() {
    return this.#sound?.grid.lookahead ?? 0;
  }

  /**
   * The style: weights, one per slot, of `Talker.style_of` in Python; or the content of a file that `Style.save` wrote
   * there, such as {deliveries: [{gains: {jaw: 1.2}, moods: {joy: 0.5}}]}; null is the neutral style.
   */
  set style(given) {
    if (this.config) {
      const { weights, delivery } = readStyle(given, this.config.slots);
      this.styleWeights = weights;
      this.#delivery = delivery;
      this.#wide ||= Boolean(delivery); // from now on all shapes are named, so that what a mood moved comes back
    }
    this.#given = given;
  }

  get style() {
    return this.#given;
  }

  /**
   * How it went in the last ten seconds, while a node is followed: seconds from a sound to its frame (`known`) and to
   * the face (`shown`), which 95 % did not exceed, and the share of the time that the network took (`load`).
   */
  get measures() {
    return this.#measures.summary;
  }

  /** Forget the sound so far: the next sample is the first. */
  reset() {
    this.#sound = new Features(this.#network.config.grid);
    this.#state = this.#network.start();
    this.#resampler = null;
    this.#frame = 0;
    this.#speaking = 0;
    this.#kept = [];
    this.#measures = new Measures();
  }

  /**
   * Take mono samples in [-1, 1] at `rate` Hz, of any number; returns the frames that are complete now:
   * [{frame, t, curves, visemes, vowels, address}]. The frames do not depend on how the sound is cut.
   */
  push(samples, rate = RATE) {
    if (!this.#network) throw new Error("The model is not there yet; await talker.ready first.");
    if (this.#resampler && this.#rate !== rate) throw new Error("The rate of a sound cannot change; call reset() first.");
    this.#resampler ??= new Resampler(rate, RATE);
    this.#rate = rate;
    return this.#through(this.#sound.push(this.#resampler.push(samples)));
  }

  /** Say that the sound has ended; returns the last frames, as if silence followed. */
  end() {
    const { grid, received } = this.#sound;
    const total = received ? Math.max(1, halfToEven((received * grid.fps) / RATE)) : 0;
    const missing = total ? Math.max(0, grid.blockEnd(total - 1) - received) : 0;
    return this.#through(this.#sound.push(new Float32Array(missing)).filter(({ frame }) => frame < total));
  }

  #through(blocks) {
    const { config } = this.#network;
    const frames = [];
    for (const block of blocks) {
      const { curves, address } = this.#network.step(block, this.styleWeights, this.#state);
      if (block.frame < 0) continue;
      const t = this.#frame / config.grid.fps;
      let named = Object.fromEntries(config.shapes.map((name, k) => [name, curves[k]]));
      if (this.#delivery) {
        this.#speaking = this.#delivery.speaking(this.#speaking, address, config.grid.fps);
        named = this.#delivery.apply(named, t, this.#speaking);
      } else if (this.#wide) {
        named = { ...Object.fromEntries(NAMES.map((name) => [name, 0])), ...named };
      }
      const visemes = this.visemes ? visemesOf(named) : {};
      frames.push({
        frame: this.#frame,
        t,
        curves: named,
        visemes,
        vowels: this.visemes ? vowelsOf(visemes) : {},
        address,
      });
      this.#frame += 1;
    }
    return frames;
  }

  /** Call `target(frame)` for each frame, or move a three.js object, mesh or VRM by names of ARKit, Oculus or VRM. */
  drive(target) {
    const add = () => this.#drivers.push({ target, move: driverOf(target, [...new Set([...this.config.shapes, ...NAMES])]) });
    if (this.config) add();
    else this.ready.then(add, () => {});
    return this;
  }

  /** Stop moving a target. */
  release(target) {
    this.#drivers = this.#drivers.filter((one) => one.target !== target);
    return this;
  }

  /** Follow an AudioNode; see `disconnect`. Settles, through `connected`, when sound is followed. */
  connect(node) {
    this.disconnect();
    const connection = (this.#connection = { node, worklet: null, closed: false });
    this.connected = this.ready.then(() => this.#listen(connection));
    this.connected.catch(() => {});
    return this;
  }

  async #listen(connection) {
    const { context } = connection.node;
    if (!context.audioWorklet) {
      throw new Error("This browser has no AudioWorklet here; open the page over https, or use a newer browser.");
    }
    await context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    if (connection.closed) return;
    this.reset();
    const worklet = new AudioWorkletNode(context, "memorytalker-sound", { numberOfOutputs: 0 });
    connection.worklet = worklet;
    let begun = null; // time of the context at which frame 0 was heard
    worklet.port.onmessage = ({ data: { samples, end } }) => {
      if (connection.closed) return;
      begun ??= end - samples.length / context.sampleRate;
      this.onsound?.(samples, end - samples.length / context.sampleRate);
      const came = performance.now();
      const frames = this.push(samples, context.sampleRate);
      this.#measures.worked((performance.now() - came) / 1000, samples.length / context.sampleRate);
      for (const frame of frames) {
        this.#kept.push({ ...frame, heard: begun + frame.t });
        this.#measures.known(context.currentTime - this.#kept.at(-1).heard);
        for (const { target, move } of this.#drivers) if (typeof target === "function") move(this.#kept.at(-1));
      }
      this.#kept.splice(0, Math.max(0, this.#kept.length - KEPT));
    };
    connection.node.connect(worklet);
    this.#raf = requestAnimationFrame(() => this.#show(context, connection));
  }

  /** Move faces, once a display frame, to where they are `showDelay` seconds after the sound. */
  #show(context, connection) {
    if (connection.closed) return;
    const leaving = (this.#heardIn === context && context.outputLatency) || 0;
    const frame = frameAt(this.#kept, context.currentTime - this.showDelay - leaving);
    if (frame) {
      this.#measures.shown(context.currentTime - frame.heard);
      for (const { target, move } of this.#drivers) if (typeof target !== "function") move(frame);
    }
    this.#raf = requestAnimationFrame(() => this.#show(context, connection));
  }

  /** Seconds by which a face is shown after its sound: the look-ahead, a frame, a chunk; or `delay` if it was given. */
  get showDelay() {
    return this.delay ?? this.lookahead + 1 / (this.config?.grid.fps ?? 30) + 0.02;
  }

  /** A node that carries the sound of `node` as late as the face is shown: connect it to what is heard. */
  inStep(node) {
    const delayed = new DelayNode(node.context, { maxDelayTime: 1, delayTime: this.showDelay || 0.17 });
    node.connect(delayed);
    // What leaves the context is heard a little later still, as far as the browser knows it.
    this.#heardIn = node.context;
    this.ready.then(() => (delayed.delayTime.value = this.showDelay), () => {});
    return delayed;
  }

  /** Stop following. */
  disconnect() {
    const connection = this.#connection;
    if (!connection) return this;
    connection.closed = true;
    if (connection.worklet) {
      connection.node.disconnect(connection.worklet);
      connection.worklet.port.postMessage("stop");
      cancelAnimationFrame(this.#raf);
    }
    this.#connection = null;
    return this;
  }
}

function halfToEven(value) {
  const near = Math.round(value);
  return Math.abs(value % 1) === 0.5 && near % 2 ? near - 1 : near;
}
