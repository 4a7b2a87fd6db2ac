"""Log-mel of sound that is still arriving: causal, a block for each motion frame, with its state in and out.

Each block holds the mel frames that the live network reads for one motion frame, and the level of the voice so far. A
block is computed by itself, always in the same shape, so that its bytes do not depend on the chunks that sound comes
in. `web/src/features.js` computes the same numbers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from memorytalker.sound.acoustics import EMPHASIS

#: Smallest power of a mel band and of a step: -100 dB.
LEAST_POWER = 1e-10


@dataclass(frozen=True)
class MelGrid:
    """Where the mel frames of each motion frame lie in the sound.

    Motion frame t reads `per_frame` mel frames, the last of which ends `ahead` mel frames after the time t / fps of the
    motion frame. All sound before it is past; so the look-ahead is ahead / (fps x per_frame) seconds in all.

    Args:
        fps: motion frames per second.
        per_frame: mel frames per motion frame.
        ahead: mel frames by which the sound is ahead of the motion.
        bins: mel bands.
        window: samples of a mel frame.
        transform: samples of its Fourier transform, a power of two.
        sample_rate: in Hz.
        release: dB per second by which the level of the voice falls after its loudest step.
        quietest: dB below which the level does not fall, so that quiet rooms are not amplified to speech.
    """

    fps: int = 30
    per_frame: int = 4
    ahead: int = 14
    bins: int = 64
    window: int = 400
    transform: int = 512
    sample_rate: int = 16000
    release: float = 0.5
    quietest: float = -60.0

    @property
    def lookahead(self) -> float:
        """Seconds of sound after the time of a motion frame that the frame waits for."""
        return self.ahead / (self.fps * self.per_frame)

    @property
    def first(self) -> int:
        """The first block that sees any sound, 0 or less; blocks before frame 0 only prepare the state."""
        return -((self.ahead - 1) // self.per_frame)

    def mel_end(self, number: int) -> int:
        """The sample before which mel frame `number` ends; 0 ends at one step, which may be before the sound."""
        rate = self.fps * self.per_frame
        return (2 * (number + 1) * self.sample_rate + rate) // (2 * rate)

    def block_end(self, frame: int) -> int:
        """The number of samples that must have arrived before the block of a motion frame is complete."""
        return self.mel_end(self.per_frame * frame + self.ahead - 1)


@dataclass(frozen=True, eq=False)
class MelBlock:
    """What the network reads for one motion frame.

    Args:
        frame: number of the motion frame.
        mel: (per_frame, bins) float32 in dB.
        level: dB, the level of the voice so far.
    """

    frame: int
    mel: np.ndarray
    level: float


@dataclass(frozen=True, eq=False)
class MelState:
    """What the next blocks need of the sound so far; `mel_start` makes the first, `mel_blocks` the following.

    Args:
        kept: (s,) float64, the latest samples with pre-emphasis.
        first: number of the first of them in the sound; negative before the sound.
        last: the latest sample, for the pre-emphasis.
        frame: motion frame of the next block.
        level: dB, as in `MelBlock`.
    """

    kept: np.ndarray
    first: int
    last: float
    frame: int
    level: float


def mel_start(grid: MelGrid) -> MelState:
    """Return the state before any sound: silence has gone before."""
    first = _block_start(grid, grid.first)
    return MelState(np.zeros(-first), first, 0.0, grid.first, grid.quietest)


def mel_blocks(grid: MelGrid, state: MelState, samples: np.ndarray) -> tuple[MelState, list[MelBlock]]:
    """Take further sound.

    Args:
        grid: as for all calls with this state.
        state: after the sound so far.
        samples: (s,) float in [-1, 1], mono, at the grid's rate, of any size.

    Returns:
        The new state, and the blocks that are complete now, in order.
    """
    fresh = np.asarray(samples, np.float64)
    before = np.concatenate([[state.last], fresh[:-1]]) if len(fresh) else fresh
    kept, first, frame, level = (
        np.concatenate([state.kept, fresh - EMPHASIS * before]),
        state.first,
        state.frame,
        state.level,
    )
    last = float(fresh[-1]) if len(fresh) else state.last
    blocks = []
    while grid.block_end(frame) <= first + len(kept):
        begin, end = _block_start(grid, frame) - first, grid.block_end(frame) - first
        mel, energy = _block(grid, frame, kept[begin:end])
        level = max(energy, level - grid.release / grid.fps, grid.quietest)
        blocks.append(MelBlock(frame, mel, level))
        frame += 1
    drop = max(0, _block_start(grid, frame) - first)
    return MelState(kept[drop:].copy(), first + drop, last, frame, level), blocks


def whole_mel(grid: MelGrid, samples: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute all blocks of a sound for training; the numbers are those of `mel_blocks`.

    Args:
        grid: the grid.
        samples: (S,) as there.
        frames: number of motion frames, T.

    Returns:
        mel (T - grid.first, per_frame, bins) float32 in dB, from block `grid.first` on, and the energy
        (T - grid.first,) in dB of each block's new sound, from which `levels` makes the level.
    """
    missing = max(0, grid.block_end(frames - 1) - len(samples))
    start = mel_start(grid)
    padded = np.concatenate([np.asarray(samples, np.float64), np.zeros(missing)])
    kept = np.concatenate([start.kept, padded - EMPHASIS * np.concatenate([[0.0], padded[:-1]])])
    blocks = []
    for frame in range(grid.first, frames):
        begin, end = _block_start(grid, frame) - start.first, grid.block_end(frame) - start.first
        blocks.append(_block(grid, frame, kept[begin:end]))
    return np.stack([mel for mel, _ in blocks]), np.array([energy for _, energy in blocks], np.float32)


