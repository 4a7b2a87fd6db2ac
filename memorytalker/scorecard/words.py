"""Vowels of some words, on a predicted mouth and on the filmed one: are lips as narrow on "two" against "three"?

The words are those of the GRID corpus (Cooke et al. 2006, doi 10.1121/1.2229005). Contrasts of people differ, and some
people make none, so a figure is the mean contrast of the prediction over persons as a share of that of the film.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.corpus.build import align_all
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.phones import ENGLISH
from memorytalker.progress import Progress
from memorytalker.scorecard.held_out_videos import Compared
from memorytalker.scorecard.visible import phone_means

#: Words: their phones, and the number of the vowel that is measured.
WORDS: Mapping[str, tuple[str, int]] = MappingProxyType({
    "two": ("t uw", 1), "blue": ("b l uw", 2), "soon": ("s uw n", 1),
    "three": ("th r iy", 2), "green": ("g r iy n", 2), "please": ("p l iy z", 2),
    "at": ("ae t", 0), "again": ("ah g eh n", 2), "six": ("s ih k s", 1),
})  # fmt: skip
#: Words that differ in lip width, and words that differ in lip opening: the first less the second.
ROUNDED, SPREAD = ("two", "blue", "soon"), ("three", "green", "please")
OPEN, NARROW = ("at", "again"), ("six", "please")
#: Processes for alignment.
WORKERS = 2


@dataclass(frozen=True)
class WordContrast:
    """The lip width of rounded words less that of spread ones, and the lip opening of open words less narrow ones.

    Each pair is (predicted, filmed) in eye distances, the mean of one person; None where a side was not said.

    Attributes:
        width: of `ROUNDED` against `SPREAD`.
        gap: of `OPEN` against `NARROW`.
    """

    width: tuple[float, float] | None
    gap: tuple[float, float] | None


def vowel_words(phones: TimedPhones) -> list[str]:
    """(N,) the word of `WORDS` whose measured vowel each phone is; "" for none."""
    spoken = [ENGLISH.phones[index] for index in phones.index]
    words = [""] * len(spoken)
    for word, (sequence, vowel) in WORDS.items():
        wanted = sequence.split()
        for first in range(len(spoken) - len(wanted) + 1):
            if spoken[first : first + len(wanted)] == wanted:
                words[first + vowel] = word
    return words


def word_contrast(compared: Sequence[Compared]) -> WordContrast:
    """Measure one person's clips; those whose phones are not known are left out.

    Args:
        compared: the predicted mouth of every clip beside the filmed one.

    Returns:
        Both contrasts.
    """
    spoken = [one for one in compared if one.video.phones is not None]
    return WordContrast(
        width=_pair([(one.width, one.video.width, one) for one in spoken], ROUNDED, SPREAD),
        gap=_pair([(one.gap, one.video.gap, one) for one in spoken], OPEN, NARROW),
    )


def _pair(
    curves: Sequence[tuple[np.ndarray, np.ndarray, Compared]], first: Sequence[str], second: Sequence[str]
) -> tuple[float, float] | None:
    """(predicted, filmed) mean over the vowels of the first words less that over the second ones."""
    sides: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for predicted, filmed, one in curves:
        phones = one.video.phones
        assert phones is not None  # see `word_contrast`
        means = [phone_means(curve, phones, one.video.fps) for curve in (predicted, filmed)]
        for number, word in enumerate(vowel_words(phones)):
            if word in first or word in second:
                sides[word in first].append((float(means[0][number]), float(means[1][number])))
    if not all(sides.values()):
        return None
    one_side, other = (np.mean(sides[which], axis=0) for which in (True, False))
    return float(one_side[0] - other[0]), float(one_side[1] - other[1])


def share_of_film(pairs: Sequence[tuple[float, float] | None]) -> float:
    """The mean predicted contrast over persons as a share of the mean filmed one; nan without any, or without one."""
    known = [pair for pair in pairs if pair is not None]
    if not known:
        return float("nan")
    predicted, filmed = np.mean(known, axis=0)
    return float(predicted / filmed) if filmed else float("nan")


def filmed_phones(
    root: Path, store: Path, folders: Sequence[str], progress: Progress | None = None
) -> dict[str, TimedPhones]:
    """Align what people in video say; phone times are kept in `store`, and only new sentences are aligned.

    Args:
        root: the source folder.
        store: folder of phone times.
        folders: of the people, below `root`/capture.
        progress: called after each sentence.

    Returns:
        The phones by the clip's name, without clips that have no sentence or could not be aligned.

    Raises:
        CaptureError: if a person's folder is missing or damaged.
    """
    rows, names = [], []
    for folder in folders:
        for clip in read_landmark_clips(root / "capture" / folder):
            if clip.text:
                rows.append({"sound": f"capture/{folder}/{clip.sound.name}", "text": clip.text})
                names.append(clip.name)
    store.mkdir(parents=True, exist_ok=True)
    times = align_all(root, store, rows, WORKERS, progress)
    found = {name: times[row["sound"]] for name, row in zip(names, rows, strict=True)}
    return {name: TimedPhones.of(said) for name, said in found.items() if said is not None}
