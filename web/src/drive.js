// Moving a face: which of its morph targets or expressions each curve, viseme or vowel belongs to.
import { VISEMES, VRM_PRESETS } from "./visemes.js";

/** VRM 0.x and VRoid's names of the vowels, by the presets of VRM 1.0. */
const VOWEL_NAMES = {
  aa: ["a", "fclmtha"],
  ih: ["i", "fclmthi"],
  ou: ["u", "fclmthu"],
  ee: ["e", "fclmthe"],
  oh: ["o", "fclmtho"],
};

/** A name without capitals, separators and prefix, and with its side at the end: mouth_smile_L, MouthSmileLeft. */
export function plain(name) {
  const bare = name.replace(/^.*[.:]/, "");
  const sided = bare.replace(/[_\- .]([lr])$/i, (_, side) => (side.toLowerCase() === "l" ? "Left" : "Right"));
  const letters = sided.toLowerCase().replace(/[^a-z0-9]/g, "");
  const fronted = /^(left|right)(.+)$/.exec(letters);
  return fronted ? fronted[2] + fronted[1] : letters;
}

/** What a morph target is called for the visemes: viseme_PP, v_pp, vrc.v_pp; null for any other name. */
export function visemeOf(name) {
  const found = /(?:^|[._])(?:viseme|v)_([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (!found) return null;
  const short = { ih: "i", oh: "o", ou: "u", ee: "e" }[found] ?? found;
  return VISEMES.find((viseme) => viseme.toLowerCase() === short) ?? null;
}

/** The controls of a face: [{kind: "curve" | "viseme" | "vowel", from, names}]; what it has of its own is chosen. */
export function controlsOf(names, shapes) {
  const own = new Map();
  names.forEach((name) => own.set(plain(name), [...(own.get(plain(name)) ?? []), name]));
  const curves = shapes
    .filter((shape) => own.has(plain(shape)))
    .map((shape) => ({ kind: "curve", from: shape, names: own.get(plain(shape)) }));
  if (curves.some(({ from }) => from === "jawOpen")) return curves;
  const visemes = VISEMES.map((viseme) => ({
    kind: "viseme",
    from: viseme,
    names: names.filter((name) => visemeOf(name) === viseme),
  })).filter((control) => control.names.length);
  if (visemes.length > 3) return [...curves.filter(({ from }) => !from.startsWith("mouth")), ...visemes];
  const vowels = VRM_PRESETS.map((preset) => ({
    kind: "vowel",
    from: preset,
    names: [preset, ...VOWEL_NAMES[preset]].flatMap((name) => own.get(name) ?? []),
  })).filter((control) => control.names.length);
  return [...curves.filter(({ from }) => !from.startsWith("mouth")), ...vowels];
}

/** A function of a frame that moves a target: a three.js object, mesh or VRM, or a function of your own. */
export function driverOf(target, shapes) {
  if (typeof target === "function") return target;
  const expressions = target?.expressionManager;
  if (expressions) {
    const names = Object.keys(expressions.expressionMap ?? {});
    return applier(controlsOf(names, shapes), (name, weight) => expressions.setValue(name, weight), target);
  }
  const meshes = [];
  const visit = (one) => one.morphTargetDictionary && one.morphTargetInfluences && meshes.push(one);
  if (typeof target?.traverse === "function") target.traverse(visit);
  else if (target) visit(target);
  const movers = meshes.map((mesh) =>
    applier(controlsOf(Object.keys(mesh.morphTargetDictionary), shapes), (name, weight) => {
      mesh.morphTargetInfluences[mesh.morphTargetDictionary[name]] = weight;
    }),
  );
  const moving = movers.filter(Boolean);
  if (!moving.length) {
    throw new Error("This face has no morph targets with names of ARKit, Oculus or VRM; rename them, or drive a function.");
  }
  return (frame) => moving.forEach((move) => move(frame));
}

function applier(controls, set, needed = null) {
  if (!controls.length) {
    if (needed) throw new Error("This avatar has no expressions with names of ARKit, Oculus or VRM.");
    return null;
  }
  return (frame) => {
    for (const { kind, from, names } of controls) {
      const weight = { curve: frame.curves, viseme: frame.visemes, vowel: frame.vowels }[kind][from];
      if (weight === undefined) continue; // somebody else may move it
      for (const name of names) set(name, weight);
    }
  };
}
