// The morph targets of a mesh, summed here: few vertices move, and a graphics card, or a processor that does its work,
// would go through every target at every vertex in every frame. Arithmetic only, no WebGL.

/** Positions and normals of a mesh that morph targets move. */
export class Morphs {
  /**
   * Take over the targets of a mesh; three.js itself then draws what `place` has written.
   * @param {BufferGeometry} geometry of three.js, with relative targets for "position" and perhaps "normal"
   */
  constructor(geometry) {
    this.parts = Object.entries(geometry.morphAttributes).map(([name, targets]) => {
      const attribute = geometry.attributes[name];
      return { attribute, rest: attribute.array.slice(), targets: targets.map(({ array }) => moving(array)) };
    });
    geometry.morphAttributes = {};
  }

  /** Move to the sum of all targets, each times its influence. */
  place(influences) {
    for (const { attribute, rest, targets } of this.parts) {
      const sum = attribute.array;
      sum.set(rest);
      targets.forEach(({ places, offsets }, k) => {
        const influence = influences[k];
        if (influence) for (let i = 0; i < places.length; i += 1) sum[places[i]] += influence * offsets[i];
      });
      attribute.needsUpdate = true;
    }
  }
}

/** The numbers of `array` that are not 0, and their places. */
function moving(array) {
  let count = 0;
  for (let i = 0; i < array.length; i += 1) if (array[i] !== 0) count += 1;
  const places = new Uint32Array(count), offsets = new Float32Array(count);
  for (let i = 0, k = 0; k < count; i += 1) {
    if (array[i] === 0) continue;
    places[k] = i;
    offsets[k] = array[i];
    k += 1;
  }
  return { places, offsets };
}
