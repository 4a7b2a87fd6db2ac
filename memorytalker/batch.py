"""Many sounds at once: a folder or a list in, a folder of animations out, resumable, one manifest line per clip.

`run_clip` does one clip and is the same function whether it is called here, in worker processes or on the machines of
a Ray cluster. A clip that cannot be used costs one line of the manifest; what is finished is never done again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memorytalker.errors import InputError, MemoryTalkerError
from memorytalker.exports.registry import FORMATS
from memorytalker.files import append_lines, read_lines
from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions
from memorytalker.progress import Progress

MANIFEST = "manifest.jsonl"
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
#: Clips of one batch, and worker processes, at the most.
MOST_CLIPS, MOST_JOBS = 1_000_000, 256
OWN, NEUTRAL = "own", "neutral"


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


@dataclass(frozen=True)
class BatchSettings:
    """What is done with every clip.

    Args:
        out: the output folder; on several machines all must see it.
        formats: names of export formats.
        style: "own", "neutral", or a sound file whose speaking style all clips take.
        weights: as `Talker.from_pretrained` takes them; None: the shipped ones.
        device: None: the best there is.
        head: a head of one's own; None: the shipped one.
        mapping: names of its morph targets, a JSON file; None: its own names are known.
        fps: frames per second of the files; None: those of the model.
        options: of the motion.
        curves: corrections of the curves.
        render: of videos.
    """

    out: Path
    formats: tuple[str, ...]
    style: str = OWN
    weights: str | None = None
    device: str | None = None
    head: Path | None = None
    mapping: Path | None = None
    fps: float | None = None
    options: AnimateOptions = field(default_factory=AnimateOptions)
    curves: CurveOptions = field(default_factory=CurveOptions)
    render: RenderOptions = field(default_factory=RenderOptions)

    def __post_init__(self) -> None:
        """Raise BatchError for formats that are not there."""
        known = [each.name for each in FORMATS]
        unknown = [name for name in self.formats if name not in known]
        if unknown or not self.formats:
            what = f"no format {', '.join(map(repr, unknown))}" if unknown else "no format"
            raise BatchError(f"A batch names {what}; choose of {', '.join(known)}.")

    @property
    def digest(self) -> str:
        """Changes with everything that changes an output, except the place where it is written."""
        described = repr(dataclasses.replace(self, out=Path(), device=None))
        return hashlib.sha256(described.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ClipReport:
    """One line of the manifest.

    Args:
        name: of the clip.
        sound: path of its sound.
        fingerprint: of the sound file and the settings; a clip whose fingerprint is unchanged is not done again.
        files: written, below the output folder; none if there was an error.
        error: one sentence; None if all went well.
        remarks: what the user should know about the sound.
        seconds: of sound.
        frames: of motion.
        lip_residual_mm: what the curves lose of the motion at the lips; None for formats without curves.
        took_seconds: of wall clock.
    """

    name: str
    sound: str
    fingerprint: str
    files: tuple[str, ...] = ()
    error: str | None = None
    remarks: tuple[str, ...] = ()
    seconds: float | None = None
    frames: int | None = None
    lip_residual_mm: float | None = None
    took_seconds: float = 0.0


def find_clips(source: Path) -> tuple[BatchClip, ...]:
    """Find the sounds of a batch.

    Args:
        source: a folder, whose sounds are taken at any depth, or a text file with one path per line (relative to the
            text file; empty lines and lines that begin with # are left out).

    Returns:
        The clips in the order of their names. Outputs keep the folders of their sounds.

    Raises:
        BatchError: no such source, no sounds in it, or too many.
    """
    if source.is_dir():
        sounds = sorted(p for p in source.rglob("*") if p.suffix.lower() in SOUNDS and p.is_file())
        named = {sound: sound.relative_to(source) for sound in sounds}
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


def _listed(path: Path) -> dict[Path, Path]:
    """Sound -> name below the output folder, of the lines of a list."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BatchError(f"{path} is not a readable list; write one path per line, in UTF-8.") from None
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    named: dict[Path, Path] = {}
    for line in wanted:
        sound = path.parent / line
        inside = Path(os.path.normpath(line))
        named[sound] = Path(sound.name) if inside.is_absolute() or ".." in inside.parts else inside
    return named


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
        BatchError: a number of jobs out of range, or an output folder that cannot be written to.
        ModuleNotFoundError: Ray is asked for and not installed.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise BatchError(f"A batch runs with 1 to {MOST_JOBS} jobs, not {jobs}.")
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        known = {report.name: report for report in read_manifest_lines(settings.out)}
        (settings.out / MANIFEST).touch()
    except OSError as error:
        raise BatchError(f"{settings.out} cannot be written to ({error.strerror}); choose another folder.") from None
    reports = {clip.name: known[clip.name] for clip in clips if _is_done(clip, settings, known, retry)}
    waiting = [clip for clip in clips if clip.name not in reports]
    if progress is not None:
        progress(len(reports), len(clips), "batch")
    results = _results(waiting, settings, min(jobs, max(1, len(waiting))), ray_address)
    for entry in append_lines(settings.out / MANIFEST, map(dataclasses.asdict, results)):
        reports[entry["name"]] = _report(entry)
        if progress is not None:
            progress(len(reports), len(clips), "batch")
    return [reports[clip.name] for clip in clips]


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


def run_clip(clip: BatchClip, settings: BatchSettings) -> ClipReport:
    """Animate one clip and write its files; whatever goes wrong becomes the sentence of the report.

    Args:
        clip: the sound and the name of its outputs.
        settings: what is done with it.

    Returns:
        The report. Weights and head are loaded once per process.
    """
    began, fingerprint = time.perf_counter(), _fingerprint(clip, settings)

    def report(**found: Any) -> ClipReport:
        took = round(time.perf_counter() - began, 3)
        return ClipReport(clip.name, str(clip.sound), fingerprint, took_seconds=took, **found)

    try:
        return report(**_animate(clip, settings))
    except MemoryTalkerError as error:
        return report(error=str(error))
    except Exception as error:  # one clip must not end the batch
        words = " ".join(str(error).split())
        return report(error=f"Something broke inside ({type(error).__name__}: {words}); please report it.")


def _animate(clip: BatchClip, settings: BatchSettings) -> dict[str, Any]:
    from memorytalker.remarks import remarks_on
    from memorytalker.sound.decode import load_waveform

    talker, style = _loaded(settings.weights, settings.device, settings.head, settings.mapping, settings.style)
    waveform = load_waveform(clip.sound)
    animation = talker.animate(waveform, style, options=settings.options).adjusted(settings.curves)
    files: list[str] = []
    for name, path in _outputs(clip, settings).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        written = animation.save(path, name, fps=settings.fps, render=settings.render)
        files += [str(one.relative_to(settings.out)) for one in written]
    curves = animation.motion.has_curves
    return {
        "files": tuple(files),
        "remarks": remarks_on(animation, style),
        "seconds": round(waveform.seconds, 3),
        "frames": len(animation),
        "lip_residual_mm": round(animation.lip_residual_mm, 4) if curves else None,
    }


def _outputs(clip: BatchClip, settings: BatchSettings) -> dict[str, Path]:
    """Format -> main file of a clip. Of formats that share a suffix all but the first put their name in it."""
    paths: dict[str, Path] = {}
    for each in FORMATS:
        if each.name in settings.formats:
            path = settings.out / f"{clip.name}{each.suffix}"
            paths[each.name] = (
                path if path not in paths.values() else settings.out / f"{clip.name}_{each.name}{each.suffix}"
            )
    return paths


@functools.lru_cache(maxsize=1)
def _loaded(
    weights: str | None, device: str | None, head: Path | None, mapping: Path | None, style: str
) -> tuple[Any, Any]:
    """The talker of this process, and the style argument of its `animate`."""
    from memorytalker.face.own_head import load_own_head
    from memorytalker.pipeline import OWN_VOICE, Talker
    from memorytalker.sound.decode import load_waveform

    talker = Talker.from_pretrained(weights, device)
    if head is not None:
        own = load_own_head(head, talker.head.vertex_count, mapping)
        talker = Talker(talker.model, own, talker.device, talker.model_digest)
    return talker, OWN_VOICE if style == OWN else None if style == NEUTRAL else load_waveform(Path(style))


def _is_done(clip: BatchClip, settings: BatchSettings, known: dict[str, ClipReport], retry: bool) -> bool:
    report = known.get(clip.name)
    if report is None or report.fingerprint != _fingerprint(clip, settings):
        return False
    return not retry if report.error is not None else all((settings.out / name).exists() for name in report.files)


def _fingerprint(clip: BatchClip, settings: BatchSettings) -> str:
    """Changes with the sound file and the settings; "missing" stands for a file that is not there."""
    try:
        about = clip.sound.stat()
        return f"{settings.digest}-{about.st_size}-{about.st_mtime_ns}"
    except OSError:
        return f"{settings.digest}-missing"


def _report(entry: dict[str, Any]) -> ClipReport:
    entry = {**entry, "files": tuple(entry["files"]), "remarks": tuple(entry["remarks"])}
    return ClipReport(**entry)


# workers


def _results(
    clips: Sequence[BatchClip], settings: BatchSettings, jobs: int, ray_address: str | None
) -> Iterator[ClipReport]:
    """The reports of all clips, each as soon as it is there."""
    if ray_address is not None:
        return _on_ray(clips, settings, jobs, ray_address)
    return _in_processes(clips, settings, jobs) if jobs > 1 else (run_clip(clip, settings) for clip in clips)


def _in_processes(clips: Iterable[BatchClip], settings: BatchSettings, jobs: int) -> Iterator[ClipReport]:
    """Spread clips over worker processes. A clip whose process dies is tried once more by itself, then reported."""
    left, suspects = iter(clips), []
    while True:
        running: dict[Future, BatchClip] = {}
        try:
            with _pool(jobs) as pool:
                for clip in left:
                    running[pool.submit(run_clip, clip, settings)] = clip
                    while len(running) >= 2 * jobs:
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
                break
        except BrokenProcessPool:
            suspects += list(running.values())
    for clip in suspects:
        try:
            with _pool(1) as pool:
                report = pool.submit(run_clip, clip, settings).result()
        except BrokenProcessPool:
            fault = "Its worker process died, perhaps for lack of memory; try this clip alone."
            report = ClipReport(clip.name, str(clip.sound), _fingerprint(clip, settings), error=fault)
        yield report


def _finished(running: dict[Future, BatchClip]) -> Iterator[ClipReport]:
    """Wait for one clip at least; the reports of those that are done, which leave `running` only then."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        report = future.result()
        del running[future]
        yield report


def _pool(jobs: int) -> ProcessPoolExecutor:
    threads = max(1, _cores() // jobs)
    # Not forked: libraries with threads of their own do not survive a fork.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _set_threads, (threads,))


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _on_ray(clips: Sequence[BatchClip], settings: BatchSettings, jobs: int, address: str) -> Iterator[ClipReport]:
    """Map `run_clip` over Ray's workers; Ray starts a task again whose machine is lost."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing reports home
    import ray

    threads = max(1, _cores() // jobs) if address == "local" else 1
    where = {"num_cpus": jobs * threads, "include_dashboard": False} if address == "local" else {"address": address}
    ray.init(logging_level="error", log_to_driver=False, **where)
    try:
        task = ray.remote(num_cpus=threads, max_retries=3)(run_clip)
        left, running = iter(clips), {}
        for clip in left:
            running[task.remote(clip, settings)] = clip
            if len(running) >= 2 * jobs:
                yield from _of_ray(ray, running, settings)
        while running:
            yield from _of_ray(ray, running, settings)
    finally:
        ray.shutdown()


def _of_ray(ray: Any, running: dict[Any, BatchClip], settings: BatchSettings) -> Iterator[ClipReport]:
    done, _ = ray.wait(list(running))
    for reference in done:
        clip = running.pop(reference)
        try:
            yield ray.get(reference)
        except ray.exceptions.RayError as error:
            fault = f"Its worker was lost ({type(error).__name__}); run the batch again with --retry."
            yield ClipReport(clip.name, str(clip.sound), _fingerprint(clip, settings), error=fault)


def summary(reports: Sequence[ClipReport]) -> str:
    """Say in one line how a batch ended."""
    failed = [report for report in reports if report.error is not None]
    seconds = sum(report.seconds or 0.0 for report in reports)
    text = f"{len(reports) - len(failed)} of {len(reports)} clips, {seconds / 60:.1f} min of sound"
    return text if not failed else f"{text}; {len(failed)} could not be used, see {MANIFEST}"


def manifest_line(report: ClipReport) -> str:
    """Return a report as the line of JSON that stands in the manifest."""
    return json.dumps(dataclasses.asdict(report))
