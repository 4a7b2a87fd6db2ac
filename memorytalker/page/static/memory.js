// The heatmap of the memory address, below the sound and the lip opening, on one axis in seconds, with a playhead that
// follows the page's clock.
//
// value: {seconds, fps, labels: [n names], groups: [[name, [slots]]], address: base64 of T * n bytes (share * 255),
// words: [n sample words], style: [n weights against the reference] or null, reference: its name,
// wave: base64 of pairs of signed bytes (smallest, largest), opening: base64 of T float32 in millimetres or null,
// readings: [[slot, start, end, share]], summary: text}

import { marks, steppedBy, within } from "./clock.js";
import { described, factorWords, recalledAt, rowAt, unpacked, walkedBy, wordsAt } from "./memory_data.js";
import { heatLane, legend, make, openingLane, paint, setAll, styleBar, waveLane } from "./memory_lanes.js";

const PIXELS_PER_SECOND = { mouse: 30, finger: 60 }; // at least; longer sound scrolls sideways
const HOVER = 1000; // milliseconds for which the readout stays with a resting mouse while the head talks

/**
 * Draw the component's value, now and whenever it changes.
 * @param {HTMLElement} element the component
 * @param {{channel: string, event: string, empty: string}} options the player's clock, the Gradio event that choosing a
 *   slot triggers, and the text while there is no value
 * @param {{props: object, watch: Function, trigger: Function}} tools Gradio's tools of the component
 */
export function mount(element, options, tools) {
  const view = new MemoryView(element.querySelector(".memory-view") ?? element, options, tools);
  const show = () => view.show(tools.props.value);
  tools.watch("value", show);
  show();
}

/** The drawing in `root`, and what moves in it. Times are in seconds. */
class MemoryView {
  constructor(root, options, tools) {
    Object.assign(this, { root, options, tools, data: null, seconds: 0, playing: false, hovered: 0 });
    new ResizeObserver(() => this.layout()).observe(root);
    document.addEventListener("memorytalker:time", ({ detail }) => {
      if (detail.channel !== options.channel || !this.data) return;
      this.playing = detail.playing;
      this.moveTo(detail.seconds);
    });
    document.addEventListener("memorytalker:slot", ({ detail }) => {
      if (detail.channel === options.channel) this.choose(detail.slot);
    });
  }

  show(value) {
    this.root.replaceChildren();
    this.data = value && typeof value === "object" ? unpacked(value) : null;
    if (!this.data) {
      this.root.append(make("p", "empty", this.options.empty));
      return;
    }
    this.seconds = 0;
    this.byStyle = false;
    this.readout = make("p", "readout");
    this.side = make("div", "side");
    this.lanes = make("div", "lanes");
    const body = make("div", "body");
    body.append(this.side, this.lanes);
    this.scroller = make("div", "scroller");
    this.scroller.append(body);
    this.fillSide();
    this.fillLanes();
    this.key = make("div");
    this.key.append(legend(this.data, false));
    const below = make("div", "below");
    below.append(this.key);
    if (this.data.style) below.append(this.colors());
    this.root.append(this.readout, this.scroller, below, make("p", "summary", this.data.summary), this.asText());
    this.layout();
    this.moveTo(0);
  }

