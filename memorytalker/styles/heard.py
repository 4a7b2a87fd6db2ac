"""Recordings as the network hears them, and its mouth for them: slot weights to curves, curves to measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from memorytalker.face.frame_rates import at_frame_rate
from memorytalker.face.head import ARKIT_NAMES, HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.face.motion_space import MotionSpace
from memorytalker.face.mouth_contacts import MouthContacts, mouth_contacts
from memorytalker.face.solve import CurveSolver
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import Waveform
from memorytalker.styles.delivery import Delivery, delivered
from memorytalker.styles.recordings import AdaptError, Recording
from memorytalker.styles.slot_fit import clip_logits
from memorytalker.windows import cut_windows, faded_motion, frame_count

#: What is fitted after the network.
GROUPS = ("jaw", "spread", "rounding", "upper_lip")
#: Recordings are cut into so many pieces at least, so that what is kept back has some of everything.
FEWEST_PIECES = 9
#: Share of a person's frames whose lips are taken to be closed.
CLOSED_SHARE = 0.01
#: Standard deviations below this, in metres, are no motion.
STILL = 1e-5
#: What is measured of a mouth, each in metres: opening, width, how far forward the lips are, height of the upper lip.
MEASURES = ("opening", "width", "forward", "upper lip")


@dataclass(frozen=True)
class Changes:
    """What is fitted after the network: gains of `GROUPS` in their order, and an offset of the jaw."""

    gains: tuple[float, ...] = (1.0,) * len(GROUPS)
    jaw_offset: float = 0.0

    @property
    def delivery(self) -> Delivery:
        """The changes as a style has them."""
        return Delivery(gains=dict(zip(GROUPS, self.gains, strict=True)), offsets={"jaw": self.jaw_offset})


@dataclass(frozen=True, eq=False)
class Heard:
    """Recordings as the network hears them, the frames of all after each other.

    sounds: samples of each recording. logits: of stretches of at most a window, for the fit of slot weights.
    recorded: (N, m) measures of all frames in metres. pieces: (N,) number of the piece that a frame belongs to; pieces
    are fitted to or kept back as a whole. takes: (N,) number of its recording.
    """

    sounds: tuple[np.ndarray, ...]
    logits: tuple[Tensor, ...]
    recorded: np.ndarray
    pieces: np.ndarray
    takes: np.ndarray

    def in_stretches(self, values: np.ndarray) -> list[np.ndarray]:
        """Cut values (N, ...) into those of each stretch."""
        return np.split(values, np.cumsum(self.lengths)[:-1])

    @property
    def lengths(self) -> list[int]:
        """Frames of each stretch."""
        return [len(one) * len(self.pieces) // sum(map(len, self.logits)) for one in self.logits]


class MouthModel:
    """The model's mouth: from slot weights to curves, and from curves to measures."""

    def __init__(self, model: MemoryTalker, head: HeadMesh, space: MotionSpace) -> None:
        self.model, self.space = model, space
        self.solver = CurveSolver(space, head.regions["lips"])
        self.contacts: MouthContacts = mouth_contacts(head)
        self.rows = mouth_rows(head)
        self._predicted: dict[bytes, FaceCurves] = {}
        # By the place of a sound among those heard: what was read from its windows, which depends on no style.
        self._encoded: defaultdict[int, list[np.ndarray]] = defaultdict(list)

    def curves(self, heard: Heard, weights: np.ndarray) -> FaceCurves:
        """Predict the curves (N, S) of all frames in a style, exactly as a talker animates them.

        `heard` is the same at each call.
        """
        key = weights.tobytes()
        if key not in self._predicted:
            config, style = self.model.config, torch.tensor(weights, device=self.model.device)[None]
            frames = np.bincount(heard.takes)
            moved = [
                np.concatenate([one for _, one, _ in pieces])[:count]
                for number, (sound, count) in enumerate(zip(heard.sounds, frames, strict=True))
                for pieces in (faded_motion(self.model, cut_windows([sound], config), style, self._encoded[number]),)
            ]
            self._predicted[key] = self.solver.solve(np.concatenate(moved), config.fps).curves
        return self._predicted[key]

    def measures(self, curves: FaceCurves, changes: Changes, which: np.ndarray | None = None) -> np.ndarray:
        """Measure mouths (N, m) under changes; `which` (N,) bool chooses frames."""
        chosen = curves if which is None else FaceCurves(curves.weights[which], curves.names, curves.fps)
        values = changes.delivery.values
        speaking = np.ones(len(chosen.weights))
        changed = delivered(np.repeat(values[None], len(speaking), axis=0), chosen, self.contacts, speaking)
        return changed.weights @ self.rows


