// A VRM animation as three-vrm reads it: `node play_vrma.js FILE` prints the tracks of its expressions as JSON.
import { readFileSync } from "node:fs";
import { createVRMAnimationClip, VRMAnimationLoaderPlugin } from "@pixiv/three-vrm-animation";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const loader = new GLTFLoader().register((parser) => new VRMAnimationLoaderPlugin(parser));
const { userData } = await loader.parseAsync(new Uint8Array(readFileSync(process.argv[2])).buffer, "");
const [animation] = userData.vrmAnimations;
const tracks = (map) => Object.fromEntries([...map].map(([name, { times, values }]) => [name, { times: [...times], values: [...values] }]));
// An avatar that has every expression.
const avatar = { meta: { metaVersion: "1" }, expressionManager: { getExpressionTrackName: (name) => `${name}.weight` } };
const clip = createVRMAnimationClip(animation, avatar);
console.log(JSON.stringify({
  preset: tracks(animation.expressionTracks.preset),
  custom: tracks(animation.expressionTracks.custom),
  played: clip.tracks.map(({ name }) => name),
  duration: clip.duration,
}));
