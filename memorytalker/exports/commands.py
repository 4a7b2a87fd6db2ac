"""The command line of exports: flags for output files, and the command that converts recorded curves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from memorytalker.exports.registry import FORMATS, choose_format
from memorytalker.exports.take import ExportError, ExportFormat, Provenance
from memorytalker.face.head import HeadMesh
from memorytalker.files import remove_leftovers
from memorytalker.flags import from_flags
from memorytalker.options import CurveOptions, RenderOptions
from memorytalker.outputs import OutputError, check_distinct, check_output, is_file
from memorytalker.progress import Progress

#: One file to write.
Output = tuple[Path, ExportFormat]


def add_outputs(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the flags for output files; `default` says in words what is written without them."""
    suffixes = ", ".join(dict.fromkeys(each.suffix for each in FORMATS))
    parser.add_argument(
        "-o", "--output", type=Path, action="append", metavar="FILE",
        help=f"file to write, may be given several times; its suffix selects the format: {suffixes} ({default})",
    )  # fmt: skip
    parser.add_argument(
        "--format", action="append", choices=[each.name for each in FORMATS], metavar="NAME",
        help="format of the output, where several share its suffix ('memorytalker formats' lists them); with several "
        "outputs give one for each, in their order",
    )  # fmt: skip


def outputs_of(chosen: argparse.Namespace, default: Path, given: Sequence[Path | str | None]) -> list[Output]:
    """Return the files that a command line asks for, each checked before any work begins.

    Args:
        chosen: the parsed command line.
        default: the file that is written if none is named.
        given: inputs, which must not be overwritten: files, and folders with all that they hold. Those of the head are
            added, and what does not exist is passed over.

    Returns:
        Path and format of each output.

    Raises:
        OutputError: a file that cannot be written, or would overwrite an input or another output.
        ExportError: an unknown suffix, another number of formats than of files, or a mapping without its head.
    """
    check_mapping(chosen)
    inputs = [Path(path) for path in (*given, chosen.head, chosen.mapping) if path is not None]
    paths = chosen.output or [default]
    names: list[str | None] = list(chosen.format or [])
    if names and len(names) != len(paths):
        raise ExportError(f"There are {len(paths)} outputs and {len(names)} formats; give one --format for each -o.")
    outputs = [
        (path, choose_format(path, name)) for path, name in zip(paths, names or [None] * len(paths), strict=True)
    ]
    for path, each in outputs:
        check_output(path, inputs)
        for place in each.places(path)[1:]:
            remove_leftovers(place)
        for one in filter(is_file, inputs):
            if any(_hits(place.resolve(), one.resolve(), each) for place in each.places(path)):
                raise OutputError(f"Beside {path} the input {one} would be overwritten; choose another name with -o.")
    check_distinct(path for path, _ in outputs)
    return outputs


def _hits(place: Path, given: Path, chosen: ExportFormat) -> bool:
    """Whether a format that writes `place`, a file or the folder of a sequence, may overwrite the file `given`."""
    return place == given or (given.suffix.lower() == chosen.suffix and place in given.parents)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `export`, except those of the image."""
    parser.add_argument("curves", type=Path, help="recorded face curves: .csv, .json or .npz with ARKit's names")
    add_outputs(parser, "default: CURVES.glb, here")
    parser.add_argument("--sound", type=Path, metavar="FILE", help="its sound, which begins with the first frame")
    parser.add_argument("--identity", metavar="NAME", help="whose face the shipped head takes; 'doctor' lists them")
    add_head(parser)
    parser.add_argument("--curves-fps", type=float, metavar="FPS", help="frames a second of curves that do not say it")


def run_export(chosen: argparse.Namespace, render: RenderOptions, fps: float | None, progress: Progress) -> list[str]:
    """Write recorded curves in other formats, and say which files and how long they are.

    Args:
        chosen: the parsed command line.
        render: how a video is rendered.
        fps: frames per second of the files; None: those of the curves, and of a video those of `render`.
        progress: called as progress(done, total, stage).

    Returns:
        Remarks on the curves, as sentences.

    Raises:
        CurveFileError, AudioError, HeadError, MotionError, ExportError: input that cannot be used.
    """
    from memorytalker.exports.saving import save_motion
    from memorytalker.face.adjust import adjusted_curves
    from memorytalker.face.curve_files import read_curves
    from memorytalker.face.head_motion import motion_of_curves
    from memorytalker.sound.decode import LONGEST_SECONDS, load_waveform

    inputs = [path for path in (chosen.curves, chosen.sound) if path is not None]
    outputs = outputs_of(chosen, Path(f"{chosen.curves.stem}.glb"), inputs)
    recorded = read_curves(chosen.curves, chosen.curves_fps, LONGEST_SECONDS)
    waveform = None if chosen.sound is None else load_waveform(chosen.sound)
    head = export_head(chosen)
    motion = motion_of_curves(head, adjusted_curves(recorded.curves, from_flags(CurveOptions, chosen)))
    provenance = Provenance(chosen.curves.name, head.identity, "", "", None)
    for path, each in outputs:
        save_motion(
            motion, path, each.name, provenance=provenance, waveform=waveform, fps=fps, render=render, progress=progress
        )
    print(f"{', '.join(str(path) for path, _ in outputs)}: {len(motion) / motion.fps:.1f} s of motion.")
    return [*recorded.remarks, *(() if waveform is None else waveform.remarks), *head_remarks(head)]


def add_head(parser: argparse.ArgumentParser) -> None:
    """Add the flags for a head of the user's own."""
    parser.add_argument(
        "--head", type=Path, metavar="FILE",
        help="a head of your own: .glb, .gltf or .vrm with blendshapes, or .ply or .obj in the head's vertex order",
    )  # fmt: skip
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE",
        help='JSON that names the blendshapes of --head: {"their name": "jawOpen"} or {"their name": {"jawOpen": 0.8}}',
    )  # fmt: skip


def check_mapping(chosen: argparse.Namespace) -> None:
    """Raise ExportError for a mapping without the head whose shapes it names."""
    if chosen.mapping is not None and chosen.head is None:
        raise ExportError("--mapping names the blendshapes of a head of your own; name that file with --head.")


def head_remarks(head: HeadMesh) -> tuple[str, ...]:
    """Say what a head of the user's own lacks, and what was decided while it was read."""
    from memorytalker.face.rigged_head import describe_missing

    if head.rig is None:
        return ()
    lacks = describe_missing(head)
    return (*head.rig.remarks, *((lacks,) if lacks else ()))


def export_head(chosen: argparse.Namespace) -> HeadMesh:
    """Load the head that curves move. Raises HeadError."""
    from memorytalker.face.head import load_head
    from memorytalker.face.own_head import load_own_head

    shipped = load_head()
    head = shipped if chosen.head is None else load_own_head(chosen.head, shipped.vertex_count, chosen.mapping)
    return head if chosen.identity is None else head.with_identity(chosen.identity)


def format_table() -> str:
    """Return the formats as lines of text: name, suffix, what it is and who opens it."""
    width = max(len(each.name) for each in FORMATS)
    return "\n".join(f"{each.name:<{width}}  {each.suffix:<6} {each.title}. {each.summary}" for each in FORMATS)
