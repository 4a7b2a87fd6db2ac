// The Fourier transform of real sound whose length is a power of two.

/** Make a function that gives the power of each of the size / 2 + 1 bins of `size` real numbers. */
export function powerSpectrum(size) {
  const reversed = new Uint32Array(size);
  for (let k = 0, bits = Math.log2(size); k < size; k += 1) {
    for (let bit = 0; bit < bits; bit += 1) reversed[k] |= ((k >> bit) & 1) << (bits - 1 - bit);
  }
  const cosine = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sine = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);

  function butterflies(half) {
    const step = size / (2 * half);
    for (let first = 0; first < size; first += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const [low, high] = [first + k, first + k + half];
        const [c, s] = [cosine[k * step], sine[k * step]];
        const a = real[high] * c - imaginary[high] * s;
        const b = real[high] * s + imaginary[high] * c;
        real[high] = real[low] - a;
        imaginary[high] = imaginary[low] - b;
        real[low] += a;
        imaginary[low] += b;
      }
    }
  }

  return (values, power) => {
    for (let k = 0; k < size; k += 1) {
      real[k] = values[reversed[k]];
      imaginary[k] = 0;
    }
    for (let half = 1; half < size; half *= 2) butterflies(half);
    for (let k = 0; k <= size / 2; k += 1) power[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
    return power;
  };
}
