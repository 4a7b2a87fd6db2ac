// What the page uses of three.js; esbuild makes three.js beside this file of it (README.md says how).
export {
  BufferAttribute,
  BufferGeometry,
  DynamicDrawUsage,
  GLSL3,
  Mesh,
  PerspectiveCamera,
  RawShaderMaterial,
  Scene,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
