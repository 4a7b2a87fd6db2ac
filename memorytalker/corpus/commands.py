"""The command `corpus`: training clips from a source folder and from a user's own recordings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from memorytalker.corpus.corpus_config import CorpusConfig
from memorytalker.progress import Progress


def add_corpus(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `corpus`."""
    parser.add_argument("root", type=Path, help="a folder with speech/manifest.jsonl, and capture/ and noise/ if any")
    parser.add_argument("folder", type=Path, help="where the corpus goes")
    parser.add_argument(
        "--recordings", type=Path, metavar="DIR",
        help="your own takes to train on as well: DIR/SPEAKER/take.csv (.json, .npz) with take.wav (.mov) beside it",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="list the recordings and write nothing")
    parser.add_argument("--workers", type=int, default=2, help="clips processed in parallel (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="seed of all random draws (default: the recipe's)")
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE",
        help="JSON file whose keys override the shipped recipe; its key 'corpus' has the settings and captured sources",
    )  # fmt: skip


def run_corpus(chosen: argparse.Namespace, config: CorpusConfig, progress: Progress) -> None:
    """Make the corpus and print its number of clips by kind, after a list of the user's takes.

    Args:
        chosen: the parsed flags.
        config: settings of the corpus; `--seed` replaces its seed.
        progress: called as the steps proceed.
    """
    from memorytalker.corpus.build import BuildContext, build_corpus
    from memorytalker.corpus.clips import CorpusError
    from memorytalker.face.head import load_head

    if chosen.check and chosen.recordings is None:
        raise CorpusError("There is nothing to check; name the folder of your takes with --recordings.")
    if chosen.recordings is not None:
        print_takes(chosen.recordings)
    if chosen.check:
        return
    config = config if chosen.seed is None else replace(config, seed=chosen.seed)
    context = BuildContext(
        chosen.root, chosen.folder, config, chosen.recordings, workers=chosen.workers, progress=progress
    )
    counts = build_corpus(context, load_head())
    for kind, count in counts.items():
        print(f"{count:7d} {kind}")


def print_takes(folder: Path) -> None:
    """One line a take: length, named curves, how the jaw follows the voice, split; then what is odd about it.

    Raises CaptureError for a take that cannot be used.
    """
    from memorytalker.corpus.takes import ENOUGH_TO_TEST, LONG_ENOUGH, find_takes, read_take

    takes, alone = find_takes(folder)
    width = max(len(take.name) for take in takes)
    print(f"{'take':{width}}  seconds  curves  jaw after voice  correlation  split")
    for files in takes:
        take = read_take(files)
        lag, fit = take.follow
        follows = f"{1000 * lag:+12.0f} ms  {fit:11.2f}" if take.seconds >= LONG_ENOUGH else f"{'-':>15}  {'-':>11}"
        print(f"{files.name:{width}}  {take.seconds:7.1f}  {len(take.curves.names):6d}  {follows}  {files.split}")
        for remark in take.remarks:
            print(f"  {remark}")
    for sentence in alone:
        print(f"Left out: {sentence}")
    for speaker in dict.fromkeys(take.speaker for take in takes):
        own = [take for take in takes if take.speaker == speaker]
        if own[-1].split == "test":
            print(f"{speaker}: {len(own)} takes; {own[-1].name} is kept for the test and never trained on.")
        else:
            print(f"{speaker}: {len(own)} of the {ENOUGH_TO_TEST} takes from which on the last is kept for the test.")
