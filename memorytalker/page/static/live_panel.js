// The elements of the tab Live; live.js gives them life.

const CAMERAS = { front: "Front", three_quarter: "Three-quarter", profile: "Profile" };

/**
 * Fill an element.
 * @param {HTMLElement} element
 * @param {object} options as of live.js
 * @returns {object} elements by name
 */
export function buildPanel(element, { heads, styles, voices, moods, gains, formats }) {
  element.innerHTML = `<div class="live-view">
    <div class="live-main">
      <div class="head-player live-head" role="group" aria-label="Live head">
        <div class="stage"><canvas tabindex="0" role="application" hidden
          aria-label="The live head. Arrow keys turn it, plus and minus zoom, 0 looks from the front."></canvas>
          <p class="notice"></p><span class="live-badge" hidden>Live</span></div>
        <div class="cameras" role="group" aria-label="Camera" hidden></div>
      </div>
      <div class="live-side">
        <div class="live-buttons">
          <button type="button" class="live-start main">Use the microphone</button>
          <button type="button" class="live-mute" aria-pressed="false" disabled>Mute</button>
          <button type="button" class="live-record" aria-pressed="false" disabled>Record</button>
        </div>
        <p class="live-says" role="status"></p>
        <div class="live-level"><span id="live-level-name">Level</span>
          <div class="live-meter" role="meter" aria-labelledby="live-level-name" aria-valuemin="-60" aria-valuemax="0"
            aria-valuenow="-60" aria-valuetext="silent"><i></i></div></div>
        <dl class="live-figures">
          <div><dt>Face after the sound</dt><dd class="live-shown">–</dd></div>
          <div><dt>Motion known after</dt><dd class="live-known">–</dd></div>
          <div><dt>Work of this browser</dt><dd class="live-load">–</dd></div>
        </dl>
        <section class="live-memory" aria-label="What the memory recalls, live">
          <h3>What the memory recalls now</h3>
          <p class="live-now">Each row is a slot of the memory; the newest moment is at the right.</p>
          <div class="live-strip"><div class="live-names" aria-hidden="true"></div><canvas aria-hidden="true"></canvas></div>
        </section>
      </div>
    </div>
    <div class="live-choices">
      <label class="live-device" hidden>Microphone <select></select></label>
      <label>Head <select class="live-heads"></select></label>
      <label>Style <select class="live-styles"></select></label>
      <div class="live-pair">
        <label>Mood <select class="live-moods"></select></label>
        <label>Strength <input type="range" class="live-strength" min="0" max="1" step="0.05" value="0.6" disabled></label>
      </div>
      <details class="live-gains"><summary>Adjust the mouth</summary><div></div></details>
      <details class="live-voices"><summary>No microphone? Let an example speak</summary></details>
    </div>
    <section class="live-recording" aria-label="Your recording" hidden>
      <h3>Your recording</h3>
      <p class="small">It is only in this browser. “Animate it” and “Prepare the file” send it to this server.</p>
      <div class="live-replay"></div>
      <div class="live-buttons">
        <button type="button" class="live-animate main">Animate it</button>
        <a class="live-button live-wav" download="live.wav">Sound (WAV)</a>
        <a class="live-button live-csv" download="memorytalker_1_live.csv">Curves (CSV)</a>
      </div>
      <div class="live-export"><label>Another format <select class="live-formats"></select></label>
        <button type="button" class="live-prepare">Prepare the file</button></div>
    </section></div>`;
  const find = (name) => element.querySelector(name);
  const names = [
    "stage canvas", "notice", "badge", "cameras", "start", "mute", "record", "says", "meter", "shown", "known", "load", "device", "heads",
    "styles", "moods", "strength", "gains", "voices", "memory", "now", "names", "strip", "recording", "replay", "animate", "wav", "csv",
    "formats", "prepare",
  ];
  const parts = Object.fromEntries(names.map((name) => [name, find(`.live-${name}`) ?? find(`.${name}`)]));
  parts.canvas = find(".stage canvas");
  parts.stripCanvas = find(".live-strip canvas");
  parts.devices = find(".live-device select");
  fill(parts.heads, heads.map(({ name, words }) => [name, words]));
  fill(parts.styles, [
    ["", "Neutral"],
    ...styles.map(({ name }) => [`style:${name}`, capital(name)]),
    ...voices.map(({ name, words }) => [`voice:${name}`, `Of an example: ${words}`]),
  ]);
  fill(parts.moods, [["", "None"], ...moods.map((name) => [name, capital(name)])]);
  fill(parts.formats, formats.map(({ name, title }) => [name, title]));
  for (const [group, words] of Object.entries(gains)) parts.gains.lastElementChild.append(slider(group, words));
  parts.gains.lastElementChild.append(button("Reset the mouth", "live-reset"));
  for (const { name, words } of voices) parts.voices.append(button(words, "live-voice", name));
  for (const [name, words] of Object.entries(CAMERAS)) parts.cameras.append(button(words, "", name));
  return parts;
}

/** Fill a select with pairs [value, words], keeping what is chosen if it is still there. */
export function fill(select, pairs) {
  const chosen = select.value;
  select.replaceChildren(...pairs.map(([value, words]) => new Option(words, value)));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

function button(words, name, value = "") {
  const element = document.createElement("button");
  Object.assign(element, { type: "button", textContent: words, className: name, value });
  return element;
}

function slider(group, words) {
  const label = document.createElement("label");
  label.append(`${words} `);
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: 0, max: 2, step: 0.05, value: 1, name: group });
  label.append(input);
  return label;
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");
}
