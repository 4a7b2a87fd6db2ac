// A click on a row of bars chooses its slot, here and in the heatmap.

/**
 * Make the rows in a component choosable.
 * @param {HTMLElement} element the component, with rows marked data-slot
 * @param {{channel: string, event: string}} options the player's clock, and the Gradio event that a click triggers
 * @param {{trigger: Function}} tools Gradio's tools of the component
 */
export function mount(element, { channel, event: name }, { trigger }) {
  element.addEventListener("click", (event) => {
    const row = event.target.closest("[data-slot]");
    if (!row) return;
    const slot = Number(row.dataset.slot);
    document.dispatchEvent(new CustomEvent("memorytalker:slot", { detail: { channel, slot } }));
    trigger(name, { index: slot });
  });
}
