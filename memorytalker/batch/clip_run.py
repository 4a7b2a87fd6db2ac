"""One clip of a batch: the same function here, in worker processes and on the machines of a Ray cluster."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memorytalker.batch.clips import BatchClip, BatchError
from memorytalker.errors import MemoryTalkerError
from memorytalker.exports.registry import FORMATS
from memorytalker.exports.take import ExportFormat
from memorytalker.exports.video import check_background
from memorytalker.faults import machine_fault
from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions
from memorytalker.styles.commands import OWN, named, with_description


@dataclass(frozen=True)
class BatchSettings:
    """What is done with every clip.

    Args:
        out: the output folder; on several machines all must see it.
        formats: names of export formats.
        style: "own", "neutral", the name of a preset, a style's file, or a sound whose speaking style all clips take.
        description: a style in words, in the place of `style` "own"; None: none.
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
    description: str | None = None
    weights: str | None = None
    device: str | None = None
    head: Path | None = None
    mapping: Path | None = None
    fps: float | None = None
    options: AnimateOptions = field(default_factory=AnimateOptions)
    curves: CurveOptions = field(default_factory=CurveOptions)
    render: RenderOptions = field(default_factory=RenderOptions)

    def __post_init__(self) -> None:
        """Raise BatchError for formats that are not there, and ExportError for a transparent MP4."""
        known = [each.name for each in FORMATS]
        unknown = [name for name in self.formats if name not in known]
        if unknown or not self.formats:
            what = f"no format {', '.join(map(repr, unknown))}" if unknown else "no format"
            raise BatchError(f"A batch names {what}; choose of {', '.join(known)}.")
        for each in FORMATS:
            check_background(each, self.render.transparent and each.name in self.formats)

    @property
    def digest(self) -> str:
        """Changes with everything that changes an output, except the place where it is written."""
        inputs = [path for path in (self.head, self.mapping, Path(self.style)) if path is not None]
        described = repr((dataclasses.replace(self, out=Path(), device=None), *map(_version, inputs)))
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


def run_clip(clip: BatchClip, settings: BatchSettings) -> ClipReport:
    """Animate one clip and write its files; whatever goes wrong becomes the sentence of the report.

    Args:
        clip: the sound and the name of its outputs.
        settings: what is done with it.

    Returns:
        The report. Weights and head are loaded once per process.
    """
    began, fingerprint = time.perf_counter(), fingerprint_of(clip, settings)

    def report(**found: Any) -> ClipReport:
        took = round(time.perf_counter() - began, 3)
        return ClipReport(clip.name, str(clip.sound), fingerprint, took_seconds=took, **found)

    try:
        return report(**_animate(clip, settings))
    except MemoryTalkerError as error:
        return report(error=str(error))
    except Exception as error:  # one clip must not end the batch
        if (fault := machine_fault(error)) is not None:
            return report(error=fault)
        words = " ".join(str(error).split())
        return report(error=f"Something broke inside ({type(error).__name__}: {words}); please report it.")


def _animate(clip: BatchClip, settings: BatchSettings) -> dict[str, Any]:
    from memorytalker.remarks import remarks_on
    from memorytalker.sound.decode import load_waveform

    talker, style = _loaded(
        settings.weights, settings.device, settings.head, settings.mapping, settings.style, settings.description
    )
    waveform = load_waveform(clip.sound)
    animation = talker.animate(waveform, style, options=settings.options).adjusted(settings.curves)
    files: list[str] = []
    for each, path in outputs_of(clip, settings).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        written = animation.save(path, each.name, fps=settings.fps, render=settings.render)
        files += [str(one.relative_to(settings.out)) for one in written]
    curves = animation.motion.has_curves
    return {
        "files": tuple(files),
        "remarks": remarks_on(animation, style),
        "seconds": round(waveform.seconds, 3),
        "frames": len(animation),
        "lip_residual_mm": round(animation.lip_residual_mm, 4) if curves else None,
    }


def outputs_of(clip: BatchClip, settings: BatchSettings) -> dict[ExportFormat, Path]:
    """Format -> main file of a clip. Of formats that share a suffix all but the first put their name in it."""
    paths: dict[ExportFormat, Path] = {}
    for each in FORMATS:
        if each.name in settings.formats:
            path = settings.out / f"{clip.name}{each.suffix}"
            paths[each] = path if path not in paths.values() else settings.out / f"{clip.name}_{each.name}{each.suffix}"
    return paths


@functools.lru_cache(maxsize=1)
def _loaded(
    weights: str | None,
    device: str | None,
    head: Path | None,
    mapping: Path | None,
    style: str,
    description: str | None,
) -> tuple[Any, Any]:
    """The talker of this process, and the style argument of its `animate`."""
    from memorytalker.face.own_head import load_own_head
    from memorytalker.pipeline import Talker

    talker = Talker.from_pretrained(weights, device)
    if head is not None:
        own = load_own_head(head, talker.head.vertex_count, mapping)
        talker = Talker(talker.model, own, talker.device, talker.model_digest)
    return talker, with_description(description, named(style), style == OWN)[0]


def fingerprint_of(clip: BatchClip, settings: BatchSettings) -> str:
    """Changes with the sound file and the settings; "missing" stands for a file that is not there."""
    return f"{settings.digest}-{_version(clip.sound)}"


def _version(path: Path) -> str:
    try:
        about = path.stat()
        return f"{about.st_size}-{about.st_mtime_ns}"
    except (OSError, ValueError):  # a name that no file can have
        return "missing"


def check_settings(settings: BatchSettings) -> None:
    """Read what all clips share, so that a batch of which every clip would fail is not begun.

    Args:
        settings: whose style, head, identity and corrections are checked.

    Raises:
        AudioError, HeadError, MotionError, StyleError: as `Talker.animate` and `Animation.adjusted` would say it of
            each clip.
    """
    from memorytalker.face.adjust import check_curve_names
    from memorytalker.face.head import ARKIT_NAMES, load_head
    from memorytalker.face.own_head import RIGGED, load_own_head

    with_description(settings.description, named(settings.style), settings.style == OWN)
    rigged = settings.head is not None and settings.head.suffix.lower() in RIGGED
    if settings.weights is not None and not rigged:
        return  # they may move another mesh, which is known when they are loaded
    head = load_head()
    if settings.head is not None:
        head = load_own_head(settings.head, head.vertex_count, settings.mapping)
    if settings.options.identity is not None:
        head.with_identity(settings.options.identity)
    check_curve_names(settings.curves, (*ARKIT_NAMES, *head.blendshape_names))
