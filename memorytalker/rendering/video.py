"""Video: frames and sound to an MP4 or WebM file, streamed to the ffmpeg of imageio-ffmpeg."""

from __future__ import annotations

import contextlib
import errno
import shutil
import subprocess
from collections.abc import Generator, Iterable
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

import imageio_ffmpeg
import numpy as np

from memorytalker.errors import ExecutionError
from memorytalker.files import write_whole
from memorytalker.progress import Progress
from memorytalker.rendering.alpha import extend_colors
from memorytalker.scratch import Scratch

#: The stage that `progress` is called with.
STAGE = "render"
AUDIO_RATE = 48000  # Hz, what browsers and phones play
AUDIO_BITRATE = "128k"
QUALITY = 19  # x264's constant rate factor; lower is better and larger
WEBM_QUALITY = 18  # likewise, of VP9; from 24 on the corners of its alpha are no longer zero
#: Ending of the file -> channels of its frames: with alpha or without.
CHANNELS = MappingProxyType({".mp4": 3, ".webm": 4})
ENCODER_TIMEOUT_SECONDS = 300.0
#: A disk with fewer free bytes is full.
LEAST_ROOM = 1 << 16
_DISK_FULL = "The video could not be written because the disk is full; free some space and try again."
_NO_ENCODER = (
    "ffmpeg, which encodes videos, does not work on this machine; run 'memorytalker doctor', or "
    "'pip install --force-reinstall imageio-ffmpeg'."
)


class Sound(Protocol):
    """The sound of a video: samples (S,) float32 in [-1, 1] at `sample_rate` Hz."""

    @property
    def samples(self) -> np.ndarray: ...  # noqa: D102

    @property
    def sample_rate(self) -> int: ...  # noqa: D102


class VideoError(ExecutionError):
    """A video that could not be written; the message says in plain words what to do."""


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    sound: Sound | None,
    total: int,
    progress: Progress | None = None,
) -> Path:
    """Write frames and sound to a video file.

    An .mp4 is H.264 yuv420p in BT.709 with AAC, playable while it loads. A .webm is VP9 yuva420p in BT.709 with Opus,
    transparent where the frames are.

    Frame k is shown from k / fps to (k + 1) / fps seconds. The sound starts at zero and is padded with silence or cut
    to total / fps seconds. One frame is in memory at a time. The file appears under its name when it is complete; any
    failure, also an exception in `frames` or `progress`, stops the encoder and leaves no file.

    Args:
        path: of the file, which ends in .mp4 or .webm.
        frames: exactly `total` frames uint8 sRGB of one even size; a generator is closed at the end. (H, W, 3) for
            .mp4, (H, W, 4) with alpha that is not premultiplied for .webm.
        fps: frames per second, 1 to 240.
        sound: the sound; None: a silent video.
        total: number of frames.
        progress: called as progress(frames done, total, "render") after every frame.

    Returns:
        The path.

    Raises:
        VideoError: a path, size, rate or number of frames that cannot be written.
    """
    path = Path(path)
    _check(path, fps, total)
    try:
        with Scratch() as folder:
            write_whole(path, lambda part: _encode(part, frames, fps, sound, total, progress, folder))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise VideoError(_DISK_FULL) from None
        raise VideoError(f"{path} cannot be written ({error.strerror or error}); choose another folder.") from None
    finally:
        if isinstance(frames, Generator):
            frames.close()
    return path


def _check(path: Path, fps: float, total: int) -> None:
    if path.suffix.lower() not in CHANNELS:
        raise VideoError(f"A video is written as .mp4, or with alpha as .webm; give {path.name} that ending.")
    if not path.parent.is_dir():
        raise VideoError(f"There is no folder {path.parent}; make it first.")
    if path.is_dir():
        raise VideoError(f"{path.name} is a folder; choose another name for the video.")
    if not 1 <= fps <= 240:
        raise VideoError(f"A video cannot have {fps} frames a second; choose 1 to 240.")
    if total < 1:
        raise VideoError("There is no frame to write; give a longer sound.")


def _encode(
    partial: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    sound: Sound | None,
    total: int,
    progress: Progress | None,
    folder: Path,
) -> None:
    """Feed every frame to one ffmpeg process. Its log goes to a file, as an unread pipe would block it."""
    encoder: subprocess.Popen[bytes] | None = None
    size, done, channels = (0, 0), 0, CHANNELS[partial.suffix.lower()]
    with (folder / "log").open("w+b") as log:
        try:
            for frame in frames:
                if encoder is None:
                    size = _frame_size(frame, channels)
                    command = _command(partial, size, fps, _sound_input(folder, sound, total / fps))
                    encoder = _started(command, log)
                if done == total or frame.shape != (*size, channels) or frame.dtype != np.uint8:
                    raise VideoError(f"Frame {done} does not belong to a video of {total} frames of one size.")
                _feed(_pipe(encoder), extend_colors(frame) if channels == 4 else frame, log)
                done += 1
                if progress is not None:
                    progress(done, total, STAGE)
            if encoder is None or done != total:
                raise VideoError(f"Only {done} of {total} frames were drawn, so no video was written.")
            with contextlib.suppress(BrokenPipeError):
                _pipe(encoder).close()
            if encoder.wait(ENCODER_TIMEOUT_SECONDS):
                raise _failure(log)
        except subprocess.TimeoutExpired:
            raise VideoError("The video encoder did not finish; check that the disk is not full.") from None
        finally:
            if encoder is not None:
                _stop(encoder)


