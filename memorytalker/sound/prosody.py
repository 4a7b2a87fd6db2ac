"""Prosody per motion frame, tracked while sound arrives: loudness, pitch and silence.

The tracker is causal. It measures each frame once, relative to the voice so far, and never revises it, so that a
stream and the whole sound give the same result. Frame i is the sound from i / fps to (i + 1) / fps seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.sound.acoustics import NO_SOUND, frame_loudness, frame_pitch

#: The silence threshold is `ABOVE_ROOM` dB over the background noise, but at least `LOUDEST` and at most `FAINTEST` dB
#: below the loud frames of the voice.
FAINTEST, LOUDEST, ABOVE_ROOM = 42.0, 24.0, 12.0
ROOM_SECONDS = 30.0  # the background noise is the 10th percentile of this much of the latest sound
#: A louder stretch of up to this many frames inside a silence, no louder than `LOUDEST`, is a click or a breath.
CLICK_FRAMES = 2


@dataclass(frozen=True, eq=False)
class Prosody:
    """Prosody of T motion frames.

    Args:
        loudness: (T,) in dB relative to the loud frames of the voice so far.
        pitch: (T,) in semitones above the median of the voice so far, NaN in unvoiced frames.
        quiet: (T,) bool, the silence mask: True in frames without speech.
        fps: frames per second.
    """

    loudness: np.ndarray
    pitch: np.ndarray
    quiet: np.ndarray
    fps: float


class ProsodyTracker:
    """Tracks the prosody of one sound, window by window.

    Args:
        fps: motion frames per second.
        sample_rate: in Hz.
    """

    def __init__(self, fps: float, sample_rate: int = 16000) -> None:
        self.fps, self.sample_rate = float(fps), sample_rate
        self.prosody = Prosody(np.zeros(0), np.zeros(0), np.zeros(0, bool), self.fps)
        self._voice = NO_SOUND  # dB of the loud frames of the voice
        self._levels, self._pitches = np.zeros(0), np.zeros(0)  # per frame: dB; log2 of Hz, NaN if unvoiced

    def track(self, samples: np.ndarray, first: int, frames: int) -> Prosody:
        """Track one window; frames that are already tracked stay as they are.

        Args:
            samples: (S,) of the window.
            first: its first frame; windows may overlap but leave no gap.
            frames: number of its frames.

        Returns:
            The prosody of all frames so far.

        Raises:
            ValueError: a window that does not follow the frames so far.
        """
        known = len(self._levels)
        if not first <= known <= first + frames:
            raise ValueError(f"Frames {first} to {first + frames} do not follow the {known} that were tracked.")
        bounds = np.round(np.arange(first, first + frames + 1) * self.sample_rate / self.fps).astype(int)
        bounds = np.minimum(bounds - bounds[0], len(samples))
        levels = frame_loudness(samples, bounds)
        pitches = frame_pitch(samples, bounds, self.sample_rate)
        self._levels = np.concatenate([self._levels, levels[known - first :]])
        self._pitches = np.concatenate([self._pitches, pitches[known - first :]])
        self._voice = max(self._voice, float(np.percentile(levels, 95)), float(levels.max()) - 12.0)
        voiced = self._pitches[np.isfinite(self._pitches)]
        pitch = 12.0 * (pitches - (np.median(voiced) if len(voiced) else 0.0))
        new = slice(known - first, None)
        self.prosody = Prosody(
            loudness=np.concatenate([self.prosody.loudness, (levels - self._voice)[new]]),
            pitch=np.concatenate([self.prosody.pitch, pitch[new]]),
            quiet=np.concatenate([self.prosody.quiet, self._quiet(levels)[new]]),
            fps=self.fps,
        )
        return self.prosody

    def _quiet(self, levels: np.ndarray) -> np.ndarray:
        """(T,) bool: frames at the level of the background noise, and clicks between them."""
        room = float(np.percentile(self._levels[-round(ROOM_SECONDS * self.fps) :], 10))
        threshold = self._voice + float(np.clip(room + ABOVE_ROOM - self._voice, -FAINTEST, -LOUDEST))
        quiet = levels < max(threshold, NO_SOUND + 1.0)  # nothing is quieter than digital silence
        edges = np.flatnonzero(np.diff(quiet.astype(np.int8), prepend=0, append=0))
        for begin, end in zip(edges[1:-1:2], edges[2::2], strict=True):
            if end - begin <= CLICK_FRAMES and levels[begin:end].max() < self._voice - LOUDEST:
                quiet[begin:end] = True
        return quiet
