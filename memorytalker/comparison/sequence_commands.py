"""The command `compare`: a video of what was predicted, on the left, beside what was recorded, on the right."""

from __future__ import annotations

import argparse
from pathlib import Path

from memorytalker.config import Progress, RenderOptions
from memorytalker.datasets.commands import add_dataset


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Flags of `compare`, without those that choose weights, device and picture."""
    parser.add_argument("folder", type=Path, help="a data set of moving faces, or a file of known motion")
    parser.add_argument("sequence", help="the name of one of its sequences, or the sound that belongs to the file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=".mp4 (default: SEQUENCE.mp4, here)")
    parser.add_argument("--style", choices=("own", "neutral"), default="own", help="own voice, or neutral (stage 1)")
    parser.add_argument("--head", type=Path, metavar="MESH", help=".ply or .obj of the faces (default: in the folder)")
    group = parser.add_argument_group("known motion", "a file: vertices as .npz or .npy, curves as .csv, .json or .npz")
    group.add_argument("--identity", metavar="NAME", help="on which head; 'doctor' lists them")
    group.add_argument("--motion-fps", type=float, metavar="N", help="frames a second, where the file does not say it")
    add_dataset(parser)


def run_compare(chosen: argparse.Namespace, device: str | None, options: RenderOptions, progress: Progress) -> None:
    """Write the video of one sequence. Everything that can be refused is refused before the model is loaded."""
    from memorytalker.comparison.sequence_video import find_sequence, write_sequence_video
    from memorytalker.datasets.opening import open_dataset
    from memorytalker.evaluation.evaluate import EvaluationError
    from memorytalker.evaluation.prediction import OWN, model_predictor
    from memorytalker.face.mesh_files import find_mesh, head_for
    from memorytalker.pipeline import choose_device
    from memorytalker.rendering import check_graphics
    from memorytalker.weights import load_weights

    output = Path(f"{chosen.sequence}.mp4") if chosen.output is None else chosen.output
    if output.suffix.lower() != ".mp4" or output.is_dir() or not output.parent.is_dir():
        raise EvaluationError(f"{output} cannot be written; name an .mp4 file in a folder that exists with -o.")
    dataset = open_dataset(chosen.folder, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    sequence = find_sequence(dataset, chosen.sequence)
    mesh = chosen.head or find_mesh(chosen.folder, dataset.vertex_count)
    head = head_for(dataset.vertex_count, mesh, dataset.templates, dataset.regions)
    check_graphics()
    model = load_weights(chosen.weights).to(choose_device(device))
    predict = model_predictor(model, dataset, OWN if chosen.style == "own" else None)
    write_sequence_video(output, predict, dataset, sequence, head, options, progress)
    print(f"{output}: predicted on the left, recorded on the right, {sequence.frames / sequence.fps:.1f} s.")
