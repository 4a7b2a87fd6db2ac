"""The command `compare`: a video of a prediction beside the ground truth.

For a file of motion with its sound: a video with the error in colour, and the metrics. For a sequence of a data set: a
video with the prediction on the left and the recording on the right.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from memorytalker.datasets.commands import add_dataset
from memorytalker.errors import InputError
from memorytalker.options import RenderOptions
from memorytalker.outputs import OutputError, check_output
from memorytalker.progress import Progress

if TYPE_CHECKING:
    from memorytalker.comparison.predictions import Comparison


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `compare`, without those that choose weights, device and image."""
    parser.add_argument(
        "folder", type=Path, help="a data set of moving faces, or a file of ground-truth motion, or a video of a face"
    )
    parser.add_argument(
        "sequence",
        nargs="?",
        help="the name of a sequence of the data set, or the sound file of the motion (default: that of the video)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the .mp4 to write (default: named after the motion, here)"
    )
    parser.add_argument(
        "--style",
        choices=("own", "neutral"),
        default="own",
        help="speaking style from the clip's own voice, or neutral (stage 1) (default: %(default)s)",
    )
    parser.add_argument(
        "--head",
        type=Path,
        metavar="MESH",
        help=".ply or .obj with the topology of the data set (default: its own mesh)",
    )
    group = parser.add_argument_group(
        "ground truth", "for a file: vertices as .npz or .npy, face curves as .csv, .json or .npz, a video of a face"
    )
    group.add_argument(
        "--identity",
        metavar="NAME",
        help="the head that shows both motions; 'doctor' lists the heads (default: the first)",
    )
    group.add_argument(
        "--motion-fps", type=float, metavar="FPS", help="frames per second, if the motion file does not state them"
    )
    add_dataset(parser)


def is_motion(path: Path) -> bool:
    """Return whether the first argument of `compare` is a motion file and not a data set folder."""
    from memorytalker.comparison.ground_truth import SUFFIXES

    return path.is_file() or (path.suffix.lower() in SUFFIXES and not path.is_dir())


def ordered(first: Path, second: str | None) -> tuple[Path, str]:
    """The motion, or the folder of a data set, and then its sound or sequence; a video may be both, and may come last.

    Raises:
        InputError: nothing to compare the first with.
    """
    from memorytalker.comparison.ground_truth import SUFFIXES
    from memorytalker.tracking.face_video import SUFFIXES as VIDEOS

    if second is None and first.suffix.lower() in VIDEOS:
        return first, str(first)
    if second is None:
        raise InputError(f"Give the sound of {first.name} as well, or the name of a sequence if it is a data set.")
    is_sound = first.is_file() and first.suffix.lower() not in SUFFIXES
    if is_sound and Path(second).suffix.lower() in VIDEOS:
        return Path(second), str(first)
    return first, second


def run_compare(chosen: argparse.Namespace, device: str | None, options: RenderOptions, progress: Progress) -> None:
    """Write the video for a file of ground truth, or for a sequence of a data set."""
    if options.transparent:
        raise InputError("A comparison is an MP4 video, which cannot be transparent; leave transparency out.")
    chosen.folder, chosen.sequence = ordered(chosen.folder, chosen.sequence)
    run = _compare_file if is_motion(chosen.folder) else _compare_sequence
    run(chosen, device, options, progress)


def _output(chosen: argparse.Namespace, default: str) -> Path:
    """The video to write. Raises OutputError for one that cannot be written, or is an input."""
    output = Path(default) if chosen.output is None else chosen.output
    if output.name.lower() == ".mp4":
        raise OutputError("The name .mp4 is an ending without a name before it; write, for example, talk.mp4.")
    if output.suffix.lower() != ".mp4":
        raise OutputError(f"A comparison is written as an .mp4 file, not as {output.name}; name one with -o.")
    inputs = (chosen.folder, chosen.sequence, chosen.head, chosen.weights, chosen.splits, chosen.regions, chosen.root)
    check_output(output, inputs)
    return output


def _compare_sequence(
    chosen: argparse.Namespace, device: str | None, options: RenderOptions, progress: Progress
) -> None:
    """Write the video of one sequence. Bad input is refused before the model is loaded."""
    from memorytalker.comparison.sequence_video import find_sequence, write_sequence_video
    from memorytalker.datasets.opening import open_dataset
    from memorytalker.devices import choose_device
    from memorytalker.evaluation.prediction import OWN, model_predictor
    from memorytalker.face.mesh_files import find_mesh, head_for
    from memorytalker.rendering import check_graphics
    from memorytalker.weights import load_weights

    output = _output(chosen, f"{chosen.sequence}.mp4")
    dataset = open_dataset(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    sequence = find_sequence(dataset, chosen.sequence)
    mesh = chosen.head or find_mesh(chosen.folder, dataset.vertex_count)
    head = head_for(dataset.vertex_count, mesh, dataset.templates, dataset.regions)
    check_graphics()
    model = load_weights(chosen.weights).to(choose_device(device))
    predict = model_predictor(model, dataset, OWN if chosen.style == "own" else None)
    write_sequence_video(output, predict, dataset, sequence, head, options, progress)
    print(f"{output}: predicted on the left, recorded on the right, {sequence.frames / sequence.fps:.1f} s.")


def _compare_file(chosen: argparse.Namespace, device: str | None, options: RenderOptions, progress: Progress) -> None:
    """Write the video and print the metrics. Bad input is refused before the model is loaded."""
    from memorytalker.comparison.ground_truth import read_ground_truth
    from memorytalker.comparison.predictions import compare
    from memorytalker.comparison.video import write_comparison
    from memorytalker.face.mesh_files import head_for
    from memorytalker.face.motion_space import space_of
    from memorytalker.pipeline import Talker
    from memorytalker.rendering import check_graphics
    from memorytalker.weights import find_weights, read_manifest

    name = chosen.folder.stem if chosen.folder.suffix.lower() != ".mp4" else f"{chosen.folder.stem}_compared"
    output = _output(chosen, f"{name}.mp4")
    config = read_manifest(find_weights(chosen.weights)).model
    head = head_for(space_of(config.basis, config.coordinates).vertex_count, chosen.head)
    head = head if chosen.identity is None else head.with_identity(chosen.identity)
    ground_truth = read_ground_truth(chosen.folder, chosen.sequence, head, chosen.motion_fps)
    check_graphics()
    talker = Talker.from_pretrained(chosen.weights, device, head)
    comparison = compare(ground_truth, talker.animate, progress)
    prediction = comparison.stage_one if chosen.style == "neutral" else comparison.both_stages
    write_comparison(output, comparison, prediction, options, progress)
    print(table(comparison))
    for remark in comparison.remarks:
        print(f"- {remark}")
    print(f"{output}: {prediction.name} on the left, ground truth on the right, {comparison.seconds:.1f} s.")


def table(comparison: Comparison) -> str:
    """The metrics of a comparison as a Markdown table, in the units of `evaluate`."""
    from memorytalker.evaluation.measures import MEASURES
    from memorytalker.evaluation.table import unit

    columns = {one.name: one.values for one in comparison.predictions} | {"still face": comparison.still}
    rows = [["measure", "unit", *columns], ["---"] * (2 + len(columns))]
    for measure in MEASURES:
        if measure.name not in comparison.absent:
            values = (f"{values[measure.name] / measure.scale:.3f}" for values in columns.values())
            rows.append([measure.title, unit(measure), *("–" if value == "nan" else value for value in values)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
