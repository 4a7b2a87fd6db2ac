// Decoding of base64, and of the arrays of a package, into typed arrays.

const TYPES = {
  float32: Float32Array, int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
};

/**
 * Decode base64.
 * @param {string} text
 * @returns {Uint8Array} with a buffer of its own
 */
export function bytesOf(text) {
  const plain = atob(text);
  const bytes = new Uint8Array(plain.length);
  for (let k = 0; k < plain.length; k += 1) bytes[k] = plain.charCodeAt(k);
  return bytes;
}

/**
 * Decode one array of a package.
 * @param {{type: string, shape: number[], data: string}} array a key of TYPES, and little-endian base64
 * @returns {TypedArray} its numbers, with its `shape`
 */
export function decoded(array) {
  const values = new TYPES[array.type](bytesOf(array.data).buffer);
  values.shape = array.shape;
  return values;
}
