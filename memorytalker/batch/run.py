"""A whole batch: what is done already, what is to do, and the manifest that says so."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memorytalker.batch.clip_run import (
    BatchSettings,
    ClipReport,
    check_settings,
    fingerprint_of,
    outputs_of,
    run_clip,
)
from memorytalker.batch.clips import BatchClip, BatchError
from memorytalker.batch.workers import in_processes, on_ray
from memorytalker.files import PART, append_lines, read_lines
from memorytalker.progress import Progress

MANIFEST = "manifest.jsonl"
#: Worker processes at the most.
MOST_JOBS = 256


def run_batch(
    clips: Sequence[BatchClip],
    settings: BatchSettings,
    jobs: int = 1,
    retry: bool = False,
    ray_address: str | None = None,
    progress: Progress | None = None,
) -> list[ClipReport]:
    """Animate every clip that is not done yet, and write a manifest line for each.

    Args:
        clips: what `find_clips` found.
        settings: what is done with each.
        jobs: worker processes; with Ray, workers on the cluster.
        retry: do clips again that ended in an error last time.
        ray_address: "local" starts Ray on this machine, "auto" or an address joins a cluster; None: no Ray.
        progress: called as progress(clips done, clips in total, "batch").

    Returns:
        One report per clip, in the order of `clips`.

    Raises:
        BatchError: a number of jobs out of range, an output folder that cannot be written to, or outputs that would
            overwrite each other or a sound.
        InputError: a style, a head or a correction that no clip could use.
        ModuleNotFoundError: Ray is asked for and not installed.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise BatchError(f"A batch runs with 1 to {MOST_JOBS} jobs, not {jobs}.")
    _check_places(clips, settings)
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        known = {report.name: report for report in read_manifest_lines(settings.out)}
        (settings.out / MANIFEST).touch()
    except OSError as error:
        raise BatchError(f"{settings.out} cannot be written to ({error.strerror}); choose another folder.") from None
    reports = {clip.name: known[clip.name] for clip in clips if _is_done(clip, settings, known, retry)}
    waiting = [clip for clip in clips if clip.name not in reports]
    if waiting:
        check_settings(settings)
        _remove_leftovers(waiting, settings)
    if progress is not None:
        progress(len(reports), len(clips), "batch")
    results = _results(waiting, settings, min(jobs, max(1, len(waiting))), ray_address)
    try:
        for entry in append_lines(settings.out / MANIFEST, map(dataclasses.asdict, results)):
            reports[entry["name"]] = _report(entry)
            if progress is not None:
                progress(len(reports), len(clips), "batch")
    except KeyboardInterrupt:
        _remove_leftovers(waiting, settings)
        raise
    except OSError as error:
        raise BatchError(
            f"{settings.out / MANIFEST} cannot be written ({error.strerror or error}); make room, and run the same "
            "command again."
        ) from None
    return [reports[clip.name] for clip in clips]


def _check_places(clips: Sequence[BatchClip], settings: BatchSettings) -> None:
    """Raise BatchError if files of two clips would be the same, or one would be an input of the batch."""
    placed = dataclasses.replace(settings, out=settings.out.resolve())
    shared = [str(path) for path in (settings.head, settings.mapping, settings.style) if path is not None]
    inputs = {os.path.realpath(path) for path in (*(str(clip.sound) for clip in clips), *shared) if "\0" not in path}
    written: dict[str, str] = {}
    for clip in clips:
        for each, main in outputs_of(clip, placed).items():
            for place in map(str, each.places(main)):
                if place in inputs:
                    raise BatchError(f"The input {place} would be overwritten; choose another output folder.")
                if written.setdefault(place, clip.name) != clip.name:
                    raise BatchError(
                        f"The files of {written[place]} and {clip.name} would have the same names; rename one sound."
                    )


def _remove_leftovers(clips: Sequence[BatchClip], settings: BatchSettings) -> None:
    """Remove the unfinished files of these clips that a killed process left."""
    names: dict[Path, set[str]] = {}
    for clip in clips:
        for each, main in outputs_of(clip, settings).items():
            for place in each.places(main):
                names.setdefault(place.parent, set()).add(place.name)
    for folder, wanted in names.items():
        for part in folder.glob(f"{PART}*"):
            if part.name.removeprefix(PART).partition("-")[2].partition("-")[2] in wanted:
                part.unlink(missing_ok=True)


def read_manifest_lines(out: Path) -> list[ClipReport]:
    """Read the manifest of an output folder; of several lines for one clip the last counts.

    Args:
        out: the folder.

    Returns:
        The reports; none without a manifest.

    Raises:
        BatchError: a manifest that is none of ours.
    """
    path = out / MANIFEST
    if not path.is_file():
        return []
    try:
        entries = read_lines(path, {"name": str, "sound": str, "fingerprint": str}, growing=True)
        return list({report.name: report for report in map(_report, entries)}.values())
    except (OSError, TypeError, ValueError, KeyError, AttributeError):
        raise BatchError(f"{out / MANIFEST} is no manifest of a batch; choose another output folder.") from None


def _is_done(clip: BatchClip, settings: BatchSettings, known: dict[str, ClipReport], retry: bool) -> bool:
    report = known.get(clip.name)
    if report is None or report.fingerprint != fingerprint_of(clip, settings):
        return False
    return not retry if report.error is not None else all((settings.out / name).exists() for name in report.files)


def _report(entry: dict[str, Any]) -> ClipReport:
    entry = {**entry, "files": tuple(entry["files"]), "remarks": tuple(entry["remarks"])}
    return ClipReport(**entry)


def _results(
    clips: Sequence[BatchClip], settings: BatchSettings, jobs: int, ray_address: str | None
) -> Iterator[ClipReport]:
    """The reports of all clips, each as soon as it is there."""
    if ray_address is not None:
        return on_ray(run_clip, clips, settings, jobs, ray_address)
    return in_processes(run_clip, clips, settings, jobs) if jobs > 1 else (run_clip(clip, settings) for clip in clips)


def summary(reports: Sequence[ClipReport]) -> str:
    """Say in one line how a batch ended."""
    failed = [report for report in reports if report.error is not None]
    seconds = sum(report.seconds or 0.0 for report in reports)
    text = f"{len(reports) - len(failed)} of {len(reports)} clips, {seconds / 60:.1f} min of sound"
    return text if not failed else f"{text}; {len(failed)} could not be used, see {MANIFEST}"
