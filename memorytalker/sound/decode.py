"""Sound: any file or array to a 16 kHz mono waveform. The only place that decodes sound.

Files are decoded by the ffmpeg that imageio-ffmpeg carries. It reads the opened file through its standard input
and may open nothing else, so a playlist or a container that names other files or addresses cannot reach them.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from memorytalker.errors import InputError

SAMPLE_RATE = 16000  # Hz
SHORTEST_SECONDS = 0.1
LONGEST_SECONDS = 7200.0
DECODE_TIMEOUT_SECONDS = 600.0
#: A file that announces this much more sound than it holds was cut off; ordinary encoder delays are below 0.1 s.
MISSING_SECONDS = 0.25
#: Float samples above this are not a hot recording but broken data (it admits 16-bit values stored as floats).
HIGHEST_LEVEL = 32768.0

#: Containers of recorded sound. Playlists, subtitles, text, pictures and tracker modules are left out on purpose:
#: ffmpeg would "play" some text files, and playlists name other files.
CONTAINERS = tuple(
    "wav w64 aiff au caf flac mp3 aac loas ogg matroska mov avi asf flv mpeg mpegts mpegvideo rm ac3 eac3 dts dtshd "
    "truehd mlp amr amrnb amrwb ape tta wv tak mpc mpc8 shn voc sox ircam avr pvf nistsphere iff dsf nut mxf gxf dv "
    "oma qcp xwma wtv ivf swf act bonk osq qoa".split()
)

_REMEDY = "choose a recording such as WAV, FLAC, MP3, M4A, OGG, WebM or MP4"


class AudioError(InputError):
    """Sound that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: samples (S,) float32 in [-1, 1], finite, at `sample_rate` Hz. Raises AudioError otherwise."""

    samples: np.ndarray
    sample_rate: int = SAMPLE_RATE

    def __post_init__(self) -> None:
        """Check the promise that every other module relies on."""
        samples = self.samples
        if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.ndim != 1:
            raise AudioError("A Waveform holds a one-dimensional float32 array; use load_waveform((samples, rate)).")
        if not np.isfinite(samples).all() or (samples.size and np.abs(samples).max() > 1):
            raise AudioError("A Waveform holds finite samples in [-1, 1]; use load_waveform((samples, rate)).")

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.samples.size / self.sample_rate


def load_waveform(
    source: str | Path | tuple[Any, int] | Waveform,
    longest_seconds: float = LONGEST_SECONDS,
) -> Waveform:
    """Read `source` as (S,) float32 samples, 16 kHz, mono, [-1, 1].

    `source` is a path to any sound or video file that ffmpeg reads, a pair (samples, rate in Hz) with samples (S,),
    (S, channels) or (channels, S) of floats or integers, or a Waveform. Channels are averaged; sound that exceeds
    [-1, 1], as float files may, is scaled down as a whole and not clipped. Gaps and a late start of the sound track
    become silence, so that times stay those of the file. MP3 and AAC encoder delay is removed where the file states it
    (otherwise up to about 50 ms of leading silence remain).

    Raises AudioError, in one plain sentence, for a missing, empty or unreadable file, a folder, a file without sound or
    cut off before its announced end, less than 0.1 s or more than `longest_seconds` of sound, and samples that are NaN
    or infinite. Nothing is shortened silently.
    """
    if isinstance(source, Waveform):
        samples, name = _from_array(source.samples, source.sample_rate, longest_seconds), "The sound"
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        name = shown_name(path)
        samples = _from_file(path, name, longest_seconds)
    elif isinstance(source, Sequence) and len(source) == 2:
        samples, name = _from_array(source[0], source[1], longest_seconds), "The sound"
    else:
        raise AudioError("Give sound as a path or as a pair (samples, rate in Hz).")
    return Waveform(_checked(samples, name, longest_seconds))


def write_wav(path: str | Path, waveform: Waveform) -> None:
    """Write a mono 16-bit PCM WAV file; a failure leaves no file behind."""
    path = Path(path)
    pcm = np.round(np.clip(waveform.samples, -1, 1) * 32767).astype("<i2")
    handle, temporary = tempfile.mkstemp(suffix=".wav", dir=path.parent)
    os.close(handle)
    try:
        with wave.open(temporary, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(waveform.sample_rate)
            file.writeframes(pcm.tobytes())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def shown_name(path: Path) -> str:
    """The file's own name, short and free of markup and control characters, for use in messages."""
    name = "".join(c if c.isprintable() and c not in "<>&\"'`" else "_" for c in path.name)
    return (name or "The path") if len(name) <= 60 else f"{name[:40]}...{name[-15:]}"


