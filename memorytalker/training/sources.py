"""Training clips from a data set: the motion and its coordinates, read when a batch needs them.

T frames, V vertices, D coordinates; metres from each speaker's neutral face.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from memorytalker.config import ModelConfig
from memorytalker.corpus.clips import Clip, load_clip, read_clips
from memorytalker.datasets.sequences import FaceDataset, Sequence
from memorytalker.face.head import load_head
from memorytalker.face.motion_space import MotionSpace, speech_space, vertex_space
from memorytalker.phones import ENGLISH
from memorytalker.training.cache import LONGEST_PIECE, StateCache
from memorytalker.training.data import AnyClip, StoredClip, TrainingClip, TrainingError, split_long
from memorytalker.training.losses import MouthVertices, SlotGroups
from memorytalker.training.space import mouth_in_space

#: motion (T, D) metres and slot labels (T,), -1 unknown, of a whole sequence
ReadMotion = Callable[[Sequence], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Source:
    """A data set prepared for training.

    Attributes:
        dataset: the data set.
        space: of the motion; a frame has `space.coordinates` numbers, D.
        mouth: for the losses of the lips; None if the data set does not name them.
        read_motion: reads motion and labels of a sequence.
        captured: names of the sequences with recorded motion.
    """

    dataset: FaceDataset
    space: MotionSpace
    mouth: MouthVertices | None
    read_motion: ReadMotion
    captured: frozenset[str]

    @property
    def digest(self) -> str:
        """sha256 that identifies the data in a run folder."""
        if self.dataset.digest:
            return self.dataset.digest
        names = [f"{one.name} {one.speaker} {one.split} {one.frames}" for one in self.dataset.sequences]
        return hashlib.sha256("\n".join(names).encode()).hexdigest()

    def clips(self, split: str, cache: StateCache, config: ModelConfig) -> list[AnyClip]:
        """Return the clips of one split, which stay on disk; long takes are split. `cache` must be filled."""
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
        inputs = cache.read(sequence.name, first, frames)
        return TrainingClip(
            sequence.name,
            sequence.speaker,
            captured,
            states=inputs.get("states"),
            mel=inputs["mel"],
            motion=motion[here],
            labels=labels[here],
            waveform=inputs.get("waveform"),
        )


def open_source(dataset: FaceDataset, slots: tuple[str, ...]) -> Source:
    """Prepare a data set for training.

    A corpus is learned in the coordinates of its head's speech shapes; its phones are the labels if the slots are named
    by phones. Every other data set is learned in its vertices.

    Args:
        dataset: the data set.
        slots: names of the memory's slots.

    Returns:
        The source.

    Raises:
        TrainingError: a speaker has no neutral face.
    """
    if dataset.layout == "corpus":
        return _corpus_source(dataset, slots)
    lacking = sorted({one.speaker for one in dataset.sequences} - set(dataset.templates))
    if lacking:
        raise TrainingError(f"{dataset.folder} has no neutral face (template) of {', '.join(lacking)}; add it.")
    captured = frozenset(one.name for one in dataset.sequences)
    read = partial(_read_vertices, dataset)
    return Source(dataset, vertex_space(dataset.vertex_count), vertex_mouth(dataset), read, captured)


def vertex_mouth(dataset: FaceDataset) -> MouthVertices | None:
    """Return the mouth of a data set in its vertices, None if it does not name the lips."""
    regions = dataset.regions
    if regions.lips is None:
        return None
    opening = None
    if regions.opening is not None:
        opening = torch.zeros(3 * dataset.vertex_count)
        opening[3 * regions.opening[0] + 1], opening[3 * regions.opening[1] + 1] = 1.0, -1.0
    return MouthVertices(torch.from_numpy(np.asarray(regions.lips, dtype=np.int64)), opening)


def mouth_on(mouth: MouthVertices | None, device: torch.device) -> MouthVertices | None:
    """Return the mouth on another device."""
    if mouth is None:
        return None
    moved: dict[str, Any] = {k: v.to(device) for k, v in vars(mouth).items() if isinstance(v, Tensor)}
    if (groups := mouth.groups) is not None:
        moved["groups"] = SlotGroups(tuple(one.to(device) for one in groups.measures), groups.of_slot.to(device))
    return dataclasses.replace(mouth, **moved)


def _read_vertices(dataset: FaceDataset, sequence: Sequence) -> tuple[Tensor, Tensor]:
    offsets = np.asarray(sequence.vertices() - dataset.templates[sequence.speaker], dtype=np.float32)
    return torch.from_numpy(offsets.reshape(len(offsets), -1)), torch.full((len(offsets),), -1)


def _corpus_source(dataset: FaceDataset, slots: tuple[str, ...]) -> Source:
    head, (clips, names) = load_head(), read_clips(dataset.folder)
    space = speech_space(head)
    if names != space.shapes:
        raise TrainingError("The corpus was made for another head: its curves have other names. Make it again.")
    by_name = {clip.name: clip for clip in clips}
    captured = frozenset(name for name, clip in by_name.items() if clip.kind == "captured")
    read = partial(_read_curves, dataset, by_name, space, slots == ENGLISH.phones)
    mouth = mouth_in_space(space, head, slots if slots == ENGLISH.phones else ())
    return Source(dataset, space, mouth, read, captured)


def _read_curves(
    dataset: FaceDataset, by_name: dict[str, Clip], space: MotionSpace, phones: bool, sequence: Sequence
) -> tuple[Tensor, Tensor]:
    weights, labels = load_clip(dataset.folder, by_name[sequence.name])
    known = torch.from_numpy(labels) if phones else torch.full((len(labels),), -1)
    return torch.from_numpy(space.encode(weights)), known
