"""Motion to files: what `Animation.save`, the command line and the page do with a motion of any origin."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from memorytalker.exports.registry import choose_format
from memorytalker.exports.take import ExportError, ExportFormat, MemoryTrace, Provenance, Take
from memorytalker.face.head_motion import HeadMotion
from memorytalker.options import RenderOptions
from memorytalker.outputs import OutputError, check_output
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform

#: Frames per second that a file may have.
RATES = (1.0, 120.0)


def save_motion(
    motion: HeadMotion,
    path: Path,
    format: str | None = None,
    *,
    provenance: Provenance,
    waveform: Waveform | None = None,
    memory: MemoryTrace | None = None,
    fps: float | None = None,
    render: RenderOptions = RenderOptions(),
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write a motion to a file. The file appears when it is complete; a failure leaves none.

    Args:
        motion: of any head.
        path: the file; its suffix selects the format.
        format: name of a format of `registry.FORMATS`, for suffixes that several share; None: the first.
        provenance: where the motion comes from.
        waveform: the sound; None: without sound.
        memory: what the memory did, frame by frame; None: nothing is known of it.
        fps: frames per second of the file; None: those of the motion, and of a video those of `render`.
        render: how a video is rendered.
        progress: called as progress(frames done, frames in total, stage); what it raises cancels.

    Returns:
        The files written, `path` first: some formats have their sound or their mesh beside them.

    Raises:
        ExportError: an unknown format or suffix, a folder that cannot be written to, a frame rate out of range, or a
            head that the format cannot hold.
        HeadError: a video of a head without triangles.
        RenderError: frames that cannot be rendered, for example without OpenGL.
        VideoError: a video that cannot be written.
    """
    chosen = choose_format(path, format)
    check_path(path)
    rate = (render.fps if chosen.video else motion.fps) if fps is None else fps
    if not RATES[0] <= rate <= RATES[1]:
        raise ExportError(f"A file has {RATES[0]:g} to {RATES[1]:g} frames a second, not {rate:g}.")
    try:
        return chosen.write(_take(motion, chosen, rate, provenance, waveform, memory, render, progress), path)
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(f"{path} cannot be written ({reason}); choose another folder, or make room.") from None


def check_path(path: Path) -> None:
    """Raise ExportError unless `path` names a file that can be written."""
    try:
        check_output(path)
    except OutputError as error:
        raise ExportError(str(error)) from None


def _take(
    motion: HeadMotion,
    chosen: ExportFormat,
    fps: float,
    provenance: Provenance,
    waveform: Waveform | None,
    memory: MemoryTrace | None,
    render: RenderOptions,
    progress: Progress | None,
) -> Take:
    """What the format receives, at the frame rate of the file. A video needs no curves, so none are solved for it."""
    resampled = motion.resample(fps)
    solved = resampled.solve(progress) if motion.has_curves and not chosen.video else None
    return Take(
        curves=None if solved is None else solved.curves,
        frames=resampled,
        fps=fps,
        head=motion.head,
        waveform=waveform,
        provenance=provenance,
        lip_residual_mm=None if solved is None or motion.driving is not None else solved.residual_mm,
        render=dataclasses.replace(render, fps=round(fps)),
        progress=progress,
        memory=memory if fps == motion.fps else None,
        turns=resampled.turns,
    )
