"""Filmed clips with their phones, and how motion made from the phones compares with them: for `fit_articulation.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry, TimedPhones, articulate, frame_phones
from memorytalker.articulation.visemes import VisemeTable
from memorytalker.corpus.build import FPS, align_all
from memorytalker.corpus.capture import head_openings, write_captured
from memorytalker.evaluation import metrics
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.phones import ENGLISH
from memorytalker.sound.acoustics import effort
from memorytalker.sound.decode import load_waveform
from memorytalker.training.open_recipe import read_recipe

#: A mouth counts as speaking from a frame before the first phone to so many seconds after the last.
FADING = 0.1
#: Lower lip within so many metres of the upper teeth's edge: a contact.
BITE = 0.002


@dataclass(frozen=True)
class Film:
    """One filmed clip of T frames: phones, loudness (T,), curves (T, S), lip gap and width (T,) in eye distances."""

    source: str
    phones: TimedPhones
    effort: np.ndarray
    curves: np.ndarray
    gap: np.ndarray
    width: np.ndarray

    def speaking(self) -> np.ndarray:
        """(T,) True from the first phone to the last."""
        times = (np.arange(len(self.curves)) + 0.5) / FPS
        spoken = self.phones.index > 0
        first, last = self.phones.start[spoken].min(), self.phones.end[spoken].max()
        return (times > first - 1 / FPS) & (times < last + FADING)


def read_films(root: Path, corpus: Path, head: HeadMesh, shapes: tuple[str, ...]) -> tuple[list[Film], list[Film]]:
    """(training clips of the filmed speaker, clips of a person who is never fitted), where the words are known."""
    solved = corpus / "captured"
    if not (solved / "clips.jsonl").is_file():
        write_captured(root / "capture", solved, read_recipe().corpus.sources)
    rows = [json.loads(line) for line in (solved / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [dict(row, sound=f"capture/{row['sound']}") for row in rows if row["text"]]
    rows = [row for row in rows if row["split"] == "train" or row["source"] == "grid_s4"]
    times = align_all(root, corpus, rows)
    columns = [head.blendshape_names.index(name) for name in shapes]
    films = []
    for row in rows:
        if times[row["sound"]] is None:
            continue
        with np.load(solved / f"{row['name']}.npz") as data:
            curves = data["weights"][:, columns].astype(np.float64)
            gap, width = data["tracked_gap"].astype(np.float64), data["tracked_width"].astype(np.float64)
        loud = effort(load_waveform(root / row["sound"]).samples, len(curves), FPS)
        phones = TimedPhones.of(without_final_r(times[row["sound"]]))
        films.append(Film(row["source"], phones, loud, curves, gap, width))
    return [film for film in films if film.source != "grid_s4"], [film for film in films if film.source == "grid_s4"]


def without_final_r(phones: list) -> list:
    """The speaker filmed is not rhotic: an r that no vowel follows is the vowel before it, drawn out."""
    spoken = []
    for number, (start, end, label) in enumerate(phones):
        follower = phones[number + 1][2] if number + 1 < len(phones) else "sil"
        silent = label == "r" and follower not in ENGLISH.vowels and spoken and spoken[-1][2] in ENGLISH.vowels
        spoken.append((start, end, spoken[-1][2] if silent else label))
    return spoken


def openings(head: HeadMesh, shapes: tuple[str, ...], curves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lip gap and width (T,) of the head under curves (T, S), eye distances; pressed lips have no gap."""
    weights = np.zeros((len(curves), len(head.blendshape_names)), np.float32)
    weights[:, [head.blendshape_names.index(name) for name in shapes]] = curves
    gap, width = head_openings(head, FaceCurves(weights, head.blendshape_names, FPS))
    return np.maximum(gap, 0), width


def compare(table: VisemeTable, films: list[Film], head: HeadMesh, geometry: MouthGeometry) -> dict[str, float]:
    """Figures of the motion made from the films' phones against the films: medians over clips, shares over phones."""
    jaw = table.shapes.index("jawOpen")
    rows, gaps, bites, filmed = [], [], [], []
    for film in films:
        made = articulate(film.phones, table, geometry, len(film.curves), FPS, film.effort)
        gap, width = openings(head, table.shapes, made)
        spoken = film.speaking()
        rows.append({
            "lip gap": metrics.correlation(gap, film.gap),
            "lip gap while speaking": metrics.correlation(gap[spoken], film.gap[spoken]),
            "lip width while speaking": metrics.correlation(width[spoken], film.width[spoken]),
            "jaw while speaking": metrics.correlation(made[spoken, jaw], film.curves[spoken, jaw]),
            "width's amplitude": float(width[spoken].std() / film.width[spoken].std()),
            "lag in ms": 1000 * metrics.lag_seconds(gap, film.gap, FPS),
        })  # fmt: skip
        gaps.append(gap)
        bites.append(made @ geometry.bite + geometry.bite_rest)
        filmed.append(openings(head, table.shapes, film.curves)[0])
    figures = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    spoken = np.concatenate([film.speaking() for film in films])
    for percent in (50, 75, 90, 95, 99):
        made, true = (np.percentile(np.concatenate(values)[spoken], percent) for values in (gaps, filmed))
        figures[f"gap's {percent}th percentile against film"] = float(made / max(true, 1e-9))
    return figures | contacts(films, gaps, bites, "made") | contacts(films, filmed, None, "filmed")


def contacts(films: list[Film], gaps: list[np.ndarray], bites: list[np.ndarray] | None, whose: str) -> dict[str, float]:
    """Shares of p b m with closed lips, of f v with the lip at the teeth, and of silent frames with a closed mouth."""
    labels = [frame_phones(film.phones, len(film.curves), FPS) for film in films]
    vowels = np.array(ENGLISH.indices(ENGLISH.vowels))
    threshold = metrics.CLOSED_SHARE * metrics.vowel_gap(gaps, labels, vowels)
    counts = np.zeros((3, 2))
    for number, film in enumerate(films):
        start, end, index = film.phones.start, film.phones.end, film.phones.index
        lips = np.isin(index, ENGLISH.indices(ENGLISH.bilabials))
        counts[0] += metrics.closures(gaps[number], start[lips], end[lips], FPS, threshold)
        if bites is not None:
            teeth = np.isin(index, ENGLISH.indices(ENGLISH.labiodentals))
            counts[1] += metrics.closures(bites[number], start[teeth], end[teeth], FPS, BITE)
        silent = metrics.silent_frames(start[index == 0], end[index == 0], len(gaps[number]), FPS)
        counts[2] += ((gaps[number][silent] < threshold).sum(), silent.sum())
    names = (f"lips closed on p b m, {whose}", f"lip at teeth on f v, {whose}", f"shut in silence, {whose}")
    return {name: hit / total for name, (hit, total) in zip(names, counts, strict=True) if total}
