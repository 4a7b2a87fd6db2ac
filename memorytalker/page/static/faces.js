// Scrolls to the face of a chosen slot.

/**
 * Scroll to the component whenever its value shows a slot.
 * @param {HTMLElement} element the component
 * @param {object} options none
 * @param {{props: object, watch: Function}} tools Gradio's tools of the component
 */
export function mount(element, options, { props, watch }) {
  watch("value", () => {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if ((props.value ?? "").includes("data-slot")) element.scrollIntoView({ block: "nearest", behavior });
  });
}
