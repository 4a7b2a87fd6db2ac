// Draws a moving head (motion.js) with three.js, in the materials of memorytalker.rendering.scene.

import {
  BufferAttribute, BufferGeometry, DynamicDrawUsage, GLSL3, Mesh, OrbitControls, PerspectiveCamera, RawShaderMaterial,
  Scene, Spherical, Vector3, WebGLRenderer,
} from "./three/three.js";
import { appearanceOf, MovingHead, spread } from "./motion.js";
import { between, fieldOfView, shorterTurn } from "./viewing.js";

const NEAREST = 0.55, FURTHEST = 1.9; // times the distance of the chosen camera
const LOWEST = 0.62 * Math.PI, HIGHEST = 0.24 * Math.PI; // from straight up
const DEGREE = Math.PI / 180;
const SMALLEST_TURN = 0.5; // degrees after which the light is computed again

const VERTEX_SHADER = `
uniform mat4 modelViewMatrix, projectionMatrix;
uniform mat3 normalMatrix;
in vec3 position, normal, color, finish;
in vec2 light;
out vec3 normalView, colorView, finishVS;
out vec2 lightVS;
void main() {
  normalView = normalMatrix * normal;
  colorView = color;
  finishVS = finish;
  lightVS = light;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

/** A fragment shader around the statements that colour the videos. */
function fragmentShader(body) {
  return `precision highp float;
in vec3 normalView, colorView, finishVS;
in vec2 lightVS;
out vec4 pixel;
void main() {
  vec3 normalVCVSOutput = normalView, diffuseColor = colorView;
${body.replace("gl_FragData[0]", "pixel")}
}`;
}

/** The head on the stage: its motion, its mesh, and its scene. */
class Figure {
  constructor(motion, material) {
    this.motion = motion;
    const { appearance } = motion;
    const geometry = new BufferGeometry();
    const add = (name, values, width, normalised) => {
      const attribute = new BufferAttribute(values, width, normalised);
      geometry.setAttribute(name, attribute);
      return attribute;
    };
    this.place = add("position", motion.positions, 3, false).setUsage(DynamicDrawUsage);
    this.normal = add("normal", motion.normals, 3, false).setUsage(DynamicDrawUsage);
    this.color = add("color", spread(appearance, appearance.colors, 3, new Uint8Array(appearance.fine * 3)), 3, true);
    const finishes = Float32Array.from(appearance.finishes, (value) => value / 100);
    add("finish", spread(appearance, finishes, 3, new Float32Array(appearance.fine * 3)), 3, false);
    this.light = add("light", new Uint8Array(appearance.fine * 2), 2, true);
    geometry.setIndex(new BufferAttribute(appearance.fineFaces, 1));
    this.material = new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: VERTEX_SHADER, fragmentShader: fragmentShader(material),
    });
    this.mesh = new Mesh(geometry, this.material);
    this.mesh.frustumCulled = false;
    this.scene = new Scene().add(this.mesh);
    this.lit = Infinity; // azimuth that the light is found for
  }

  /** Show a frame, which may lie between two. */
  show(frame) {
    this.motion.place(frame);
    this.place.needsUpdate = this.normal.needsUpdate = true;
  }

  /** Lamps turn with the camera: the key's share is that between the two nearest azimuths it was found for. */
  lightFrom(azimuth) {
    if (Math.abs(azimuth - this.lit) < SMALLEST_TURN) return;
    this.lit = azimuth;
    const { azimuths, keys, sky, count } = this.motion.appearance;
    const { first, second, share } = between(azimuth, azimuths);
    const values = (this.shares ??= new Float32Array(2 * count));
    for (let v = 0; v < count; v += 1) {
      values[2 * v] = sky[v];
      values[2 * v + 1] = (1 - share) * keys[first * count + v] + share * keys[second * count + v];
    }
    spread(this.motion.appearance, values, 2, this.light.array);
    this.light.needsUpdate = true;
  }

  dispose() {
    this.mesh.geometry.dispose();
    this.material.dispose();
  }
}

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

  /** Put the head of a package on the stage in place of the one before; the camera stays if there was one. */
  load(content) {
    this.clear();
    this.figure = new Figure(new MovingHead(appearanceOf(content.appearance), content.motion), content.material);
    this.fps = content.fps;
    if (!this.chosen) this.choose("front", false);
    else this.request();
    this.show(0);
  }

  /** Show the moment `seconds` after the beginning. */
  show(seconds) {
    this.figure?.show(seconds * this.fps);
    this.request();
  }

  /** Look from a named camera, turning there unless that is not wanted. */
  choose(name, smooth) {
    const { position, target } = this.figure.motion.appearance.cameras[name];
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
    camera.fov = fieldOfView(this.figure.motion.appearance.viewAngle, camera.aspect);
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
