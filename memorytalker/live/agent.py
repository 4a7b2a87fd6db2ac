"""Speech that a service sends -> messages that carry its sound and its face through one WebSocket, or any other pipe.

`followPipe` of `web/` plays the sound and moves a face in step with it. docs/live.md has an example.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from memorytalker.face.head import load_head
from memorytalker.face.visemes import VISEMES, VisemeSolver
from memorytalker.sound.resampling import resampled, resampler_start

if TYPE_CHECKING:
    from memorytalker.pipeline import Talker

#: Of the raw samples that speech services send where nothing else is asked for, in Hz.
SPEECH_RATE = 24000
#: Digits behind the point of weights and of times.
_WEIGHT_DIGITS, _TIME_DIGITS = 4, 4


def speech_messages(
    talker: Talker, speech: Iterable[bytes], rate: int = SPEECH_RATE, **options: Any
) -> Iterator[bytes | str]:
    """Yield the messages of one utterance while it arrives.

    Args:
        talker: whose live network follows it.
        speech: raw samples of 16 bits, little endian, mono, in pieces of any size; a piece may cut a sample in two.
        rate: of the samples, in Hz.
        options: `style` and `weights` of `Talker.live`.

    Returns:
        An iterator: the text {"rate"}; then the pieces as they came, each followed by the frames that are known by it,
        as the text {"t", "frame", "curves", "visemes"}, t in seconds of the utterance.

    Raises:
        AudioError: no sound at all, or a rate that no sound has; raised while iterating.
        ConfigError, StyleError, TalkerError, WeightsError: as `Talker.live`.
    """
    head, came = load_head(), list[bytes]()
    solver = VisemeSolver.on(head)

    def chunks() -> Iterator[np.ndarray]:
        state, left = resampler_start(rate), b""
        for piece in speech:
            came.append(piece)
            data = left + piece
            even = len(data) - len(data) % 2
            left = data[even:]
            state, samples = resampled(state, np.frombuffer(data[:even], "<i2").astype(np.float32) / 32768, rate)
            yield samples

    yield json.dumps({"rate": rate})
    for piece in talker.live(chunks(), head=head, **options):
        while came:
            yield came.pop(0)
        curves = piece.curves
        visemes = solver.solve(curves.reordered(head.blendshape_names).weights.astype(np.float64))
        for number, (weights, poses) in enumerate(zip(curves.weights, visemes, strict=True), start=piece.first_frame):
            members = {
                "t": round(number / curves.fps, _TIME_DIGITS),
                "frame": number,
                "curves": _rounded(curves.names, weights),
                "visemes": _rounded(VISEMES, poses),
            }
            yield json.dumps(members, separators=(",", ":"))
    yield from came


def _rounded(names: Iterable[str], weights: np.ndarray) -> dict[str, float]:
    return {name: round(weight, _WEIGHT_DIGITS) for name, weight in zip(names, weights.tolist(), strict=True)}
