"""The command line: one command with sub-commands, `python -m memorytalker <command> --help`.

Exit codes: 0 success, 2 input that cannot be used (one sentence on standard error), 1 an internal error, 130 and 143
stopped by Ctrl-C and by SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from memorytalker.batch import commands as batch
from memorytalker.comparison import commands as comparison
from memorytalker.corpus import commands as corpus
from memorytalker.datasets import commands as datasets
from memorytalker.errors import InputError, MemoryTalkerError
from memorytalker.evaluation import commands as evaluation
from memorytalker.experiments import commands as experiments
from memorytalker.exports import commands as exports
from memorytalker.extras import missing_extra
from memorytalker.faults import machine_fault
from memorytalker.files import write_whole
from memorytalker.flags import add_flags, from_flags
from memorytalker.live import commands as live
from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions
from memorytalker.outputs import check_output
from memorytalker.page import commands as page
from memorytalker.progress import Progress, progress_bar
from memorytalker.scorecard import commands as scorecard
from memorytalker.styles import commands as styles
from memorytalker.termination import Terminated, raised_on_sigterm
from memorytalker.training import checkpoint
from memorytalker.training import commands as training

DONE, OUR_FAULT, BAD_INPUT, STOPPED, TERMINATED = 0, 1, 2, 130, 143
DEVICES = ("auto", "cpu", "cuda", "mps")


class CommandError(InputError):
    """A command line that cannot be carried out; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class Command:
    """A sub-command: what it does, how its flags are added to a parser, and what carries it out."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]
    extra: str | None = None  # what of pyproject.toml installs all that it needs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code. `arguments` default to those of the process."""
    parser = argparse.ArgumentParser(
        prog="memorytalker", description="Animate a 3D head from speech, in the speaker's own style."
    )
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    commands = parser.add_subparsers(metavar="command", required=True)
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.help, description=command.help)
        command.add_arguments(own)
        own.set_defaults(run=command.run, extra=command.extra)
    chosen = parser.parse_args(arguments)
    try:
        with raised_on_sigterm():
            return chosen.run(chosen) or DONE
    except Terminated:
        return TERMINATED
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except Exception as error:
        if chosen.debug:
            raise
        return _tell(error, chosen.extra)


def _tell(error: Exception, extra: str | None = None) -> int:
    """Say on standard error what went wrong, and return the exit code for it."""
    sentence = str(error) if isinstance(error, MemoryTalkerError) else missing_extra(error, extra)
    if sentence is not None:
        # A file's name may hold what moves the cursor or begins a line.
        shown = "".join(letter if letter.isprintable() else "_" for letter in sentence)
        print(f"memorytalker: {shown}", file=sys.stderr)
        return BAD_INPUT if isinstance(error, (InputError, ImportError)) else OUR_FAULT
    fault = machine_fault(error)
    if fault is not None:
        print(f"memorytalker: {fault}", file=sys.stderr)
        return OUR_FAULT
    words = " ".join(str(error).split())
    print(f"memorytalker: something broke inside ({type(error).__name__}: {words}).", file=sys.stderr)
    print("Run 'python -m memorytalker --debug ...' to see where, and please report it.", file=sys.stderr)
    return OUR_FAULT


def _with_progress(help: str, add: Callable[..., None], run: Callable[..., None], extra: str | None = None) -> Command:
    """A command that runs as `run(chosen, progress)`, with a progress bar."""

    def carry_out(chosen: argparse.Namespace) -> None:
        with progress_bar() as progress:
            run(chosen, progress)

    return Command(help, add, carry_out, extra)


# animate


def add_animate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `animate`."""
    parser.add_argument("sound", type=Path, help="a sound or video file with speech")
    exports.add_outputs(parser, "default: SOUND.mp4, here")
    parser.add_argument(
        "--style",
        default=styles.OWN,
        metavar="STYLE",
        help=f"speaking style: {styles.NAMED} (default: {styles.OWN})",
    )
    styles.add_describe(parser)
    add_flags(parser, AnimateOptions)
    add_curves(parser)
    exports.add_head(parser)
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="data set folder with neutral faces; a mesh in it is used"
    )
    add_talker(parser)
    add_render(parser)


def add_curves(parser: argparse.ArgumentParser) -> None:
    """Add one flag per field of CurveOptions."""
    add_flags(parser.add_argument_group("curves"), CurveOptions)


def add_talker(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose the weights and the device."""
    weights = "a weights folder, or owner/name@commit on the model hub (default: the shipped ones)"
    parser.add_argument("--weights", metavar="PATH", help=weights)
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="device that the network runs on (default: %(default)s)"
    )


def add_render(parser: argparse.ArgumentParser) -> None:
    """One flag per field of RenderOptions, and --size for a square image."""
    group = parser.add_argument_group("image")
    group.add_argument("--size", type=int, metavar="PIXELS", help="width and height of a square image, in pixels")
    add_flags(group, RenderOptions)
    # A file has the frame rate of its motion unless one is asked for; a video has 30 frames a second.
    group.set_defaults(fps=None)


