"""Synthesised ground truth of the validation speakers, made as the motion of the training corpus is.

It blends motion from phone times with the curves of the shipped audio-to-curves regressor, in each speaker's
articulation style. Alignment and prosody take minutes; they are read from the corpus if it has them, otherwise cached.
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
from memorytalker.corpus.store import stored_lines, stored_phones
from memorytalker.face.head import HeadMesh
from memorytalker.progress import Progress
from memorytalker.sound.decode import load_waveform
from memorytalker.weights import CURVE_REGRESSOR_NAME, WEIGHTS_FOLDER, load_curve_regressor, load_weights

#: Processes for alignment and prosody.
WORKERS = 2


@dataclass(frozen=True)
class ReferenceClip:
    """One validation clip: its sound, timed phones, and face curves (T, 52) of its synthesised motion at fps.

    regressed: whether the audio-to-curves regressor contributed to the motion, or phone times alone.
    """

    sound: Path
    speaker: str
    source: str
    phones: TimedPhones
    weights: np.ndarray
    fps: float
    regressed: bool = False


def reference_clips(
    root: Path, work: Path, head: HeadMesh, config: CorpusConfig, limit: int = 0, progress: Progress | None = None
) -> list[ReferenceClip]:
    """Synthesise the motion of the validation clips whose sentence could be aligned, in the manifest's order.

    Without a shipped regressor the motion comes from phone times alone. A speaker's style is estimated from all of the
    speaker's clips, whatever the limit.

    Args:
        root: the source folder.
        work: `work`/corpus is read if it has all clips; otherwise alignment and prosody go into `work`/evaluation.
        head: the head that moves.
        config: corpus settings of the recipe.
        limit: about this many clips, evenly chosen; 0 for all.
        progress: called with (done, total, stage).

    Returns:
        The clips.

    Raises:
        CorpusError: if `root` has no manifest.
        WeightsError: if the shipped weights cannot be used.
        ConfigError: if the regressor does not fit them.
    """
    rows = [row for row in read_manifest(root) if row["split"] == "validation"]
    folder = _store(work, rows)
    times = align_all(root, folder, rows, WORKERS, progress)
    rows = [row for row in rows if times[row["sound"]] is not None]
    prosody = measure_acoustics(root, folder, rows, times, FPS, WORKERS, progress)
    people = articulation_styles(speaker_voices(rows, prosody, times), config.seed)
    table = load_visemes()
    geometry = mouth_geometry(head, table.shapes)
    regressed = _regressor(table.shapes)
    clips = []
    chosen = subsample(rows, limit)
    for done, row in enumerate(chosen, start=1):
        style = ArticulationStyle(**people[row["speaker"]]["style"])
        spoken = times[row["sound"]]
        assert spoken is not None  # rows that could not be aligned were dropped above
        effort = np.asarray(prosody[row["sound"]]["effort"])
        _, curves, _ = synthesise(
            row, effort, spoken, table, geometry, head, style, config,
            None if regressed is None else regressed(root / row["sound"], len(effort)),
        )  # fmt: skip
        phones = TimedPhones.of(spoken)
        clips.append(
            ReferenceClip(
                root / row["sound"],
                row["speaker"],
                row["source"],
                phones,
                curves.weights,
                curves.fps,
                regressed is not None,
            )
        )
        if progress:
            progress(done, len(chosen), "ground truth")
    return clips


def _regressor(shapes: tuple[str, ...]) -> Callable[[Path, int], np.ndarray] | None:
    """Return a function from a sound file and T frames to the regressor's curves (T, S); None if none is shipped.

    It runs on the shipped encoder, whatever talker is evaluated.
    """
    if not (WEIGHTS_FOLDER / CURVE_REGRESSOR_NAME).is_dir():
        return None
    regressor, speech = load_curve_regressor(), load_weights().speech
    regressor.check(speech, shapes)

    def regressed(sound: Path, frames: int) -> np.ndarray:
        return regressor.curves_of(speech, load_waveform(sound).samples, frames)

    return regressed


def source_note(clips: Sequence[ReferenceClip]) -> str:
    """Return a note for a figure's count if the motion of some clip lacks the regressor; else nothing."""
    return "" if all(clip.regressed for clip in clips) else " from phone times alone"


def subsample(items: Sequence, limit: int) -> list:
    """Select about `limit` of the items, at even steps from the first; all of them for 0."""
    return list(items[:: max(1, len(items) // limit)] if limit else items)


def _store(work: Path, rows: list[dict]) -> Path:
    """The folder of phone times and prosody: the corpus if it has those of all `rows`."""
    corpus, own = work / "corpus", work / "evaluation"
    wanted = {row["sound"] for row in rows}
    if wanted <= _known(corpus / "phones.jsonl") and wanted <= _known(corpus / "acoustics.jsonl") | _unaligned(corpus):
        return corpus
    own.mkdir(parents=True, exist_ok=True)
    return own


def _known(store: Path) -> set[str]:
    return {entry["sound"] for entry in stored_lines(store, {"sound": str})}


def _unaligned(corpus: Path) -> set[str]:
    """The sounds that could not be aligned; they have no prosody either."""
    return {sound for sound, phones in stored_phones(corpus / "phones.jsonl").items() if phones is None}