def levels(grid: MelGrid, energy: np.ndarray, before: float | None = None) -> np.ndarray:
    """Follow the level of the voice over the energies (..., T) of blocks, as `mel_blocks` does one by one.

    Args:
        grid: the grid.
        energy: (..., T) in dB.
        before: level before the first block; None: that of `mel_start`.

    Returns:
        (..., T) in dB.
    """
    fall = np.arange(1, energy.shape[-1] + 1) * (grid.release / grid.fps)
    start = grid.quietest if before is None else before
    highest = np.maximum.accumulate(np.maximum(energy, grid.quietest) + fall, axis=-1)
    return np.maximum(np.maximum(highest, start) - fall, grid.quietest)


@functools.lru_cache(maxsize=4)
def hann(size: int) -> np.ndarray:
    """The periodic Hann window (size,) float64."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)


@functools.lru_cache(maxsize=4)
def mel_table(bins: int, transform: int, sample_rate: int) -> np.ndarray:
    """Triangles of height 1 on Slaney's scale, which is linear below 1 kHz and logarithmic above.

    Args:
        bins: number of bands, from 0 Hz to half the sample rate.
        transform: samples of the Fourier transform.
        sample_rate: in Hz.

    Returns:
        (bins, transform // 2 + 1) float64.

    Source:
        Slaney 1998, Auditory Toolbox.
    """
    top = sample_rate / 2
    highest = top * 3 / 200 if top < 1000 else 15.0 + math.log(top / 1000.0) * 27.0 / math.log(6.4)
    mels = np.linspace(0.0, highest, bins + 2)
    corners = np.where(mels < 15.0, mels * 200 / 3, 1000.0 * np.exp((mels - 15.0) * math.log(6.4) / 27.0))
    hertz = np.arange(transform // 2 + 1) * (sample_rate / transform)
    width = np.diff(corners)[:, None]
    rising = (hertz[None] - corners[:-2, None]) / width[:-1]
    falling = (corners[2:, None] - hertz[None]) / width[1:]
    return np.maximum(np.minimum(rising, falling), 0.0)


def _block_start(grid: MelGrid, frame: int) -> int:
    """The first sample that the block of a motion frame needs."""
    first = grid.per_frame * frame + grid.ahead - grid.per_frame
    return min(grid.mel_end(first) - grid.window, grid.mel_end(first - 1))


def _block(grid: MelGrid, frame: int, sound: np.ndarray) -> tuple[np.ndarray, float]:
    """mel (per_frame, bins) float32 in dB, and the energy in dB, of the sound from `_block_start` to `block_end`."""
    start, first = _block_start(grid, frame), grid.per_frame * frame + grid.ahead - grid.per_frame
    ends = [grid.mel_end(first + k) - start for k in range(grid.per_frame)]
    window = hann(grid.window)
    windowed = np.stack([sound[end - grid.window : end] for end in ends]) * window
    spectrum = np.fft.rfft(windowed, grid.transform)
    power = (spectrum.real**2 + spectrum.imag**2) / (0.5 * window.sum()) ** 2
    table = mel_table(grid.bins, grid.transform, grid.sample_rate)
    mel = 10.0 * np.log10(np.maximum(power @ table.T, LEAST_POWER))
    new = sound[grid.mel_end(first - 1) - start :]
    return mel.astype(np.float32), 10.0 * math.log10(max(float(np.mean(np.square(new))), LEAST_POWER))
