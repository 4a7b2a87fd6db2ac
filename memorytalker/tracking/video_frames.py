"""The frames of a video file, one at a time, with their times: ffmpeg in a sandbox, as `sound/ffmpeg.py` uses it.

ffmpeg reads the opened file through its standard input and may open nothing else. Length, size of the image, frames a
second and time are bounded before anything grows. A video that is stored turned is given upright, and pixels that are
not square are made so.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from memorytalker.errors import InputError
from memorytalker.sound.decode import shown_name
from memorytalker.sound.ffmpeg import CONTAINERS, LARGEST_ALLOCATION, NO_DECODER, DecoderError, ffmpeg_path

#: The longer side of a frame is scaled into this range, in pixels. Twice the size of 360 x 288 is where the tracker is
#: steady.
SIDES = (720, 1280)
#: Frames that follow the one before sooner than this, in seconds, are left out: lips need no more.
SHORTEST_STEP = 1 / 33
#: Bytes of a file, pixels of its frames, and seconds that a single frame may take to decode.
LARGEST_FILE, MOST_PIXELS, SLOWEST_FRAME = 4 << 30, 8192 * 4608, 60.0
#: Bytes of ffmpeg's log that are kept for its facts.
LONGEST_LOG = 1 << 16
REMEDY = "choose a video such as MP4, MOV, WebM or MPEG"


class VideoError(InputError):
    """A video that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class VideoFacts:
    """What is known of a video once its frames have been read.

    Args:
        times: (T,) seconds of each frame from the beginning of the file.
        rotation: degrees by which the frames are stored turned; 0: upright.
        cut_off: whether reading ended with an error after some frames.
    """

    times: np.ndarray
    rotation: float
    cut_off: bool


