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
from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions

#: Speaking styles beside a sound: that of each clip itself, and the neutral one.
OWN, NEUTRAL = "own", "neutral"


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


def fingerprint_of(clip: BatchClip, settings: BatchSettings) -> str:
    """Changes with the sound file and the settings; "missing" stands for a file that is not there."""
    try:
        about = clip.sound.stat()
        return f"{settings.digest}-{about.st_size}-{about.st_mtime_ns}"
    except OSError:
        return f"{settings.digest}-missing"
