// The memory's address as a column that moves: the newest frame at the right, a row a slot.

import { slotName, viridis } from "./memory_data.js";

/** Frames that are seen, and pixels of a frame and of a row. */
const FRAMES = 180, WIDE = 3, HIGH = 7;
/** A slot with a smaller share is not named. */
const NAMED = 0.05;

/** Draws on a canvas; `slots` are labels, `groups` pairs [name, numbers of slots] from top to bottom. */
export class MemoryColumns {
  constructor(canvas, names, slots, groups) {
    this.slots = slots;
    this.order = groups.flatMap(([, numbers]) => numbers);
    Object.assign(canvas, { width: FRAMES * WIDE, height: this.order.length * HIGH });
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    names.replaceChildren(...groups.map(([name, numbers]) => {
      const element = document.createElement("span");
      element.textContent = name || "slots";
      element.style.flexGrow = numbers.length;
      return element;
    }));
    this.clear();
  }

  clear() {
    this.context.fillStyle = `rgb(${viridis(0)})`;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Show the address of one more frame. */
  add(address) {
    const { canvas, context, order } = this;
    context.drawImage(canvas, -WIDE, 0);
    order.forEach((slot, row) => {
      context.fillStyle = `rgb(${viridis(address[slot])})`;
      context.fillRect(canvas.width - WIDE, row * HIGH, WIDE, HIGH);
    });
  }

  /** The address in words: the three largest shares. */
  words(address) {
    const top = this.slots.map((_, slot) => slot).sort((a, b) => address[b] - address[a]).slice(0, 3);
    const named = top.filter((slot, place) => !place || address[slot] >= NAMED);
    return named.map((slot) => `${slotName(this.slots[slot])} ${Math.round(100 * address[slot])} %`).join(", ");
  }
}
