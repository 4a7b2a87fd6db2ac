"""Whisper, shouting, telephone and song: made from ordinary recordings, since there are no recordings of them.

They are imitations, and rough ones. What is asked of the model under them is only that the mouth neither jitters nor
freezes; whether it moves rightly cannot be known from them.
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

#: Clips of every validation speaker that are imitated.
CLIPS_EACH = 2
#: Samples of the window and step of the vocoder, and of the longest quefrency that is no pitch (2.5 ms: below 400 Hz).
WINDOW, HOP, ENVELOPE = 512, 128, 40
#: A voice without a pitch is sung at this one, in Hz; vibrato in Hz and as a share of the pitch.
ORDINARY_PITCH, VIBRATO_RATE, VIBRATO_DEPTH = 180.0, 5.5, 0.03


def whispered(samples: np.ndarray) -> np.ndarray:
    """The same words without a voice: noise through the resonances, brighter by 3 dB an octave, softly."""
    noise = np.random.default_rng(zlib.crc32(samples.tobytes())).standard_normal(len(samples))
    return _scaled(with_tilt(_through_throat(samples, noise).astype(np.float32), 3.0), 0.1)


def shouted(samples: np.ndarray) -> np.ndarray:
    """Higher (with its resonances), brighter by 4 dB an octave, and so loud that the recorder clips 10 dB."""
    higher = changed_voice(Waveform(samples), pitch=1.25).samples
    return with_gain(_scaled(with_tilt(higher, 4.0), 1.0), 10.0)


def telephoned(samples: np.ndarray) -> np.ndarray:
    """Through a telephone line: 300 to 3400 Hz, 8 kHz, mu-law."""
    return through_codec(samples, "telephone")


def sung(samples: np.ndarray) -> np.ndarray:
    """Twice as slow and on one held note with vibrato: pulses, or noise where there was no voice, through the throat.

    The note is the median pitch of the speaker.
    """
    slow = changed_voice(Waveform(samples), speed=0.5).samples.astype(np.float64)
    note = pitch(samples) or ORDINARY_PITCH
    times = np.arange(len(slow)) / SAMPLE_RATE
    turns = np.cumsum(note * (1 + VIBRATO_DEPTH * np.sin(2 * np.pi * VIBRATO_RATE * times))) / SAMPLE_RATE
    pulses = (np.diff(np.floor(turns), prepend=0.0) > 0) * np.sqrt(SAMPLE_RATE / note)
    noise = np.random.default_rng(zlib.crc32(samples.tobytes())).standard_normal(len(slow))
    voiced = _voicing(slow)
    return _scaled(_through_throat(slow, voiced * pulses + (1 - voiced) * noise), 0.5)


#: Name -> what makes it of samples (S,) at 16 kHz.
IMITATIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {"whisper": whispered, "shouting": shouted, "8 kHz telephone": telephoned, "singing": sung}
)


def imitation_figures(
    talker: Talker, sounds: Sequence[Path], card: Scorecard, progress: Progress | None = None
) -> list[Figure]:
    """Whether the mouth jitters or freezes under each imitation of the same sounds, against the ordinary voice."""
    figures = []
    plain = [_gap(talker, load_waveform(sound).samples) for sound in sounds]
    for number, (name, imitate) in enumerate(IMITATIONS.items(), start=1):
        gaps = [_gap(talker, imitate(load_waveform(sound).samples)) for sound in sounds]
        figures += steadiness(name, plain, gaps, card)
        if progress:
            progress(number, len(IMITATIONS), "imitations")
    return figures


def steadiness(name: str, plain: Sequence[np.ndarray], gaps: Sequence[np.ndarray], card: Scorecard) -> list[Figure]:
    """The three figures of one imitation: lip gaps (T,) of clips spoken plainly and imitated, in the same order.

    A clip jitters or freezes where it misses the goals of the two medians by itself; without these, none does.
    """
    jitter, movement = card.imitation_acceleration or Goal(), card.imitation_movement or Goal()
    faster = np.array([_ratio(metrics.acceleration(b)[1], metrics.acceleration(a)[1])
                       for a, b in zip(plain, gaps, strict=True)])  # fmt: skip
    moving = np.array([_ratio(b.std(), a.std()) for a, b in zip(plain, gaps, strict=True)])
    fine = np.array([jitter.reached(a) and movement.reached(m) for a, m in zip(faster, moving, strict=True)])
    count = f"{len(gaps)} clips, imitated"
    return [
        Figure(f"{name}: lip acceleration against the plain voice, median", float(np.median(faster)), count,
               card.imitation_acceleration),
        Figure(f"{name}: movement against the plain voice, median", float(np.median(moving)), count,
               card.imitation_movement),
        Figure(f"{name}: clips that neither jitter nor freeze", float(fine.mean()), count, card.imitation_steady),
    ]  # fmt: skip


def _ratio(value: float, base: float) -> float:
    """`value` over `base`; against a mouth that was still already, no movement is no change."""
    return float(value / base) if base > 1e-12 else (1.0 if value <= 1e-12 else float("inf"))


def _gap(talker: Talker, samples: np.ndarray) -> np.ndarray:
    animation = talker.animate(Waveform(samples.astype(np.float32)))
    return mouth_of(talker.head, animation.vertices, animation.fps).gap


def _through_throat(samples: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The spectral envelope of `samples` (S,), frame by frame, on a `source` (S,) whose own spectrum is flat."""
    _, _, spectrum = stft(samples, nperseg=WINDOW, noverlap=WINDOW - HOP)
    _, _, flat = stft(source, nperseg=WINDOW, noverlap=WINDOW - HOP)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-8), axis=0)
    cepstrum[ENVELOPE:-ENVELOPE] = 0.0
    envelope = np.exp(np.fft.rfft(cepstrum, axis=0).real)
    return istft(envelope * flat, nperseg=WINDOW, noverlap=WINDOW - HOP)[1][: len(samples)]


def _voicing(samples: np.ndarray) -> np.ndarray:
    """(S,) from 0 to 1: the energy below 1 kHz as a share of all, sharpened; hisses have none there."""
    hertz, _, spectrum = stft(samples, fs=SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    power = np.abs(spectrum) ** 2
    share = power[hertz < 1000].sum(axis=0) / (power.sum(axis=0) + 1e-12)
    voiced = gaussian_filter1d(np.clip((share - 0.3) / 0.4, 0.0, 1.0), 2.0)
    return np.interp(np.arange(len(samples)), np.arange(len(voiced)) * HOP, voiced)


def _scaled(samples: np.ndarray, peak: float) -> np.ndarray:
    return (samples * (peak / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)
