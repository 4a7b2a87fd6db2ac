// A talking head in 3D with its sound and controls. Its clock is the page's.
//
// On `document` it sends "memorytalker:time" {channel, seconds, playing} with every animation frame while it plays and whenever
// the time changes, and "memorytalker:style" {channel, own} when the style is switched. It follows "memorytalker:seek"
// {channel, seconds}; "memorytalker:adjust" {channel, changes}, which changes the curves (playback.js);
// "memorytalker:recalled" {channel, text}, the line under the head; and, with a {channel, value} each, "memorytalker:wear" (path
// of another head), "memorytalker:camera" (its name), "memorytalker:alive" (whether expression is shown), "memorytalker:plain" (the motion before the sliders of a style act, JSON),
// "memorytalker:neutral" (that in the neutral style, JSON) and "memorytalker:delivery" ({channel, deliveries, library,
// arousal}: what those sliders say, where the library is that moves curves so, and whether they follow the voice), "memorytalker:pose" ({label, names, own, neutral}: a face that is held). The Player is its element's `player`.

import { bytesOf } from "./bytes.js";
import { clockTime, within } from "./clock.js";
import { DeliveredIdle } from "./delivering.js";
import { IdleCurves } from "./idle.js";
import { Curves, FormatError, opened, Pose, UNCHANGED } from "./playback.js";
import { walkedBy } from "./memory_data.js";

const CAMERAS = { front: "Front", three_quarter: "Three-quarter", profile: "Profile" };
const IDLE_FRAME = 45; // milliseconds between two frames of a waiting face
const STYLES = { true: "With this voice’s style", false: "Without this voice’s style" };
const TURN = 8, NEARER = 0.88; // degrees and factor of one press of a key

/**
 * Mount a player in a component; it shows the component's value, now and whenever that changes.
 * @param {HTMLElement} element the component
 * @param {{channel: string, empty: string, no3d: string, noCurves: string, autoplay: boolean, label: string, first: string}} options
 *   as of memorytalker.page.player
 * @param {{props: object, watch: Function}} tools Gradio's tools of the component
 * @returns {Promise<Player>}
 */
export function mount(element, options, { props, watch }) {
  const player = new Player(element, options);
  const take = () => player.load(props.value).catch((problem) => player.fail(problem));
  watch("value", take);
  element.player = player;
  return take().then(() => player);
}

/** The controls, the clock and the view. Times are in seconds. */
class Player {
  constructor(element, options) {
    this.element = element;
    this.options = options;
    this.seconds = this.length = 0;
    this.changes = UNCHANGED;
    this.own = true; // moves in the style of the voice
    this.alive = true;
    this.stop = new AbortController(); // ends every listener at once
    this.reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
    useStyle();
    import("./view.js").catch(() => {}); // loaded in advance; a failure shows when it is needed
    this.#build();
    this.#listen();
  }

  // ---- elements and events ----

