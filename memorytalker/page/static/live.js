// The tab Live: microphone -> features -> network -> 3D head, all of it in this browser, by the library of web/.
//
// Options, from memorytalker.page.live: `library`, `model`: paths below the page's root; `problem`: why the tab cannot
// work, or ""; `no3d`: words where there is no 3D; `heads`: [{name, words}]; `styles`: [{name, deliveries}]; `voices`:
// [{name, words, address}]; `moods`: names; `gains`: {group: words}; `groups`: [[name, slots]]; `formats`: [{name, title}];
// `columns`: of the CSV file; `longest`: seconds of a recording. Events to the server: look {name}, voice {name} and
// take {take, format, head}; the answers to the first two come as the value: {head, address}, {voice, weights}, {failed}.

import { LiveStage } from "./live_stage.js";
import { MemoryColumns } from "./live_memory.js";
import { buildPanel, fill } from "./live_panel.js";
import { csvOf, handToAnimate, messageOf, playbackOf, Recorder, wavOf } from "./live_recording.js";
import { exampleSource, Level } from "./live_sound.js";
import { mount as mountPlayer } from "./player.js";

const CALM = "Your sound stays in this browser.";
const SILENT = "No sound arrives; is the microphone muted, or another one meant?";
const TOO_SHORT = "That was too short; record for half a second at least.";
/** Milliseconds: between two updates of the figures, without any sound until that is said, to wait for the last frames. */
const READ = 250, QUIET = 4000, LAST = 1500;
const SHORTEST = 0.5;

/**
 * Mount the tab in a component.
 * @param {HTMLElement} element the component
 * @param {object} options as above
 * @param {{props: object, trigger: Function, watch: Function}} tools Gradio's tools of the component
 * @returns {LiveTab}
 */
export function mount(element, options, tools) {
  element.live = new LiveTab(element, options, tools);
  return element.live;
}