class VideoFrames:
    """The frames of a video file, to be iterated over once; `facts` are there afterwards.

    Args:
        path: the file.
        longest_seconds: a longer video is refused, when its first frame beyond that is reached.

    Raises:
        VideoError: no such file, or one that is too large; while iterating: no video, or too much of it.
    """

    def __init__(self, path: str | Path, longest_seconds: float) -> None:
        self._path, self._name, self._longest = Path(path), shown_name(Path(path)), longest_seconds
        self._facts: VideoFacts | None = None
        try:
            if not self._path.is_file():
                raise VideoError(f"There is no file {self._name}; check the path.")
            size = self._path.stat().st_size
        except VideoError:
            raise
        except (OSError, ValueError):  # ValueError: a null byte in the path
            raise VideoError(f"{self._name} cannot be opened; check its permissions and path.") from None
        if not size:
            raise VideoError(f"{self._name} is empty; record or download it again.")
        if size > LARGEST_FILE:
            raise VideoError(f"{self._name} is larger than {LARGEST_FILE >> 30} GB; cut it or save it smaller.")

    @property
    def facts(self) -> VideoFacts:
        """What is known after the last frame."""
        assert self._facts is not None, "the frames have not been read"
        return self._facts

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames, (H, W, 3) uint8 sRGB each."""
        try:
            file = self._path.open("rb", buffering=0)
        except OSError:
            raise VideoError(f"{self._name} cannot be opened; check its permissions and path.") from None
        with file:
            try:
                process = subprocess.Popen(self._command(), stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            except OSError:
                raise DecoderError(NO_DECODER) from None
            with process:
                yield from self._frames_of(process)

    def _command(self) -> list[str]:
        """The command line of ffmpeg: its first video stream, as images with their sizes before them."""
        side = "max(iw*sar,ih)"
        scale = f"clip(1,{SIDES[0]}/{side},{SIDES[1]}/{side})"
        filters = [
            f"select='isnan(prev_selected_t)+gte(t-prev_selected_t,{SHORTEST_STEP:.5f})'",
            f"scale=w='max(2,2*trunc(iw*sar*{scale}/2))':h='max(2,2*trunc(ih*{scale}/2))':flags=bicubic",
            "setsar=1",
            "format=rgb24",
            "showinfo=checksum=0",
        ]
        command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
        command += ["-max_alloc", str(LARGEST_ALLOCATION), "-threads", "1", "-protocol_whitelist", "fd"]
        command += ["-format_whitelist", ",".join(CONTAINERS), "-max_pixels", str(MOST_PIXELS), "-i", "fd:"]
        command += ["-map", "0:V:0", "-an", "-sn", "-dn", "-vf", ",".join(filters), "-fps_mode", "passthrough"]
        return [*command, "-t", f"{self._longest + 1:.3f}", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"]

    def _frames_of(self, process: subprocess.Popen[bytes]) -> Iterator[np.ndarray]:
        assert process.stdout is not None and process.stderr is not None
        log = bytearray()
        times: list[float] = []
        reader = threading.Thread(target=_read_log, args=(process.stderr, log, times), daemon=True)
        watch = _Watch(process)
        count = 0
        try:
            reader.start()
            while (frame := _read_image(process.stdout)) is not None:
                watch.stop()
                count += 1
                if count > (self._longest + 1) / SHORTEST_STEP + 2:
                    raise self._too_long()
                yield frame
                watch.start()
            watch.stop()
            code = process.wait()
        finally:
            watch.stop()
            process.kill()
            reader.join()
        self._facts = self._checked(count, np.array(times[:count]), code, log.decode("utf-8", "replace"), watch.late)

    def _checked(self, count: int, times: np.ndarray, code: int, log: str, late: bool) -> VideoFacts:
        """The facts, or VideoError."""
        name = self._name
        if late:
            raise VideoError(f"{name} takes too long to decode; save it as MP4 first.")
        if not count:
            if re.search(r"^  Stream #0:\d+", log, re.M) and not re.search(r"^  Stream #0:\d+.*?: Video: ", log, re.M):
                raise VideoError(f"{name} has sound but no video; {REMEDY}.")
            raise VideoError(f"{name} is not a video that can be read, or it is damaged; {REMEDY}.")
        if len(times) != count or not np.isfinite(times).all():
            raise VideoError(f"{name} does not say when its frames are shown; save it as MP4 or WebM.")
        if times[-1] > self._longest:
            raise self._too_long()
        turned = re.search(r"(?i)display ?matrix: rotation of (-?[\d.]+) degrees", log)
        return VideoFacts(times, float(turned[1]) if turned else 0.0, code != 0)

    def _too_long(self) -> VideoError:
        return VideoError(f"{self._name} is too long; cut it to at most {self._longest:g} seconds.")


class _Watch:
    """Ends a process that gives no frame for long."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.late = process, False
        self.start()

    def start(self) -> None:
        self._timer = threading.Timer(SLOWEST_FRAME, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.late = True
        self._process.kill()


def _read_image(stream: IO[bytes]) -> np.ndarray | None:
    """The next image (H, W, 3) of a stream of binary PPM images; None at its end, or where the last is incomplete."""
    if stream.readline(16).strip() != b"P6":
        return None
    with suppress(ValueError):
        width, height = (int(word) for word in stream.readline(32).split())
        if stream.readline(16).strip() == b"255" and 0 < width <= SIDES[1] and 0 < height <= SIDES[1]:
            data = stream.read(width * height * 3)
            if len(data) == width * height * 3:
                return np.frombuffer(data, np.uint8).reshape(height, width, 3)
    return None


def _read_log(stream: IO[bytes], kept: bytearray, times: list[float]) -> None:
    """Take the time of each frame from ffmpeg's log, and keep its beginning."""
    for line in iter(lambda: stream.readline(4096), b""):
        if b"_showinfo_" in line:
            if found := re.search(rb"\bpts_time:(\S+)", line):
                with suppress(ValueError):
                    times.append(float(found[1].replace(b"NOPTS", b"nan")))
        else:
            kept += line[: max(0, LONGEST_LOG - len(kept))]
