"""From a source of sound to its receivers: the loop of the command `live`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from memorytalker.face.adjust import adjusted
from memorytalker.face.head import HeadMesh
from memorytalker.live.frame import FrameMaker, LiveFrame, SoundClock
from memorytalker.live.outputs import Output
from memorytalker.live.sources import Source
from memorytalker.live_motion import live_pieces
from memorytalker.models.live import LiveNetwork
from memorytalker.options import CurveOptions
from memorytalker.sound.resampling import resampled, resampler_start
from memorytalker.styles.live_delivery import LiveDelivery


@dataclass(frozen=True)
class Spoken:
    """What a live run did.

    Args:
        frames: that were sent.
        latencies: (n,) seconds of the latest frames.
    """

    frames: int
    latencies: np.ndarray


#: Frames whose latency is remembered: ten minutes.
_REMEMBERED = 18_000


def live_frames_of(
    source: Source,
    network: LiveNetwork,
    head: HeadMesh,
    style: np.ndarray,
    curves: CurveOptions = CurveOptions(),
    delivery: LiveDelivery | None = None,
) -> Iterator[LiveFrame]:
    """Yield the frames of a source as they can be made.

    Args:
        source: of sound at any rate.
        network: in evaluation mode.
        head: with ARKit's blendshapes, on which visemes are found and curves corrected.
        style: style weights (n,), ones for the neutral style.
        curves: corrections.
        delivery: what a style changes after the network; None: nothing.

    Returns:
        An iterator of frames, each with its clock and latency.

    Raises:
        AudioError: no sound at all, or a rate that no sound card has.
        MotionError: a correction of a curve that the head does not have.
    """
    clock, maker, state = SoundClock(), FrameMaker(head), resampler_start(source.rate)

    def chunks() -> Iterator[np.ndarray]:
        nonlocal clock, state
        for heard in source.chunks:
            clock = clock.heard(len(heard.samples), heard.arrived, source.rate, heard.delay)
            state, samples = resampled(state, heard.samples, source.rate)
            yield samples

    for piece in live_pieces(network, head, chunks(), style, delivery):
        piece = replace(piece, motion=adjusted(piece.motion, curves))
        yield from maker.frames(piece, piece.curves, clock)


def speak(frames: Iterator[LiveFrame], outputs: Sequence[Output]) -> Spoken:
    """Send frames to all outputs until they end or somebody stops them; then close the outputs.

    Args:
        frames: as `live_frames_of` yields them.
        outputs: none of which waits.

    Returns:
        What was done.
    """
    count, latencies = 0, np.zeros(_REMEMBERED)
    try:
        for frame in frames:
            for output in outputs:
                output.send(frame)
            latencies[count % _REMEMBERED] = frame.latency
            count += 1
            if any(getattr(output, "broken", False) for output in outputs):
                break
    except KeyboardInterrupt:  # how a live run ends
        pass
    finally:
        for output in outputs:
            output.close()
    return Spoken(count, latencies[: min(count, _REMEMBERED)])