class LiveTab {
  constructor(element, options, { props, trigger, watch }) {
    Object.assign(this, { element, options, trigger, turn: 0, weights: null, answers: new Map() });
    this.parts = buildPanel(element, options);
    this.stage = new LiveStage(this.parts, options.no3d);
    watch("value", () => this.#answered(props.value ?? {}));
    this.#listen();
    this.say(options.problem || CALM, Boolean(options.problem));
    if (options.problem) {
      for (const one of element.querySelectorAll("button, select, input")) one.disabled = true;
      this.parts.notice.textContent = "There is no live head here.";
      return;
    }
    // Nothing is fetched for visitors who never look at this tab.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      this.open().catch((problem) => this.say(problem.message, true));
    });
    seen.observe(element);
  }

  /** Fetch the library, the network and the head, once. */
  open() {
    this.opening ??= this.#fetch().catch((problem) => {
      this.opening = null; // the next one tries again
      throw problem;
    });
    return this.opening;
  }

  async #fetch() {
    this.#look(this.parts.heads.value);
    this.say("Loading the network…");
    this.library = await import(this.#address(this.options.library));
    this.talker = this.library.createTalker({ model: this.#address(this.options.model), visemes: false });
    this.talker.drive((frame) => this.#frame(frame));
    this.talker.onsound = (samples, begin) => this.recorder?.hear(samples, begin);
    await this.talker.ready;
    this.columns = new MemoryColumns(this.parts.stripCanvas, this.parts.names, this.talker.config.slots, this.options.groups);
    this.stage.drivenBy(this.talker);
    this.#restyle();
    if (!this.source) this.say(CALM);
  }

  #address(path) {
    return new URL(`../..${path}`, import.meta.url).href;
  }

  say(words, wrong = false) {
    this.parts.says.textContent = words;
    this.parts.says.classList.toggle("wrong", wrong);
  }

  // ---- what the visitor does ----

  #listen() {
    const { parts } = this;
    const on = (target, name, action) => target.addEventListener(name, action);
    on(parts.start, "click", () => (this.source || this.starting ? this.stop() : this.microphone()));
    on(parts.mute, "click", () => this.mute(!this.source?.muted));
    on(parts.record, "click", () => (this.recorder ? this.#keep() : this.#record()));
    on(parts.devices, "change", () => this.microphone(parts.devices.value));
    on(parts.heads, "change", () => this.#look(parts.heads.value));
    on(parts.styles, "change", () => this.#chooseStyle());
    on(parts.moods, "change", () => {
      parts.strength.disabled = !parts.moods.value;
      this.#restyle();
    });
    for (const input of [parts.strength, ...parts.gains.querySelectorAll("input")]) on(input, "input", () => this.#restyle());
    on(parts.gains.querySelector(".live-reset"), "click", () => {
      for (const input of parts.gains.querySelectorAll("input")) input.value = 1;
      this.#restyle();
    });
    for (const button of parts.voices.querySelectorAll("button")) on(button, "click", () => this.example(button.value));
    on(parts.animate, "click", () => this.#animate());
    on(parts.prepare, "click", () => this.#prepare());
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#devices());
  }

  /** Follow the microphone of that id, by default the system's. */
  microphone(device = "") {
    return this.#start("Waiting for the microphone; your browser may ask you…", (context) =>
      this.library.openMicrophone(context, { device, lost: (why) => this.stop(why, true) }));
  }

  /** Follow an example voice, which is heard in step with the face. */
  example(name) {
    const { address, words } = this.options.voices.find((one) => one.name === name);
    return this.#start("Fetching the example…", (context) =>
      exampleSource(context, this.talker, this.#address(address), words, () => this.stop("The example has ended.")));
  }

  async #start(words, openSource) {
    this.stop();
    const turn = (this.turn += 1);
    this.starting = true;
    this.parts.start.textContent = "Stop";
    let [context, source] = [null, null];
    try {
      const Context = window.AudioContext ?? window.webkitAudioContext;
      if (!Context) throw new Error("This browser has no Web Audio, so it cannot follow a voice; use a newer one.");
      context = new Context({ latencyHint: "interactive" }); // at once, while the browser knows that somebody clicked
      await this.open();
      this.say(words);
      source = await openSource(context);
      if (turn !== this.turn) throw new Error("");
      await context.resume();
      await this.talker.connect(source.node).connected;
      if (turn !== this.turn) throw new Error("");
      Object.assign(this, { source, context, starting: false, level: new Level(context, source.node), arrived: performance.now() });
      source.begin?.();
      this.#live(true);
      this.say(`Following ${source.label || "the microphone"} at ${context.sampleRate / 1000} kHz.`);
      this.#devices(source.device);
      this.#tick();
    } catch (problem) {
      source?.stop();
      context?.close();
      if (turn === this.turn) this.stop(problem.message, true);
    }
  }

  /** Stop following, and say why. */
  stop(why = CALM, wrong = false) {
    this.turn += 1;
    this.starting = false;
    if (this.recorder) this.#keep();
    this.talker?.disconnect();
    this.source?.stop();
    if (this.context?.state !== "closed") this.context?.close();
    this.source = this.context = this.level = null;
    cancelAnimationFrame(this.next);
    this.stage.rest();
    this.#live(false);
    this.say(why, wrong);
  }

  mute(muted) {
    if (!this.source) return;
    this.source.muted = muted;
    this.parts.mute.setAttribute("aria-pressed", muted);
  }

  #live(on) {
    const { start, mute, record, badge } = this.parts;
    start.textContent = on ? "Stop" : "Use the microphone";
    mute.disabled = record.disabled = !on;
    badge.hidden = !on;
    mute.setAttribute("aria-pressed", false);
    if (!on) this.#figures({ known: null, shown: null, load: null }, -60);
  }

  async #devices(chosen) {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const heard = all.filter(({ kind, label }) => kind === "audioinput" && label);
    this.parts.device.hidden = heard.length < 2;
    fill(this.parts.devices, heard.map(({ deviceId, label }) => [deviceId, label]));
    if (chosen) this.parts.devices.value = chosen;
  }

  // ---- what happens all the time ----

  #frame(frame) {
    this.columns?.add(frame.address);
    this.address = frame.address;
    this.recorder?.see(frame);
  }

  #tick() {
    if (!this.element.isConnected) {
      this.stop();
      this.stage.dispose();
      return;
    }
    this.next = requestAnimationFrame(() => this.#tick());
    this.stage.show();
    const now = performance.now();
    if (now - (this.read ?? 0) < READ) return;
    this.read = now;
    const level = this.level.read();
    if (level > -90) this.arrived = now;
    else if (now - this.arrived > QUIET && !this.source.muted) this.say(SILENT, true);
    this.#figures(this.talker.measures, level);
    if (this.address) this.parts.now.textContent = `Now: ${this.columns.words(this.address)}`;
    if (this.recorder) {
      this.parts.record.textContent = `Stop recording (${this.recorder.seconds.toFixed(0)} s)`;
      if (this.recorder.full) this.#keep();
    }
  }

  #figures({ known, shown, load }, level) {
    const { parts } = this;
    const ms = (seconds) => (seconds === null ? "–" : `${Math.round(1000 * seconds)} ms`);
    parts.known.textContent = ms(known);
    parts.shown.textContent = ms(shown);
    parts.load.textContent = load === null ? "–" : `${Math.round(100 * load)} % of a core`;
    const held = Math.min(0, Math.max(-60, level));
    parts.meter.setAttribute("aria-valuenow", Math.round(held));
    parts.meter.setAttribute("aria-valuetext", held <= -60 ? "silent" : `${Math.round(held)} decibels`);
    parts.meter.firstElementChild.style.width = `${(100 * (held + 60)) / 60}%`;
  }

  // ---- head and style ----

  #ask(event, name) {
    const known = this.answers.get(`${event}:${name}`);
    if (known) this.#answered(known);
    else this.trigger(event, { name });
  }

  #look(name) {
    this.#ask("look", name);
  }

  #answered(answer) {
    if (answer.failed) this.say(answer.failed, true);
    if (answer.address) {
      this.answers.set(`look:${answer.head}`, answer);
      if (answer.head === this.parts.heads.value) {
        this.head = answer.address;
        this.stage.load(this.#address(answer.address)).catch(() => this.say("The head could not be shown; choose it again.", true));
      }
    }
    if (answer.weights) {
      this.answers.set(`voice:${answer.voice}`, answer);
      if (this.parts.styles.value === `voice:${answer.voice}`) {
        this.weights = answer.weights;
        this.#restyle();
      }
    }
  }

  #chooseStyle() {
    const [kind, name] = this.parts.styles.value.split(":");
    this.weights = null;
    this.#restyle();
    if (kind === "voice") this.#ask("voice", name);
  }

  /** The style that all choices make together, as a style's file. */
  get style() {
    const { styles, moods, strength, gains } = this.parts;
    const preset = this.options.styles.find(({ name }) => styles.value === `style:${name}`)?.deliveries[0] ?? {};
    const scaled = { ...preset.gains };
    for (const { name, value } of gains.querySelectorAll("input")) {
      if (Number(value) !== 1) scaled[name] = Math.min(4, (scaled[name] ?? 1) * Number(value));
    }
    const mood = moods.value ? { [moods.value]: Number(strength.value) } : {};
    const named = Object.fromEntries((this.weights ?? []).map((weight, slot) => [this.talker.config.slots[slot], weight]));
    return { deliveries: [{ gains: scaled, offsets: preset.offsets ?? {}, moods: { ...preset.moods, ...mood } }], slot_weights: named };
  }

  #restyle() {
    if (this.talker?.config) this.talker.style = this.style;
  }

  // ---- recording ----

  #record() {
    this.recorder = new Recorder(this.context.sampleRate, this.talker.config.grid.fps, this.options.longest);
    this.parts.record.setAttribute("aria-pressed", true);
    this.parts.record.textContent = "Stop recording";
  }

  /** End the recording, once the frames of what was said last are known. */
  async #keep() {
    const { recorder, parts } = this;
    const end = this.context?.currentTime ?? 0;
    const waited = performance.now() + LAST;
    if (recorder.ending) return;
    recorder.ending = true;
    parts.record.disabled = true;
    while (this.source && recorder.reached < end - 1 / recorder.fps && !recorder.full && performance.now() < waited) {
      await new Promise((done) => setTimeout(done, 30));
    }
    this.recorder = null;
    parts.record.disabled = !this.source;
    parts.record.setAttribute("aria-pressed", false);
    parts.record.textContent = "Record";
    const take = recorder.seconds < SHORTEST ? null : recorder.take();
    if (take) await this.#show(take);
    else this.say(TOO_SHORT, true);
  }

  async #show(take) {
    const { parts } = this;
    Object.assign(this, { take, taken: this.weights ?? this.talker.config.slots.map(() => 1) });
    for (const [link, blob] of [[parts.wav, wavOf(take)], [parts.csv, csvOf(take, this.options.columns)]]) {
      if (link.href) URL.revokeObjectURL(link.href);
      link.href = URL.createObjectURL(blob);
    }
    parts.recording.hidden = false;
    const value = await playbackOf(take, this.head);
    if (this.player) {
      await this.player.load(value);
      return;
    }
    const options = { channel: "live", label: "Your recording", empty: "", no3d: this.options.no3d, autoplay: false };
    this.player = await mountPlayer(parts.replay, options, { props: { value }, watch: () => {} });
  }

  async #animate() {
    this.stop();
    if (!(await handToAnimate(wavOf(this.take)))) this.say("There is no tab Animate here; download the sound instead.", true);
  }

  #prepare() {
    this.trigger("take", { take: messageOf(this.take, this.taken), format: this.parts.formats.value, head: this.parts.heads.value });
  }
}