def _frame_size(frame: np.ndarray, channels: int) -> tuple[int, int]:
    if frame.ndim == 3 and (frame.shape[2], channels) == (4, 3):
        raise VideoError("An MP4 video cannot be transparent; write it as .webm.")
    if frame.ndim == 3 and (frame.shape[2], channels) == (3, 4):
        raise VideoError("A WebM video is transparent; render its frames so, or write an .mp4.")
    if frame.ndim != 3 or frame.shape[0] % 2 or frame.shape[1] % 2:
        raise VideoError(f"Frames of {frame.shape} cannot be written; choose an even width and height.")
    return frame.shape[0], frame.shape[1]


def _sound_input(folder: Path, sound: Sound | None, seconds: float) -> list[str]:
    """Write the sound, padded or cut to `seconds`, as raw samples; returns ffmpeg's input options for it."""
    if sound is None:
        return []
    count = round(seconds * sound.sample_rate)
    kept = sound.samples[:count]
    with (folder / "sound").open("wb") as file:
        kept.astype("<f4", copy=False).tofile(file)
        file.truncate(4 * count)  # the rest is zeros
    return ["-f", "f32le", "-ar", str(sound.sample_rate), "-ac", "1", "-i", f"file:{folder / 'sound'}"]


def _command(partial: Path, size: tuple[int, int], fps: float, sound_input: list[str]) -> list[str]:
    (height, width), alpha = size, CHANNELS[partial.suffix.lower()] == 4
    command = [_ffmpeg(), "-y", "-hide_banner", "-nostats", "-loglevel", "error"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgba" if alpha else "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "pipe:0"]
    command += [*sound_input, "-map", "0:v"]
    colors = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,"
    colors += f"format={'yuva420p' if alpha else 'yuv420p'},"
    colors += "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    command += ["-vf", colors]
    if alpha:
        # Frames that are never shown, which VP9 uses otherwise, do not go together with alpha.
        command += ["-c:v", "libvpx-vp9", "-crf", str(WEBM_QUALITY), "-b:v", "0", "-auto-alt-ref", "0"]
        command += ["-deadline", "realtime", "-cpu-used", "6", "-row-mt", "1"]
    else:
        command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(QUALITY)]
    command += ["-g", str(max(round(2 * fps), 1))]
    if sound_input:
        command += ["-map", "1:a", "-c:a", "libopus" if alpha else "aac"]
        command += ["-b:a", AUDIO_BITRATE, "-ar", str(AUDIO_RATE)]
    return [*command, *([] if alpha else ["-movflags", "+faststart"]), f"file:{partial}"]


def _ffmpeg() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except (OSError, RuntimeError):
        raise VideoError(_NO_ENCODER) from None


def _started(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log)
    except OSError:
        raise VideoError(_NO_ENCODER) from None


def _pipe(encoder: subprocess.Popen[bytes]) -> IO[bytes]:
    assert encoder.stdin is not None  # it was started with a pipe
    return encoder.stdin


def _feed(pipe: IO[bytes], frame: np.ndarray, log: Any) -> None:
    try:
        pipe.write(np.ascontiguousarray(frame).data.cast("B"))
    except (BrokenPipeError, OSError):
        raise _failure(log) from None


def _failure(log: Any) -> VideoError:
    """The error for an encoder that failed, in plain words if the disk is full or read-only."""
    log.seek(0)
    text = log.read().decode("utf-8", "replace").strip()
    # On a full disk there may be no room for the log either.
    if "No space left" in text or shutil.disk_usage(Path(log.name).parent).free < LEAST_ROOM:
        return VideoError(_DISK_FULL)
    if "Permission denied" in text or "Read-only" in text:
        return VideoError("The video could not be written to that folder; choose one that may be written to.")
    error = VideoError("The video encoder stopped before the end; run 'doctor' to check it.")
    error.add_note(text[-2000:])
    return error


def _stop(encoder: subprocess.Popen[bytes]) -> None:
    """End the encoder if it still runs, and close its pipe."""
    if encoder.poll() is None:
        encoder.kill()
    encoder.wait()
    with contextlib.suppress(OSError):
        _pipe(encoder).close()
