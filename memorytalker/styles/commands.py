"""The command line of styles: what `--style` and `--describe` mean, and the command `adapt`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memorytalker.progress import Progress
from memorytalker.styles.delivery import StyleError

#: What `--style` takes beside the clip's own voice and the neutral style.
NAMED = "the name of a preset (such as lively; docs/styles.md has all), a style's file (.json), or a sound file"


def add_describe(parser: argparse.ArgumentParser) -> None:
    """Add the flag `--describe`."""
    parser.add_argument(
        "--describe",
        metavar="WORDS",
        help="speaking style in English words, in the place of --style, such as 'very lively, from 4 s: a bit sad'",
    )


def named(text: str) -> Any:
    """Return the style or the sound that `--style` names; see `choosing.named_style`."""
    from memorytalker.styles.choosing import named_style

    return named_style(text)


def with_description(words: str | None, style: Any, is_default: bool) -> tuple[Any, tuple[str, ...]]:
    """Return the style of a description, if there is one, and what was understood, in sentences.

    Raises:
        StyleError: both a description and a style, or words of which nothing was understood.
    """
    from memorytalker.styles.choosing import described_style, understood_words

    described = described_style(words)
    if described is None:
        return style, ()
    if not is_default:
        raise StyleError("Give either --style or --describe; save a described style to mix it with another.")
    return described, understood_words(described)


def add_adapt(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `adapt`."""
    parser.add_argument(
        "folder",
        type=Path,
        help="recordings of one person: videos of the face, or face curves and sound of the same name; or one video",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the style's file (.json)")
    parser.add_argument("--name", default="", help="a few words for people (default: the name of the folder)")
    parser.add_argument("--weights", metavar="PATH", help="a weights folder (default: the shipped ones)")


def run_adapt(chosen: argparse.Namespace, load: Callable[[str | None], Any], progress: Progress) -> None:
    """Learn a style from recordings and write it; a style that is not better is refused.

    `load` is `Talker.from_pretrained`, as this room lies below the pipeline.
    """
    from memorytalker.styles.recordings import find_recordings

    if chosen.out.suffix.lower() != ".json" or not chosen.out.parent.is_dir():
        raise StyleError(f"{chosen.out} is no file for a style; name a .json file in a folder that exists.")
    takes = (chosen.folder,) if chosen.folder.is_file() else find_recordings(chosen.folder)
    style = load(chosen.weights).adapt(takes, name=chosen.name or chosen.folder.resolve().stem, progress=progress)
    style.save(chosen.out)
    for remark in style.remarks:
        print(remark)
    if style.report is not None:
        print(f"{chosen.out}: {style.report.words}")
