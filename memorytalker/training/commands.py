"""The command `train`: from a data set, or from a source folder, to weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from memorytalker.datasets.commands import add_dataset
from memorytalker.progress import Progress, announce

if TYPE_CHECKING:
    from memorytalker.corpus.corpus_config import CorpusConfig
    from memorytalker.training.context import WeightsContext


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`."""
    what = parser.add_subparsers(metavar="what", required=True)
    _add_weights(what)
    first = what.add_parser(
        "memorize",
        help="stage 1 on a data set",
        description="Train stage 1: general motion from speech, and the memory. Repeat the command to resume an "
        "interrupted run. To use several processes: accelerate launch -m memorytalker train ...",
    )
    _add_run(first)
    first.add_argument("--encoder", metavar="PATH", help="pretrained encoder: a folder, owner/name@commit, or weights")
    first.add_argument("--random-encoder", action="store_true", help="start the speech encoder from random weights")
    second = what.add_parser(
        "stylize",
        help="stage 2 on a data set",
        description="Train stage 2: the style encoder, on top of a finished run of stage 1. Repeat the command to "
        "resume an interrupted run.",
    )
    _add_run(second)
    second.add_argument("--from", dest="stage_one", type=Path, required=True, metavar="RUN", help="the run of stage 1")
    for stage, run in (("memorize", first), ("stylize", second)):
        run.set_defaults(what=stage)


