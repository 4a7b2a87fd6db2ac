"""Words to phone times by forced alignment, with the acoustic model and dictionary that pocketsphinx carries.

The aligner's own error is known: against the phone times of the Montreal Forced Aligner its starts differ by
about 10 ms in the median. Its phones are the 39 of the CMU dictionary, without stress marks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorytalker.config import ConfigError
from memorytalker.errors import InputError
from memorytalker.extras import to_install
from memorytalker.phones import ENGLISH

#: Seconds a frame of the aligner lasts.
FRAME_SECONDS = 0.01
#: What is laid around and under the speech, tried in turn until the second pass of the aligner gets through:
#: seconds of padding, r.m.s. of noise, seed. The acoustic model breaks off on digital silence and on some word
#: borders of its own first pass; each of these moves the borders a little. Wider beams were tried and rescue nothing.
SURROUNDINGS = ((0.3, 3e-4, 0), (0.0, 1.6e-4, 0), (0.5, 3e-4, 1), (0.3, 1e-3, 0), (0.2, 2e-3, 2), (0.1, 1e-4, 3))


class AlignmentError(InputError):
    """A sentence that could not be aligned; the message says why."""


@dataclass(frozen=True)
class Phone:
    """One phone of an utterance: `start` and `end` in seconds, `label` one of `phones.ENGLISH`."""

    start: float
    end: float
    label: str


class Aligner:
    """Forced alignment of English. Holds a decoder; not to be shared between threads."""

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError:
            raise ConfigError(to_install("pocketsphinx")) from None

        self._decoder = Decoder(lm=None, loglevel="FATAL", samprate=16000)

    def words(self, text: str) -> list[str]:
        """The words of `text` in the dictionary's spelling. Raises AlignmentError naming those it lacks."""
        words = re.findall(r"[a-z']+", text.lower())
        spelled = [word if self._decoder.lookup_word(word) else word.strip("'") for word in words]
        missing = sorted({word for word in spelled if not self._decoder.lookup_word(word)})
        if missing:
            raise AlignmentError(f"not in the dictionary: {', '.join(missing)}")
        if not spelled:
            raise AlignmentError("the text has no words")
        return spelled

    def align(self, samples: np.ndarray, text: str) -> tuple[Phone, ...]:
        """Phone times of `text` spoken in `samples` ((S,) float32, 16 kHz), silence included, covering the whole clip.

        Raises AlignmentError when a word is unknown or no path through the sound is found.
        """
        words = " ".join(self.words(text))
        for padding, noise, seed in SURROUNDINGS:
            sound = np.pad(samples, round(padding * 16000))
            sound = sound + np.random.default_rng(seed).standard_normal(len(sound)) * noise
            segments = self._segments((np.clip(sound, -1.0, 1.0) * 32767).astype("<i2").tobytes(), words)
            if segments:
                seconds = len(samples) / 16000
                shifted = [(start - padding, end - padding, name) for start, end, name in segments]
                inside = [(max(start, 0.0), min(end, seconds), name) for start, end, name in shifted]
                return _covering([s for s in inside if s[1] > s[0]], seconds)
        raise AlignmentError("no path through the sound fits the words")

    def _segments(self, sound: bytes, words: str) -> list[tuple[float, float, str]]:
        """(start, end, name) of each phone from the two passes of pocketsphinx; empty when a pass fails."""
        try:
            self._decoder.reinit_feat()  # else what was aligned before shifts the features of this clip
            self._decoder.set_align_text(words)
            _decode(self._decoder, sound)
            self._decoder.set_alignment()
            _decode(self._decoder, sound)
            alignment = self._decoder.get_alignment()
        except RuntimeError:  # how pocketsphinx says that the final state was not reached
            return []
        return [
            (phone.start * FRAME_SECONDS, (phone.start + phone.duration) * FRAME_SECONDS, phone.name)
            for word in alignment or ()
            for phone in word
        ]


def _decode(decoder: Any, sound: bytes) -> None:
    decoder.start_utt()
    try:
        decoder.process_raw(sound, full_utt=True)
    finally:
        decoder.end_utt()


def _covering(segments: list[tuple[float, float, str]], seconds: float) -> tuple[Phone, ...]:
    """Phones that follow each other without a gap from 0 to `seconds`; what lies between words is silence."""
    phones: list[Phone] = []
    time = 0.0
    for start, end, name in segments:
        label = name.lower() if name.lower() in ENGLISH.phones else ENGLISH.silence
        if start > time + 1e-6:
            phones.append(Phone(time, start, ENGLISH.silence))
        phones.append(Phone(max(start, time), end, label))
        time = end
    if seconds > time + 1e-6:
        phones.append(Phone(time, seconds, ENGLISH.silence))
    return tuple(_merged(phones))


def _merged(phones: list[Phone]) -> list[Phone]:
    """Neighbouring silences joined."""
    merged: list[Phone] = []
    for phone in phones:
        if merged and phone.label == ENGLISH.silence == merged[-1].label:
            merged[-1] = Phone(merged[-1].start, phone.end, ENGLISH.silence)
        else:
            merged.append(phone)
    return merged
