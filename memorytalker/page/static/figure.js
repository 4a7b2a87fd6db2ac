// A head of memorytalker.exports.web_head that curves move, in the materials of memorytalker.rendering.scene.

import { DynamicDrawUsage, GLSL3, GLTFLoader, Scene, ShaderMaterial, Vector3 } from "./three/three.js";
import { Morphs } from "./morphs.js";
import { between, rotation } from "./viewing.js";

const SMALLEST_TURN = 0.5; // degrees after which the light is computed again

/** A head as it was fetched: three.js's mesh, and what belongs to the scene (`extras` of the file's scene). */
export class Head {
  constructor(mesh, stage) {
    Object.assign(this, { mesh, stage });
    mesh.frustumCulled = false;
    const { attributes, userData } = mesh.geometry;
    for (const attribute of [attributes.position, attributes.normal]) attribute.setUsage(DynamicDrawUsage);
    this.count = userData.headVertices; // the first so many vertices are those of the head
    this.morphs = new Morphs(mesh.geometry);
  }
}

/**
 * Fetch a head.
 * @param {string} address of a GLB file
 * @returns {Promise<Head>}
 * @throws {Error} it is not there, or not such a file
 */
export async function fetchHead(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`The head ${address} was answered with ${answer.status}.`);
  const { scene } = await new GLTFLoader().parseAsync(await answer.arrayBuffer(), "");
  const meshes = [];
  scene.traverse((one) => { if (one.isMesh) meshes.push(one); });
  return new Head(meshes[0], scene.userData);
}

/** GLSL of the vertices, for light from `azimuths` directions. */
function vertexShader(azimuths) {
  const groups = Array.from({ length: Math.ceil(azimuths / 4) }, (_, k) => k);
  const shares = (k) => [0, 1, 2, 3].map((j) => `keyShares[${4 * k + j}]`).join(", ");
  return `
uniform float keyShares[${4 * groups.length}], finishUnit;
uniform mat3 turn;
uniform vec3 pivot;
in float _neck;
in vec4 color, _finish${groups.map((k) => `, _keys_${k}`).join("")};
out vec3 normalView, colorView, finishVS;
out vec2 lightVS;
void main() {
  // The head turns on a soft neck as in memorytalker.face.neck: each vertex by its share.
  vec3 about = position - pivot;
  vec3 placed = position + _neck * (turn * about - about);
  normalView = normalize(normalMatrix * (normal + _neck * (turn * normal - normal)));
  colorView = mix(12.92 * color.rgb, 1.055 * pow(color.rgb, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, color.rgb));
  finishVS = finishUnit * _finish.rgb;
  lightVS = vec2(_finish.a, ${groups.map((k) => `dot(_keys_${k}, vec4(${shares(k)}))`).join(" + ")});
  gl_Position = projectionMatrix * modelViewMatrix * vec4(placed, 1.0);
}`;
}

/** A fragment shader around the statements that colour the videos. */
function fragmentShader(body) {
  return `
in vec3 normalView, colorView, finishVS;
in vec2 lightVS;
out vec4 pixel;
void main() {
  vec3 normalVCVSOutput = normalView, diffuseColor = colorView;
${body.replace("gl_FragData[0]", "pixel")}
}`;
}

/** The head on the stage, in its scene. */
export class Figure {
  constructor(head) {
    this.head = head;
    const { azimuths, finishUnit, fragment, pivot = [0, 0, 0] } = head.stage;
    this.turn = new Array(9).fill(0);
    this.shares = new Array(4 * Math.ceil(azimuths.length / 4)).fill(0);
    this.material = new ShaderMaterial({
      glslVersion: GLSL3, vertexShader: vertexShader(azimuths.length), fragmentShader: fragmentShader(fragment),
      uniforms: {
        keyShares: { value: this.shares }, finishUnit: { value: finishUnit },
        turn: { value: this.turn }, pivot: { value: new Vector3(...pivot) },
      },
    });
    this.mesh = head.mesh;
    this.mesh.material = this.material;
    this.scene = new Scene().add(this.mesh);
    this.lit = Infinity; // azimuth that the light is found for
  }

  /** Move the face to where Curves have it at a time in seconds. */
  pose(curves, seconds) {
    const { morphTargetDictionary: places, morphTargetInfluences: influences } = this.mesh;
    if (this.weights?.length !== curves.names.length) {
      influences.fill(0); // those of other curves
      this.weights = new Array(curves.names.length);
    }
    curves.at(seconds, this.weights);
    curves.names.forEach((name, k) => { if (name in places) influences[places[name]] = this.weights[k]; });
    this.head.morphs.place(influences);
    const rows = rotation(curves.turnAt?.(seconds) ?? [0, 0, 0]);
    rows.forEach((value, k) => { this.turn[3 * (k % 3) + Math.floor(k / 3)] = value; }); // WebGL wants columns
    this.material.uniformsNeedUpdate = true;
  }

  /** Lamps turn with the camera: the key's share is that between the two nearest azimuths it was found for. */
  lightFrom(azimuth) {
    if (Math.abs(azimuth - this.lit) < SMALLEST_TURN) return;
    this.lit = azimuth;
    const { first, second, share } = between(azimuth, this.head.stage.azimuths);
    this.shares.fill(0);
    this.shares[first] += 1 - share;
    this.shares[second] += share;
    this.material.uniformsNeedUpdate = true;
  }

  /** Give back what the head holds on the graphics card. */
  dispose() {
    this.mesh.geometry.dispose();
    this.material.dispose();
  }
}
