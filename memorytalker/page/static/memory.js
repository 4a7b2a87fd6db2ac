// The memory over time: the sound, how far the lips part, and which slot each moment is read from, on one axis in
// seconds, with a playhead that keeps the page's clock. Data come as one value, drawings are made here.
//
// value: {seconds, fps, labels: [n names], groups: [[name, [slots]]], address: base64 of T * n bytes (share * 255),
// wave: base64 of pairs of signed bytes (smallest, largest), opening: base64 of T float32 in millimetres or null,
// readings: [[slot, start, end, share]], summary: text}

import { heatLane, legend, make, openingLane, setAll, unpacked, waveLane } from "./memory_lanes.js";

const PIXELS_PER_SECOND = 60; // at the least; longer sound scrolls sideways
const HOVER = 1000; // milliseconds for which a mouse that came to rest is answered while the head goes on talking
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10];

export function mount(element, options, tools) {
  const view = new MemoryView(element.querySelector(".memory-view") ?? element, options, tools);
  const show = () => view.show(tools.props.value);
  tools.watch("value", show);
  show();
}

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
    this.readout = make("p", "readout");
    this.side = make("div", "side");
    this.lanes = make("div", "lanes");
    const body = make("div", "body");
    body.append(this.side, this.lanes);
    this.scroller = make("div", "scroller");
    this.scroller.append(body);
    this.fillSide();
    this.fillLanes();
    this.root.append(make("p", "summary", this.data.summary), this.readout, this.scroller, legend(), this.asText());
    this.layout();
    this.moveTo(0);
  }

  fillSide() {
    const { labels, groups, opening, reach } = this.data;
    this.side.append(make("div", "tag wave", "Sound"));
    if (opening) {
      const tag = make("div", "tag opening", "Lips apart");
      tag.append(make("span", "top", `${reach} mm`), make("span", "bottom", "0 mm"));
      this.side.append(tag);
    }
    const bar = make("div", "slots");
    setAll(bar, { role: "toolbar", "aria-orientation": "vertical", "aria-label": "Memory slots: choose one to see its face" });
    this.buttons = new Map();
    for (const [name, slots] of groups) {
      const group = make("div", "group");
      setAll(group, { role: "group", "aria-label": name || "slots" });
      const list = make("div", "names");
      for (const slot of slots) {
        const button = make("button", "slot", labels[slot]);
        const called = labels[slot] === "sil" ? "silence" : `/${labels[slot]}/`;
        setAll(button, { type: "button", "data-slot": slot, "aria-pressed": "false", tabindex: this.buttons.size ? -1 : 0 });
        setAll(button, { "aria-label": `${called}${name && name !== "silence" ? `, ${name}` : ""}: show its face` });
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
    this.side.append(bar, make("div", "axis"));
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

  // Everything that depends on how wide the page is.
  layout() {
    if (!this.data) return;
    const free = this.scroller.clientWidth - this.side.offsetWidth - 12;
    const width = Math.max(free, this.data.seconds * PIXELS_PER_SECOND, 120);
    this.lanes.style.width = `${width}px`;
    const wanted = (70 * this.data.seconds) / width;
    const step = STEPS.find((one) => one >= wanted) ?? STEPS.at(-1);
    const ticks = [];
    for (let count = 0; count * step <= this.data.seconds + 1e-6; count += 1) {
      const share = (count * step) / this.data.seconds;
      const tick = make("span", "tick", `${(count * step).toFixed(step < 1 ? 1 : 0)} s`);
      tick.style.left = `${100 * share}%`;
      if (share * width < 8) tick.classList.add("first");
      if ((1 - share) * width < 16) tick.classList.add("last");
      ticks.push(tick);
    }
    this.axis.replaceChildren(...ticks);
  }

  timeAt(event) {
    const box = this.pad.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.data.seconds;
  }

  rowAt(event) {
    const names = [...this.buttons].map(([slot, button]) => [slot, button.getBoundingClientRect()]);
    return names.find(([, box]) => event.clientY >= box.top && event.clientY < box.bottom);
  }

  hover(event) {
    this.hovered = event ? performance.now() : 0;
    this.marked?.classList.remove("marked");
    const row = event && this.rowAt(event);
    this.cursor.hidden = !row;
    if (row) {
      this.marked = this.buttons.get(row[0]);
      this.marked.classList.add("marked");
      this.cursor.style.top = `${row[1].top - this.pad.getBoundingClientRect().top}px`;
      this.cursor.style.height = `${row[1].height}px`;
    }
    this.readout.textContent = event ? this.words(this.timeAt(event), row?.[0]) : this.words(this.seconds);
  }

  frameAt(seconds) {
    return Math.min(this.data.frames - 1, Math.max(0, Math.floor(seconds * this.data.fps)));
  }

  words(seconds, row = null) {
    const { labels, opening, address } = this.data;
    const frame = this.frameAt(seconds);
    const start = frame * labels.length;
    const share = (slot) => Math.round(address[start + slot] / 2.55);
    const top = labels.map((_, slot) => slot).sort((a, b) => address[start + b] - address[start + a]).slice(0, 3);
    const named = (slot) => `${labels[slot] === "sil" ? "silence" : `/${labels[slot]}/`} ${share(slot)} %`;
    const read = top.filter((slot, place) => place === 0 || share(slot) >= 5).map(named).join(", ");
    const apart = opening ? `; lips ${opening[frame].toFixed(1)} mm apart` : "";
    const here = row === null || top.includes(row) ? "" : ` (${named(row)})`;
    return `${Math.max(0, seconds).toFixed(2)} s: ${read}${here}${apart}`;
  }

  moveTo(seconds) {
    this.seconds = Math.min(Math.max(seconds, 0), this.data.seconds);
    const share = this.seconds / this.data.seconds;
    this.playhead.style.left = `${100 * share}%`;
    const text = this.words(this.seconds);
    const asked = this.pad.matches(":hover") && (!this.playing || performance.now() - this.hovered < HOVER);
    if (!asked) this.readout.textContent = text;
    setAll(this.pad, { "aria-valuenow": this.seconds.toFixed(2), "aria-valuetext": text });
    this.follow(share);
  }

  // Turn the page, as it were, when the playhead leaves what can be seen.
  follow(share) {
    if (!this.playing && document.activeElement !== this.pad) return;
    const seen = this.scroller.clientWidth - this.side.offsetWidth;
    const place = share * this.lanes.offsetWidth - this.scroller.scrollLeft;
    if (place < 0 || place > seen) this.scroller.scrollLeft += place - 0.1 * seen;
  }

  seek(seconds) {
    const within = Math.min(Math.max(seconds, 0), this.data.seconds);
    const detail = { channel: this.options.channel, seconds: within };
    document.dispatchEvent(new CustomEvent("memorytalker:seek", { detail }));
    this.moveTo(within);
  }

  step(event) {
    const frame = 1 / this.data.fps;
    const steps = { ArrowLeft: -frame, ArrowRight: frame, ArrowDown: -frame, ArrowUp: frame, PageDown: -1, PageUp: 1 };
    const ends = { Home: 0, End: this.data.seconds };
    if (!(event.key in steps) && !(event.key in ends)) return;
    event.preventDefault();
    if (event.key in ends) return this.seek(ends[event.key]);
    const pace = event.shiftKey ? 10 : 1;
    // From the middle of a frame, so that rounding never keeps the playhead where it is.
    this.seek((Math.floor(this.seconds * this.data.fps + 1e-3) + 0.5) / this.data.fps + pace * steps[event.key] - frame / 2);
  }

  walk(event) {
    const all = [...this.buttons.values()];
    const here = all.indexOf(document.activeElement);
    const there = { ArrowDown: here + 1, ArrowRight: here + 1, ArrowUp: here - 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 };
    if (here < 0 || !(event.key in there)) return;
    event.preventDefault();
    const next = all[(there[event.key] + all.length) % all.length];
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
      table.append(make("caption", "", "Which slot is read most, from when to when, and how large its share is"));
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
