// The sliders of a style: presets, moments, mood, and how far the face moves. The component's value is JSON,
// {deliveries: [{start, gains, offsets, moods, head_motion}], arousal}, as memorytalker.page.sliders reads it. Every
// move sends "memorytalker:delivery" {channel, deliveries, library, arousal} at once, and the value follows when it ends.

const GAIN_SHOWN = 3;
const OWN = "As it is";

/**
 * Mount the sliders in a component.
 * @param {HTMLElement} element the component
 * @param {object} options as of memorytalker.page.sliders.build_sliders
 * @param {{props: object, trigger: Function, watch: Function}} tools Gradio's tools of the component
 */
export function mount(element, options, { props, trigger, watch }) {
  const panel = new Sliders(element, options, (text) => {
    props.value = text;
    trigger(options.change);
  });
  watch("value", () => panel.take(props.value));
  panel.take(props.value);
  element.panel = panel;
}

class Sliders {
  constructor(element, options, changed) {
    Object.assign(this, { element, options, changed, moment: 0, preset: "" });
    this.#build();
    this.#listen();
  }

  /** Show a value; an empty one is how the page begins. */
  take(text) {
    if (text === this.text) return;
    const { deliveries = [this.#first()], arousal = false } = text ? JSON.parse(text) : {};
    Object.assign(this, { text, deliveries, arousal, moment: 0, preset: "" });
    this.#show();
    this.#tell();
  }

  #first() {
    return { start: 0, gains: {}, offsets: {}, moods: {}, head_motion: this.options.headMotion ?? 0 };
  }

  get delivery() {
    return this.deliveries[this.moment];
  }

  // ---- elements ----

  #build() {
    const { gains, offsets, moods, presets, headMotion } = this.options;
    this.element.innerHTML = `<div class="sliders">
      <div class="pair">
        <label>Preset <select class="preset"></select></label>
        <label>When <select class="moment"></select></label>
      </div>
      <div class="moments">
        <label class="at">At <input type="number" class="time" min="0.5" max="60" step="0.5" value="2"> s</label>
        <button type="button" class="add">Add a change</button><button type="button" class="remove" aria-label="Remove this change">−</button>
      </div>
      <div class="pair">
        <label>Mood <select class="mood"></select></label>
        <label>Strength <input type="range" class="strength" min="0" max="1" step="0.01" value="0.7"></label>
      </div>
      <label class="check"><input type="checkbox" class="arousal"> Follow how excited the voice sounds
        <small>A guess; it scales mood and brows, by half at most.</small></label>
      <div class="rows"></div>
      <button type="button" class="reset">Reset the sliders</button></div>`;
    const find = (name) => this.element.querySelector(`.${name}`);
    this.parts = Object.fromEntries(
      ["preset", "moment", "time", "add", "remove", "mood", "strength", "arousal", "rows", "reset"].map((name) => [name, find(name)]),
    );
    fill(this.parts.preset, [["", OWN], ...Object.keys(presets).map((name) => [name, capital(name)])]);
    fill(this.parts.mood, [["", "None"], ...moods.map((name) => [name, capital(name)])]);
    this.rows = [
      ...Object.entries(gains).map(([name, words]) => ({ kind: "gains", name, words, rest: 1, low: 0, high: GAIN_SHOWN })),
      ...Object.entries(offsets).map(([name, words]) => ({ kind: "offsets", name, words, rest: 0, low: -1, high: 1 })),
    ];
    if (headMotion !== null) {
      this.rows.push({ kind: "head_motion", name: "", words: "Nods and sway", rest: headMotion, low: 0, high: 1 });
    }
    for (const row of this.rows) this.#row(row);
  }