def render_options(chosen: argparse.Namespace) -> RenderOptions:
    """The RenderOptions of a parsed command line. Raises ConfigError for an image that cannot be rendered."""
    size = {} if chosen.size is None else {"width": chosen.size, "height": chosen.size}
    if chosen.fps is None:
        size["fps"] = RenderOptions.fps
    return from_flags(RenderOptions, chosen, **size)


def chosen_head(chosen: argparse.Namespace, drawn: bool) -> Any:
    """Find the head that the chosen weights move. Raises HeadError if it must be `drawn` and its mesh is missing."""
    from memorytalker.face.mesh_files import find_mesh, head_for
    from memorytalker.face.motion_space import space_of
    from memorytalker.face.own_head import load_own_head
    from memorytalker.weights import find_weights, read_manifest

    config = read_manifest(find_weights(chosen.weights)).model
    count = space_of(config.basis, config.coordinates).vertex_count
    if chosen.data is None:
        if chosen.head is not None:
            return load_own_head(chosen.head, count, chosen.mapping)
        return head_for(count, drawn=drawn)
    from memorytalker.datasets.opening import open_dataset

    dataset = open_dataset(chosen.data)
    mesh = chosen.head or find_mesh(chosen.data, count)
    return head_for(count, mesh, dataset.templates, dataset.regions, drawn)


def run_animate(chosen: argparse.Namespace) -> None:
    """Animate a sound. Bad input is refused before the model is loaded."""
    from memorytalker import Talker, load_waveform
    from memorytalker.devices import choose_device
    from memorytalker.face.adjust import check_choices
    from memorytalker.remarks import remarks_on
    from memorytalker.rendering import check_graphics

    options, render = from_flags(AnimateOptions, chosen), render_options(chosen)
    curves = from_flags(CurveOptions, chosen)
    outputs = exports.outputs_of(
        chosen, Path(f"{chosen.sound.stem}.mp4"), (chosen.sound, chosen.style, chosen.weights, chosen.data)
    )
    waveform = load_waveform(chosen.sound)
    style, told = styles.with_description(chosen.describe, styles.named(chosen.style), chosen.style == styles.OWN)
    drawn = any(each.video for _, each in outputs)
    head = chosen_head(chosen, drawn)
    check_choices(head, options, curves)
    device = None if chosen.device == "auto" else chosen.device
    choose_device(device)
    if drawn:
        check_graphics()
    talker = Talker.from_pretrained(chosen.weights, device, head)
    with progress_bar() as progress:
        animation = talker.animate(waveform, style, options=options, progress=progress)
        for remark in (*told, *remarks_on(animation, style), *exports.head_remarks(animation.head)):
            print(f"memorytalker: {remark}", file=sys.stderr)
        animation = animation.adjusted(curves)
        for path, each in outputs:
            animation.save(path, each.name, fps=chosen.fps, render=render, progress=progress)
    print(f"{', '.join(str(path) for path, _ in outputs)}: {waveform.seconds:.1f} s of speech.")


def run_adapt(chosen: argparse.Namespace, progress: Progress) -> None:
    """Learn a style from a person's recordings."""
    from memorytalker import Talker

    styles.run_adapt(chosen, Talker.from_pretrained, progress)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `export`."""
    exports.add_export(parser)
    add_curves(parser)
    add_render(parser)


def run_export(chosen: argparse.Namespace) -> None:
    """Write recorded curves in other formats."""
    with progress_bar() as progress:
        for remark in exports.run_export(chosen, render_options(chosen), chosen.fps, progress):
            print(f"memorytalker: {remark}", file=sys.stderr)


def run_formats(chosen: argparse.Namespace) -> None:
    """Print the export formats."""
    print(exports.format_table())


def add_batch(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `batch`."""
    batch.add_batch(parser)
    styles.add_describe(parser)
    add_flags(parser, AnimateOptions)
    add_curves(parser)
    exports.add_head(parser)
    add_talker(parser)
    add_render(parser)


def run_batch(chosen: argparse.Namespace) -> int:
    """Animate a folder or a list of sounds; bad input if a clip could not be used."""
    device = None if chosen.device == "auto" else chosen.device
    with progress_bar() as progress:
        return DONE if batch.run_batch(chosen, device, render_options(chosen), progress) else BAD_INPUT


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `live`."""
    live.add_live(parser)
    add_curves(parser)
    add_talker(parser)


def run_live(chosen: argparse.Namespace) -> None:
    """Follow a voice that is speaking now."""
    live.run_live(chosen, from_flags(CurveOptions, chosen), None if chosen.device == "auto" else chosen.device)


# page, bench and doctor


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `page`."""
    page.add_page(parser)
    add_talker(parser)


def run_page(chosen: argparse.Namespace) -> None:
    """Serve the page until it is stopped."""
    page.run_page(chosen, None if chosen.device == "auto" else chosen.device)