  fillSide() {
    const { labels, groups, opening, reach } = this.data;
    this.side.append(make("div", "tag wave", "Sound"));
    if (opening) {
      this.side.append(make("div", "tag opening", `Lip opening, to ${reach} mm`));
    }
    const bar = make("div", "slots");
    setAll(bar, { role: "toolbar", "aria-orientation": "vertical", "aria-label": "Memory slots: choose one to see its face" });
    this.buttons = new Map();
    for (const [name, slots] of groups) {
      const group = make("div", "group");
      setAll(group, { role: "group", "aria-label": name || "slots" });
      const list = make("div", "names");
      for (const slot of slots) {
        const button = make("button", "slot");
        const word = this.data.words?.[slot] ?? "";
        button.append(make("span", "phone", labels[slot]), make("span", "word", word), styleBar(this.data, slot));
        button.title = this.named(slot);
        setAll(button, { type: "button", "data-slot": slot, "aria-pressed": "false", tabindex: this.buttons.size ? -1 : 0 });
        setAll(button, { "aria-label": `${this.named(slot)}${name && name !== "silence" ? `, ${name}` : ""}: show its face` });
        button.addEventListener("click", () => {
          this.choose(slot);
          this.tools.trigger(this.options.event, { index: slot });
        });
        this.buttons.set(slot, button);
        list.append(button);
      }
      group.append(make("span", "name", name), list);
      bar.append(group);
    }
    bar.addEventListener("keydown", (event) => this.walk(event));
    this.side.append(bar, make("div", "axis", this.data.style ? "less ◂ average ▸ more" : ""));
  }

  /** A slot in words, with its weight. */
  named(slot) {
    const { labels, words = [], style, reference } = this.data;
    return `${described(labels[slot], words[slot])}${style ? `: ${factorWords(style[slot], reference)}` : ""}`;
  }

  /** The choice of what the colours mean. */
  colors() {
    const box = make("fieldset", "coloring");
    box.append(make("legend", "", "Colour by"));
    for (const [byStyle, text] of [[false, "what is read"], [true, "what the style makes of it"]]) {
      const label = make("label");
      const input = make("input");
      setAll(input, { type: "radio", name: `coloring-${this.options.channel}`, value: byStyle ? "style" : "share" });
      input.checked = !byStyle;
      input.addEventListener("change", () => this.color(byStyle));
      label.append(input, text);
      box.append(label);
    }
    return box;
  }

  color(byStyle) {
    this.byStyle = byStyle;
    [...this.heat.children].forEach((canvas, k) => paint(canvas, this.data, this.data.groups[k][1], byStyle));
    this.key.replaceChildren(legend(this.data, byStyle));
  }

  fillLanes() {
    const { seconds, wave, opening, reach, groups } = this.data;
    this.lanes.append(waveLane(wave));
    if (opening) this.lanes.append(openingLane(opening, reach));
    const heat = make("div", "heat");
    for (const [, slots] of groups) heat.append(heatLane(this.data, slots));
    this.axis = make("div", "axis");
    this.pad = make("div", "pad");
    setAll(this.pad, {
      role: "slider", tabindex: 0, "aria-label": "Playhead in the memory heatmap", "aria-valuemin": 0,
      "aria-valuemax": seconds.toFixed(2),
    });
    this.playhead = make("div", "playhead");
    this.cursor = make("div", "cursor");
    this.cursor.hidden = true;
    this.pad.append(this.cursor, this.playhead);
    this.pad.addEventListener("pointermove", (event) => this.hover(event));
    this.pad.addEventListener("pointerleave", () => this.hover(null));
    this.pad.addEventListener("click", (event) => this.seek(this.timeAt(event)));
    this.pad.addEventListener("keydown", (event) => this.step(event));
    this.lanes.append(heat, this.axis, this.pad);
    this.heat = heat;
  }

  /** Lay out everything that depends on the page's width. */
  layout() {
    if (!this.data) return;
    const free = this.scroller.clientWidth - this.side.offsetWidth - 12;
    const width = Math.max(free, this.data.seconds * PIXELS_PER_SECOND[matchMedia("(pointer: coarse)").matches ? "finger" : "mouse"], 120);
    this.lanes.style.width = `${width}px`;
    const { step, times } = marks(this.data.seconds, width);
    const ticks = times.map((time) => {
      const share = time / this.data.seconds;
      const tick = make("span", "tick", `${time.toFixed(step < 1 ? 1 : 0)} s`);
      tick.style.left = `${100 * share}%`;
      if (share * width < 8) tick.classList.add("first");
      if ((1 - share) * width < 16) tick.classList.add("last");
      return tick;
    });
    this.axis.replaceChildren(...ticks);
  }

  timeAt(event) {
    const box = this.pad.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.data.seconds;
  }

