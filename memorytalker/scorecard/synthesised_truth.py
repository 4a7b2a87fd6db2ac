"""What the validation speakers say, when, and the motion that is made of it: their synthesised truth.

The motion is made anew as that of the corpus is: from phone times and from what the shipped listener hears, in each
speaker's manner. Phone times and what is known of the voices take minutes to find and are read from a corpus that has
them, or kept in the evaluation's own folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import TimedPhones
from memorytalker.articulation.speaker import ArticulationStyle
from memorytalker.articulation.visemes import load_visemes
from memorytalker.corpus.build import FPS, align_all, mouth_geometry, read_manifest, synthesise
from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.corpus.speakers import articulation_styles, measure_acoustics, speaker_voices
from memorytalker.corpus.store import stored_lines
from memorytalker.face.head import HeadMesh
from memorytalker.progress import Progress
from memorytalker.sound.decode import load_waveform
from memorytalker.weights import CURVE_REGRESSOR_NAME, WEIGHTS_FOLDER, load_curve_regressor, load_weights

#: Processes for alignment and listening.
WORKERS = 2


@dataclass(frozen=True)
class ReferenceClip:
    """One validation clip: its sound, phones with times, and face curves (T, 52) of the synthesised motion at fps.

    heard: whether the motion is made of what the listener hears too, or of phone times alone.
    """

    sound: Path
    speaker: str
    source: str
    phones: TimedPhones
    weights: np.ndarray
    fps: float
    heard: bool = False


def reference_clips(
    root: Path, work: Path, head: HeadMesh, config: CorpusConfig, limit: int = 0, progress: Progress | None = None
) -> list[ReferenceClip]:
    """The validation clips of the source folder `root` whose sentence could be aligned, as the manifest orders them.

    `work`/corpus is read when it knows all of them; otherwise they are aligned and heard into `work`/evaluation.
    `config`: how a corpus makes its motion, as the recipe says. `limit`: about so many, evenly chosen (0: all); a
    speaker's manner comes from all of the speaker's clips anyway.
    The motion is of phone times alone where no listener is shipped. Raises CorpusError if `root` has no manifest,
    WeightsError or ConfigError if the shipped weights or the listener cannot be used.
    """
    rows = [row for row in read_manifest(root) if row["split"] == "validation"]
    folder = _store(work, rows)
    times = align_all(root, folder, rows, WORKERS, progress)
    rows = [row for row in rows if times[row["sound"]] is not None]
    heard = measure_acoustics(root, folder, rows, times, FPS, WORKERS, progress)
    people = articulation_styles(speaker_voices(rows, heard, times), config.seed)
    table = load_visemes()
    geometry = mouth_geometry(head, table.shapes)
    hear = _listener(table.shapes)
    clips = []
    chosen = subsample(rows, limit)
    for done, row in enumerate(chosen, start=1):
        manner = ArticulationStyle(**people[row["speaker"]]["style"])
        spoken = times[row["sound"]]
        effort = np.asarray(heard[row["sound"]]["effort"])
        _, curves, _ = synthesise(
            row, effort, spoken, table, geometry, head, manner,
            None if hear is None else hear(root / row["sound"], len(effort)), config.regressed_share,
        )  # fmt: skip
        phones = TimedPhones.of(spoken)
        clips.append(
            ReferenceClip(
                root / row["sound"], row["speaker"], row["source"], phones, curves.weights, curves.fps, hear is not None
            )
        )
        if progress:
            progress(done, len(chosen), "truth")
    return clips


def _listener(shapes: tuple[str, ...]) -> Callable[[Path, int], np.ndarray] | None:
    """From a sound file and T frames to the curves (T, S) that the shipped listener hears in it.

    It hears through the shipped encoder, whatever talker is judged.
    """
    if not (WEIGHTS_FOLDER / CURVE_REGRESSOR_NAME).is_dir():
        return None
    listener, speech = load_curve_regressor(), load_weights().speech
    listener.check(speech, shapes)

    def hear(sound: Path, frames: int) -> np.ndarray:
        return listener.curves_of(speech, load_waveform(sound).samples, frames)

    return hear


def source_note(clips: Sequence[ReferenceClip]) -> str:
    """What a figure's count adds about the motion of these clips: nothing, unless the listener was not there."""
    return "" if all(clip.heard for clip in clips) else " made of phone times alone"


def subsample(items: Sequence, limit: int) -> list:
    """About `limit` of the items, at even steps from the first; all of them for 0."""
    return list(items[:: max(1, len(items) // limit)] if limit else items)


def _store(work: Path, rows: list[dict]) -> Path:
    """Where phone times and heard voices lie: the corpus if it has those of all `rows`."""
    corpus, own = work / "corpus", work / "evaluation"
    wanted = {row["sound"] for row in rows}
    if wanted <= _known(corpus / "phones.jsonl") and wanted <= _known(corpus / "acoustics.jsonl") | _mute(corpus):
        return corpus
    own.mkdir(parents=True, exist_ok=True)
    return own


def _known(store: Path) -> set[str]:
    return {entry["sound"] for entry in stored_lines(store)}


def _mute(corpus: Path) -> set[str]:
    """Sounds that could not be aligned: nothing is heard in them."""
    return {entry["sound"] for entry in stored_lines(corpus / "phones.jsonl") if entry["phones"] is None}