def add_bench(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `bench`."""
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="length of the speech in seconds (default: %(default)s)"
    )
    parser.add_argument(
        "--sound", type=Path, metavar="FILE", help="speech to animate (default: the first example clip)"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs that count, after one that does not (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    add_talker(parser)
    add_render(parser)


def run_bench(chosen: argparse.Namespace) -> None:
    """Print where the time goes from a sound to a video."""
    from memorytalker.benchmark import measure, measure_live

    if chosen.json is not None:
        check_output(chosen.json, (chosen.sound, chosen.weights))
    device = None if chosen.device == "auto" else chosen.device
    found = measure(chosen.seconds, chosen.sound, chosen.weights, device, render_options(chosen), chosen.runs)
    print(found.table())
    print(measure_live(min(chosen.seconds, 5.0)).table())
    if chosen.json is not None:
        write_whole(chosen.json, lambda part: part.write_text(found.json(), encoding="utf-8"))


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `doctor`."""
    datasets.add_doctor(parser)
    add_talker(parser)


def run_doctor(chosen: argparse.Namespace) -> int:
    """Check a data set or this machine, and print the findings. A data set that cannot be used is bad input."""
    usable = datasets.run_doctor(chosen)
    if usable is not None:
        return DONE if usable else BAD_INPUT
    from memorytalker.doctor import examine

    findings = examine(chosen.weights, None if chosen.device == "auto" else chosen.device)
    for finding in findings:
        print(finding)
    return DONE if all(finding.found for finding in findings) else OUR_FAULT


# data and training


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `convert`."""
    datasets.add_convert(parser)
    checkpoint.add_checkpoint(parser)


def run_convert(chosen: argparse.Namespace) -> None:
    """Convert a data set into plain files, or a checkpoint into weights."""
    if chosen.checkpoint is not None and chosen.folder is None:
        return checkpoint.run_checkpoint(chosen)
    if chosen.checkpoint is not None or chosen.weights_out is not None:
        raise CommandError("Convert either a data set, FOLDER OUT, or a checkpoint, --checkpoint FILE --out FOLDER.")
    if chosen.out is None:
        raise CommandError("Name the data set and a new folder: convert FOLDER OUT.")
    with progress_bar() as progress:
        datasets.run_convert(chosen, progress)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `evaluate`."""
    evaluation.add_evaluate(parser)
    scorecard.add_scorecard(parser)
    evaluation.add_measuring(parser)
    add_talker(parser)


def run_evaluate(chosen: argparse.Namespace) -> None:
    """Print the table of the open model for a source folder, or the vertex metrics of a data set."""
    device = None if chosen.device == "auto" else chosen.device
    config = training.corpus_config(chosen.recipe)
    evaluation.check_outputs(chosen)
    with progress_bar() as progress:
        if chosen.layout is None and scorecard.is_source_folder(chosen.folder):
            outputs = scorecard.measure(chosen, config, device, progress)
        else:
            outputs = evaluation.measure(chosen, device, progress)
    evaluation.write_outputs(chosen, *outputs)


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `compare`."""
    comparison.add_compare(parser)
    add_talker(parser)
    add_render(parser)


def run_compare(chosen: argparse.Namespace) -> None:
    """Write a video of prediction and ground truth, for a sequence of a data set or a motion file with its sound."""
    device = None if chosen.device == "auto" else chosen.device
    with progress_bar() as progress:
        comparison.run_compare(chosen, device, render_options(chosen), progress)


#: Every sub-command there is. Each imports what it needs when it runs, so that --help stays quick.
COMMANDS = MappingProxyType(
    {
        "animate": Command(
            "Turn a sound into a talking head: a video, or curves and meshes.", add_animate, run_animate
        ),
        "adapt": _with_progress("Learn a speaking style from a person's recordings.", styles.add_adapt, run_adapt),
        "batch": Command("Animate many sounds; can be broken off and continued.", add_batch, run_batch),
        "live": Command("Follow a voice while it speaks, and send its face to other programs.", add_live, run_live),
        "export": Command("Write recorded face curves in another format.", add_export, run_export),
        "formats": Command("List the formats that files can be written in.", lambda parser: None, run_formats),
        "bench": Command("Measure the time of each stage from a sound to a video.", add_bench, run_bench),
        "page": Command("Serve the page with the 3D head and the memory.", add_page, run_page, "page"),
        "doctor": Command("Check this machine, or a data set, for what is missing.", add_doctor, run_doctor),
        "convert": Command(
            "Turn a data set into plain files, or a checkpoint into weights.", add_convert, run_convert, "data"
        ),
        "corpus": _with_progress(
            "Make training clips of speech and faces.", corpus.add_corpus, training.run_corpus, "train"
        ),
        "train": _with_progress("Train a model.", training.add_train, training.run_train, "train"),
        "evaluate": Command("Measure a model on held-out voices and faces.", add_evaluate, run_evaluate),
        "compare": Command("Make a video of a prediction beside the ground truth.", add_compare, run_compare),
        "experiments": _with_progress(
            "Train and evaluate variants of the model.",
            experiments.add_experiments,
            experiments.run_experiments,
            "train",
        ),
    }
)
