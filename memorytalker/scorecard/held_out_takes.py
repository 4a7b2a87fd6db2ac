"""Recorded face curves that were kept out of training: the jaw of the prediction against the captured one."""

from __future__ import annotations

from pathlib import Path

from memorytalker.config import Progress
from memorytalker.corpus.capture import CURVE_SOURCES, FPS, HELD_OUT
from memorytalker.evaluation import metrics
from memorytalker.face.curve_files import read_curves
from memorytalker.face.solve import solve_curves
from memorytalker.pipeline import Talker
from memorytalker.scorecard.goals import Figure, at_least
from memorytalker.scorecard.mouth import at_frames
from memorytalker.sound.decode import load_waveform

CURVE = "jawOpen"


def take_figures(talker: Talker, root: Path, progress: Progress | None = None) -> list[Figure]:
    """The correlation of `CURVE` on every take that nothing was trained on. Raises CaptureError if one is missing."""
    figures = []
    for source in CURVE_SOURCES:
        for take in HELD_OUT[source]:
            path = root / "capture" / source / f"{take}.npz"
            captured = read_curves(path).resample(FPS).curve(CURVE)
            animation = talker.animate(load_waveform(path.with_suffix(".opus")))
            weights = solve_curves(talker.head, animation.vertices - talker.head.template)
            predicted = weights[:, talker.head.blendshape_names.index(CURVE)]
            predicted = at_frames(predicted, animation.fps, len(captured), FPS)
            name = f"{source} {take}: {CURVE}, correlation with capture"
            figures.append(
                Figure(name, metrics.correlation(predicted, captured), f"{len(captured)} frames", at_least(0.75))
            )
            if progress:
                progress(1, 1, source)
    return figures
