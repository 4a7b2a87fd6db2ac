"""The command `compare` for a file of known motion with its sound: a film with error in colour, and the measures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from memorytalker.config import Progress, RenderOptions

if TYPE_CHECKING:
    from memorytalker.comparison.predictions import Comparison

#: Endings of files with motion (`reading.SUFFIXES`, which this file does not import before it runs).
SUFFIXES = (".npz", ".npy", ".csv", ".json")


def is_motion(path: Path) -> bool:
    """Whether the first argument of `compare` is a file of motion and no folder."""
    return path.is_file() or (path.suffix.lower() in SUFFIXES and not path.is_dir())


def run_compare(chosen: argparse.Namespace, device: str | None, options: RenderOptions, progress: Progress) -> None:
    """Write the film and print the measures. Everything that can be refused is refused before the model is loaded."""
    from memorytalker.comparison.arrays import GroundTruthError
    from memorytalker.comparison.ground_truth import read_ground_truth
    from memorytalker.comparison.predictions import compare
    from memorytalker.comparison.video import write_comparison
    from memorytalker.face.mesh_files import head_for
    from memorytalker.pipeline import Talker
    from memorytalker.rendering import check_graphics
    from memorytalker.weights import find_weights, read_manifest

    output = Path(f"{chosen.folder.stem}.mp4") if chosen.output is None else chosen.output
    if output.suffix.lower() != ".mp4" or output.is_dir() or not output.parent.is_dir():
        raise GroundTruthError(f"{output} cannot be written; name an .mp4 file in a folder that exists with -o.")
    head = head_for(read_manifest(find_weights(chosen.weights)).model.vertex_count, chosen.head)
    head = head if chosen.identity is None else head.with_identity(chosen.identity)
    truth = read_ground_truth(chosen.folder, chosen.sequence, head, chosen.motion_fps)
    check_graphics()
    talker = Talker.from_pretrained(chosen.weights, device, head)
    comparison = compare(truth, talker.animate, progress)
    shown = comparison.stage_one if chosen.style == "neutral" else comparison.both_stages
    write_comparison(output, comparison, shown, options, progress)
    print(table(comparison))
    for remark in comparison.remarks:
        print(f"- {remark}")
    print(f"{output}: {shown.name} on the left, the truth on the right, {comparison.seconds:.1f} s.")


def table(comparison: Comparison) -> str:
    """The measures as Markdown, in the units of `evaluate`."""
    from memorytalker.evaluation.measures import MEASURES
    from memorytalker.evaluation.table import unit

    columns = {one.name: one.values for one in comparison.predictions} | {"still face": comparison.still}
    rows = [["measure", "unit", *columns], ["---"] * (2 + len(columns))]
    for measure in MEASURES:
        if measure.name not in comparison.absent:
            values = (f"{values[measure.name] / measure.scale:.3f}" for values in columns.values())
            rows.append([measure.title, unit(measure), *("–" if value == "nan" else value for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
