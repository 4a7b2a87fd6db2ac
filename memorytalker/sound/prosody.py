"""How loud and how high a voice is, and where it is silent, per motion frame, while its sound is still arriving.

A frame is heard once, with what is known of the voice by then, and never heard anew: whoever acts on it in a stream
acts as on the whole. Frame i is the sound from i / fps to (i + 1) / fps seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SILENT = -100.0  # dB, of a frame without any sound
#: What is quieter than the loud frames of a voice by more than `FAINTEST` (dB) is no part of it; what is less than
#: `LOUDEST` (dB) quieter is never taken as silence, however steady. In between it is `ABOVE_ROOM` (dB) over the room.
FAINTEST, LOUDEST, ABOVE_ROOM = 42.0, 24.0, 12.0
ROOM_SECONDS = 30.0  # of the latest sound, whose quietest tenth is the room
#: Up to so many frames in a silence may be as loud as `LOUDEST` allows: a click or a breath, not a word.
CLICK_FRAMES = 2
PITCH_RANGE = (70.0, 400.0)  # Hz of speaking voices
PITCH_WINDOW = 0.04  # seconds: almost three periods of the lowest
VOICED = 0.5  # autocorrelation at the period, against that at lag 0, from which a frame counts as voiced
EMPHASIS = 0.97  # of the first difference: it brings weak fricatives up and takes rumble down


@dataclass(frozen=True, eq=False)
class Prosody:
    """What is heard in T frames."""

    loudness: np.ndarray  # (T,) dB against the loud frames of the voice so far
    pitch: np.ndarray  # (T,) semitones above the median of the voice so far, NaN where nothing is voiced
    quiet: np.ndarray  # (T,) bool: no speech is heard
    fps: float


class ProsodyTracker:
    """Hears one sound, window by window. `fps`: motion frames per second; `sample_rate` in Hz."""

    def __init__(self, fps: float, sample_rate: int = 16000) -> None:
        self.fps, self.sample_rate = float(fps), sample_rate
        self.prosody = Prosody(np.zeros(0), np.zeros(0), np.zeros(0, bool), self.fps)
        self._voice = SILENT  # dB of the loud frames of the voice
        self._levels, self._notes = np.zeros(0), np.zeros(0)  # of the frames heard: dB; log2 of Hz, NaN if not voiced

    def track(self, samples: np.ndarray, first: int, frames: int) -> Prosody:
        """Hear a window, samples (S,) of `frames` frames from frame `first` on, and return all that was heard.

        Windows may overlap and leave no gap. Frames heard before stay as they were heard.
        """
        known = len(self._levels)
        if not first <= known <= first + frames:
            raise ValueError(f"Frames {first} to {first + frames} do not follow the {known} that were heard.")
        bounds = np.round(np.arange(first, first + frames + 1) * self.sample_rate / self.fps).astype(int)
        bounds = np.minimum(bounds - bounds[0], len(samples))
        levels = frame_loudness(samples, bounds)
        notes = frame_pitch(samples, bounds, self.sample_rate)
        self._levels = np.concatenate([self._levels, levels[known - first :]])
        self._notes = np.concatenate([self._notes, notes[known - first :]])
        self._voice = max(self._voice, float(np.percentile(levels, 95)), float(levels.max()) - 12.0)
        voiced = self._notes[np.isfinite(self._notes)]
        pitch = 12.0 * (notes - (np.median(voiced) if len(voiced) else 0.0))
        now = (levels - self._voice, pitch, self._quiet(levels))
        before = (self.prosody.loudness, self.prosody.pitch, self.prosody.quiet)
        joined = (np.concatenate([a, b[known - first :]]) for a, b in zip(before, now, strict=True))
        self.prosody = Prosody(*joined, self.fps)
        return self.prosody

    def _quiet(self, levels: np.ndarray) -> np.ndarray:
        """(T,) bool: frames as quiet as the room, and clicks between them."""
        room = float(np.percentile(self._levels[-round(ROOM_SECONDS * self.fps) :], 10))
        threshold = self._voice + float(np.clip(room + ABOVE_ROOM - self._voice, -FAINTEST, -LOUDEST))
        quiet = levels < max(threshold, SILENT + 1.0)  # nothing is quieter than digital silence
        edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
        for begin, end in zip(edges[1:-1:2], edges[2::2], strict=True):
            if end - begin <= CLICK_FRAMES and levels[begin:end].max() < self._voice - LOUDEST:
                quiet[begin:end] = True
        return quiet


def frame_loudness(samples: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(T,) dB of the r.m.s. of the emphasised samples (S,) between `bounds` (T + 1,), at least `SILENT`."""
    samples = np.asarray(samples, np.float64)
    bright = samples - EMPHASIS * np.concatenate([samples[:1], samples[:-1]])
    energy = np.concatenate([[0.0], np.cumsum(np.square(bright))])[bounds]
    mean = np.diff(energy) / np.maximum(np.diff(bounds), 1)
    return 10.0 * np.log10(np.maximum(mean, 10.0 ** (SILENT / 10.0)))


def frame_pitch(samples: np.ndarray, bounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """(T,) log2 of the pitch in Hz at the middle of each frame of samples (S,), NaN where there is none.

    The highest peak of a window's autocorrelation over that of the window function itself (Boersma 1993, "Accurate
    short-term analysis of the fundamental frequency", Proceedings of the Institute of Phonetic Sciences 17).
    """
    size = round(PITCH_WINDOW * sample_rate)
    window = np.hanning(size)
    padded = np.pad(np.asarray(samples, np.float64), size)
    starts = (bounds[:-1] + bounds[1:]) // 2 + size - size // 2
    frames = padded[starts[:, None] + np.arange(size)]  # (T, size)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    both = np.concatenate([frames, window[None]])
    correlation = np.fft.irfft(np.square(np.abs(np.fft.rfft(both, 2 * size))))[:, :size]
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    low, high = (round(sample_rate / hertz) for hertz in PITCH_RANGE[::-1])
    score = (correlation[:-1] / correlation[-1])[:, low : high + 1]
    best = score.argmax(axis=1)
    return np.where(score.max(axis=1) >= VOICED, np.log2(sample_rate / (low + best)), np.nan)