def _checked(samples: np.ndarray, name: str, longest_seconds: float) -> np.ndarray:
    """The promise of a Waveform, or an AudioError that says which part is broken."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} contains NaN or infinite samples; export it again from the program that made it.")
    seconds = samples.size / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        raise AudioError(f"{name} holds only {seconds:.2f} s of sound; give at least {SHORTEST_SECONDS} s.")
    if seconds > longest_seconds:
        raise AudioError(f"{name} is too long; cut it to at most {longest_seconds:g} seconds.")
    peak = float(np.abs(samples).max())
    if peak > HIGHEST_LEVEL:
        raise AudioError(f"{name} has samples as large as {peak:.3g}; export it again with samples between -1 and 1.")
    return samples / np.float32(peak) if peak > 1 else samples


def _from_array(samples: Any, rate: Any, longest_seconds: float) -> np.ndarray:
    """Samples of any layout and rate -> (S,) float32 at 16 kHz, not yet checked for length or level."""
    if not isinstance(rate, (int, float, np.number)) or not 1000 <= rate <= 768000 or int(rate) != rate:
        raise AudioError("Give the sample rate in Hz, 1000 to 768000, after the samples: (samples, rate).")
    try:
        array = np.asarray(samples)
    except (ValueError, TypeError):
        raise AudioError("The samples cannot be read as an array of numbers; give a numpy array.") from None
    if array.ndim == 2 and array.shape[0] <= 8 < array.shape[1]:
        array = array.T
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise AudioError("Give the samples as numbers of shape (samples,) or (samples, channels).")
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        middle = 0.0 if array.dtype.kind == "i" else (limits.max + 1) / 2
        array = (array.astype(np.float64) - middle) / (float(limits.max) + 1 - middle)
    if array.ndim == 2:
        array = array.mean(axis=1) if array.shape[1] else array[:0].reshape(-1)
    array = np.ascontiguousarray(array, dtype=np.float32)
    if int(rate) == SAMPLE_RATE or array.size == 0 or not np.isfinite(array).all():
        return array.copy()
    given = ["-f", "f32le", "-ar", str(int(rate)), "-ac", "1"]
    code, output, log = _ffmpeg(given, "pipe", longest_seconds, data=array.astype("<f4").tobytes())
    if code:
        raise AudioError(f"The sound could not be converted from {int(rate)} Hz; give it at {SAMPLE_RATE} Hz.")
    return np.frombuffer(output, "<f4").astype(np.float32)


def _from_file(path: Path, name: str, longest_seconds: float) -> np.ndarray:
    """Decode a file to (S,) float32 at 16 kHz, not yet checked for length or level."""
    try:
        if path.is_dir():
            raise AudioError(f"{name} is a folder; give one sound file.")
        if not path.exists():
            raise AudioError(f"There is no file {name}; check the path.")
        if not path.is_file():
            raise AudioError(f"{name} is not an ordinary file; {_REMEDY}.")
        if path.stat().st_size == 0:
            raise AudioError(f"{name} is empty; record or download it again.")
        announced = _announced_by_riff(path)
        with path.open("rb") as file:
            code, output, log = _ffmpeg(["-format_whitelist", ",".join(CONTAINERS)], "fd", longest_seconds, file=file)
    except AudioError:
        raise
    except (OSError, ValueError):  # ValueError: a null byte in the path
        raise AudioError(f"{name} cannot be opened; check its permissions and path.") from None
    if re.search(r"^\s*Stream #0:\d+.*: (Video|Subtitle|Data):", log, re.M) and "matches no streams" in log:
        raise AudioError(f"{name} has no sound track; {_REMEDY} with sound.")
    if not output:
        if code == 0 and re.search(r"^\s*Stream #0:\d+.*: Audio:", log, re.M):
            raise AudioError(f"{name} holds no sound; record or download it again.")
        raise AudioError(f"{name} is not a sound file that can be read, or it is damaged; {_REMEDY}.")
    samples = np.frombuffer(output, "<f4").astype(np.float32)
    announced = announced or _announced_by_container(log)
    held = samples.size / SAMPLE_RATE
    if announced and held < min(announced, longest_seconds) - MISSING_SECONDS:
        raise AudioError(
            f"{name} is cut off: it announces {announced:.1f} s of sound but only {held:.1f} s can be read; "
            "download or export it again."
        )
    return samples


def _ffmpeg(
    given: list[str], protocol: str, longest_seconds: float, file: Any = None, data: bytes | None = None
) -> tuple[int, bytes, str]:
    """Run the decoder on an open file or on bytes; returns exit status, float32 bytes at 16 kHz mono, and its log."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
    command += ["-threads", "1", "-protocol_whitelist", protocol, *given, "-i", f"{protocol}:"]
    # async=1 fills gaps in the timestamps with silence; filter_size=64 doubles the default resampling filter.
    # rematrix_maxval=1 averages the channels; without it equal channels of float sound add up beyond full scale.
    command += ["-map", "0:a:0", "-vn", "-sn", "-dn", "-af"]
    command += [f"aresample={SAMPLE_RATE}:ochl=mono:rematrix_maxval=1:async=1:first_pts=0:filter_size=64"]
    # One second over the limit is enough to know that the sound is too long, whatever the file expands to.
    command += ["-t", f"{longest_seconds + 1:.3f}", "-f", "f32le", "pipe:1"]
    try:
        done = subprocess.run(
            command, stdin=file, input=data, capture_output=True, timeout=DECODE_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise AudioError("The sound took too long to decode; convert it to WAV first.") from None
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def _announced_by_container(log: str) -> float | None:
    """Seconds of sound that the container's header announces, where that is a statement and not an estimate."""
    head = log.split("Stream mapping:")[0]
    pictures = [line for line in re.findall(r"^\s*Stream #0:.*", head, re.M) if ": Audio:" not in line]
    found = re.search(r"^\s*Duration: (\d+):(\d+):([\d.]+)(?:, start: (-?[\d.]+))?", head, re.M)
    # In a video the length is that of the picture; an attached cover is a picture without a length.
    if not found or "Estimating duration" in head or any("attached pic" not in line for line in pictures):
        return None
    hours, minutes, seconds, start = found.groups()
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds) - max(float(start or 0), 0.0)


def _announced_by_riff(path: Path) -> float | None:
    """Seconds that the header of a WAV file announces beyond what the file's size allows, else None.

    ffmpeg replaces an impossible size by an estimate without saying so. Sizes of 0 and near 2 or 4 GB are the marks of
    programs that stream and cannot know the length; they are not statements.
    """
    size = path.stat().st_size
    with path.open("rb") as file, contextlib.suppress(struct.error, OSError):
        if (head := file.read(12))[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        bytes_per_second = 0
        while True:
            chunk, length = struct.unpack("<4sI", file.read(8))
            start = file.tell()
            if chunk == b"fmt ":
                bytes_per_second = struct.unpack("<8xI", file.read(12))[0]
            if chunk == b"data":
                stated = 0 < length < 0x7FFF0000 and start + length > size
                return length / bytes_per_second if stated and bytes_per_second else None
            file.seek(start + length + length % 2)
    return None
