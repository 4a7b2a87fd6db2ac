// Hands the value of an invisible component on to the other parts of the page, as an event on the document.

/**
 * Send "memorytalker:<told>" {channel, value} whenever the component's value changes.
 * @param {HTMLElement} element the component
 * @param {{channel: string, told: string}} options its channel and the name of the event
 * @param {{props: object, watch: Function}} tools Gradio's tools of the component
 */
export function mount(element, { channel, told }, { props, watch }) {
  watch("value", () => send(channel, told, props.value));
}

/**
 * Send such an event; also for `js` of Gradio's events.
 * @returns {Array} no values for Gradio
 */
export function send(channel, name, value) {
  document.dispatchEvent(new CustomEvent(`memorytalker:${name}`, { detail: { channel, value } }));
  return [];
}
