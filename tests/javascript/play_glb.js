// A GLB file as three.js plays it: `node play_glb.js FILE OUTPUT SECOND...` writes the vertices (times, V, 3) float32 at
// these seconds into OUTPUT, in the order of the file, and prints what it found as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { AnimationMixer, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const [file, output, ...times] = process.argv.slice(2);
const bytes = readFileSync(file);
const gltf = await new GLTFLoader().parseAsync(new Uint8Array(bytes).buffer, "");
const meshes = [];
gltf.scene.traverse((one) => { if (one.isMesh) meshes.push(one); });
meshes.sort((one, other) => one.geometry.userData.firstVertex - other.geometry.userData.firstVertex);

const places = [], at = new Vector3();
if (times.length) {
  const mixer = new AnimationMixer(gltf.scene);
  mixer.clipAction(gltf.animations[0]).play();
  for (const time of times) {
    mixer.setTime(Number(time));
    gltf.scene.updateMatrixWorld(true);
    for (const mesh of meshes) {
      for (let k = 0; k < mesh.geometry.attributes.position.count; k++) {
        places.push(...mesh.getVertexPosition(k, at).applyMatrix4(mesh.matrixWorld));
      }
    }
  }
}
writeFileSync(output, new Float32Array(places));
console.log(JSON.stringify({
  asset: gltf.asset,
  clips: gltf.animations.map(({ duration, tracks, userData }) => ({ duration, tracks: tracks.length, userData })),
  meshes: meshes.map(({ geometry, material, morphTargetDictionary }) => ({
    firstVertex: geometry.userData.firstVertex,
    parts: geometry.userData.parts,
    vertices: geometry.attributes.position.count,
    material: material.name,
    names: Object.entries(morphTargetDictionary ?? {}).sort(([, one], [, other]) => one - other).map(([name]) => name),
  })),
}));
