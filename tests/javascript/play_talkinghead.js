// A list of visemes as TalkingHead plays it: `node play_talkinghead.js HEAD.glb CALL.json` prints JSON; times are
// milliseconds of the sound. TalkingHead's own code runs, from the loading of the avatar to the weights of the meshes.
// Only the browser's audio is made up: it is silent, and notes when the sound begins.
import { readFileSync } from "node:fs";
import { Bone, Group, Object3D } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const STEP = 5; // milliseconds from frame to frame
let soundBegins = 0; // on TalkingHead's clock, in milliseconds

class SilentNode {
  gain = { value: 1, setValueAtTime() {}, cancelScheduledValues() {} };
  playbackRate = { value: 1 };
  connect() {}
  disconnect() {}
  getByteFrequencyData(bins) { bins.fill(0); }
  start(second) { soundBegins = 1000 * second; }
}

globalThis.AudioContext = class {
  state = "running";
  currentTime = 0;
  sampleRate = 8000;
  resume() {}
  suspend() {}
  createBuffer(channels, frames) { return { getChannelData: () => new Float32Array(frames) }; }
};
for (const kind of ["BufferSource", "Gain", "Analyser", "Convolver"]) {
  AudioContext.prototype[`create${kind}`] = () => new SilentNode();
}

const { TalkingHead } = await import("@met4citizen/talkinghead");
const [headFile, callFile] = process.argv.slice(2);
const bytes = new Uint8Array(readFileSync(headFile)).buffer;
const call = JSON.parse(readFileSync(callFile, "utf8"));

// The head as it is, and with a skeleton around it of `bones` that move nothing.
async function shown(bones) {
  const talking = new TalkingHead(null, { avatarOnly: true, avatarOnlyScene: new Object3D(), lipsyncModules: [] });
  GLTFLoader.prototype.loadAsync = async function () {
    const gltf = await this.parseAsync(bytes.slice(0), "");
    if (bones) {
      const armature = Object.assign(new Group(), { name: "Armature" });
      armature.add(...gltf.scene.children);
      for (const name of bones) {
        if (!armature.getObjectByName(name)) armature.add(Object.assign(new Bone(), { name }));
      }
      gltf.scene.add(armature);
    }
    return gltf;
  };
  const message = await talking.showAvatar({ url: headFile }).then(() => null, (error) => error.message);
  return { talking, message };
}

// What a call leaves in the queue of animations, and for each viseme its largest weight, when that was, and its last.
async function spoken(message, bones) {
  const { talking } = await shown(bones);
  talking.speakAudio({ audio: {}, ...message });
  const keys = talking.animQueue.filter(({ template }) => template.name === "viseme");
  const keyed = structuredClone(keys.map(({ ts, vs }) => ({ times: ts.map((time) => time - soundBegins), values: vs })));
  const names = [...new Set(talking.morphs.flatMap((mesh) => Object.keys(mesh.morphTargetDictionary)))];
  const weights = {};
  while (talking.animClock < soundBegins + 4000) {
    talking.animate(STEP);
    for (const name of names.filter((one) => one.startsWith("viseme_"))) {
      const now = Math.max(...talking.morphs.map((one) => one.morphTargetInfluences[one.morphTargetDictionary[name]]));
      const one = (weights[name] ??= { largest: 0, time: null });
      if (now > one.largest) Object.assign(one, { largest: now, time: talking.animClock - soundBegins });
      one.last = now;
    }
  }
  return { keyed, names, weights, wait: soundBegins };
}

const { talking, message } = await shown(null);
const bones = [...new Set(talking.posePropNames.map((name) => name.split(".")[0])), "LeftEye", "RightEye"];
console.log(JSON.stringify({
  alone: message,
  bones,
  whole: await spoken(call, bones),
  withoutWords: await spoken({ ...call, words: undefined }, bones),
}));
process.exit(0); // TalkingHead's pause after a sound is not waited for