def _add_weights(what: argparse._SubParsersAction) -> None:
    weights = what.add_parser(
        "weights",
        help="make the open weights: corpus, stage 1, stage 2",
        description="Make the open weights from a folder with speech/, capture/, noise/ and encoder/. Repeat the "
        "command to resume an interrupted run.",
    )
    _add_corpus(weights)
    weights.add_argument(
        "--out", type=Path, default=Path("weights/open"), help="folder for the weights (default: %(default)s)"
    )
    weights.set_defaults(what="weights")
    corpus = what.add_parser(
        "corpus",
        help="only the corpus of the open weights",
        description="Make the training clips of the open weights and stop there. 'train weights' begins with the same "
        "step. Their motion is synthesised from phone times and from the curves of the audio-to-curves regressor.",
    )
    _add_corpus(corpus)
    corpus.set_defaults(what="corpus")
    folds = what.add_parser(
        "folds",
        help="the open weights once more for each person, with that person left out",
        description="Train weights that never see one person, for each of the recipe's folds.people, so that "
        "'evaluate' can judge the model on people it does not know. The corpus in WORK is shared. Repeat the command "
        "to resume an interrupted run.",
    )
    _add_corpus(folds)
    folds.add_argument(
        "--out", type=Path, default=Path("weights/left_out"), help="folder for the folds (default: %(default)s)"
    )
    folds.add_argument(
        "--weights", metavar="PATH", help="the weights whose speech encoder the folds share (default: the shipped ones)"
    )
    folds.set_defaults(what="folds")
    live = what.add_parser(
        "live",
        help="the live network, from the open model's answers to the corpus",
        description="Train the live network, which follows a voice with an eighth of a second of delay. It learns the "
        "open model's answers to all clips of WORK/corpus, which 'train corpus' or 'train weights' has made. Repeat "
        "the command to resume an interrupted run.",
    )
    live.add_argument("root", type=Path, help="the source folder of the corpus")
    live.add_argument(
        "--work", type=Path, default=Path("runs/open"), help="folder with the corpus (default: %(default)s)"
    )
    live.add_argument(
        "--out", type=Path, default=Path("weights/live"), help="folder for the weights (default: %(default)s)"
    )
    live.add_argument("--weights", metavar="PATH", help="the open model that teaches (default: the shipped one)")
    live.add_argument("--settings", type=Path, help="JSON file that overrides sizes and figures of the training")
    live.add_argument("--workers", type=int, default=2, help="clips prepared in parallel (default: %(default)s)")
    live.set_defaults(what="live")


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the commands that make the corpus of the open weights."""
    parser.add_argument("root", type=Path, help="the source folder")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/open"), help="folder for the corpus and the runs (default: %(default)s)"
    )
    parser.add_argument(
        "--recordings", type=Path, metavar="DIR", help="folder of your own takes to train on as well, as for 'corpus'"
    )
    parser.add_argument("--encoder", type=Path, help="folder of the pretrained speech encoder (default: ROOT/encoder)")
    parser.add_argument("--recipe", type=Path, help="JSON file whose keys override those of open_recipe.json")
    parser.add_argument("--device", default="cpu", help="where to train (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="clips processed in parallel (default: %(default)s)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, help="a data set in any layout; 'doctor FOLDER' lists its files")
    parser.add_argument(
        "--config", required=True, metavar="NAME", help="open, vocaset or biwi, or a JSON file with the settings"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the folder of the run")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default: %(default)s)")
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="FOLDER",
        help="cached features of the sound, kept between runs (default: RUN/../features)",
    )
    add_dataset(parser)


def run_train(chosen: argparse.Namespace, progress: Progress) -> None:
    """Carry out `train`."""
    runs = {
        "weights": _run_weights, "corpus": _run_corpus, "folds": _run_folds, "live": _run_live,
        "memorize": _run_stage, "stylize": _run_stage,
    }  # fmt: skip
    runs[chosen.what](chosen, progress)


def corpus_config(recipe: Path | None) -> CorpusConfig:
    """The figures of a corpus: those of the shipped recipe, overridden by the file `recipe`. Raises ConfigError."""
    from memorytalker.training.open_recipe import read_recipe

    return read_recipe(recipe).corpus


def run_corpus(chosen: argparse.Namespace, progress: Progress) -> None:
    """Carry out `corpus`, by the figures of the recipe that was chosen."""
    from memorytalker.corpus import commands

    commands.run_corpus(chosen, corpus_config(chosen.recipe), progress)


def _run_weights(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.training.recipe import make_weights

    make_weights(_context(chosen, progress), chosen.out)
    print(f"{chosen.out}: weights written; measure them with: python -m memorytalker evaluate {chosen.root}")


def _run_corpus(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.corpus.clips import read_clips
    from memorytalker.training.recipe import make_corpus

    context = _context(chosen, progress)
    make_corpus(context)
    print(f"{context.corpus}: {len(read_clips(context.corpus)[0])} clips.")


def _run_folds(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.training.folds import make_folds

    for folder in make_folds(_context(chosen, progress), chosen.out, chosen.weights):
        print(f"{folder}: weights written that never saw {folder.name}.")


def _run_live(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.training.live import make_live
    from memorytalker.training.live_clips import LiveContext

    context = LiveContext(chosen.root, chosen.work, chosen.weights, chosen.settings, chosen.workers, progress)
    make_live(context, chosen.out, announce)
    print(f"{chosen.out}: live weights written.")


def _context(chosen: argparse.Namespace, progress: Progress) -> WeightsContext:
    from memorytalker.training.context import WeightsContext
    from memorytalker.training.open_recipe import read_recipe

    return WeightsContext(
        chosen.root, chosen.work, read_recipe(chosen.recipe), chosen.encoder, chosen.recordings, chosen.device,
        chosen.workers, progress,
    )  # fmt: skip


def _run_stage(chosen: argparse.Namespace, progress: Progress) -> None:
    from memorytalker.datasets.inspection import summary
    from memorytalker.datasets.opening import open_dataset
    from memorytalker.training.processes import device_of
    from memorytalker.training.run import DatasetLocation, memorize_dataset, stylize_dataset
    from memorytalker.training.settings import read_settings

    settings = read_settings(chosen.what, chosen.config)
    place = DatasetLocation(chosen.out, device_of(chosen.device), chosen.cache)
    dataset = open_dataset(chosen.dataset, chosen.layout, chosen.splits, chosen.regions, chosen.root)
    for line in summary(dataset):
        print(line)
    if chosen.what == "memorize":
        memorize_dataset(dataset, settings, place, chosen.encoder, chosen.random_encoder, announce, progress)
    else:
        stylize_dataset(dataset, settings, place, chosen.stage_one, announce, progress)
    print(f"{chosen.out / 'weights'}: the weights of the epoch that validated best.")
