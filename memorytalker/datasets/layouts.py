"""Layouts: the forms that a data set has on disk, their files, and where a user gets each file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from memorytalker.datasets.origins import BASELINE_LISTS, BASELINE_MESH, BIWI, FLAME, FLAME_MESH, VOCASET
from memorytalker.datasets.processed import MOTION, SOUND, TEMPLATES
from memorytalker.datasets.regions import MASKS, REGIONS
from memorytalker.datasets.sequences import DatasetError
from memorytalker.datasets.vocaset import RAW_FILES

CONVERTED_INDEX, CORPUS_INDEX, CORPUS_CURVES = "dataset.json", "clips.jsonl", "curves.json"


@dataclass(frozen=True)
class Part:
    """One file or folder of a layout.

    Attributes:
        name: its path below the data set; the name of a folder ends in /.
        origin: where a user gets it.
        purpose: what it holds.
        required: whether the data set cannot be used without it.
        other: names that it may have instead.
    """

    name: str
    origin: str  # where a user gets it
    purpose: str
    required: bool = True
    other: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One form of a data set on disk.

    Attributes:
        name: the value of --layout.
        title: its name in messages.
        parts: its files and folders.
        splits: the split table that is used unless another is given.
        fps: frame rate at which the motion is used; 0 if the files state it.
        captured_fps: frame rate at which the motion may be stored; 0 if the files state it.
        remedy: where a user gets regions.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    splits: str = ""  # the table that is used unless another is given
    fps: int = 0
    captured_fps: int = 0
    remedy: str = ""  # where a user gets regions


_MASK_PART = Part(MASKS, FLAME, "lips and upper face", False, (REGIONS,))
_MESH_PART = Part("FLAME_sample.ply", FLAME_MESH, "triangles, for rendering", False,
                  ("templates/FLAME_sample.ply",))  # fmt: skip
_MASK_REMEDY = f"put {MASKS} ({FLAME}) into the folder, or give regions"
_LIST_REMEDY = "put lve.txt and fdd.txt (lists of vertices that the public baselines carry) into regions/ there"

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "vocaset-raw": Layout(
            "vocaset-raw",
            "VOCASET, raw download",
            (
                Part(RAW_FILES[0], VOCASET, "vertices of all frames, 7 to 15 GB"),
                Part(RAW_FILES[1], VOCASET, "sound"),
                Part(RAW_FILES[2], VOCASET, "which frames belong to which sentence"),
                Part(TEMPLATES, VOCASET, "neutral faces"),
                _MASK_PART,
                _MESH_PART,
            ),
            "vocaset", 30, 60, _MASK_REMEDY,
        ),
        "vocaset": Layout(
            "vocaset",
            "VOCASET, processed",
            (
                Part(f"{SOUND}/", VOCASET, "<Speaker>_sentence<NN>.wav"),
                Part(f"{MOTION}/", VOCASET, "<Speaker>_sentence<NN>.npy"),
                Part(TEMPLATES, VOCASET, "neutral faces"),
                _MASK_PART,
                _MESH_PART,
            ),
            "vocaset", 30, 60, _MASK_REMEDY,
        ),
        "biwi": Layout(
            "biwi",
            "BIWI, processed",
            (
                Part(f"{SOUND}/", BIWI, "<Speaker>_e<NN>.wav"),
                Part(f"{MOTION}/", BIWI, "<Speaker>_e<NN>.npy"),
                Part(TEMPLATES, BIWI, "neutral faces"),
                Part("regions/lve.txt", BASELINE_LISTS, "lips", False, ("lve.txt", REGIONS)),
                Part("regions/fdd.txt", BASELINE_LISTS, "upper face", False,
                     ("fdd.txt", REGIONS)),
                Part("BIWI.ply", BASELINE_MESH, "triangles, for rendering", False),
            ),
            "biwi", 25, 25, _LIST_REMEDY,
        ),
        "converted": Layout(
            "converted",
            "a data set converted by 'python -m memorytalker convert'",
            (
                Part(CONVERTED_INDEX, "'python -m memorytalker convert'", "names, splits, rates and hashes"),
                Part("templates.safetensors", "'python -m memorytalker convert'", "neutral faces"),
                Part("vertices/", "'python -m memorytalker convert'", "motion"),
                Part("sound/", "'python -m memorytalker convert'", "sound"),
                Part(REGIONS, "'python -m memorytalker convert'", "lips, upper face, opening", False),
            ),
            remedy="convert again from a folder that names them",
        ),
        "corpus": Layout(
            "corpus",
            "a corpus made by 'python -m memorytalker corpus'",
            (
                Part(CORPUS_INDEX, "'python -m memorytalker corpus'", "names, speakers and splits"),
                Part(CORPUS_CURVES, "'python -m memorytalker corpus'", "names of the face curves"),
                Part("clips/", "'python -m memorytalker corpus'", "face curves"),
            ),
        ),
    }
)  # fmt: skip


def find_layout(folder: Path, named: str | None = None) -> Layout:
    """Find the layout of a folder.

    A folder may hold VOCASET in both forms; then the raw download is used if it is complete.

    Args:
        folder: the data set.
        named: the name of the layout; None to tell it from the files.

    Returns:
        The layout.

    Raises:
        DatasetError: there is no such layout or folder, or the files fit no layout or several.
    """
    if named is not None and named not in LAYOUTS:
        raise DatasetError(f"There is no layout {named!r}; choose one of {', '.join(LAYOUTS)}.")
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}; check the path.")
    found = [named] if named is not None else possible_layouts(folder)
    if len(found) != 1:
        problem = f"does not tell which it is ({', '.join(found)})" if found else "holds no data set that is known"
        raise DatasetError(
            f"{folder} {problem}; name it with --layout, 'python -m memorytalker doctor {folder}' lists what is "
            "expected."
        )
    return LAYOUTS[found[0]]


def possible_layouts(folder: Path) -> list[str]:
    """List the layouts that the file names in a folder fit.

    Args:
        folder: the data set.

    Returns:
        Names of layouts: one, several or none.
    """
    if (folder / CONVERTED_INDEX).is_file():
        return ["converted"]
    if (folder / CORPUS_INDEX).is_file():
        return ["corpus"]
    raw = [name for name in RAW_FILES if name != TEMPLATES and (folder / name).exists()]
    if len(raw) == len(RAW_FILES) - 1:
        return ["vocaset-raw"]
    names = [path.stem for part in (MOTION, SOUND) for path in sorted((folder / part).glob("*"))[:50]]
    if any(re.fullmatch(r".+_sentence\d+", name) for name in names):
        return ["vocaset"]
    if any(re.fullmatch(r"[FM]\d_e\d+", name) for name in names):
        return ["biwi"]
    if raw:
        return ["vocaset-raw"]
    return ["vocaset", "biwi"] if (folder / MOTION).is_dir() or (folder / SOUND).is_dir() else []
