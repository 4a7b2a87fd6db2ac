"""The style weights of one person, fitted to recorded motion through the frozen model.

What a style encoder guesses from the voice can here be measured: the weights are moved until the decoded motion is that
of the recording. Stage 2 of the open weights fits its training speakers in this way too; here it is one person, with
limits, and a few clips are enough. `adapt.py` uses it for a user's recordings, the scorecard for people in video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memorytalker.config import check_ranges
from memorytalker.errors import InputError
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion_space import MotionSpace
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform
from memorytalker.windows import frame_count, padded


class StyleFitError(InputError):
    """Recordings from which no style can be fitted; the message is one sentence that names the remedy."""


@dataclass(frozen=True)
class StyleFit:
    """How style weights are fitted.

    Attributes:
        steps: of Adam.
        rate: its learning rate, which falls to 0 by a cosine.
        pull: weight of the mean squared distance from the neutral style, against an error of 1 for the mean motion.
        amplitude: weight of the squared logarithm of the ratio of standard deviations, predicted over recorded. Least
            squares alone damps whatever it cannot predict, and a style is above all how far a mouth moves.
        least: smallest weight of a slot.
        most: largest weight of a slot.
        shortest_seconds: of motion in all clips together; less is refused.
    """

    steps: int = 300
    rate: float = 0.05
    pull: float = 0.02
    amplitude: float = 0.25
    least: float = 0.0
    most: float = 3.0
    shortest_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no fit can have."""
        check_ranges(
            self, steps=(0, 1e6), rate=(0, 10), pull=(0, 1e6), amplitude=(0, 1e6), least=(0, 1), most=(1, 100),
            shortest_seconds=(0, 3600),
        )  # fmt: skip


def fit_style(
    model: MemoryTalker,
    logits: Sequence[Tensor],
    targets: Sequence[Tensor],
    measure: Tensor | None = None,
    settings: StyleFit = StyleFit(),
    progress: Progress | None = None,
    counted: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Fit style weights to the motion of one person.

    Args:
        model: unchanged; in evaluation mode.
        logits: (k T, n) slot logits of each clip at the text rate, such as `clip_logits` gives.
        targets: (T, K) recorded motion of each clip in the model's coordinates, metres from the template.
        measure: (K, m) linear measures of the motion that should agree, such as `mouth_measure`; None: all coordinates.
            Each counts over its own variance in the recordings.
        settings: limits, steps and how strongly the weights are drawn to neutral.
        progress: called after each step.
        counted: (T,) bool of each clip, the frames that are fitted; the others are only heard. None: all.

    Returns:
        (n,) float32 style weights in [least, most]; 1 is neutral.

    Raises:
        StyleFitError: too little motion, a motion that never changes, or clips that do not fit the model.
    """
    _check(model, logits, targets, settings)
    device = model.device
    texts = pad_sequence([one.float() for one in logits], batch_first=True).to(device)
    truth = pad_sequence([one.float() for one in targets], batch_first=True).to(device)
    frames = torch.tensor([len(one) for one in targets], device=device)
    mask = torch.arange(truth.shape[1], device=device)[None] < frames[:, None]
    rows = torch.eye(model.config.coordinates) if measure is None else measure.float()
    rows = rows.to(device)
    fitted = mask.clone()
    for row, which in zip(fitted, counted or (), strict=False):
        row[: len(which)] &= torch.from_numpy(which).to(device)
    spread = (truth @ rows)[fitted].std(dim=0)
    if not bool((spread > 0).any()):
        raise StyleFitError("The recorded mouth never moves; record speech with the mouth in view.")
    rows = rows[:, spread > 0] / spread[spread > 0]
    wanted = (truth @ rows)[fitted]
    weights = torch.ones(model.config.slot_count, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([weights], settings.rate)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(settings.steps, 1))
    for step in range(settings.steps):
        moved = model(texts, mask, weights.expand(len(texts), -1)).offsets
        found = (moved @ rows)[fitted]
        loss = (found - wanted).square().mean() + settings.pull * (weights - 1).square().mean()
        loss = loss + settings.amplitude * found.std(dim=0).clamp_min(1e-6).log().square().mean()  # of `wanted` it is 0
        (slope,) = torch.autograd.grad(loss, weights)  # the model's own parameters collect none
        weights.grad = slope
        optimizer.step()
        rates.step()
        with torch.no_grad():
            weights.clamp_(settings.least, settings.most)
        if progress:
            progress(step + 1, settings.steps, "fit style")
    return weights.detach().cpu().numpy().astype(np.float32)


def _check(model: MemoryTalker, logits: Sequence[Tensor], targets: Sequence[Tensor], settings: StyleFit) -> None:
    """Raise StyleFitError unless the clips fit the model and each other, and are long enough together."""
    config = model.config
    if len(logits) != len(targets) or not logits:
        raise StyleFitError(f"{len(logits)} sounds and {len(targets)} motions make no clips; give one of each a clip.")
    for text, motion in zip(logits, targets, strict=True):
        if text.shape != (config.text_frames * len(motion), config.slot_count) or not len(motion):
            raise StyleFitError(
                f"A clip of {len(motion)} frames needs slot logits {config.text_frames * len(motion)} x "
                f"{config.slot_count}, not {' x '.join(map(str, text.shape))}; cut sound and motion to one length."
            )
        if motion.shape[1:] != (config.coordinates,):
            raise StyleFitError(f"Motion needs {config.coordinates} coordinates a frame, as the weights predict.")
        if not bool(torch.isfinite(text).all() and torch.isfinite(motion).all()):
            raise StyleFitError("A clip has numbers that are not finite; record it again, or leave it out.")
    seconds = sum(map(len, targets)) / config.fps
    if seconds < settings.shortest_seconds:
        raise StyleFitError(
            f"There are {seconds:.1f} s of recorded motion; a style needs {settings.shortest_seconds:g} s at least."
        )


@torch.no_grad()
def clip_logits(model: MemoryTalker, waveform: Waveform, frames: int) -> Tensor:
    """Encode a sound of at most a window as slot logits (k T, n) at the text rate, as `Talker.animate` does.

    `frames` is the number T of motion frames, the sound's own or fewer.
    """
    own = frame_count(len(waveform.samples), model.config)
    logits = model.text_logits(padded(model, waveform.samples), torch.tensor([own], device=model.device))[0]
    return logits[: frames * model.config.text_frames]


def mouth_measure(space: MotionSpace, head: HeadMesh) -> Tensor:
    """Return the matrix (K, 3) from coordinates to what they add to lip opening, lip width and jaw, in metres."""
    assert space.basis is not None  # a head with landmarks
    marks, rows = head.landmarks, space.basis.reshape(space.coordinates, -1, 3)
    gap = rows[:, marks["inner_lip_upper"], 1] - rows[:, marks["inner_lip_lower"], 1]
    width = rows[:, marks["mouth_left"], 0] - rows[:, marks["mouth_right"], 0]
    return torch.from_numpy(np.stack([gap, width, -rows[:, marks["chin"], 1]], 1)).float()
