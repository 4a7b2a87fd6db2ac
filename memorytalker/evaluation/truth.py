"""What the validation speakers say, when, and the motion that articulation makes of it: their synthesised truth.

The motion is made anew from phone times, in each speaker's manner, as `corpus` makes it; phone times and what is heard
of the voices take minutes and are read from a corpus that has them, or kept in the evaluation's own folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..articulation.coarticulation import TimedPhones
from ..articulation.speaker import Manner
from ..articulation.visemes import load_visemes
from ..config import Progress
from ..corpus.build import FPS, align_all, mouth_geometry, read_manifest, synthesise
from ..corpus.speakers import hear_all, manners, voices
from ..head import HeadMesh

#: The seed of the personal part of the manners, and processes for alignment and listening.
SEED, WORKERS = 0, 2


@dataclass(frozen=True)
class TrueClip:
    """One validation clip: its sound, phones with times, and face curves (T, 52) of the synthesised motion at fps."""

    sound: Path
    speaker: str
    source: str
    phones: TimedPhones
    weights: np.ndarray
    fps: float


def true_clips(
    root: Path, work: Path, head: HeadMesh, limit: int = 0, progress: Progress | None = None
) -> list[TrueClip]:
    """The validation clips of the source folder `root` whose sentence could be aligned, as the manifest orders them.

    `work`/corpus is read when it knows all of them; otherwise they are aligned and heard into `work`/evaluation.
    `limit`: about so many, evenly chosen (0: all); a speaker's manner comes from all of the speaker's clips anyway.
    Raises CorpusError if `root` has no manifest.
    """
    rows = [row for row in read_manifest(root) if row["split"] == "validation"]
    folder = _store(work, rows)
    times = align_all(root, folder, rows, WORKERS, progress)
    rows = [row for row in rows if times[row["sound"]] is not None]
    heard = hear_all(root, folder, rows, times, FPS, WORKERS, progress)
    people = manners(voices(rows, heard, times), SEED)
    table = load_visemes()
    geometry = mouth_geometry(head, table.shapes)
    clips = []
    for row in every(rows, limit):
        manner = Manner(**people[row["speaker"]]["manner"])
        spoken = times[row["sound"]]
        effort = np.asarray(heard[row["sound"]]["effort"])
        _, curves, _ = synthesise(row, effort, spoken, table, geometry, head, manner)
        phones = TimedPhones.of(spoken)
        clips.append(TrueClip(root / row["sound"], row["speaker"], row["source"], phones, curves.weights, curves.fps))
    return clips


def every(items: Sequence, limit: int) -> list:
    """About `limit` of the items, at even steps from the first; all of them for 0."""
    return list(items[:: max(1, len(items) // limit)] if limit else items)


def _store(work: Path, rows: list[dict]) -> Path:
    """Where phone times and heard voices lie: the corpus if it has those of all `rows`."""
    corpus, own = work / "corpus", work / "evaluation"
    wanted = {row["sound"] for row in rows}
    if wanted <= _known(corpus / "phones.jsonl") and wanted <= _known(corpus / "heard.jsonl") | _mute(corpus):
        return corpus
    own.mkdir(parents=True, exist_ok=True)
    return own


def _known(store: Path) -> set[str]:
    return {entry["sound"] for entry in _entries(store)}


def _mute(corpus: Path) -> set[str]:
    """Sounds that could not be aligned: nothing is heard in them."""
    return {entry["sound"] for entry in _entries(corpus / "phones.jsonl") if entry["phones"] is None}


def _entries(store: Path) -> list[dict]:
    if not store.is_file():
        return []
    return [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
