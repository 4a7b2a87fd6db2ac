"""From a data set to training clips: what moves, in which coordinates, read when a batch needs it.

T frames, V vertices, D coordinates; metres from each speaker's neutral face.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.corpus.clips import Clip, load_clip, read_clips
from memorytalker.datasets.sequences import FaceDataset, Sequence
from memorytalker.face.head import load_head
from memorytalker.models.talker import MemoryTalker, to_vertex_model
from memorytalker.phones import ENGLISH
from memorytalker.training.cache import LONGEST_PIECE, StateCache
from memorytalker.training.data import AnyClip, StoredClip, TrainingClip, TrainingError, split_long
from memorytalker.training.losses import MouthVertices
from memorytalker.training.space import MotionSpace, blendshape_space

#: motion (T, D) metres and slot labels (T,), -1 unknown, of a whole sequence
ReadMotion = Callable[[Sequence], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Source:
    """A data set as training sees it.

    `coordinates` D a frame; `mouth` for the losses of the lips, None where the data set does not name them; `captured`
    names the sequences with recorded motion; `fold` makes of a trained model one that speaks vertices.
    """

    dataset: FaceDataset
    coordinates: int
    mouth: MouthVertices | None
    read_motion: ReadMotion
    captured: frozenset[str]
    fold: Callable[[MemoryTalker], MemoryTalker] | None = None

    @property
    def digest(self) -> str:
        """What names the data in a run folder."""
        if self.dataset.digest:
            return self.dataset.digest
        names = [f"{one.name} {one.speaker} {one.split} {one.frames}" for one in self.dataset.sequences]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()

    def clips(self, split: str, cache: StateCache, config: ModelConfig) -> list[AnyClip]:
        """The clips of one split on disk; long takes in pieces. `cache` must have been filled."""
        whole = [self._clip(one, cache) for one in self.dataset.split(split)]
        return [piece for clip in whole for piece in split_long(clip, LONGEST_PIECE, config)]

    def _clip(self, sequence: Sequence, cache: StateCache) -> StoredClip:
        captured = sequence.name in self.captured
        return StoredClip(
            sequence.name, sequence.speaker, captured, sequence.frames,
            partial(self._read, sequence, cache, captured), partial(cache.read_mel, sequence.name),
        )  # fmt: skip

    def _read(self, sequence: Sequence, cache: StateCache, captured: bool, first: int, frames: int) -> TrainingClip:
        motion, labels = self.read_motion(sequence)
        if len(motion) != sequence.frames:
            raise TrainingError(
                f"{sequence.name} has {len(motion)} frames where {sequence.frames} were announced; check the data set."
            )
        here = slice(first, first + frames)
        heard = {"states": None, **cache.read(sequence.name, first, frames)}
        return TrainingClip(
            sequence.name, sequence.speaker, captured, motion=motion[here], labels=labels[here], **heard
        )


def open_source(dataset: FaceDataset, slots: tuple[str, ...]) -> Source:
    """How to train on a data set. The corpus trains in the coordinates of its head's speech shapes, with the phones of
    its frames as labels of the slots where these are named by phones; every other one in its vertices.

    Raises TrainingError if a speaker has no neutral face.
    """
    if dataset.layout == "corpus":
        return _corpus_source(dataset, slots)
    lacking = sorted({one.speaker for one in dataset.sequences} - set(dataset.templates))
    if lacking:
        raise TrainingError(f"{dataset.folder} has no neutral face (template) of {', '.join(lacking)}; add it.")
    captured = frozenset(one.name for one in dataset.sequences)
    read = partial(_read_vertices, dataset)
    return Source(dataset, 3 * dataset.vertex_count, vertex_mouth(dataset), read, captured)


def vertex_mouth(dataset: FaceDataset) -> MouthVertices | None:
    """The lips of a data set among its vertices, None if it does not name them."""
    regions = dataset.regions
    if regions.lips is None:
        return None
    opening = None
    if regions.opening is not None:
        opening = torch.zeros(3 * dataset.vertex_count)
        opening[3 * regions.opening[0] + 1], opening[3 * regions.opening[1] + 1] = 1.0, -1.0
    return MouthVertices(torch.from_numpy(np.asarray(regions.lips, dtype=np.int64)), opening)


def mouth_on(mouth: MouthVertices | None, device: torch.device) -> MouthVertices | None:
    """The mouth's rows on another device."""
    if mouth is None:
        return None
    moved = {k: v.to(device) for k, v in vars(mouth).items() if isinstance(v, Tensor)}
    return dataclasses.replace(mouth, **moved)


def _read_vertices(dataset: FaceDataset, sequence: Sequence) -> tuple[Tensor, Tensor]:
    offsets = np.asarray(sequence.vertices() - dataset.templates[sequence.speaker], dtype=np.float32)
    return torch.from_numpy(offsets.reshape(len(offsets), -1)), torch.full((len(offsets),), -1)


def _corpus_source(dataset: FaceDataset, slots: tuple[str, ...]) -> Source:
    head, (clips, names) = load_head(), read_clips(dataset.folder)
    space = blendshape_space(head)
    if names != space.names:
        raise TrainingError("The corpus was made for another head: its curves have other names. Make it again.")
    found = {clip.name: clip for clip in clips}
    captured = frozenset(name for name, clip in found.items() if clip.kind == "captured")
    basis = torch.from_numpy(space.basis.copy()).float()
    read = partial(_read_curves, dataset, found, space, slots == ENGLISH.phones)
    return Source(dataset, space.coordinates, space.mouth(head), read, captured, partial(_folded, basis))


def _read_curves(
    dataset: FaceDataset, found: dict[str, Clip], space: MotionSpace, phones: bool, sequence: Sequence
) -> tuple[Tensor, Tensor]:
    weights, labels = load_clip(dataset.folder, found[sequence.name])
    known = torch.from_numpy(labels) if phones else torch.full((len(labels),), -1)
    return torch.from_numpy(space.encode(weights)), known


def _folded(basis: Tensor, model: MemoryTalker) -> MemoryTalker:
    return to_vertex_model(model, basis)
