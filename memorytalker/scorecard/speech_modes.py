"""Whisper, shouting, telephone and singing, simulated from ordinary recordings because there are none of the real kind.

The simulations are rough. They test only that the mouth neither jitters nor freezes, not that its motion is right.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import istft, stft

from memorytalker.corpus.augmentation import through_codec, with_gain, with_tilt
from memorytalker.corpus.voice_augmentation import changed_voice
from memorytalker.evaluation import metrics
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure, Goal
from memorytalker.scorecard.mouth import mouth_of
from memorytalker.sound.acoustics import pitch
from memorytalker.sound.decode import SAMPLE_RATE, Waveform, load_waveform

#: Clips of every validation speaker that are simulated.
CLIPS_EACH = 2
#: Window and hop of the vocoder in samples, and the quefrency in samples (2.5 ms) from which on the cepstrum is pitch.
WINDOW, HOP, ENVELOPE = 512, 128, 40
#: The note for a voice without a pitch, in Hz; vibrato rate in Hz and depth as a share of the pitch.
ORDINARY_PITCH, VIBRATO_RATE, VIBRATO_DEPTH = 180.0, 5.5, 0.03


def whispered(samples: np.ndarray) -> np.ndarray:
    """Simulate whisper: noise through the spectral envelope, tilted by 3 dB an octave, at a low level."""
    noise = np.random.default_rng(zlib.crc32(samples.tobytes())).standard_normal(len(samples))
    return _scaled(with_tilt(_with_envelope(samples, noise).astype(np.float32), 3.0), 0.1)


def shouted(samples: np.ndarray) -> np.ndarray:
    """Simulate shouting: pitch and formants raised, tilted by 4 dB an octave, 10 dB over full scale and clipped."""
    higher = changed_voice(Waveform(samples), pitch=1.25).samples
    return with_gain(_scaled(with_tilt(higher, 4.0), 1.0), 10.0)


def telephoned(samples: np.ndarray) -> np.ndarray:
    """Simulate a telephone line: 300 to 3400 Hz, 8 kHz, mu-law."""
    return through_codec(samples, "telephone")


def sung(samples: np.ndarray) -> np.ndarray:
    """Simulate singing: half speed, on one note with vibrato; pulses (noise if unvoiced) through the envelope.

    The note is the speaker's median pitch.
    """
    slow = changed_voice(Waveform(samples), speed=0.5).samples.astype(np.float64)
    note = pitch(samples) or ORDINARY_PITCH
    times = np.arange(len(slow)) / SAMPLE_RATE
    phase = np.cumsum(note * (1 + VIBRATO_DEPTH * np.sin(2 * np.pi * VIBRATO_RATE * times))) / SAMPLE_RATE
    pulses = (np.diff(np.floor(phase), prepend=0.0) > 0) * np.sqrt(SAMPLE_RATE / note)
    noise = np.random.default_rng(zlib.crc32(samples.tobytes())).standard_normal(len(slow))
    voiced = _voicing(slow)
    return _scaled(_with_envelope(slow, voiced * pulses + (1 - voiced) * noise), 0.5)


#: Name -> simulation of it from samples (S,) at 16 kHz.
IMITATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {"whisper": whispered, "shouting": shouted, "8 kHz telephone": telephoned, "singing": sung}
)


def imitation_figures(
    talker: Talker, sounds: Sequence[Path], card: Scorecard, progress: Progress | None = None
) -> list[Figure]:
    """Measure whether the mouth jitters or freezes under each simulation, relative to the original sounds."""
    figures = []
    plain = [_gap(talker, load_waveform(sound).samples) for sound in sounds]
    for number, (name, imitate) in enumerate(IMITATIONS.items(), start=1):
        gaps = [_gap(talker, imitate(load_waveform(sound).samples)) for sound in sounds]
        figures += steadiness(name, plain, gaps, card)
        if progress:
            progress(number, len(IMITATIONS), "imitations")
    return figures


def steadiness(name: str, plain: Sequence[np.ndarray], gaps: Sequence[np.ndarray], card: Scorecard) -> list[Figure]:
    """Compute the three figures of one simulation.

    A clip jitters or freezes if it alone misses the goals of the two medians; without goals none does.

    Args:
        name: of the simulation.
        plain: lip openings (T,) of the original clips.
        gaps: lip openings (T,) of the simulated clips, in the same order.
        card: the goals.

    Returns:
        Acceleration, movement, and the share of clips that are fine.
    """
    jitter, movement = card.imitation_acceleration or Goal(), card.imitation_movement or Goal()
    faster = np.array([_ratio(metrics.acceleration(b)[1], metrics.acceleration(a)[1])
                       for a, b in zip(plain, gaps, strict=True)])  # fmt: skip
    moving = np.array([_ratio(b.std(), a.std()) for a, b in zip(plain, gaps, strict=True)])
    fine = np.array([jitter.reached(a) and movement.reached(m) for a, m in zip(faster, moving, strict=True)])
    count = f"{len(gaps)} clips, simulated"
    return [
        Figure(f"{name}: lip acceleration ratio to the plain voice, median", float(np.median(faster)), count,
               card.imitation_acceleration),
        Figure(f"{name}: movement ratio to the plain voice, median", float(np.median(moving)), count,
               card.imitation_movement),
        Figure(f"{name}: clips that neither jitter nor freeze", float(fine.mean()), count, card.imitation_steady),
    ]  # fmt: skip


def _ratio(value: float, base: float) -> float:
    """`value` over `base`; 1 if both are zero."""
    return float(value / base) if base > 1e-12 else (1.0 if value <= 1e-12 else float("inf"))


def _gap(talker: Talker, samples: np.ndarray) -> np.ndarray:
    animation = talker.animate(Waveform(samples.astype(np.float32)))
    return mouth_of(talker.head, animation.motion, animation.fps).gap


def _with_envelope(samples: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Apply the spectral envelope of `samples` (S,), frame by frame, to a `source` (S,) with a flat spectrum."""
    _, _, spectrum = stft(samples, nperseg=WINDOW, noverlap=WINDOW - HOP)
    _, _, flat = stft(source, nperseg=WINDOW, noverlap=WINDOW - HOP)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-8), axis=0)
    cepstrum[ENVELOPE:-ENVELOPE] = 0.0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=0).real)
    return istft(envelope * flat, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][: len(samples)]


def _voicing(samples: np.ndarray) -> np.ndarray:
    """(S,) voicing from 0 to 1: the share of energy below 1 kHz, sharpened; unvoiced fricatives have little there."""
    hertz, _, spectrum = stft(samples, fs=SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    power = np.abs(spectrum) ** 2
    share = power[hertz < 1000].sum(axis=0) / (power.sum(axis=0) + 1e-12)
    voiced = gaussian_filter1d(np.clip((share - 0.3) / 0.4, 0.0, 1.0), 2.0)
    return np.interp(np.arange(len(samples)), np.arange(len(voiced)) * HOP, voiced)


def _scaled(samples: np.ndarray, peak: float) -> np.ndarray:
    return (samples * (peak / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)
