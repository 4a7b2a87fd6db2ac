// Runs where sound is heard: hands the first channels' mean to the page, about 50 times a second.
const CHUNK = 0.02;

class MemoryTalkerSound extends AudioWorkletProcessor {
  constructor() {
    super();
    this.chunk = new Float32Array(Math.max(128, Math.round((CHUNK * sampleRate) / 128) * 128));
    this.place = 0;
    this.running = true;
    this.port.onmessage = () => (this.running = false);
  }

  process([channels]) {
    const size = 128;
    for (let k = 0; k < size; k += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[k];
      this.chunk[this.place + k] = channels.length ? sum / channels.length : 0;
    }
    this.place += size;
    if (this.place >= this.chunk.length) {
      // `currentTime` is that of the first sample of this block; the chunk ends with it.
      const samples = this.chunk.slice();
      this.port.postMessage({ samples, end: currentTime + size / sampleRate }, [samples.buffer]);
      this.place = 0;
    }
    return this.running;
  }
}

registerProcessor("memorytalker-sound", MemoryTalkerSound);
