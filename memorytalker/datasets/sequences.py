"""The common form of all data sets: sequences of vertices with their sound, and named regions.

T motion frames, V vertices. Metres, y up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from memorytalker.errors import InputError
from memorytalker.sound.decode import Waveform

SPLITS = ("train", "validation", "test")


class DatasetError(InputError):
    """A data set that cannot be used; the message is one plain sentence that names the file and the remedy."""


@dataclass(frozen=True)
class Sequence:
    """One recorded sentence. Nothing is read before `waveform` or `vertices` is called."""

    name: str
    speaker: str
    split: str  # one of SPLITS
    frames: int  # T, at `fps`
    fps: int  # of `vertices`, after any halving
    read_waveform: Callable[[], Waveform] = field(repr=False)
    read_vertices: Callable[[], np.ndarray] = field(repr=False)

    def waveform(self) -> Waveform:
        """Read the sound.

        Returns:
            16 kHz, mono.

        Raises:
            AudioError: the sound cannot be decoded.
            DatasetError: the file is missing or damaged.
        """
        return self.read_waveform()

    def vertices(self) -> np.ndarray:
        """Read the motion.

        Returns:
            (T, V, 3) float32 in metres, y up.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        return self.read_vertices()


@dataclass(frozen=True)
class Skipped:
    """A sequence of the splits that is missing on disk or cannot be used.

    Attributes:
        name: of the sequence.
        reason: why, in words.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class FaceRegions:
    """The vertex regions that metrics and losses use. A region that the data set does not name is None.

    Attributes:
        source: where the indices come from.
        lips: indices of the lip vertices, ascending.
        upper_face: indices of the upper face, ascending.
        opening: the (upper, lower) vertices between which the lips open.
    """

    source: str
    lips: np.ndarray | None = None
    upper_face: np.ndarray | None = None
    opening: tuple[int, int] | None = None


@dataclass(frozen=True)
class FaceDataset:
    """A data set on disk: its sequences, the neutral face of every speaker, and what was left out or assumed."""

    folder: Path
    layout: str  # vocaset-raw, vocaset, biwi, converted, corpus
    fps: int
    vertex_count: int
    sequences: tuple[Sequence, ...]
    templates: Mapping[str, np.ndarray]  # speaker -> (V, 3) float32 metres
    regions: FaceRegions
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()  # what was decided while reading, such as "60 -> 30 fps in 475 of 475 sequences"
    digest: str = ""  # sha256 over the names, sizes and hashes of what was read: goes into run folders and reports

    def split(self, name: str) -> tuple[Sequence, ...]:
        """Return the sequences of one split.

        Args:
            name: one of SPLITS.
        """
        return tuple(sequence for sequence in self.sequences if sequence.split == name)