  #row(row) {
    const label = document.createElement("label");
    label.className = "row";
    label.innerHTML = `<span></span><input type="range" step="0.01"><output></output>`;
    label.firstElementChild.textContent = row.words;
    Object.assign(row, { label, input: label.children[1], output: label.children[2] });
    Object.assign(row.input, { min: row.low, max: row.high, name: `${row.kind}-${row.name}` });
    this.parts.rows.append(label);
  }

  #listen() {
    const { parts } = this;
    const on = (target, name, action) => target.addEventListener(name, action);
    on(parts.preset, "change", () => this.#choose(parts.preset.value));
    on(parts.moment, "change", () => { this.moment = Number(parts.moment.value); this.#show(); });
    on(parts.add, "click", () => this.#add(Number(parts.time.value)));
    on(parts.remove, "click", () => this.#remove());
    on(parts.mood, "change", () => this.#feel(parts.mood.value, Number(parts.strength.value)));
    on(parts.strength, "input", () => this.#feel(parts.mood.value, Number(parts.strength.value), false));
    on(parts.strength, "change", () => this.#commit());
    on(parts.arousal, "change", () => { this.arousal = parts.arousal.checked; this.#tell(); this.#commit(); });
    on(parts.reset, "click", () => this.#reset());
    for (const row of this.rows) {
      on(row.input, "input", () => this.#move(row, Number(row.input.value)));
      on(row.input, "change", () => this.#commit());
    }
  }

  // ---- what the visitor does ----

  #move({ kind, name, rest }, value) {
    if (kind === "head_motion") this.delivery.head_motion = value;
    else {
      const values = { ...this.delivery[kind], [name]: value };
      if (value === rest) delete values[name];
      this.delivery[kind] = values;
    }
    this.preset = "";
    this.#show();
    this.#tell();
  }

  #feel(mood, strength, ends = true) {
    this.delivery.moods = mood && strength ? { [mood]: strength } : {};
    this.preset = "";
    this.#show(mood);
    this.#tell();
    if (ends) this.#commit();
  }

  #choose(name) {
    const chosen = name ? this.options.presets[name] : this.#first();
    const head = chosen.head_motion || this.options.headMotion || 0; // a preset that says nothing of it leaves it
    const { start } = this.delivery;
    this.deliveries[this.moment] = { ...structuredClone(chosen), start, head_motion: this.options.headMotion === null ? 0 : head };
    this.preset = name;
    this.#show();
    this.#tell();
    this.#commit();
  }

  #add(seconds) {
    const start = Math.min(Math.max(Math.round(10 * seconds) / 10 || 0, 0.1), 60);
    if (this.deliveries.length >= this.options.most) return;
    const before = this.deliveries.filter((one) => one.start <= start).at(-1);
    if (before.start !== start) {
      this.deliveries.splice(this.deliveries.indexOf(before) + 1, 0, { ...structuredClone(before), start });
    }
    this.moment = this.deliveries.findIndex((one) => one.start === start);
    this.#show();
    this.#commit();
  }

  #remove() {
    if (!this.moment) return;
    this.deliveries.splice(this.moment, 1);
    this.moment -= 1;
    this.#show();
    this.#tell();
    this.#commit();
  }

  #reset() {
    Object.assign(this, { deliveries: [this.#first()], arousal: false, moment: 0, preset: "" });
    this.#show();
    this.#tell();
    this.#commit();
  }

  // ---- what is shown and told ----

  #show(picked = "") {
    const { parts, delivery } = this;
    parts.preset.value = this.preset;
    fill(parts.moment, this.deliveries.map(({ start }, k) => [k, `From ${start} s`]));
    parts.moment.value = this.moment;
    parts.remove.disabled = !this.moment;
    const [mood = picked, strength] = Object.entries(delivery.moods ?? {}).sort((one, other) => other[1] - one[1])[0] ?? [];
    parts.mood.value = mood;
    if (strength !== undefined) parts.strength.value = strength;
    parts.strength.disabled = !mood;
    parts.arousal.checked = this.arousal;
    for (const { kind, name, rest, high, input, output, label } of this.rows) {
      const value = (kind === "head_motion" ? delivery.head_motion : delivery[kind]?.[name]) ?? rest;
      input.max = Math.max(high, value);
      input.value = value;
      output.textContent = kind === "gains" ? `${value.toFixed(2)} ×` : kind === "offsets" ? signed(value) : `${Math.round(100 * value)} %`;
      label.classList.toggle("moved", Math.abs(value - rest) > 0.004);
    }
  }

  #tell() {
    const { channel, library } = this.options;
    const detail = { channel, deliveries: this.deliveries, library, arousal: this.arousal };
    document.dispatchEvent(new CustomEvent("memorytalker:delivery", { detail }));
  }

  #commit() {
    this.text = JSON.stringify({ deliveries: this.deliveries, arousal: this.arousal });
    this.changed(this.text);
  }
}

function fill(select, pairs) {
  select.replaceChildren(...pairs.map(([value, words]) => new Option(words, value)));
}

function signed(value) {
  const shown = Math.abs(value).toFixed(2);
  return `${Number(shown) === 0 ? "" : value < 0 ? "−" : "+"}${shown}`;
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}
