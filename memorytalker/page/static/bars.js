// Bars: tells the section which slot a row of bars stands for, and the heatmap that it was chosen.

/** Let the rows in `element` be chosen: options {channel, event}, the component's tools of Gradio. */
export function mount(element, { channel, event: name }, { trigger }) {
  element.addEventListener("click", (event) => {
    const row = event.target.closest("[data-slot]");
    if (!row) return;
    const slot = Number(row.dataset.slot);
    document.dispatchEvent(new CustomEvent("memorytalker:slot", { detail: { channel, slot } }));
    trigger(name, { index: slot });
  });
}
