// Has the 3D head hold the face of a chosen slot.

/**
 * Send "memorytalker:pose" {channel, value} when the component's value shows another slot's face.
 * @param {HTMLElement} element the component; its value marks the face as data-pose
 * @param {{channel: string}} options the player's channel
 * @param {{props: object, watch: Function}} tools Gradio's tools of the component
 */
export function mount(element, { channel }, { props, watch }) {
  let shown = "";
  watch("value", () => {
    const parts = new DOMParser().parseFromString(props.value ?? "", "text/html");
    const pose = parts.querySelector("[data-pose]")?.dataset.pose ?? "";
    if (pose && pose !== shown) {
      document.dispatchEvent(new CustomEvent("memorytalker:pose", { detail: { channel, value: JSON.parse(pose) } }));
    }
    shown = pose;
  });
}
