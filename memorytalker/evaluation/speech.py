"""Figures of the open model on voices and faces it was not trained on: what `evaluate` prints.

Voices: the validation speakers of a speech folder, with phone times by forced alignment. Faces: filmed clips that were
kept out of training. Every clip goes the whole road, from sound file to vertices, through the public `Talker`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..articulation.coarticulation import TimedPhones, frame_phones
from ..articulation.visemes import BILABIALS, VOWELS
from ..config import PHONES, Progress
from ..corpus.build import align_all, read_manifest
from ..corpus.capture import film_openings
from ..pipeline import Talker
from . import metrics
from .report import Figure

#: Filmed clips of the first speaker kept out of training: the last of the manifest.
HELD_CLIPS = 91


@dataclass(frozen=True)
class Spoken:
    """One validation clip after the road: its gap (T,) metres, phones with times, fps."""

    speaker: str
    gap: np.ndarray
    phones: TimedPhones
    fps: float


def evaluate_open(
    talker: Talker, root: Path, work: Path, limit: int = 0, progress: Progress | None = None
) -> list[Figure]:
    """All figures; `work` keeps phone times between runs; `limit` clips of each kind, 0 for all."""
    return voices(talker, root, work, limit, progress) + faces(talker, root, limit, progress)


def voices(talker: Talker, root: Path, work: Path, limit: int = 0, progress: Progress | None = None) -> list[Figure]:
    """Lip closure on p b m and closed mouths in silence, on the validation speakers."""
    work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in read_manifest(root) if row["split"] == "validation"]
    rows = rows[:: max(1, len(rows) // limit)] if limit else rows
    times = align_all(root, work, rows)
    aligned = [row for row in rows if times[row["sound"]] is not None]
    spoken: dict[str, list[Spoken]] = defaultdict(list)
    for done, row in enumerate(aligned, start=1):
        spoken[row["speaker"]].append(_speak(talker, root, row, times[row["sound"]]))
        if progress:
            progress(done, len(aligned), "voices")
    closed, contacts, shut, silent = np.array([_contacts(clips) for clips in spoken.values()]).sum(axis=0)
    return [
        Figure("lips closed on p b m", closed / max(contacts, 1), f"{contacts} phones, {len(spoken)} speakers", 0.85),
        Figure("mouth closed in silence", shut / max(silent, 1), f"{silent} frames, {len(spoken)} speakers", 0.95),
    ]


def _speak(talker: Talker, root: Path, row: dict, times: list) -> Spoken:
    animation = talker.animate(root / row["sound"])
    return Spoken(row["speaker"], _gap(talker, animation.vertices), TimedPhones.of(times), animation.fps)


def _gap(talker: Talker, vertices: np.ndarray) -> np.ndarray:
    marks = talker.head.landmarks
    return metrics.lip_gap(vertices, marks["inner_lip_upper"], marks["inner_lip_lower"])


def _contacts(clips: list[Spoken]) -> tuple[int, int, int, int]:
    """(closed, contacts, shut, silent) of one speaker, by that speaker's own vowels."""
    vowels = np.array([PHONES.index(phone) for phone in VOWELS])
    bilabials = [PHONES.index(phone) for phone in BILABIALS]
    frames = [frame_phones(clip.phones, len(clip.gap), clip.fps) for clip in clips]
    threshold = metrics.CLOSED_SHARE * metrics.vowel_gap([clip.gap for clip in clips], frames, vowels)
    counts = np.zeros(4, int)
    for clip in clips:
        lips = np.isin(clip.phones.index, bilabials)
        counts[:2] += metrics.closures(clip.gap, clip.phones.start[lips], clip.phones.end[lips], clip.fps, threshold)
        rest = clip.phones.index == 0
        mask = metrics.silent_frames(clip.phones.start[rest], clip.phones.end[rest], len(clip.gap), clip.fps)
        counts[2:] += (int((clip.gap[mask] < threshold).sum()), int(mask.sum()))
    return tuple(counts.tolist())


def faces(talker: Talker, root: Path, limit: int = 0, progress: Progress | None = None) -> list[Figure]:
    """Predicted against filmed lip gap, on clips and people kept out of training."""
    figures = []
    for folder, goal, held in (("grid_s1", 0.65, HELD_CLIPS), ("grid_s4", 0.60, 0)):
        films = film_openings(root / "capture", (folder,))
        names = list(films)[-held:] if held else list(films)
        names = names[:: max(1, len(names) // limit)] if limit else names
        rows = []
        for done, name in enumerate(names, start=1):
            rows.append(_compare(talker, root / "capture" / folder / f"{name}.opus", films[name]))
            if progress:
                progress(done, len(names), folder)
        corr, ratio, lag = np.median(np.array(rows), axis=0)
        clips = f"{len(names)} clips"
        figures += [
            Figure(f"{folder}: lip gap, median correlation with film", corr, clips, goal),
            Figure(f"{folder}: lip gap, mean correlation with film", float(np.mean([row[0] for row in rows])), clips),
            Figure(f"{folder}: lip gap, median amplitude against film", ratio, clips),
            Figure(f"{folder}: median lag behind film in ms", 1000 * lag, clips),
        ]
    return figures


def _compare(talker: Talker, sound: Path, film: tuple) -> tuple[float, float, float]:
    """(correlation, amplitude ratio, lag in seconds) of one clip, at the film's rate, in eye distances."""
    fps, filmed = film[0], film[1]
    animation = talker.animate(sound)
    gap = _gap(talker, animation.vertices) / _eye_distance(talker)
    times = (np.arange(len(filmed)) + 0.5) / fps
    predicted = np.interp(times, (np.arange(len(gap)) + 0.5) / animation.fps, gap)
    return (
        metrics.correlation(predicted, filmed),
        metrics.amplitude_ratio(predicted, filmed),
        metrics.lag_seconds(predicted, filmed, fps),
    )


def _eye_distance(talker: Talker) -> float:
    """Metres between the outer eye corners of the head at rest."""
    marks, template = talker.head.landmarks, talker.head.template
    return float(np.linalg.norm(template[marks["eye_left_outer"]] - template[marks["eye_right_outer"]]))
