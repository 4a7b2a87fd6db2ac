"""Regions of a face: the vertices of the lips and of the upper face, and the two between which the mouth opens.

Lips and upper face come from the user's files, never from a guess. A region that no file names is None, and a note says
which file would name it. If no file names the two vertices of the opening, they are found from the motion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.datasets.files import check_file, read_table
from memorytalker.datasets.origins import FLAME
from memorytalker.datasets.pickles import read_pickle
from memorytalker.datasets.sequences import DatasetError, FaceRegions

#: No face has as many vertices.
LARGEST_INDEX = 10**9
REGIONS, MASKS = "regions.json", "FLAME_masks.pkl"
LIP_LIST, UPPER_LIST = "lve.txt", "fdd.txt"
#: The masks of FLAME that make up the upper face; the eyeballs are left out, they turn without the skin.
UPPER_MASKS = ("forehead", "eye_region", "nose")
#: Half the width of the strip of lip vertices around the mid-line, as a share of half the lips' width.
_STRIP = 0.05
#: An opening that changes by less than this share of the lips' width is none.
_LEAST_OPENING = 1e-3
_KEYS = {"format", "lips", "upper_face", "opening", "source"}


@dataclass(frozen=True)
class FoundRegions:
    """Regions, and where they come from.

    Attributes:
        regions: the regions.
        files: the files that were read.
        notes: what is missing, in words.
    """

    regions: FaceRegions
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def find_regions(folder: Path, vertex_count: int, given: Path | None, remedy: str) -> FoundRegions:
    """Find the regions of a data set.

    The first of these files is used: regions.json, FLAME_masks.pkl, regions/lve.txt, lve.txt. A fdd.txt beside lve.txt
    names the upper face.

    Args:
        folder: the data set, which is searched if `given` is None.
        vertex_count: number of vertices, V.
        given: one of these files, or a folder with any of them.
        remedy: where a user gets such a file, for messages.

    Returns:
        The regions.

    Raises:
        DatasetError: a file cannot be used, or names vertices that the faces do not have.
    """
    if given is not None and not given.exists():
        raise DatasetError(f"There is no file of regions {given}; {remedy}.")
    place = given if given is not None and given.is_dir() else folder
    candidates = [place / REGIONS, place / MASKS, place / "regions" / LIP_LIST, place / LIP_LIST]
    if given is not None and given.is_file():
        candidates = [given]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        if given is not None:
            raise DatasetError(f"{given} holds none of {REGIONS}, {MASKS} and {LIP_LIST}; {remedy}.")
        note = f"no file names the lips, so figures and losses of the lips are left out; {remedy}"
        return FoundRegions(FaceRegions("no file of regions"), (), (note,))
    check_file(path)
    if path.suffix == ".json":
        found = FoundRegions(_from_json(path, vertex_count), (path,))
    elif path.suffix == ".pkl":
        found = FoundRegions(_from_masks(path, vertex_count), (path,))
    else:
        found = _from_lists(path, vertex_count)
    if found.regions.upper_face is None:
        found = replace(found, notes=(*found.notes, f"{path.name} does not name the upper face, so FDD is left out"))
    return found


def _from_json(path: Path, count: int) -> FaceRegions:
    """Regions from a regions.json."""
    table = read_table(path)
    if not isinstance(table, dict) or set(table) - _KEYS:
        raise DatasetError(f"{path.name} needs the keys lips, upper_face, opening and source, and no others.")
    sets = {key: None if table.get(key) is None else _indices(table[key], count, path.name, key)
            for key in ("lips", "upper_face", "opening")}  # fmt: skip
    pair = table.get("opening")
    if pair is not None and (len(pair) != 2 or pair[0] == pair[1]):
        raise DatasetError(f"The opening in {path.name} is not two vertices, the upper and the lower.")
    opening = None if pair is None else (int(pair[0]), int(pair[1]))
    return FaceRegions(str(table.get("source") or path.name), sets["lips"], sets["upper_face"], opening)


def _from_masks(path: Path, count: int) -> FaceRegions:
    """Regions from FLAME's masks (region -> indices); their last vertex tells whether they fit the faces."""
    masks = read_pickle(path)
    if not isinstance(masks, Mapping) or "lips" not in masks:
        raise DatasetError(f"{path.name} does not hold FLAME's masks; get it at {FLAME}.")
    if not all(isinstance(name, str) and name.isprintable() and len(name) <= 100 for name in masks):
        raise DatasetError(f"{path.name} does not name its masks; get it at {FLAME}.")
    sets = {name: _indices(indices, None, path.name, name) for name, indices in masks.items()}
    last = max(int(indices.max()) for indices in sets.values())
    if last != count - 1:
        raise DatasetError(
            f"{path.name} is for faces of {last + 1} vertices, but these have {count}; give other regions or none."
        )
    upper = [sets[name] for name in UPPER_MASKS if name in sets]
    names = [name for name in UPPER_MASKS if name in sets]
    source = f"{path.name}: lips; upper face is {', '.join(names)}" if names else f"{path.name}: lips"
    return FaceRegions(source, sets["lips"], np.unique(np.concatenate(upper)) if upper else None)


