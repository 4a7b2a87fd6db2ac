"""Tracked clips with their phones, and measures of the motion that is synthesised from the phones; for `fit.py`."""

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
LIP_ON_TEETH = 0.002


@dataclass(frozen=True)
class TrackedClip:
    """One tracked clip of T frames: phones, loudness (T,), curves (T, S), lip opening and width (T,), eye distances."""

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


def read_tracked_clips(
    root: Path, corpus: Path, head: HeadMesh, shapes: tuple[str, ...]
) -> tuple[list[TrackedClip], list[TrackedClip]]:
    """(training clips of the tracked speaker, clips of a person who is never fitted), where the words are known."""
    solved = corpus / "captured"
    if not (solved / "clips.jsonl").is_file():
        write_captured(root / "capture", solved, read_recipe().corpus.sources)
    rows = [json.loads(line) for line in (solved / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [dict(row, sound=f"capture/{row['sound']}") for row in rows if row["text"]]
    rows = [row for row in rows if row["split"] == "train" or row["source"] == "grid_s4"]
    times = align_all(root, corpus, rows)
    columns = [head.blendshape_names.index(name) for name in shapes]
    clips = []
    for row in rows:
        if (spoken := times[row["sound"]]) is None:
            continue
        with np.load(solved / f"{row['name']}.npz") as data:
            curves = data["weights"][:, columns].astype(np.float64)
            gap, width = data["tracked_gap"].astype(np.float64), data["tracked_width"].astype(np.float64)
        loud = effort(load_waveform(root / row["sound"]).samples, len(curves), FPS)
        phones = TimedPhones.of(without_final_r(spoken))
        clips.append(TrackedClip(row["source"], phones, loud, curves, gap, width))
    return [clip for clip in clips if clip.source != "grid_s4"], [clip for clip in clips if clip.source == "grid_s4"]


def without_final_r(phones: list) -> list:
    """The tracked speaker is not rhotic: an r that no vowel follows is the vowel before it, drawn out."""
    spoken: list[tuple[float, float, str]] = []
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


def compare(table: VisemeTable, clips: list[TrackedClip], head: HeadMesh, geometry: MouthGeometry) -> dict[str, float]:
    """Figures of the motion made from the clips' phones against the clips: medians over clips, shares over phones."""
    jaw = table.shapes.index("jawOpen")
    rows, gaps, lip_to_teeth, tracked = [], [], [], []
    for clip in clips:
        made = articulate(clip.phones, table, geometry, len(clip.curves), FPS, clip.effort)
        gap, width = openings(head, table.shapes, made)
        spoken = clip.speaking()
        rows.append({
            "lip opening": metrics.correlation(gap, clip.gap),
            "lip opening while speaking": metrics.correlation(gap[spoken], clip.gap[spoken]),
            "lip width while speaking": metrics.correlation(width[spoken], clip.width[spoken]),
            "jaw while speaking": metrics.correlation(made[spoken, jaw], clip.curves[spoken, jaw]),
            "width's amplitude": float(width[spoken].std() / clip.width[spoken].std()),
            "lag in ms": 1000 * metrics.lag_seconds(gap, clip.gap, FPS),
        })  # fmt: skip
        gaps.append(gap)
        lip_to_teeth.append(made @ geometry.lip_to_teeth + geometry.lip_to_teeth_rest)
        tracked.append(openings(head, table.shapes, clip.curves)[0])
    figures = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    spoken = np.concatenate([clip.speaking() for clip in clips])
    for percent in (50, 75, 90, 95, 99):
        made, true = (np.percentile(np.concatenate(values)[spoken], percent) for values in (gaps, tracked))
        figures[f"gap's {percent}th percentile against tracking"] = float(made / max(true, 1e-9))
    return figures | contacts(clips, gaps, lip_to_teeth, "made") | contacts(clips, tracked, None, "tracked")


def contacts(
    clips: list[TrackedClip], gaps: list[np.ndarray], lip_to_teeth: list[np.ndarray] | None, whose: str
) -> dict[str, float]:
    """Shares of p b m with closed lips, of f v with the lip at the teeth, and of silent frames with a closed mouth."""
    labels = [frame_phones(clip.phones, len(clip.curves), FPS) for clip in clips]
    vowels = np.array(ENGLISH.indices(ENGLISH.vowels))
    threshold = metrics.CLOSED_SHARE * metrics.vowel_median(gaps, labels, vowels)
    counts = np.zeros((3, 2))
    for number, clip in enumerate(clips):
        start, end, index = clip.phones.start, clip.phones.end, clip.phones.index
        lips = np.isin(index, ENGLISH.indices(ENGLISH.bilabials))
        counts[0] += metrics.closures(gaps[number], start[lips], end[lips], FPS, threshold)
        if lip_to_teeth is not None:
            teeth = np.isin(index, ENGLISH.indices(ENGLISH.labiodentals))
            counts[1] += metrics.closures(lip_to_teeth[number], start[teeth], end[teeth], FPS, LIP_ON_TEETH)
        silent = metrics.silent_frames(start[index == 0], end[index == 0], len(gaps[number]), FPS)
        counts[2] += ((gaps[number][silent] < threshold).sum(), silent.sum())
    names = (f"lips closed on p b m, {whose}", f"lip at teeth on f v, {whose}", f"closed in silence, {whose}")
    return {name: hit / total for name, (hit, total) in zip(names, counts, strict=True) if total}
