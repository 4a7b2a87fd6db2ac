// Faces: brings the face of a chosen slot into view.

/** Scroll to `element` whenever its value shows a slot. */
export function mount(element, options, { props, watch }) {
  watch("value", () => {
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if ((props.value ?? "").includes("data-slot")) element.scrollIntoView({ block: "nearest", behavior });
  });
}