  #build() {
    const { label = "Talking head in 3D", empty = "" } = this.options;
    this.element.innerHTML = `<div class="head-player" role="group">
      <div class="stage"><canvas tabindex="0" role="application" hidden></canvas><p class="notice"></p></div>
      <div class="transport" hidden>
        <button type="button" class="play"></button>
        <input type="range" class="seek" min="0" value="0" aria-label="Position in the recording">
        <span class="clock"></span>
        <button type="button" class="mute"></button>
      </div>
      <p class="recalled" hidden></p>
      <div class="styles" hidden><button type="button" class="style" aria-pressed="true"></button><span class="apart"></span></div>
      <div class="cameras" role="toolbar" aria-label="Camera" hidden></div>
      <p class="hint" hidden>Drag the head to turn it.</p>
    </div>`;
    const find = (name) => this.element.querySelector(name);
    this.root = find(".head-player");
    this.canvas = find("canvas");
    [this.notice, this.transport, this.play, this.seekBar, this.clock, this.mute, this.cameras, this.hint] =
      [".notice", ".transport", ".play", ".seek", ".clock", ".mute", ".cameras", ".hint"].map(find);
    [this.recalled, this.styles, this.style, this.apart] = [".recalled", ".styles", ".style", ".apart"].map(find);
    this.#showStyle();
    this.root.setAttribute("aria-label", label);
    this.canvas.setAttribute("aria-label", `${label}. Arrow keys turn it, plus and minus zoom, 0 looks from the front, space plays.`);
    this.notice.textContent = empty;
    for (const [name, text] of Object.entries(CAMERAS)) this.#button(text, () => this.choose(name)).dataset.camera = name;
    this.#button("Nearer", () => this.turn(0, 0, NEARER), "+");
    this.#button("Further", () => this.turn(0, 0, 1 / NEARER), "−");
    this.#button("Reset the view", () => this.choose(this.home ?? "front"), "Reset");
    this.#setMuted(false);
    this.#showPlaying();
  }

  #button(label, action, text = label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    if (text !== label) button.setAttribute("aria-label", label);
    button.tabIndex = this.cameras.children.length ? -1 : 0; // one stop of the Tab key; the arrows go on
    button.addEventListener("click", action);
    this.cameras.append(button);
    return button;
  }

  #listen() {
    const { signal } = this.stop;
    const on = (target, name, action, more = {}) => target.addEventListener(name, action, { signal, ...more });
    on(this.play, "click", () => this.toggle());
    on(this.mute, "click", () => this.#setMuted(!this.muted));
    on(this.seekBar, "input", () => this.seek(Number(this.seekBar.value)));
    on(this.canvas, "keydown", (event) => this.#key(event));
    on(this.style, "click", () => this.inStyle(!this.own));
    on(this.cameras, "keydown", (event) => this.#walk(event));
    const told = {
      seek: ({ seconds }) => this.seek(seconds),
      adjust: ({ changes }) => this.adjust(changes),
      recalled: ({ text }) => this.#recall(text),
      wear: ({ value }) => this.wear(value).catch((problem) => console.info(problem)),
      camera: ({ value }) => this.choose(value),
      plain: ({ value }) => this.#startFrom(value),
      delivery: ({ deliveries, library, arousal }) => this.deliver(deliveries, library, arousal).catch((problem) => console.info(problem)),
      neutral: ({ value }) => this.#compareWith(value),
      pose: ({ value }) => this.hold(value),
      alive: ({ value }) => this.enliven(value),
    };
    for (const [name, action] of Object.entries(told)) {
      on(document, `memorytalker:${name}`, ({ detail }) => { if (detail.channel === this.options.channel) action(detail); });
    }
    // One sound at a time on the page.
    on(document, "play", ({ target }) => { if (target !== this.sound && this.playing) this.pause(); }, { capture: true });
    this.observer = new ResizeObserver(() => (this.element.isConnected ? this.view?.resize() : this.dispose()));
    this.observer.observe(this.canvas);
    this.observer.observe(this.root);
    this.inSight = true;
    this.sight = new IntersectionObserver(([{ isIntersecting }]) => { this.inSight = isIntersecting; });
    this.sight.observe(this.root);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, TURN], ArrowDown: [0, -TURN] };
    const { key } = event;
    if (turns[key]) this.turn(...turns[key]);
    else if (key === "+" || key === "=") this.turn(0, 0, NEARER);
    else if (key === "-") this.turn(0, 0, 1 / NEARER);
    else if (key === "0" || key === "Home") this.choose("front");
    else if (key === " ") this.toggle();
    else return;
    event.preventDefault();
  }

  // ---- playback ----

  /** Show a value of memorytalker.page.playback (JSON text); for an empty one the first head, which waits. */
  async load(text) {
    const turn = (this.turnOf = (this.turnOf ?? 0) + 1);
    this.neutral = this.plain = null;
    if (!text) this.#clear();
    this.pause();
    this.length = 0; // nothing can be played until the new value is there
    const shown = text || this.options.first;
    if (!shown) return;
    const content = opened(shown);
    this.address = content.head && addressOf(content.head);
    let problem = content.head ? "" : this.options.noCurves ?? "This head has no 3D view.";
    if (!problem) {
      await this.#openView().catch((error) => {
        console.info(error);
        problem = this.options.no3d ?? "Your browser shows no 3D.";
      });
    }
    const head = problem ? null : await this.view?.fetch(this.address);
    if (turn !== this.turnOf || this.stop.signal.aborted) return; // another value came, or the page went
    this.#clear(Boolean(head));
    if (content.seconds) this.#open(content, head, problem);
    else this.#wait(head, problem);
  }

  /** Show a head that waits for its voice, or the sentence in its place. */
  #wait(head, problem) {
    this.notice.textContent = problem;
    this.canvas.hidden = this.cameras.hidden = !head;
    if (!head) return;
    this.idle = this.#idle();
    this.view.load(head, this.idle);
    this.view.resize();
    this.#showCamera();
    const begun = performance.now();
    const step = () => {
      if (!this.idle) return;
      if (!this.element.isConnected) this.dispose();
      else if (!document.hidden && this.inSight) this.view?.show((performance.now() - begun) / 1000);
    };
    if (!this.reducedMotion.matches) this.waiting = setInterval(step, IDLE_FRAME);
  }

  /** Put another head in place of this one; what it says and where it is stays. */
  async wear(path) {
    if (!path || !this.view || !(this.curves || this.idle)) return;
    const turn = this.turnOf;
    const head = await this.view.fetch(addressOf(path));
    if (turn !== this.turnOf || this.stop.signal.aborted) return;
    this.view.load(head, this.posed ?? this.curves ?? this.idle);
    this.view.show(this.seconds);
  }

  /** Show an opened value, on a head if there is one; `problem` is the sentence in its place. */
  #open(content, head, problem) {
    const frame = 1 / (content.fps ?? 30);
    this.length = content.seconds;
    const moves = content.sound !== undefined || this.length > 1.5 * frame;
    if (content.sound) this.#openSound(content.sound);
    this.canvas.hidden = this.cameras.hidden = this.hint.hidden = !head;
    this.notice.textContent = problem;
    this.transport.hidden = !moves;
    this.mute.hidden = !content.sound;
    this.seekBar.max = this.length;
    this.seekBar.step = frame;
    if (head) {
      this.curves = new Curves(content);
      this.curves.adjust(this.changes);
      this.curves.enliven(this.alive);
      this.curves.deliver(this.deliveries, this.delivering, this.heard);
      if (this.plain) this.#startFrom(this.plain);
      this.view.load(head, this.curves);
      this.view.resize();
      this.#showCamera();
      if (this.neutral) this.#compareWith(this.neutral);
    }
    this.seek(0);
    if (moves && this.options.autoplay && !this.reducedMotion.matches) this.start();
  }

  /** Take the motion before the sliders of a style act (JSON; empty: none). */
  #startFrom(text) {
    this.plain = text; // the head may still be on its way
    this.curves?.startFrom(text ? JSON.parse(text) : null);
    this.view?.show(this.seconds);
  }

  /**
   * Move as the sliders of a style say, this value and those to come; a waiting face feels what they say.
   * @param {object[]} deliveries as in the file of a style
   * @param {?string} library path of the folder below the page's root that holds delivery.js; null: none
   * @param {boolean} heard whether moods and brows follow how excited the voice sounds
   */
  async deliver(deliveries, library, heard = false) {
    Object.assign(this, { deliveries, heard });
    if (library && !this.delivering) this.delivering = await import(addressOf(`${library}/delivery.js`));
    if (this.stop.signal.aborted) return;
    this.curves?.deliver(this.deliveries, this.delivering, this.heard);
    if (this.idle) {
      this.idle = this.#idle();
      if (this.view && !this.posed && !this.curves) this.view.curves = this.idle;
    }
    this.view?.show(this.seconds);
  }

  /** A waiting face, with the mood and the offsets that the sliders say. */
  #idle() {
    const idle = new IdleCurves();
    if (!this.delivering || !this.deliveries) return idle;
    const delivery = new this.delivering.Delivery([{ ...this.deliveries[0], start: 0 }], []);
    return delivery.changes ? new DeliveredIdle(idle, delivery) : idle;
  }

  /** Take the same motion in the neutral style (JSON; empty: none), so that the head can switch while it talks. */
  #compareWith(text) {
    this.neutral = text; // the head may still be on its way
    this.styles.hidden = !this.curves?.compareWith(text ? JSON.parse(text) : null);
    if (this.styles.hidden) this.inStyle(true);
    this.#showStyle();
  }

  /** Move with this voice's style, or without. */
  inStyle(own) {
    this.own = own;
    this.curves?.inStyle(own);
    if (this.held) this.hold(this.held);
    else this.view?.show(this.seconds);
    this.#showStyle();
    const detail = { channel: this.options.channel, own };
    document.dispatchEvent(new CustomEvent("memorytalker:style", { detail }));
  }

  #showStyle() {
    this.style.textContent = STYLES[this.own];
    this.style.setAttribute("aria-pressed", this.own);
    const apart = this.curves?.apart;
    if (!apart) return;
    const mean = apart.reduce((sum, one) => sum + one, 0) / apart.length;
    const most = apart.reduce((a, b) => Math.max(a, b), 0);
    this.apart.textContent = `The style moves the lips by ${mean.toFixed(1)} mm, at most ${most.toFixed(1)} mm.`;
  }

  /** Hold a face until the head talks or the time changes: {label, names, own, neutral}; null lets it go. */
  hold(pose) {
    if (!this.view?.figure) return;
    this.pause();
    this.held = pose;
    this.posed = pose && new Pose(pose.names, (!this.own && pose.neutral) || pose.own);
    this.notice.textContent = pose ? pose.label : "";
    this.view.curves = this.posed ?? this.curves ?? this.idle;
    this.view.show(this.seconds);
  }

  #letGo() {
    if (!this.posed) return;
    this.held = this.posed = null;
    this.notice.textContent = "";
    if (this.view) this.view.curves = this.curves ?? this.idle;
  }

  #recall(text) {
    this.recalled.hidden = !text;
    this.recalled.textContent = text;
  }

  /** Change the curves, of this value and of those to come, as `Curves.adjust` does. */
  adjust(changes) {
    this.changes = changes;
    this.curves?.adjust(changes);
    this.view?.show(this.seconds);
  }

  /** Show blinks, glances, brows and turns of the head that the result has, or leave them out. */
  enliven(alive) {
    this.alive = alive;
    this.curves?.enliven(alive);
    this.view?.show(this.seconds);
  }

  async #openView() {
    if (this.view) return;
    const { View } = await import("./view.js");
    if (!this.view && !this.stop.signal.aborted) this.view = new View(this.canvas, () => this.#showCamera());
  }

  #openSound(base64) {
    this.soundAddress = URL.createObjectURL(new Blob([bytesOf(base64)], { type: "audio/wav" }));
    this.sound = document.createElement("audio");
    this.sound.preload = "auto";
    this.sound.src = this.soundAddress;
    this.sound.muted = this.muted;
    for (const name of ["play", "pause", "ended"]) this.sound.addEventListener(name, () => this.#follow());
    this.sound.addEventListener("seeked", () => this.#tell());
    this.root.append(this.sound);
  }

  get playing() {
    return this.sound ? !this.sound.paused && !this.sound.ended : Boolean(this.silent);
  }

  /** Play from here, or from the beginning if this is the end; a browser that forbids it stays where it is. */
  start() {
    if (!this.length) return;
    this.#letGo();
    if (this.seconds >= this.length - 0.02) this.seek(0);
    if (this.sound) this.sound.play().catch(() => this.#showPlaying());
    else this.silent = { begun: performance.now() - 1000 * this.seconds };
    this.#follow();
  }

  pause() {
    this.sound?.pause();
    this.silent = null;
    this.#follow();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  /** Go to a time in seconds; the sound goes there too, and goes on if it was playing. */
  seek(seconds) {
    this.#letGo();
    this.seconds = within(seconds, this.length);
    if (this.sound) this.sound.currentTime = this.seconds;
    if (this.silent) this.silent.begun = performance.now() - 1000 * this.seconds;
    this.#show();
  }

  /** While it plays, the sound's own clock is the only one. */
  #follow() {
    cancelAnimationFrame(this.next);
    this.#tell();
    this.#showPlaying();
    if (!this.playing) return;
    this.next = requestAnimationFrame(() => {
      if (this.element.isConnected) this.#follow();
      else this.dispose();
    });
  }

  #tell() {
    if (this.sound) this.seconds = Math.min(this.sound.currentTime, this.length);
    else if (this.silent) {
      this.seconds = Math.min((performance.now() - this.silent.begun) / 1000, this.length);
      if (this.seconds >= this.length) this.silent = null;
    }
    this.#show();
  }

  #show() {
    this.view?.show(this.seconds);
    this.seekBar.value = this.seconds;
    const words = `${this.seconds.toFixed(1)} of ${this.length.toFixed(1)} seconds`;
    this.seekBar.setAttribute("aria-valuetext", words);
    this.clock.textContent = `${clockTime(this.seconds)} / ${clockTime(this.length)}`;
    const detail = { channel: this.options.channel, seconds: this.seconds, playing: this.playing };
    document.dispatchEvent(new CustomEvent("memorytalker:time", { detail }));
  }

  #showPlaying() {
    const text = this.playing ? "Pause" : "Play";
    if (this.play.getAttribute("aria-label") === text) return;
    this.play.setAttribute("aria-label", text);
    this.play.innerHTML = icon(this.playing ? "M6 4h4v16H6z M14 4h4v16h-4z" : "M6 3.5 20 12 6 20.5z");
  }

  #setMuted(muted) {
    this.muted = muted;
    if (this.sound) this.sound.muted = muted;
    this.mute.setAttribute("aria-label", "Mute the sound");
    this.mute.setAttribute("aria-pressed", muted);
    this.mute.innerHTML = icon(`M3 9h4l5-5v16l-5-5H3z ${muted ? "M15 9.4 16.4 8 22 13.6 20.6 15z M20.6 8 22 9.4 16.4 15 15 13.6z" : "M15 8a5 5 0 0 1 0 8z M17 4a9 9 0 0 1 0 16v-2.2a7 7 0 0 0 0-11.6z"}`);
  }

  // ---- camera ----

  choose(name) {
    if (!this.view?.figure) return;
    this.view?.choose(name, !this.reducedMotion.matches);
    this.#showCamera();
  }

  turn(aside, up, nearer) {
    this.view?.turn(aside, up, nearer);
    this.#showCamera();
  }

  #walk(event) {
    const all = [...this.cameras.children];
    const there = walkedBy(event.key, all.indexOf(document.activeElement), all.length);
    if (there === null) return;
    event.preventDefault();
    all.forEach((button, place) => { button.tabIndex = place === there ? 0 : -1; });
    all[there].focus();
  }

  #showCamera() {
    for (const button of this.cameras.querySelectorAll("[data-camera]")) {
      button.setAttribute("aria-pressed", button.dataset.camera === this.view?.chosen);
    }
  }

  // ---- failure and end ----

  /** Show that the value cannot be shown. */
  fail(problem) {
    const known = problem instanceof FormatError;
    if (!known) console.error(problem);
    this.#clear();
    this.notice.textContent = known ? problem.message : "The 3D head could not be shown; please try again.";
  }

  #clear(keepHead = false) {
    cancelAnimationFrame(this.next);
    clearInterval(this.waiting);
    this.idle = this.posed = this.held = this.curves = this.silent = null;
    this.sound?.pause();
    this.sound?.remove();
    this.sound = null;
    if (this.soundAddress) URL.revokeObjectURL(this.soundAddress);
    this.soundAddress = "";
    if (!keepHead) this.view?.clear();
    this.own = true;
    this.seconds = this.length = 0;
    this.canvas.hidden = this.cameras.hidden = this.hint.hidden = true;
    this.transport.hidden = this.recalled.hidden = this.styles.hidden = true;
    this.notice.textContent = this.options.empty ?? "";
    this.#showStyle();
    this.#showPlaying();
  }

  dispose() {
    this.stop.abort();
    this.observer.disconnect();
    this.sight.disconnect();
    this.#clear();
    this.view?.dispose();
    this.view = null;
  }
}

/** The address of a head from its path below the page's root. */
function addressOf(path) {
  return new URL(`../..${path}`, import.meta.url).href;
}

function icon(path) {
  return `<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="currentColor"><path d="${path}"/></svg>`;
}

function useStyle() {
  const address = new URL("./player.css", import.meta.url).href;
  if (document.querySelector(`link[href="${address}"]`)) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = address;
  document.head.append(link);
}
