// Work-arounds for Gradio's own components, and what the page's buttons do in the browser.

import { VIDEO_TYPES, areSounds } from "./files.js";

/** Install the work-arounds; called once, when the page has loaded. */
export function start() {
  // Gradio puts aria-label on empty boxes without a role, which axe-core reports; role "img" allows the label.
  // Its audio upload rejects files with a video type, WebM recordings among them; as another type they reach the
  // server, which decides by the content.
  const repair = () => {
    document.querySelectorAll(".empty[aria-label]:not([role])").forEach((box) => box.setAttribute("role", "img"));
    document.querySelectorAll("input[type=file][accept*='audio/']:not([accept*='video/'])")
      .forEach((input) => { input.accept += VIDEO_TYPES; });
  };
  new MutationObserver(repair).observe(document.body, { childList: true, subtree: true });
  repair();
  document.addEventListener("change", ({ target }) => {
    const takesSound = target.type === "file" && target.accept.includes("audio/");
    if (takesSound && !areSounds(target.files)) target.files = asSounds(target.files);
  }, true);
  document.addEventListener("drop", (event) => {
    const input = event.target.closest(".block")?.querySelector("input[type=file][accept*='audio/']");
    if (!input || areSounds(event.dataTransfer.files)) return;
    event.preventDefault();
    event.stopPropagation();
    input.files = asSounds(event.dataTransfer.files);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, true);
}

/** The files (a FileList) with an audio type. */
function asSounds(files) {
  const carrier = new DataTransfer();
  for (const file of files) carrier.items.add(new File([file], file.name, { type: "audio/x-any" }));
  return carrier.files;
}

/**
 * Scroll to an element; on a phone the results are below the choices.
 * @param {string} id of the element
 * @returns {Array} no values for Gradio
 */
export function scrollToElement(id) {
  document.getElementById(id)?.scrollIntoView({ block: "nearest" });
  return [];
}

/**
 * The update of the button Run after a change of the voice.
 * @param {?object} sound the voice's value, null for none
 * @returns {object} Gradio update: interactive if there is a voice and nothing runs
 */
export function runnable(sound) {
  return { __type__: "update", interactive: sound !== null && document.getElementById("stop").disabled };
}

/** The Gradio update that disables the button Run. */
export function notNow() {
  return { __type__: "update", interactive: false };
}
