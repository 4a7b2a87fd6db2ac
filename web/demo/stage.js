// Draws a head for the two demo pages, with the three.js that the project brings along.
import {
  OrbitControls, PerspectiveCamera, Scene, ShaderMaterial, Vector3, WebGLRenderer, GLTFLoader,
} from "../../memorytalker/page/static/three/three.js";

const VERTEX = `
#include <common>
#include <morphtarget_pars_vertex>
varying vec3 place, facing, paint;
void main() {
  #include <begin_vertex>
  #include <morphtarget_vertex>
  vec4 seen = modelViewMatrix * vec4(transformed, 1.0);
  place = seen.xyz;
  facing = normalMatrix * normal;
#ifdef USE_COLOR
  paint = color.rgb;
#else
  paint = vec3(1.0);
#endif
  gl_Position = projectionMatrix * seen;
}`;
const FRAGMENT = `
uniform vec3 tint;
varying vec3 place, facing, paint;
void main() {
  // Normals of the resting face, turned a little to how its triangles lie now.
  vec3 across = normalize(cross(dFdx(place), dFdy(place)));
  vec3 n = normalize(normalize(facing) + 0.4 * across);
  float key = max(dot(n, normalize(vec3(0.4, 0.5, 0.8))), 0.0);
  float fill = max(dot(n, normalize(vec3(-0.8, 0.1, 0.4))), 0.0);
  gl_FragColor = vec4(pow(tint * paint * (0.2 + 0.75 * key + 0.2 * fill), vec3(1.0 / 2.2)), 1.0);
}`;

/** Load a GLB, draw it into a canvas from now on, and return its scene, which a talker drives. */
export async function stage(canvas, address) {
  const { scene: head } = await new GLTFLoader().loadAsync(address);
  const around = { low: new Vector3(Infinity, Infinity, Infinity), high: new Vector3(-Infinity, -Infinity, -Infinity) };
  const place = new Vector3();
  head.traverse((mesh) => {
    if (!mesh.isMesh) return;
    const { r, g, b } = mesh.material.color ?? { r: 0.8, g: 0.7, b: 0.6 };
    mesh.material = new ShaderMaterial({
      vertexShader: VERTEX, fragmentShader: FRAGMENT, vertexColors: "color" in mesh.geometry.attributes,
      uniforms: { tint: { value: new Vector3(r, g, b) } },
    });
    mesh.frustumCulled = false;
    const { position } = mesh.geometry.attributes; // at rest: a box of three.js would hold all morph targets, too
    for (let k = 0; k < position.count; k += 1) {
      around.low.min(place.fromBufferAttribute(position, k));
      around.high.max(place);
    }
  });
  // A bust or a whole figure: the face is near its top.
  const [width, whole] = [around.high.x - around.low.x, around.high.y - around.low.y];
  const height = Math.min(whole, Math.max(0.7 * whole, 0.3 * width));
  const middle = around.low.clone().add(around.high).multiplyScalar(0.5).setY(around.high.y - 0.47 * height);
  const world = new Scene();
  world.add(head);
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
  const camera = new PerspectiveCamera(22, 1, height / 50, height * 50);
  camera.position.copy(middle).add(new Vector3(0, 0, 3 * height));
  const controls = new OrbitControls(camera, canvas);
  controls.target.copy(middle);
  const draw = () => {
    const [width, tall] = [canvas.clientWidth, canvas.clientHeight];
    renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
    renderer.setSize(width, tall, false);
    camera.aspect = width / tall;
    camera.updateProjectionMatrix();
    controls.update();
    renderer.render(world, camera);
    requestAnimationFrame(draw);
  };
  draw();
  return head;
}
