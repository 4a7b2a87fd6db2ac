"""Video: MP4, and WebM with a transparent background."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from memorytalker.exports.take import ExportError, ExportFormat, Take
from memorytalker.options import RenderOptions


def write_mp4(take: Take, path: Path) -> tuple[Path, ...]:
    """Render a take to an MP4 video, with its sound.

    Args:
        take: the motion; `take.render` gives size, camera and background, `take.fps` the frame rate.
        path: of the file, which ends in .mp4.

    Returns:
        The path.

    Raises:
        ExportError: a transparent background, which MP4 cannot hold.
        HeadError, RenderError, VideoError: as `rendering.render_frames` and `rendering.write_video`.
    """
    check_background(MP4, take.render.transparent)
    return _write(take, path, take.render)


def check_background(chosen: ExportFormat, transparent: bool) -> None:
    """Raise ExportError for a transparent background in a format that cannot hold it."""
    if transparent and chosen is MP4:
        raise ExportError("An MP4 video cannot be transparent; save it as .webm, or leave transparency out.")


def write_webm(take: Take, path: Path) -> tuple[Path, ...]:
    """Render a take to a WebM video with a transparent background, with its sound.

    Args:
        take: the motion; `take.render` gives size and camera, `take.fps` the frame rate.
        path: of the file, which ends in .webm.

    Returns:
        The path.

    Raises:
        HeadError, RenderError, VideoError: as `rendering.render_frames` and `rendering.write_video`.
    """
    return _write(take, path, dataclasses.replace(take.render, transparent=True))


def _write(take: Take, path: Path, options: RenderOptions) -> tuple[Path, ...]:
    from memorytalker.rendering import render_frames, write_video

    frames = render_frames(take.head, take.frames, options, progress=take.progress)
    return (write_video(path, frames, take.fps, take.waveform, len(take.frames), take.progress),)


MP4 = ExportFormat("mp4", ".mp4", "MP4 video", "A video with sound that plays everywhere.", write_mp4, video=True)
WEBM = ExportFormat(
    "webm",
    ".webm",
    "WebM video, transparent",
    "A video with sound and no background, for web pages, OBS and video editors.",
    write_webm,
    video=True,
)
