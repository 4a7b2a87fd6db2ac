"""Recorded face curves that were kept out of training: the jaw of the prediction against the captured one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from memorytalker.config import Progress
from memorytalker.corpus.capture import CURVE_SOURCES, FPS, HELD_OUT
from memorytalker.evaluation import metrics
from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import HeadMesh
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
            weights = solved_curves(talker.head, animation.vertices - talker.head.template)
            predicted = weights[:, talker.head.blendshape_names.index(CURVE)]
            predicted = at_frames(predicted, animation.fps, len(captured), FPS)
            name = f"{source} {take}: {CURVE}, correlation with capture"
            figures.append(
                Figure(name, metrics.correlation(predicted, captured), f"{len(captured)} frames", at_least(0.75))
            )
            if progress:
                progress(1, 1, source)
    return figures


def solved_curves(head: HeadMesh, offsets: np.ndarray) -> np.ndarray:
    """Face curves (T, 52) of offsets (T, V, 3) in metres: non-negative least squares over all vertices.

    The blendshapes are first brought to an orthonormal basis of their own, which changes no distance, so that each
    frame is a problem of 52 numbers.
    """
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64).T  # (3 V, 52)
    basis, triangle = np.linalg.qr(shapes)
    coordinates = offsets.reshape(len(offsets), -1) @ basis
    return np.stack([nnls(triangle, frame)[0] for frame in coordinates])
