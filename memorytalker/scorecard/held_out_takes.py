"""Held-out captured face curves: the predicted jaw against the captured one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from memorytalker.corpus.capture import FPS, curve_takes
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.evaluation import metrics
from memorytalker.face.curve_files import read_curves
from memorytalker.face.solve import solve_curves
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.mouth import at_frames
from memorytalker.sound.decode import load_waveform

CURVE = "jawOpen"


def take_figures(
    talker: Talker, root: Path, sources: Sequence[CaptureSource], card: Scorecard, progress: Progress | None = None
) -> list[Figure]:
    """Correlate the predicted `CURVE` with the captured one, on every held-out take.

    Args:
        talker: the model.
        root: the source folder.
        sources: the recipe's sources; those of kind "curves" are used.
        card: the goals.
        progress: called with (done, total, stage).

    Returns:
        One figure per take.

    Raises:
        CurveFileError: if a take that a source names is missing.
    """
    figures = []
    for source in (source for source in sources if source.kind == "curves"):
        for path in held_out_takes(root / "capture" / source.folder, source):
            captured = read_curves(path).curves.resample(FPS).curve(CURVE)
            animation = talker.animate(load_waveform(path.with_suffix(".opus")))
            weights = solve_curves(talker.head, animation.vertices - talker.head.template)
            predicted = weights[:, talker.head.blendshape_names.index(CURVE)]
            predicted = at_frames(predicted, animation.fps, len(captured), FPS)
            name = f"{source.folder} {path.stem}: {CURVE}, correlation with capture"
            figures.append(Figure(name, metrics.correlation(predicted, captured), f"{len(captured)} frames", card.jaw))
            if progress:
                progress(1, 1, source.folder)
    return figures


def held_out_takes(folder: Path, source: CaptureSource) -> list[Path]:
    """List the held-out takes of a source; those that it names come first, whether or not the file exists."""
    takes = curve_takes(folder)
    named = {path.stem: path for path in takes}
    held = [path.stem for number, path in enumerate(takes) if source.holds_out(path.stem, number, len(takes))]
    return [named.get(name, folder / f"{name}.npz") for name in dict.fromkeys((*source.held_out, *held))]
