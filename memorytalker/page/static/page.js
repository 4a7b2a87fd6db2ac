// Page: what Gradio's own components are helped with, once for the whole page, and what its buttons do in the browser.

import { FILMS, areSounds } from "./files.js";

/** Help Gradio's components from now on; called once, when the page is there. */
export function start() {
  // They name their empty boxes with a label that plain boxes may not have; as pictures they may. And they turn away,
  // in a sentence that nobody understands, any sound whose file the browser takes for a film, as it does WebM, and any
  // film; under another type all reach the server, which reads them or not.
  const mend = () => {
    document.querySelectorAll(".empty[aria-label]:not([role])").forEach((box) => box.setAttribute("role", "img"));
    document.querySelectorAll("input[type=file][accept*='audio/']:not([accept*='video/'])")
      .forEach((input) => { input.accept += FILMS; });
  };
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
  mend();
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

function asSounds(files) {
  const carrier = new DataTransfer();
  for (const file of files) carrier.items.add(new File([file], file.name, { type: "audio/x-any" }));
  return carrier.files;
}

/** Scroll the element `id` into view: on a phone the results are below the choices. */
export function showPlace(id) {
  document.getElementById(id)?.scrollIntoView({ block: "nearest" });
  return [];
}

/** For the button that begins: may it be pressed, now that the voice is `sound` or null? */
export function runnable(sound) {
  return { __type__: "update", interactive: sound !== null && document.getElementById("stop").disabled };
}

/** For the button that begins: it may not be pressed now. */
export function notNow() {
  return { __type__: "update", interactive: false };
}
