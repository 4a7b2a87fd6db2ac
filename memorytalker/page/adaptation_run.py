"""Learning a style from what a visitor uploaded: a video of the face, or face curves with their sound."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import PageError
from memorytalker.page.worker import in_worker
from memorytalker.progress import Progress
from memorytalker.styles.recordings import AdaptError, find_recordings
from memorytalker.styles.style import Style

#: Files from which one style is learned: videos, or curves and their sounds.
MOST_FILES = 40
NO_RECORDING = (
    "There is no recording among these files; give videos of the face, or face curves (.csv, .json, .npz), each with a "
    "sound of the same name."
)


@in_worker
def learned_style(runner: JobRunner, paths: Sequence[str | None], name: str, folder: Path, progress: Progress) -> Style:
    """Learn a style from uploads, which lie apart and are brought together under their names.

    Args:
        runner: does the work.
        paths: of the files on this server.
        name: of the style.
        folder: of the job; it is removed with it.
        progress: as of a job's work.

    Returns:
        The style.

    Raises:
        PageError: no files, too many, or files that are gone.
        StyleError, VideoError, TrackerError, CaptureError, AudioError, CurveFileError: no style can be learned.
    """
    if not paths or len(paths) > MOST_FILES:
        raise PageError(
            f"Give a video of the face, or face curves and their sounds; at most {MOST_FILES} files together."
        )
    for path in paths:
        if path is None or not Path(path).exists():
            raise PageError("A recording is no longer on this server; please give it again.")
        place = folder / (Path(path).name.lstrip(".") or "recording")  # hidden files are passed over in a folder
        if place.exists():
            raise PageError("Two of these files have the same name; give each recording its own.")
        shutil.copyfile(path, place)
    try:
        find_recordings(folder)
    except AdaptError:  # it names the folder
        raise PageError(NO_RECORDING) from None
    return runner.adapt(folder, name=name, progress=progress)
