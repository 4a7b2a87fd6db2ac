/** Numbers of one motion frame. */
export interface LiveFrame {
  /** Number from 0. */
  frame: number;
  /** Seconds from the beginning of the sound. */
  t: number;
  /** ARKit name -> weight from 0 to 1. */
  curves: Record<string, number>;
  /** The 15 visemes (sil, PP, ... U) -> weight; they add up to 1. Empty with `visemes: false`. */
  visemes: Record<string, number>;
  /** VRM's aa, ih, ou, ee, oh -> weight from 0 to 1. Empty with `visemes: false`. */
  vowels: Record<string, number>;
  /** Share of each memory slot, in the order of `config.slots`; they add up to 1. */
  address: Float32Array;
  /** Seconds of the AudioContext at which the sound at `t` was heard; with `connect` only. */
  heard?: number;
}

/** The content of config.json and the bytes of model.safetensors. */
export interface LiveWeights {
  config: unknown;
  tensors: ArrayBuffer;
}

export interface LiveConfig {
  shapes: string[];
  slots: string[];
  grid: { fps: number; per_frame: number; ahead: number; sample_rate: number; [name: string]: number };
  [name: string]: unknown;
}

export interface TalkerOptions {
  /** Address of the folder with both files, or the files themselves. */
  model: string | URL | LiveWeights;
  /** Style weights, one per slot; null: the neutral style. */
  style?: ArrayLike<number> | null;
  /** Seconds by which a face is shown after its sound; null: as little as is smooth. */
  delay?: number | null;
  /** Whether frames carry visemes and vowels, which faces of Oculus and VRM need. */
  visemes?: boolean;
}

/** A three.js object, mesh or VRM, or a function that is called with each frame. */
export type Target = ((frame: LiveFrame) => void) | object;

export class Talker {
  constructor(options: TalkerOptions);
  readonly ready: Promise<Talker>;
  readonly connected?: Promise<void>;
  readonly config: LiveConfig | null;
  readonly lookahead: number;
  readonly showDelay: number;
  style: Float32Array | null;
  delay: number | null;
  visemes: boolean;
  push(samples: ArrayLike<number>, rate?: number): LiveFrame[];
  end(): LiveFrame[];
  reset(): void;
  drive(target: Target): this;
  release(target: Target): this;
  connect(node: AudioNode): this;
  disconnect(): this;
  inStep(node: AudioNode): DelayNode;
}

export function createTalker(options: TalkerOptions): Talker;
export interface Control {
  kind: "curve" | "viseme" | "vowel";
  from: string;
  names: string[];
}
export function controlsOf(names: string[], shapes: string[]): Control[];
export function driverOf(target: Target, shapes: string[]): (frame: LiveFrame) => void;
export function frameAt(frames: LiveFrame[], time: number): LiveFrame | null;
export function visemesOf(curves: Record<string, number>): Record<string, number>;
export function vowelsOf(visemes: Record<string, number>): Record<string, number>;
