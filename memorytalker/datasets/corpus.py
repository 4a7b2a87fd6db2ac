"""A corpus of our own as a data set: face curves of the open head, converted to vertices when they are read.

T frames, V vertices of the open head, metres.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from memorytalker.corpus.augmentation import clip_samples, training_noises, training_rooms
from memorytalker.corpus.clips import Clip, CorpusError, load_clip, read_clips
from memorytalker.datasets.files import check_file, digest_of
from memorytalker.datasets.sequences import SPLITS, DatasetError, FaceDataset, FaceRegions, Sequence, Skipped
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.sound.decode import Waveform

#: The speaker of silence.
NOBODY = "nobody"


def open_corpus(folder: Path, root: Path | None) -> FaceDataset:
    """Open a corpus as a data set on the open head.

    Augmented voices, augmented sounds and silences are for training only. They are left out of validation and test, and
    a note says so.

    Args:
        folder: the corpus.
        root: the source folder, below which the recordings of the corpus lie; None if the corpus holds all its sounds.

    Returns:
        The data set; curves and sound are not read yet.

    Raises:
        DatasetError: the corpus cannot be read, or it needs `root` and there is none.
    """
    clips, names = _clips(folder)
    head = load_head()
    if tuple(names) != tuple(head.blendshape_names):
        raise DatasetError(f"The curves of {folder} are not those of the head, in its order; make the corpus again.")
    rates = sorted({clip.fps for clip in clips})
    if len(rates) != 1:
        raise DatasetError(f"{folder} mixes clips at {', '.join(map(str, rates))} frames a second; make it again.")
    outside = [clip for clip in clips if clip.base == "root" or clip.augmentation]
    if root is None and outside:
        raise DatasetError(f"The recordings of {folder} lie outside it; give their source folder with --root.")
    recorded = [clip for clip in outside if clip.base == "root"]
    if recorded and not any((Path(root or "") / clip.sound).is_file() for clip in recorded):
        raise DatasetError(
            f"None of the recordings of {folder} lies below {root}; give their source folder with --root."
        )
    used = [clip for clip in clips if clip.split == "train" or not _for_training_only(clip)]
    sequences, skipped, files = [], [], [folder / "clips.jsonl", folder / "curves.json"]
    for clip in used:
        sound = (folder if clip.base == "corpus" else Path(root or "")) / clip.sound
        curves = folder / "clips" / f"{clip.name}.npz"
        lacking = [path for path in (sound, curves) if not path.is_file()]
        if lacking:
            skipped.append(Skipped(clip.name, f"there is no {lacking[0]}"))
            continue
        read = partial(_vertices, folder, clip, head)
        read_sound = partial(_sound, root, folder, clip)
        sequences.append(Sequence(clip.name, clip.speaker, clip.split, clip.frames, clip.fps, read_sound, read))
        files += [sound, curves]
    if any(clip.augmentation for clip in used):
        files += [*training_noises(root or ""), *training_rooms(root or "")]
    if not sequences:
        raise DatasetError(f"No clip of {folder} can be used ({skipped[0].reason}); make the corpus again.")
    for path in files[:2]:
        check_file(path)
    return FaceDataset(
        folder, "corpus", rates[0], head.vertex_count, tuple(sequences),
        {name: head.template for name in sorted({one.speaker for one in sequences})}, head_regions(head),
        tuple(skipped), tuple(_notes(clips, used)), digest_of(folder, files),
    )  # fmt: skip


def head_regions(head: HeadMesh) -> FaceRegions:
    """Return the regions that the head names itself.

    Args:
        head: the open head.

    Returns:
        Lips, upper face and opening.
    """
    opening = (head.landmarks["inner_lip_upper"], head.landmarks["inner_lip_lower"])
    return FaceRegions("the open head's own regions", head.regions["lips"], head.regions["upper_face"], opening)


def _clips(folder: Path) -> tuple[list[Clip], tuple[str, ...]]:
    """The clips of a corpus and the names of its curves. Raises DatasetError for an empty or unreadable corpus."""
    try:
        clips, names = read_clips(folder)
    except CorpusError as error:
        raise DatasetError(str(error)) from None
    unknown = sorted({clip.split for clip in clips} - set(SPLITS))
    if not clips or unknown:
        raise DatasetError(f"The corpus in {folder} {'has unknown splits' if unknown else 'is empty'}; make it again.")
    return clips, names


def _for_training_only(clip: Clip) -> bool:
    """Whether a clip is a silence or has an augmented voice or sound."""
    return clip.speaker == NOBODY or not clip.as_recorded


def _notes(clips: list[Clip], used: list[Clip]) -> list[str]:
    """What the data set says about itself: clips by kind, and what was left out."""
    kinds = Counter(clip.kind for clip in used)
    notes = ["splits of the corpus", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) + " clips"]
    if left_out := len(clips) - len(used):
        notes.append(f"{left_out} silences and shifted voices left out of validation and test")
    return [*notes, "regions: the open head's own regions"]


def _sound(root: Path | None, folder: Path, clip: Clip) -> Waveform:
    """The sound of a clip, augmented if the clip is an augmented version."""
    return Waveform(clip_samples(root, folder, clip))


def _vertices(folder: Path, clip: Clip, head: HeadMesh) -> np.ndarray:
    """The vertices (T, V, 3) of a clip in metres, from its face curves."""
    try:
        weights, _ = load_clip(folder, clip)
    except CorpusError as error:
        raise DatasetError(str(error)) from None
    if weights.shape != (clip.frames, len(head.blendshape_names)):
        raise DatasetError(f"The clip {clip.name} has {len(weights)} frames and not {clip.frames}; make it again.")
    return head.template + head.offsets(weights)
