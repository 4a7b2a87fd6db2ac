"""A corpus on disk: `clips.jsonl`, one line a clip, and `clips/<name>.npz` with its face curves and phones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from memorytalker.config import check_ranges, from_dict, shown
from memorytalker.errors import InputError
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.motion import FaceCurves
from memorytalker.files import read_json, read_lines

#: In the name of a clip whose voice was shifted.
VOICE_MARK = "~"
#: In the name of an augmented clip (noise, rooms, codecs), before the number of the version.
AUGMENTED_MARK = "+"


class CorpusError(InputError):
    """A corpus or its source that cannot be used; the message names what is missing."""


def leads_out(path: str) -> bool:
    """Whether a path that should lie below a folder may lead out of it, or is none."""
    return "\0" in path or path.startswith("/") or ".." in path.replace("\\", "/").split("/")


@dataclass(frozen=True)
class Clip:
    """One training clip.

    Attributes:
        name: of the clip.
        speaker: of the clip.
        split: "train", "validation" or "test".
        source: of the recording.
        kind: "captured" (recorded motion), "synthesised" (motion made from phone times) or "silence" (a still face).
        sound: path below `base`.
        frames: number of motion frames.
        fps: motion frames per second.
        base: the source folder ("root") or the corpus ("corpus").
        text: transcript, empty if unknown.
        augmentation: 0 for the sound as it is, otherwise the number of the version of `augmentation.clip_samples`.
    """

    name: str
    speaker: str
    split: str
    source: str
    kind: str
    sound: str
    frames: int
    fps: int
    base: str = "root"
    text: str = ""
    augmentation: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that no clip has, and CorpusError for a name that leads out of its folder."""
        check_ranges(self, frames=(0, 1e8), fps=(1, 240), augmentation=(0, 1e6))
        for path in (self.name, self.sound):
            if leads_out(path):
                raise CorpusError(f"A clip of the corpus is named {shown(path)}; make the corpus again.")

    @property
    def as_recorded(self) -> bool:
        """Whether the voice is the speaker's own and the sound is not augmented."""
        return VOICE_MARK not in self.name and not self.augmentation

    @property
    def seconds(self) -> float:
        """Length of the motion in seconds."""
        return self.frames / self.fps


def augmented_version(clip: Clip, number: int) -> Clip:
    """Return version `number` (from 1) of a clip with augmented sound; its name is marked, nothing is written."""
    return replace(clip, name=f"{clip.name}{AUGMENTED_MARK}{number}", augmentation=number)


def save_clip(folder: Path, clip: Clip, curves: FaceCurves, phones: np.ndarray) -> None:
    """Write the arrays of one clip: weights (T, 52) as float16 and phones (T,), -1 where unknown."""
    target = folder / "clips" / f"{clip.name}.npz"
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(target, weights=curves.weights.astype(np.float16), phones=phones.astype(np.int8))


def load_clip(folder: Path, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """weights (T, 52) float32 and phones (T,) int64 of one clip. Raises CorpusError for a file that is damaged."""
    try:
        data = open_arrays(folder / "clips" / f"{clip.name}.npz")
        weights, phones = data.read("weights"), data.read("phones")
    except ArrayFileError:
        raise CorpusError(f"The clip {shown(clip.name)} of {folder} is damaged; make the corpus again.") from None
    numbers = weights.dtype.kind in "fiu" and phones.dtype.kind in "iu" and weights.ndim == 2
    if not numbers or phones.shape != weights.shape[:1] or not np.isfinite(weights).all():
        raise CorpusError(f"The clip {shown(clip.name)} of {folder} is damaged; make the corpus again.")
    return weights.astype(np.float32), phones.astype(np.int64)


def write_clips(folder: Path, clips: Iterable[Clip], names: tuple[str, ...]) -> None:
    """Write the list of clips and the names of the curves' columns."""
    lines = [json.dumps(asdict(clip), ensure_ascii=False) for clip in clips]
    (folder / "clips.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "curves.json").write_text(json.dumps(list(names)) + "\n", encoding="utf-8")


def read_clips(folder: Path) -> tuple[list[Clip], tuple[str, ...]]:
    """The clips of a corpus and the names of its curves. Raises CorpusError if the folder holds no corpus."""
    if not (folder / "clips.jsonl").is_file():
        raise CorpusError(f"{folder} holds no corpus; make one with: python -m memorytalker corpus ROOT {folder}")
    try:
        clips = [from_dict(Clip, row) for row in read_lines(folder / "clips.jsonl", {})]
        names = read_json(folder / "curves.json")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("curves.json is not a list of names")
    except CorpusError:
        raise
    except (OSError, ValueError) as error:
        reason = str(error).rstrip(".") if not isinstance(error, OSError) else "a file cannot be read"
        raise CorpusError(f"The corpus in {folder} is damaged ({reason}); make it again.") from None
    return clips, tuple(names)