def mouth_rows(head: HeadMesh) -> np.ndarray:
    """Return the matrix (S, m) from weights of a head's shapes to `MEASURES`, in metres from the neutral face."""
    marks, shapes = head.landmarks, head.blendshapes.astype(np.float64)
    upper, lower = marks["inner_lip_upper"], marks["inner_lip_lower"]
    return np.stack(
        [
            shapes[:, upper, 1] - shapes[:, lower, 1],
            shapes[:, marks["mouth_left"], 0] - shapes[:, marks["mouth_right"], 0],
            (shapes[:, upper, 2] + shapes[:, lower, 2]) / 2,
            shapes[:, upper, 1],
        ],
        axis=1,
    )


def hear(mouth: MouthModel, recordings: Sequence[Recording], longest_piece: float) -> Heard:
    """Let the network hear recordings, and measure their mouths.

    Args:
        mouth: of the network.
        recordings: of one person.
        longest_piece: seconds of a piece, about; all together are at least `FEWEST_PIECES`.

    Returns:
        What it hears. The opening is counted from the person's own closed lips.

    Raises:
        AdaptError: a mouth that never moves.
    """
    config = mouth.model.config
    seconds = sum(one.seconds for one in recordings)
    length = config.fps * min(longest_piece, seconds / FEWEST_PIECES)
    logits: list[Tensor] = []
    rows: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    count = 0
    for one in recordings:
        curves = _arkit(at_frame_rate(one.curves, config.fps)).reordered(mouth.contacts.names)
        frames = min(len(curves.weights), frame_count(len(one.waveform.samples), config))
        stretches = _cuts(0, frames, config.window_seconds * config.fps)
        for begin, end in zip(stretches, stretches[1:], strict=False):
            first, last = (round(bound * config.sample_rate / config.fps) for bound in (begin, end))
            logits.append(clip_logits(mouth.model, Waveform(one.waveform.samples[first:last]), end - begin))
        cuts = _cuts(0, frames, length)
        numbers.append(count + np.searchsorted(cuts[1:-1], np.arange(frames), side="right"))
        count += len(cuts) - 1
        rows.append(curves.weights[:frames] @ mouth.rows)
    recorded = np.concatenate(rows)
    if np.ptp(recorded[:, 0]) < 1e-4:
        raise AdaptError("The mouth never moves in these recordings; record with the whole face in view.")
    closed = np.quantile(recorded[:, 0], CLOSED_SHARE)
    recorded[:, 0] = np.maximum(recorded[:, 0] - max(closed, 0.0), 0.0)  # counted from the person's own closed lips
    takes = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
    sounds = tuple(one.waveform.samples for one in recordings)
    return Heard(sounds, tuple(logits), recorded, np.concatenate(numbers), takes)


def _cuts(begin: int, end: int, longest: float) -> list[int]:
    """The bounds of equal stretches of at most about `longest` frames between two frames."""
    count = max(1, int(np.ceil((end - begin) / longest - 0.2)))
    return np.linspace(begin, end, count + 1).astype(int).tolist()


def _arkit(curves: FaceCurves) -> FaceCurves:
    """Curves without those that the shipped head does not have."""
    kept = [index for index, name in enumerate(curves.names) if name in ARKIT_NAMES]
    return FaceCurves(curves.weights[:, kept], tuple(curves.names[index] for index in kept), curves.fps)
