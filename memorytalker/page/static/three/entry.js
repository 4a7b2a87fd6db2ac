// What the page uses of three.js; esbuild makes three.js beside this file of it (README.md says how).
export { DynamicDrawUsage, GLSL3, PerspectiveCamera, Scene, ShaderMaterial, Spherical, Vector3, WebGLRenderer } from "three";
export { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
export { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