def _from_lists(path: Path, count: int) -> FoundRegions:
    """Regions from text files of indices: the lips, and in a fdd.txt beside them the upper face."""
    lips = _indices(_numbers(path), count, path.name, "lips")
    beside = path.parent / UPPER_LIST
    if not beside.is_file():
        return FoundRegions(FaceRegions(path.name, lips), (path,))
    upper = _indices(_numbers(check_file(beside)), count, beside.name, "upper face")
    return FoundRegions(FaceRegions(f"{path.name} and {beside.name}", lips, upper), (path, beside))


def _numbers(path: Path) -> list[int]:
    """Whole numbers in a text, separated by commas, semicolons, spaces or brackets."""
    try:
        words = [word for word in re.split(r"[\s,;\[\]]+", path.read_text(encoding="utf-8")) if word]
    except (OSError, UnicodeDecodeError):
        raise DatasetError(f"{path.name} is not a text of vertex indices.") from None
    if not all(word.isdecimal() and len(word) <= 9 for word in words):
        raise DatasetError(f"{path.name} is not a text of vertex indices, separated by commas or spaces.")
    return [int(word) for word in words]


def _indices(values: Any, count: int | None, name: str, region: str) -> np.ndarray:
    """Distinct indices, ascending: public lists name some vertices twice, but a region is a set."""
    try:
        indices = np.asarray(values)
    except ValueError:  # lists of different lengths
        raise DatasetError(f"'{region}' in {name} is not a list of vertex indices.") from None
    if indices.ndim != 1 or not indices.size or indices.dtype.kind not in "iu":
        raise DatasetError(f"'{region}' in {name} is not a list of vertex indices.")
    if indices.max() > LARGEST_INDEX:  # before numbers without a sign become others
        raise DatasetError(f"'{region}' in {name} names vertices that no face has; get the file again.")
    if indices.min() < 0 or (count is not None and indices.max() >= count):
        raise DatasetError(
            f"'{region}' in {name} names vertex {indices.max()}, but the faces have {count}; "
            "use the file that belongs to this data set."
        )
    return np.unique(indices).astype(np.int64)


def with_opening(
    regions: FaceRegions, templates: Mapping[str, np.ndarray], spoken: Iterable[tuple[str, np.ndarray]]
) -> FaceRegions:
    """Find the two vertices between which the mouth opens, if no file names them.

    Lip vertices within 5 % of the lips' half width of the mid-line are ordered by height on the mean template. The two
    neighbours in this order whose distance varies most in speech are the inner rims of the lips: within a lip,
    distances hardly vary. The one that is higher on average is the upper.

    Args:
        regions: the regions so far.
        templates: speaker -> neutral face (V, 3), y up.
        spoken: (speaker, vertices (T, V, 3)) of a few sequences; the same ones in every run.

    Returns:
        The regions with an opening; unchanged if they have one already, or no lips.
    """
    if regions.lips is None or regions.opening is not None or not templates:
        return regions
    mean = np.mean([templates[name] for name in sorted(templates)], axis=0)
    pair, spread = _widest(mid_line(mean, regions.lips), spoken)
    width = float(np.ptp(mean[regions.lips, 0]))
    if pair is None or spread < _LEAST_OPENING * width:
        return regions
    source = (
        f"{regions.source}; opening: vertices {pair[0]} and {pair[1]}, the neighbours on the lips' mid-line "
        "between which the mouth opens"
    )
    return replace(regions, opening=pair, source=source)


def mid_line(template: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """Select the lip vertices near the mid-line, which is the median x of the lips.

    Args:
        template: (V, 3) neutral face, y up.
        lips: indices of the lip vertices.

    Returns:
        Indices, the highest vertex first; at least two if the lips have them.
    """
    x, y = template[lips, 0], template[lips, 1]
    away = np.abs(x - np.median(x))
    half = float(np.ptp(x)) / 2
    strip = _STRIP * half
    while (away <= strip).sum() < min(2, len(lips)) and strip <= 2 * half:
        strip = 2 * strip or 1.0
    inside = np.flatnonzero(away <= strip)
    return lips[inside[np.lexsort((lips[inside], -y[inside]))]]


def _widest(line: np.ndarray, spoken: Iterable[tuple[str, np.ndarray]]) -> tuple[tuple[int, int] | None, float]:
    """The (upper, lower) neighbours in `line` whose distance varies most in speech, and its standard deviation."""
    gaps: list[np.ndarray] = []
    heights: list[np.ndarray] = []
    for _, vertices in spoken:
        points = vertices[:, line]  # (T, L, 3)
        gaps.append(np.linalg.norm(np.diff(points, axis=1), axis=2))
        heights.append(points[..., 1])
    if not gaps or len(line) < 2:
        return None, 0.0
    # Each sequence against its own mean: speakers' faces differ in size, which is no opening.
    spread = np.sqrt(np.mean(np.concatenate([(gap - gap.mean(0)) ** 2 for gap in gaps]), axis=0))
    first = int(spread.argmax())
    height = np.concatenate(heights).mean(0)
    pair: Sequence[int] = sorted((first, first + 1), key=lambda index: -height[index])
    return (int(line[pair[0]]), int(line[pair[1]])), float(spread[first])
