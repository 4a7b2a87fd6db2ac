"""Sound that is still arriving through the live network, frame by frame, with its state in and out.

A frame is computed as soon as its sound is there, by itself and in one shape, so that the same sound gives the same
bytes in chunks of any size. `windows.py` does the same for the whole model, window by window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from memorytalker.animation import MotionPiece
from memorytalker.face.head import ARKIT_NAMES, HeadMesh
from memorytalker.face.head_motion import motion_of_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.models.live import LiveNetwork, LiveState
from memorytalker.sound.decode import AudioError
from memorytalker.sound.live_mel import MelBlock, MelState, mel_blocks, mel_start
from memorytalker.styles.live_delivery import LiveDelivery


@dataclass(frozen=True, eq=False)
class LiveFrames:
    """Consecutive frames of a live stream.

    Args:
        first: number of the first, from 0.
        curves: (t, S) float32 in [0, 1], named by the network's `shapes`.
        address: (t, n) float32, rows sum to 1.
    """

    first: int
    curves: np.ndarray
    address: np.ndarray


@dataclass(frozen=True, eq=False)
class SoundState:
    """All that the next frames need of the sound so far.

    Args:
        mel: of the log-mel.
        network: of the layers.
        received: samples so far.
        frames: motion frames that were given out.
    """

    mel: MelState
    network: LiveState
    received: int = 0
    frames: int = 0


def live_start(network: LiveNetwork) -> SoundState:
    """Return the state before any sound."""
    return SoundState(mel_start(network.config.grid), network.start())


def live_frames(
    network: LiveNetwork, state: SoundState, samples: np.ndarray, style: torch.Tensor | None = None
) -> tuple[SoundState, LiveFrames | None]:
    """Take further sound and compute the frames that are complete now.

    Args:
        network: in evaluation mode.
        state: after the sound so far.
        samples: (s,) float in [-1, 1], 16 kHz, mono, of any size.
        style: style weights (1, n) on the network's device; None: the neutral style.

    Returns:
        The new state, and the frames; None if none is complete.
    """
    mel, blocks = mel_blocks(network.config.grid, state.mel, samples)
    state = replace(state, mel=mel, received=state.received + len(samples))
    return _through(network, state, blocks, style)


def live_end(
    network: LiveNetwork, state: SoundState, style: torch.Tensor | None = None
) -> tuple[SoundState, LiveFrames | None]:
    """Compute the last frames of a sound that has ended, as if silence followed.

    Args:
        network: as in `live_frames`.
        state: after all of the sound.
        style: as in `live_frames`.

    Returns:
        The new state, and the frames: with those before they are seconds times fps, rounded, at least 1.
    """
    grid = network.config.grid
    total = max(1, round(state.received * grid.fps / grid.sample_rate)) if state.received else 0
    missing = max(0, grid.block_end(total - 1) - state.received) if total else 0
    mel, blocks = mel_blocks(grid, state.mel, np.zeros(missing))
    return _through(network, replace(state, mel=mel), [block for block in blocks if block.frame < total], style)


def _through(
    network: LiveNetwork, state: SoundState, blocks: list[MelBlock], style: torch.Tensor | None
) -> tuple[SoundState, LiveFrames | None]:
    device, past = network.mel_mean.device, state.network
    curves, addresses = [], []
    with torch.inference_mode():
        for block in blocks:
            mel = torch.from_numpy(block.mel).to(device)[None, None]
            level = torch.tensor([[block.level]], dtype=torch.float32, device=device)
            output = network(mel, level, style, past)
            past = output.state
            if block.frame >= 0:
                curves.append(output.curves[0, 0].cpu().numpy())
                addresses.append(output.address[0, 0].cpu().numpy())
    frames = LiveFrames(state.frames, np.stack(curves), np.stack(addresses)) if curves else None
    return replace(state, network=past, frames=state.frames + len(curves)), frames


def live_pieces(
    network: LiveNetwork,
    head: HeadMesh,
    chunks: Iterable[np.ndarray],
    style: np.ndarray,
    delivery: LiveDelivery | None = None,
) -> Iterator[MotionPiece]:
    """Yield live motion without a talker; see `Talker.live`.

    Args:
        network: in evaluation mode.
        head: with blendshapes.
        chunks: (s,) float32 in [-1, 1], 16 kHz, mono, checked.
        style: style weights (n,), ones for the neutral style.
        delivery: what is changed after the network; None: nothing.

    Returns:
        An iterator of consecutive pieces.

    Raises:
        AudioError: no sound at all; raised while iterating.
    """
    given = None if (style == 1).all() else torch.tensor(style, device=network.mel_mean.device)[None]
    state, speaking = live_start(network), 0.0

    def steps() -> Iterator[LiveFrames | None]:
        nonlocal state
        for chunk in chunks:
            state, frames = live_frames(network, state, chunk, given)
            yield frames
        if not state.received:
            raise AudioError("The stream ended without any sound; give at least one chunk of samples.")
        yield live_end(network, state, given)[1]

    for frames in steps():
        if frames is None:
            continue
        curves = FaceCurves(frames.curves, network.config.shapes, float(network.config.grid.fps)).reordered(ARKIT_NAMES)
        if delivery is not None:
            curves, speaking = delivery.apply(frames.first, curves, frames.address, speaking)
            curves = curves.reordered(ARKIT_NAMES)
        yield MotionPiece(frames.first, motion_of_curves(head, curves), frames.address, style)
