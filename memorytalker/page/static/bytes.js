// Bytes: base64 and the arrays of a package become typed arrays.

const TYPES = {
  float32: Float32Array, int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
};

/** Base64 -> Uint8Array with a buffer of its own. */
export function bytesOf(text) {
  const plain = atob(text);
  const bytes = new Uint8Array(plain.length);
  for (let k = 0; k < plain.length; k += 1) bytes[k] = plain.charCodeAt(k);
  return bytes;
}

/** The numbers of one array of a package: {type, shape, data in base64} -> a typed array with its `shape`. */
export function decoded(array) {
  const values = new TYPES[array.type](bytesOf(array.data).buffer);
  values.shape = array.shape;
  return values;
}
