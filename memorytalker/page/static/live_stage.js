// The head of the tab Live, drawn by view.js; a talker of web/ moves it.

const TURN = 8, NEARER = 0.88; // degrees and factor of one press of a key

/** Curves as view.js poses them, which a talker moves like a mesh of three.js. */
class LiveCurves {
  constructor(names) {
    this.names = names;
    this.morphTargetDictionary = Object.fromEntries(names.map((name, k) => [name, k]));
    this.morphTargetInfluences = new Array(names.length).fill(0);
  }

  at(_, weights) {
    this.morphTargetInfluences.forEach((weight, k) => (weights[k] = weight));
    return weights;
  }
}

export class LiveStage {
  constructor({ canvas, notice, cameras }, no3d) {
    Object.assign(this, { canvas, notice, cameras, no3d });
    notice.textContent = "The live head appears here.";
    cameras.addEventListener("click", ({ target }) => target.value && this.#choose(target.value));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    this.observer = new ResizeObserver(() => this.view?.resize());
    this.observer.observe(canvas);
  }

  /** Let a talker move whatever head is here. */
  drivenBy(talker) {
    this.talker = talker;
    if (this.curves) talker.drive(this.curves);
  }

  /** Show the head of an address. */
  async load(address) {
    if (!(await this.#open())) return;
    const head = await this.view.fetch(address);
    if (this.view.fetched?.address !== address) return; // another was chosen meanwhile
    if (this.curves) this.talker?.release(this.curves);
    this.curves = new LiveCurves(Object.keys(head.mesh.morphTargetDictionary));
    this.canvas.hidden = this.cameras.hidden = false;
    this.notice.textContent = "";
    this.view.load(head, this.curves);
    this.view.resize();
    this.#showCamera();
    this.talker?.drive(this.curves);
  }

  async #open() {
    if (this.view || this.failed) return this.view;
    try {
      const { View } = await import("./view.js");
      this.view ??= new View(this.canvas, () => this.#showCamera());
    } catch (problem) {
      console.info(problem);
      this.failed = true;
      this.notice.textContent = this.no3d;
    }
    return this.view;
  }

  /** Draw the face as it is now. */
  show() {
    this.view?.show(0);
  }

  /** The face at rest. */
  rest() {
    this.curves?.morphTargetInfluences.fill(0);
    this.show();
  }

  #choose(name) {
    this.view?.choose(name, !window.matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.#showCamera();
  }

  #showCamera() {
    for (const button of this.cameras.children) button.setAttribute("aria-pressed", button.value === this.view?.chosen);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turns = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, TURN], ArrowDown: [0, -TURN] };
    const { key } = event;
    if (turns[key]) this.view?.turn(...turns[key]);
    else if (key === "+" || key === "=") this.view?.turn(0, 0, NEARER);
    else if (key === "-") this.view?.turn(0, 0, 1 / NEARER);
    else if (key === "0" || key === "Home") this.#choose("front");
    else return;
    event.preventDefault();
  }

  dispose() {
    this.observer.disconnect();
    this.view?.dispose();
    this.view = null;
  }
}
