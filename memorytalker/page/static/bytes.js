// Decoding of base64.

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
