// Draws a head (figure.js) with three.js, from a camera that can be turned.

import { OrbitControls, PerspectiveCamera, Spherical, Vector3, WebGLRenderer } from "./three/three.js";
import { Figure, fetchHead } from "./figure.js";
import { fieldOfView, shorterTurn } from "./viewing.js";

const NEAREST = 0.55, FURTHEST = 1.9; // times the distance of the chosen camera
const LOWEST = 0.62 * Math.PI, HIGHEST = 0.24 * Math.PI; // from straight up
const DEGREE = Math.PI / 180;

/** A canvas with a head on it that can be turned; draws only when something has changed. */
export class View {
  /** `changed` is called whenever the view turned; throws where there is no WebGL 2. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    const context = canvas.getContext("webgl2", { antialias: true, alpha: true, powerPreference: "low-power" });
    if (!context) throw new Error("There is no WebGL 2 here.");
    this.renderer = new WebGLRenderer({ canvas, context });
    this.renderer.setClearColor(0x000000, 0);
    this.camera = new PerspectiveCamera(20, 1, 0.05, 5);
    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, { enablePan: false, minPolarAngle: HIGHEST, maxPolarAngle: LOWEST });
    // One finger across turns the head, up and down still moves the page; the wheel zooms only with the control key.
    canvas.style.touchAction = "pan-y";
    canvas.addEventListener("wheel", (event) => { this.controls.enableZoom = event.ctrlKey; }, { capture: true, passive: true });
    this.controls.addEventListener("change", () => { this.request(); changed(); });
    this.figure = null;
    canvas.addEventListener("webglcontextrestored", () => this.request());
  }

  /**
   * Fetch a head, or take the one that was fetched last.
   * @param {string} address of its file
   * @returns {Promise<Head>} for `load`
   */
  fetch(address) {
    if (this.fetched?.address !== address) {
      const head = fetchHead(address);
      const fetched = (this.fetched = { address, head });
      head.catch(() => { if (this.fetched === fetched) this.fetched = null; }); // the next one tries again
    }
    return this.fetched.head;
  }

  /** Put a head with its Curves on the stage in place of the one before; the camera stays if there was one. */
  load(head, curves) {
    if (this.figure?.head !== head) {
      this.clear();
      this.figure = new Figure(head);
    }
    this.curves = curves;
    if (!this.chosen) this.choose("front", false);
    else this.request();
    this.show(0);
  }

  /** Show the moment `seconds` after the beginning. */
  show(seconds) {
    this.figure?.pose(this.curves, seconds);
    this.request();
  }

  /** Look from a named camera, turning there unless that is not wanted. */
  choose(name, smooth) {
    const { position, target } = this.figure.head.stage.cameras[name];
    this.chosen = name;
    const toTarget = new Vector3(...target);
    const to = new Spherical().setFromVector3(new Vector3(...position).sub(toTarget));
    const from = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    const fromTarget = this.controls.target.clone();
    this.controls.minDistance = Math.min(NEAREST * to.radius, from.radius || Infinity);
    this.controls.maxDistance = Math.max(FURTHEST * to.radius, from.radius);
    const turn = shorterTurn(from.theta, to.theta);
    const begun = performance.now();
    cancelAnimationFrame(this.turning);
    const step = () => {
      const linear = smooth ? Math.min((performance.now() - begun) / 350, 1) : 1;
      const share = linear * linear * (3 - 2 * linear);
      const mix = (a, b) => a + share * (b - a);
      this.controls.target.lerpVectors(fromTarget, toTarget, share);
      const at = new Spherical(mix(from.radius, to.radius), mix(from.phi, to.phi), from.theta + share * turn);
      this.camera.position.setFromSpherical(at).add(this.controls.target);
      this.controls.update();
      if (linear < 1) this.turning = requestAnimationFrame(step);
      else {
        this.controls.minDistance = NEAREST * to.radius;
        this.controls.maxDistance = FURTHEST * to.radius;
      }
    };
    step();
  }

  /** Turn by degrees about the vertical and up, and come nearer by a factor below 1. */
  turn(aside, up, nearer = 1) {
    cancelAnimationFrame(this.turning);
    this.chosen = "";
    const at = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    at.theta += aside * DEGREE;
    at.phi = Math.min(Math.max(at.phi - up * DEGREE, HIGHEST), LOWEST);
    at.radius = Math.min(Math.max(at.radius * nearer, this.controls.minDistance), this.controls.maxDistance);
    this.camera.position.setFromSpherical(at).add(this.controls.target);
    this.controls.update();
  }

  /** Degrees about the vertical from which the head is seen. */
  get azimuth() {
    return this.controls.getAzimuthalAngle() / DEGREE;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    this.renderer.setSize(width, height, false);
    this.request();
  }

  /** Draw in the next animation frame. */
  request() {
    this.pending ||= requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  draw() {
    const { width, height } = this.renderer.domElement;
    if (!this.figure || !this.canvas.clientWidth || this.disposed) return;
    const { camera } = this;
    camera.aspect = width / height;
    camera.fov = fieldOfView(this.figure.head.stage.viewAngle, camera.aspect);
    camera.updateProjectionMatrix();
    this.figure.lightFrom(this.azimuth);
    this.renderer.render(this.figure.scene, camera);
  }

  /** Give back what the head holds on the graphics card. */
  clear() {
    this.figure?.dispose();
    this.figure = null;
  }

  dispose() {
    this.disposed = true;
    cancelAnimationFrame(this.turning);
    cancelAnimationFrame(this.pending);
    this.clear();
    this.controls.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}