  hover(event) {
    this.hovered = event ? performance.now() : 0;
    this.marked?.classList.remove("marked");
    const boxes = [...this.buttons].map(([slot, button]) => [slot, button.getBoundingClientRect()]);
    const row = event && rowAt(boxes, event.clientY);
    this.cursor.hidden = !row;
    if (row) {
      this.marked = this.buttons.get(row[0]);
      this.marked.classList.add("marked");
      this.cursor.style.top = `${row[1].top - this.pad.getBoundingClientRect().top}px`;
      this.cursor.style.height = `${row[1].height}px`;
    }
    this.readout.textContent = event ? wordsAt(this.data, this.timeAt(event), row?.[0]) : wordsAt(this.data, this.seconds);
  }

  moveTo(seconds) {
    this.seconds = within(seconds, this.data.seconds);
    const share = this.seconds / this.data.seconds;
    this.playhead.style.left = `${100 * share}%`;
    const text = wordsAt(this.data, this.seconds);
    const hovered = this.pad.matches(":hover") && (!this.playing || performance.now() - this.hovered < HOVER);
    if (!hovered) this.readout.textContent = text;
    setAll(this.pad, { "aria-valuenow": this.seconds.toFixed(2), "aria-valuetext": text });
    const recalled = { channel: this.options.channel, text: recalledAt(this.data, this.seconds) };
    document.dispatchEvent(new CustomEvent("memorytalker:recalled", { detail: recalled }));
    this.follow(share);
  }

  /** Scroll on when the playhead, at a share 0 to 1 of the axis, leaves the visible part. */
  follow(share) {
    if (!this.playing && document.activeElement !== this.pad) return;
    const visible = this.scroller.clientWidth - this.side.offsetWidth;
    const place = share * this.lanes.offsetWidth - this.scroller.scrollLeft;
    if (place < 0 || place > visible) this.scroller.scrollLeft += place - 0.1 * visible;
  }

  seek(seconds) {
    const place = within(seconds, this.data.seconds);
    const detail = { channel: this.options.channel, seconds: place };
    document.dispatchEvent(new CustomEvent("memorytalker:seek", { detail }));
    this.moveTo(place);
  }

  step(event) {
    const place = steppedBy(event.key, event.shiftKey, this.seconds, this.data.seconds, this.data.fps);
    if (place === null) return;
    event.preventDefault();
    this.seek(place);
  }

  walk(event) {
    const all = [...this.buttons.values()];
    const there = walkedBy(event.key, all.indexOf(document.activeElement), all.length);
    if (there === null) return;
    event.preventDefault();
    const next = all[there];
    all.forEach((button) => (button.tabIndex = button === next ? 0 : -1));
    next.focus();
  }

  choose(chosen) {
    this.buttons?.forEach((button, slot) => {
      button.setAttribute("aria-pressed", String(slot === chosen));
      button.tabIndex = slot === chosen ? 0 : -1;
    });
  }

  asText() {
    const { readings, labels } = this.data;
    const details = make("details", "text");
    details.append(make("summary", "", "The heatmap as a table"));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const table = make("table");
      table.append(make("caption", "", "The strongest slot, from when to when, and its mean share"));
      const rows = [["Slot", "From", "To", "Share"]];
      for (const [slot, start, end, share] of readings) {
        rows.push([labels[slot], `${start.toFixed(2)} s`, `${end.toFixed(2)} s`, `${Math.round(100 * share)} %`]);
      }
      rows.forEach((cells, number) => {
        const row = make("tr");
        cells.forEach((text, place) => {
          const cell = make(number && place ? "td" : "th", "", text);
          if (cell.tagName === "TH") cell.scope = number ? "row" : "col";
          row.append(cell);
        });
        table.append(row);
      });
      const frame = make("div", "table");
      setAll(frame, { tabindex: 0, role: "region", "aria-label": "The heatmap as a table" });
      frame.append(table);
      details.append(frame);
    });
    return details;
  }
}
