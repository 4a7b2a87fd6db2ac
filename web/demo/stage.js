// Draws a head for the two demo pages, with the three.js that the project brings along.
import {
  OrbitControls, PerspectiveCamera, Scene, ShaderMaterial, Vector3, WebGLRenderer, GLTFLoader,
} from "../../memorytalker/page/static/three/three.js";

const VERTEX = `
#include <common>
#include <morphtarget_pars_vertex>
varying vec3 place;
void main() {
  #include <begin_vertex>
  #include <morphtarget_vertex>
  vec4 seen = modelViewMatrix * vec4(transformed, 1.0);
  place = seen.xyz;
  gl_Position = projectionMatrix * seen;
}`;
const FRAGMENT = `
uniform vec3 tint;
varying vec3 place;
void main() {
  vec3 across = normalize(cross(dFdx(place), dFdy(place)));
  float light = 0.35 + 0.65 * max(dot(across, normalize(vec3(0.3, 0.5, 0.8))), 0.0);
  gl_FragColor = vec4(tint * light, 1.0);
}`;

/** Load a GLB, draw it into a canvas from now on, and return its scene, which a talker drives. */
export async function stage(canvas, address) {
  const { scene: head } = await new GLTFLoader().loadAsync(address);
  const around = { low: new Vector3(Infinity, Infinity, Infinity), high: new Vector3(-Infinity, -Infinity, -Infinity) };
  head.traverse((mesh) => {
    if (!mesh.isMesh) return;
    const { r, g, b } = mesh.material.color ?? { r: 0.8, g: 0.7, b: 0.6 };
    mesh.material = new ShaderMaterial({ vertexShader: VERTEX, fragmentShader: FRAGMENT, uniforms: { tint: { value: new Vector3(r, g, b) } } });
    mesh.frustumCulled = false;
    mesh.geometry.computeBoundingBox();
    around.low.min(mesh.geometry.boundingBox.min);
    around.high.max(mesh.geometry.boundingBox.max);
  });
  const middle = around.low.clone().add(around.high).multiplyScalar(0.5);
  const height = around.high.y - around.low.y;
  const world = new Scene();
  world.add(head);
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
  const camera = new PerspectiveCamera(22, 1, height / 50, height * 50);
  camera.position.copy(middle).add(new Vector3(0, 0, 3.4 * height));
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
