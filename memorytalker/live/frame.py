"""One frame on its way to other programs, and the clock that says when its sound was heard."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

import numpy as np

from memorytalker.animation import MotionPiece
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.visemes import VISEMES, VisemeSolver

#: Share of the passing time by which the clock may follow a sound card that is slower than the computer.
DRIFT = 0.001
#: Digits behind the point of weights and of times in JSON.
_WEIGHT_DIGITS, _TIME_DIGITS = 4, 4


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One motion frame.

    Args:
        number: from 0.
        fps: frames per second.
        curves: name -> weight in [0, 1], named as in ARKit.
        visemes: name -> weight in [0, 1] of the 15 visemes; they add up to 1.
        clock: seconds since 1970 (UTC) at which the sound at the frame's time was heard.
        latency: seconds from then until the frame was made.
    """

    number: int
    fps: float
    curves: dict[str, float]
    visemes: dict[str, float]
    clock: float
    latency: float

    @property
    def seconds(self) -> float:
        """Time of the frame in the sound."""
        return self.number / self.fps

    def json(self) -> str:
        """The frame as one line of JSON: {"t", "frame", "clock", "latency", "curves", "visemes"}, seconds all."""
        members = {
            "t": round(self.seconds, _TIME_DIGITS),
            "frame": self.number,
            "clock": round(self.clock, _TIME_DIGITS),
            "latency": round(self.latency, _TIME_DIGITS),
            "curves": {name: round(weight, _WEIGHT_DIGITS) for name, weight in self.curves.items()},
            "visemes": {name: round(weight, _WEIGHT_DIGITS) for name, weight in self.visemes.items()},
        }
        return json.dumps(members, separators=(",", ":"))


@dataclass(frozen=True)
class SoundClock:
    """When each sample of a stream was heard, judged by when chunks arrive.

    The earliest arrivals count, since a chunk can be late and never early. The clock follows a sound card whose rate is
    a little off, so that an hour of sound does not drift away from the computer's time.

    Args:
        origin: seconds since 1970 at which sample 0 was heard; None before the first chunk.
        received: samples so far.
        arrived: when the latest chunk arrived.
    """

    origin: float | None = None
    received: int = 0
    arrived: float = 0.0

    def heard(self, samples: int, now: float, rate: int, delay: float = 0.0) -> SoundClock:
        """Return the clock after a chunk.

        Args:
            samples: of the chunk, at `rate`.
            now: seconds since 1970 at which it arrived.
            rate: in Hz.
            delay: seconds that the sound card says the sound was on its way.

        Returns:
            The new clock.
        """
        received = self.received + samples
        begun = now - delay - received / rate
        if self.origin is None:
            return SoundClock(begun, received, now)
        later = self.origin + DRIFT * max(0.0, now - self.arrived)
        return replace(self, origin=min(begun, later), received=received, arrived=now)

    def at(self, seconds: float) -> float:
        """Seconds since 1970 at which the sound at a time of the stream was heard."""
        return (self.origin or 0.0) + seconds


class FrameMaker:
    """Makes frames of pieces of motion; it holds nothing but what it looks up.

    Args:
        head: the head on which visemes are found; None: the shipped one.
    """

    def __init__(self, head: HeadMesh | None = None) -> None:
        self.head = load_head() if head is None else head
        self.solver = VisemeSolver.on(self.head)

    def frames(self, piece: MotionPiece, curves: FaceCurves, clock: SoundClock) -> list[LiveFrame]:
        """Return the frames of a piece.

        Args:
            piece: of `Talker.live`.
            curves: its curves, corrected or not.
            clock: after the sound that completed the piece.

        Returns:
            One frame for each of the piece.
        """
        visemes = self.solver.solve(curves.reordered(self.head.blendshape_names).weights.astype(np.float64))
        made = []
        for number, (weights, poses) in enumerate(zip(curves.weights, visemes, strict=True), start=piece.first_frame):
            clocked = clock.at(number / curves.fps)
            made.append(
                LiveFrame(
                    number,
                    curves.fps,
                    dict(zip(curves.names, weights.tolist(), strict=True)),
                    dict(zip(VISEMES, poses.tolist(), strict=True)),
                    clocked,
                    time.time() - clocked,
                )
            )
        return made
