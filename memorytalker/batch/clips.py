"""The sounds of a batch: a folder, or a list of files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from memorytalker.errors import InputError
from memorytalker.files import read_bounded

#: Suffixes of files in a folder that are taken for sounds; a list may name any file.
SOUNDS = (
    ".wav",
    ".flac",
    ".mp3",
    ".m4a",
    ".aac",
    ".ogg",
    ".oga",
    ".opus",
    ".webm",
    ".mp4",
    ".mov",
    ".mkv",
    ".aif",
    ".aiff",
)
#: Clips of one batch, and bytes of a list of them, at the most.
MOST_CLIPS, LARGEST_LIST = 1_000_000, 200_000_000


class BatchError(InputError):
    """A batch that cannot be begun; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class BatchClip:
    """One sound of a batch.

    Args:
        name: of its outputs, without suffix, below the output folder; different for every clip.
        sound: the file.
    """

    name: str
    sound: Path


def find_clips(source: Path, out: Path | None = None) -> tuple[BatchClip, ...]:
    """Find the sounds of a batch.

    Args:
        source: a folder, whose sounds are taken at any depth, or a text file with one path per line (relative to the
            text file; empty lines and lines that begin with # are left out). Hidden files and folders, whose names
            begin with a dot, are left out of a folder.
        out: the output folder; what lies there, in a folder within `source`, is no sound of the batch.

    Returns:
        The clips in the order of their names. Outputs keep the folders of their sounds.

    Raises:
        BatchError: no such source, no sounds in it, too many, or an output folder that is the source itself.
    """
    if source.is_dir():
        named = {sound: sound.relative_to(source) for sound in _sounds_below(source, out)}
    elif source.is_file():
        named = _listed(source)
    else:
        raise BatchError(f"There is no folder or list {source}; check the path.")
    if not named:
        raise BatchError(f"{source} holds no sounds; a batch takes {', '.join(SOUNDS)}, or a list of any files.")
    if len(named) > MOST_CLIPS:
        raise BatchError(f"{source} holds {len(named)} sounds; divide it into batches of {MOST_CLIPS}.")
    stems: dict[str, int] = {}
    for place in named.values():
        stems[str(place.with_suffix(""))] = stems.get(str(place.with_suffix("")), 0) + 1
    clips = []
    for sound, place in named.items():
        stem = str(place.with_suffix(""))
        clips.append(BatchClip(stem if stems[stem] == 1 else f"{stem}_{place.suffix[1:].lower()}", sound))
    if len({clip.name for clip in clips}) < len(clips):
        raise BatchError(f"Two sounds of {source} would be written to the same files; rename one of them.")
    return tuple(clips)


def _sounds_below(source: Path, out: Path | None) -> list[Path]:
    results = None if out is None else out.resolve()
    if results == source.resolve():
        raise BatchError(
            f"Outputs among the sounds of {source} would be taken for sounds; choose another folder for them."
        )
    return sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() in SOUNDS
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
        and (results is None or results not in path.resolve().parents)
        and path.is_file()
    )


def _listed(path: Path) -> dict[Path, Path]:
    """Sound -> name below the output folder, of the lines of a list."""
    try:
        lines = read_bounded(path, LARGEST_LIST).decode("utf-8-sig").splitlines()
    except (OSError, ValueError):
        raise BatchError(f"{path} is not a readable list; write one path per line, in UTF-8.") from None
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    named: dict[Path, Path] = {}
    for line in wanted:
        sound = path.parent / line
        inside = Path(os.path.normpath(line))
        named[sound] = Path(sound.name) if inside.is_absolute() or ".." in inside.parts else inside
    return named
