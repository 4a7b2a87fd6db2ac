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

/** A style as `Style.save` of Python writes it; every part may be left out. */
export interface StyleFile {
  deliveries?: {
    /** Seconds from which on it holds; 0 for the first. */
    start?: number;
    /** Factors of groups of shapes, 0 to 4: overall, jaw, spread, rounding, upper_lip, corners, brows, blinks. */
    gains?: Record<string, number>;
    /** -1 to 1, of the same groups but for overall. */
    offsets?: Record<string, number>;
    /** 0 to 1: joy, sadness, fear, anger, surprise, disgust, calm. */
    moods?: Record<string, number>;
    [name: string]: unknown;
  }[];
  slot_weights?: Record<string, number>;
  slot_share?: number;
  [name: string]: unknown;
}

/** Style weights, one per slot, or the content of a style's file; null: the neutral style. */
export type StyleLike = ArrayLike<number> | StyleFile | null;

/** Seconds that 95 % of the latest frames did not exceed, and a share of real time; null where not measured. */
export interface MeasuresSummary {
  known: number | null;
  shown: number | null;
  load: number | null;
}

export interface TalkerOptions {
  /** Address of the folder with both files, or the files themselves. */
  model: string | URL | LiveWeights;
  style?: StyleLike;
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
  readonly measures: MeasuresSummary;
  readonly styleWeights: Float32Array | null;
  style: StyleLike;
  delay: number | null;
  visemes: boolean;
  /** Called with the samples of a node that is followed, and the time at which the first was heard. */
  onsound: ((samples: Float32Array, begin: number) => void) | null;
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
export const GAIN_GROUPS: string[];
export const OFFSET_GROUPS: string[];
export const MOOD_NAMES: string[];

/** Raw samples of 16 bits, little endian, mono, played through `node`. */
export class SpeechStream {
  constructor(context: BaseAudioContext, options?: { rate?: number; lead?: number });
  readonly node: GainNode;
  readonly rate: number;
  readonly seconds: number;
  /** Time of the context at which all that has arrived will have been played. */
  end: number;
  push(bytes: Uint8Array): void;
  playedAt(time: number): number | null;
  stop(): void;
}
export function playSpeech(response: Response, speech: SpeechStream): Promise<SpeechStream>;
export function followPipe(socket: WebSocket, context: BaseAudioContext, target: Target): { node: GainNode; close(): void };
/** Rejects with an Error whose message is a sentence for the visitor. */
export function openMicrophone(
  context: AudioContext,
  options?: { device?: string; lost?: (sentence: string) => void },
): Promise<{ node: MediaStreamAudioSourceNode; label: string; device: string; muted: boolean; stop(): void }>;
export function microphoneProblem(error: unknown): string;
