// Work-arounds for Gradio's own components, and what the page's buttons do in the browser.

import { VIDEO_TYPES, areSounds } from "./files.js";
import { walkedBy } from "./memory_data.js";

/** Install the work-arounds; called once, when the page has loaded. */
export function start() {
  // Gradio puts aria-label on empty boxes without a role, which axe-core reports; role "img" allows the label.
  // Its audio upload rejects files with a video type, WebM recordings among them; as another type they reach the
  // server, which decides by the content.
  const repair = () => {
    // A button within a link would be a second stop for the same.
    document.querySelectorAll("a.download-link button").forEach((button) => { button.tabIndex = -1; });
    document.querySelectorAll(".empty[aria-label]:not([role])").forEach((box) => box.setAttribute("role", "img"));
    document.querySelectorAll("input[type=file][accept*='audio/']:not([accept*='video/'])")
      .forEach((input) => { input.accept += VIDEO_TYPES; });
    document.querySelectorAll("#examples, #second-examples").forEach((row) => {
      if (!row.role) Object.assign(row, { role: "toolbar", ariaLabel: "Example voices" });
    });
    for (const group of document.querySelectorAll(GROUPS)) {
      const all = membersOf(group);
      const stop = all.find((one) => one.checked || (one.tabIndex === 0 && one.dataset.stop)) ?? chosenOf(all);
      all.forEach((one) => { if (one.tabIndex !== (one === stop ? 0 : -1)) one.tabIndex = one === stop ? 0 : -1; });
    }
  };
  document.addEventListener("keydown", rove);
  document.addEventListener("change", repair); // another radio button is the stop
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

/**
 * What is one stop of the Tab key; the arrow keys go on. Gradio names every radio button of a group differently, so
 * that without this each is a stop, and no arrow key chooses.
 */
const GROUPS = "#tabs [role=tablist], #examples, #second-examples, #video .controls, fieldset:has(input[type=radio])";

function membersOf(group) {
  return [...group.querySelectorAll("button, [role=button], input[type=radio]")]
    .filter((one) => one.offsetParent && !one.disabled);
}

function chosenOf(all) {
  return all.find((one) => one.ariaSelected === "true") ?? all[0];
}

/** Move the focus within such a group. */
function rove(event) {
  const group = event.target.closest?.(GROUPS);
  const all = group ? membersOf(group) : [];
  const there = walkedBy(event.key, all.indexOf(event.target), all.length);
  if (there === null) return;
  event.preventDefault();
  all.forEach((one) => {
    delete one.dataset.stop;
    one.tabIndex = -1;
  });
  all[there].dataset.stop = "yes";
  all[there].tabIndex = 0;
  all[there].focus();
  if (all[there].type === "radio") all[there].click();
}

/** The files (a FileList) with an audio type. */
function asSounds(files) {
  const carrier = new DataTransfer();
  for (const file of files) carrier.items.add(new File([file], file.name, { type: "audio/x-any" }));
  return carrier.files;
}

const NARROW = 1000; // pixels; below, the parts of the page stand below each other

const BY_HAND = ["wheel", "touchmove", "pointerdown", "keydown"]; // with which a visitor scrolls
let following = null; // watches what stands above the head, after a scroll to it

/**
 * Scroll to the head, which is below the voice on a phone. It sticks there, so that its own place is no goal. What
 * stands above it grows while a run tells how far it is; the head stays at the top until the visitor scrolls or presses.
 * @param {string} id of the element above it
 * @returns {Array} no values for Gradio
 */
export function showHead(id) {
  following?.disconnect();
  if (window.innerWidth >= NARROW) return [];
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  const above = document.getElementById(id);
  following = new ResizeObserver(() => {
    window.scrollTo({ top: window.scrollY + above.getBoundingClientRect().bottom, behavior });
  });
  following.observe(above); // which also tells the size that it has now
  for (const name of BY_HAND) {
    window.addEventListener(name, () => following.disconnect(), { once: true, passive: true, capture: true });
  }
  return [];
}

/**
 * Scroll to an element where it is out of sight.
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

/**
 * Press the button Run as soon as the voice has arrived; what runs before is stopped.
 * @returns {Promise<Array>} no values for Gradio
 */
export async function talk() {
  const [run, stop] = ["run", "stop"].map((id) => document.getElementById(id));
  if (!stop.disabled) {
    stop.click();
    await until(() => stop.disabled);
  }
  await after(50);
  if (await until(() => !run.disabled)) run.click();
  return [];
}

/** Wait until something is so, for at most 20 seconds: whether it became so. */
export async function until(condition) {
  for (let tries = 0; tries < 400 && !condition(); tries += 1) await after(50);
  return condition();
}

function after(milliseconds) {
  return new Promise((done) => { setTimeout(done, milliseconds); });
}
