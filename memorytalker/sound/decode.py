"""Decoding: any sound file or array to a 16 kHz mono waveform. The only module that opens sound (with `ffmpeg.py`)."""

from __future__ import annotations

import contextlib
import os
import struct
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.files import write_whole
from memorytalker.sound.ffmpeg import SAMPLE_RATE, AudioError, Decoded, Decoder, check_decoder
from memorytalker.sound.mixing import mix, without_offset

SHORTEST_SECONDS = 0.1
LONGEST_SECONDS = 7200.0
#: A file that announces this much more sound than it holds is truncated; ordinary encoder delays are below 0.1 s.
MISSING_SECONDS = 0.25
#: Larger float samples are broken data. 16-bit values stored as floats are still accepted.
HIGHEST_LEVEL = 32768.0
#: Sound without a larger sample is silent. One and a half 16-bit steps (-87 dB) allow for dither.
SILENT_LEVEL = 1.5 / 32768
#: Sound tracks that are tried until one is not silent. Screen recorders put the microphone second.
TRACKS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
#: Most chunks of a WAV file that are read to find its length; ordinary files have fewer than ten.
MOST_CHUNKS = 1000

_REMEDY = "choose a recording such as WAV, FLAC, MP3, M4A, OGG, WebM or MP4"


class TooLongError(AudioError):
    """Sound that is longer than its use allows; `load_beginning` takes the first part of a file."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound.

    Args:
        samples: (S,) float32 in [-1, 1], finite.
        sample_rate: in Hz.
        remarks: decisions made while decoding that the user should know, as plain sentences.
        name: of the file it was read from, without its folder; "" for samples.

    Raises:
        AudioError: other samples.
    """

    samples: np.ndarray
    sample_rate: int = SAMPLE_RATE
    remarks: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        """Check what every other module relies on."""
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
    """Decode sound to 16 kHz mono.

    Channels are averaged; if they cancel each other (`mixing.CANCELLED`), the loudest one is used. Of several sound
    tracks the first that is not silent is used. A constant offset is removed (`mixing.OFFSET_SHARE`). Such decisions
    are listed in the `remarks` of the result. Sound beyond [-1, 1], as in float files, is scaled down as a whole and
    not clipped. Gaps and a late start of the sound track become silence, so that times are those of the file. MP3 and
    AAC encoder delay is removed if the file states it; otherwise up to about 50 ms of leading silence remain.

    Args:
        source: a path to any sound or video file that ffmpeg reads; a pair (samples, rate in Hz) with samples (S,),
            (S, channels) or (channels, S) of floats or integers; or a Waveform.
        longest_seconds: longer sound is refused.

    Returns:
        The sound, at 16 kHz.

    Raises:
        AudioError: a missing, empty, unreadable or truncated file, a folder, a file without sound, less than 0.1 s or
            more than `longest_seconds` of sound, or samples that are NaN or infinite.
        DecoderError: this machine cannot decode sound.
    """
    remarks: tuple[str, ...] = ()
    file = ""
    if isinstance(source, Waveform):
        samples, _ = _from_array(source.samples, source.sample_rate, longest_seconds)
        name, remarks, file = "The sound", source.remarks, source.name
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        name = file = shown_name(path)
        samples, remarks = _from_file(path, name, longest_seconds)
    elif isinstance(source, Sequence) and len(source) == 2:
        name = "The sound"
        samples, remarks = _from_array(source[0], source[1], longest_seconds)
    else:
        raise AudioError("Give sound as a path or as a pair (samples, rate in Hz).")
    samples, offset = without_offset(_checked(samples, name, longest_seconds))
    return Waveform(_within_scale(samples), remarks=remarks + offset, name=file)


def load_beginning(path: str | Path, seconds: float) -> Waveform:
    """Load the beginning of a file that may be longer.

    Args:
        path: of the file.
        seconds: of its beginning.

    Returns:
        Its first `seconds`, or all of a shorter one.

    Raises:
        AudioError: as `load_waveform`, but for the length.
    """
    path = Path(path)
    samples, remarks = _from_file(path, shown_name(path), seconds)
    samples = samples[: round(seconds * SAMPLE_RATE)]
    samples, offset = without_offset(_checked(samples, shown_name(path), seconds))
    return Waveform(_within_scale(samples), remarks=remarks + offset, name=shown_name(path))


def is_silent(waveform: Waveform) -> bool:
    """Return whether no sample exceeds `SILENT_LEVEL`.

    Noise and music are not silent; `remarks.speech_remark` says whether the network finds speech in them.
    """
    return _peak(waveform.samples) <= SILENT_LEVEL


def write_wav(path: str | Path, waveform: Waveform) -> None:
    """Write a mono 16-bit PCM WAV file. A failure leaves no file behind."""
    pcm = np.round(np.clip(waveform.samples, -1, 1) * 32767).astype("<i2")

    def write(part: Path) -> None:
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(waveform.sample_rate)
            file.writeframes(pcm.tobytes())

    write_whole(Path(path), write)


def shown_name(path: Path) -> str:
    """Return a file's name for messages: shortened, without markup and control characters."""
    name = "".join(c if c.isprintable() and c not in "<>&\"'`" else "_" for c in path.name)
    return (name or "The path") if len(name) <= 60 else f"{name[:40]}...{name[-15:]}"


def _checked(samples: np.ndarray, name: str, longest_seconds: float) -> np.ndarray:
    """Return the samples, or raise AudioError for NaN, infinite or too large samples and for a length out of range."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} contains NaN or infinite samples; export it again from the program that made it.")
    seconds = samples.size / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        held = int(1000 * seconds) / 1000  # rounded down, so that it does not read as long enough
        raise AudioError(f"{name} holds only {held:g} s of sound; give at least {SHORTEST_SECONDS} s.")
    if seconds > longest_seconds:
        raise TooLongError(_too_long(name, longest_seconds))
    peak = _peak(samples)
    if peak > HIGHEST_LEVEL:
        raise AudioError(f"{name} has samples as large as {peak:.3g}; export it again with samples between -1 and 1.")
    return samples


def _too_long(name: str, longest_seconds: float) -> str:
    return f"{name} is too long; cut it to at most {longest_seconds:g} seconds."


def _peak(samples: np.ndarray) -> float:
    return max(float(samples.max()), -float(samples.min())) if samples.size else 0.0


def _within_scale(samples: np.ndarray) -> np.ndarray:
    peak = _peak(samples)
    return samples / np.float32(peak) if peak > 1 else samples


def _from_array(samples: Any, rate: Any, longest_seconds: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples of any layout and rate -> (S,) float32 at 16 kHz, not yet checked for length and level; and remarks."""
    if not isinstance(rate, (int, float, np.integer, np.floating)) or not 1000 <= rate <= 768000 or int(rate) != rate:
        raise AudioError("Give the sample rate in Hz, 1000 to 768000, after the samples: (samples, rate).")
    try:
        array = np.asarray(samples)
    except (ValueError, TypeError):
        raise AudioError("The samples cannot be read as an array of numbers; give a numpy array.") from None
    if array.ndim == 2 and array.shape[0] <= 8 < array.shape[1]:
        array = array.T
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
        raise AudioError("Give the samples as numbers of shape (samples,) or (samples, channels).")
    if len(array) > (longest_seconds + 1) * rate:  # before it is copied
        raise TooLongError(_too_long("The sound", longest_seconds))
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        middle = 0.0 if array.dtype.kind == "i" else (limits.max + 1) / 2
        array = (array.astype(np.float64) - middle) / (float(limits.max) + 1 - middle)
    remarks: tuple[str, ...] = ()
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
        if array.ndim == 2:
            array, remarks = mix(array, float(rate)) if array.shape[1] else (array[:0].reshape(-1), ())
        array = np.ascontiguousarray(array, dtype=np.float32)
    if int(rate) == SAMPLE_RATE or array.size == 0 or not np.isfinite(array).all():
        return array.copy(), remarks
    given = ("-f", "f32le", "-ar", str(int(rate)), "-ac", "1")
    decoded = Decoder(array.astype("<f4").tobytes(), longest_seconds, given).track()
    if decoded.failed:
        check_decoder()
        raise AudioError(f"The sound could not be converted from {int(rate)} Hz; give it at {SAMPLE_RATE} Hz.")
    return decoded.samples, remarks


def _from_file(path: Path, name: str, longest_seconds: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode a file to (S,) float32 at 16 kHz, not yet checked for length and level; and remarks."""
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
        with path.open("rb", buffering=0) as file:
            decoded, remarks = _first_with_sound(Decoder(file, longest_seconds), name)
    except AudioError:
        raise
    except (OSError, ValueError):  # ValueError: a null byte in the path
        raise AudioError(f"{name} cannot be opened; check its permissions and path.") from None
    listing = decoded.listing
    if decoded.failed and not decoded.samples.size:
        check_decoder()
    if listing.others and not listing.mono:
        raise AudioError(f"{name} has no sound track; {_REMEDY} with sound.")
    if not decoded.samples.size:
        if not decoded.failed and listing.mono:
            raise AudioError(f"{name} holds no sound; record or download it again.")
        raise AudioError(f"{name} is not a sound file that can be read, or it is damaged; {_REMEDY}.")
    announced = announced or listing.seconds
    held = decoded.samples.size / SAMPLE_RATE
    if announced and held < min(announced, longest_seconds) - MISSING_SECONDS:
        raise AudioError(
            f"{name} is cut off: it announces {announced:.1f} s of sound but only {held:.1f} s can be read; "
            "download or export it again."
        )
    return decoded.samples, remarks


def _first_with_sound(decoder: Decoder, name: str) -> tuple[Decoded, tuple[str, ...]]:
    """The first sound track that is not silent, or the first track if all are; and remarks on the choice."""
    first, remarks = _track(decoder, 0)
    if _holds_sound(first):
        return first, remarks
    count = len(first.listing.mono)
    passed = {"silent" if first.samples.size else "unreadable"}
    for number in range(1, min(count, len(TRACKS))):
        decoded, own = _track(decoder, number)
        if _holds_sound(decoded):
            what = " or ".join(sorted(passed))
            before = f"first sound track of {name} is" if number == 1 else f"first {number} sound tracks of {name} are"
            return decoded, (f"The {before} {what}; the {TRACKS[number]} is used.", *own)
        passed.add("silent" if decoded.samples.size else "unreadable")
    if count > len(TRACKS):
        remarks += (f"Only the first {len(TRACKS)} sound tracks of {name} were tried; export the one with the voice.",)
    return first, remarks


def _track(decoder: Decoder, number: int) -> tuple[Decoded, tuple[str, ...]]:
    """A sound track as the average of its channels, or as its loudest channel if they cancel each other."""
    decoded = decoder.track(number)
    mono = decoded.listing.mono
    if not decoded.samples.size or mono[number : number + 1] == (True,):
        return decoded, ()
    levels = decoder.levels(number, decoded.samples)
    if levels is None or levels.replacement is None:
        return decoded, ()
    return decoder.track(number, levels.replacement), (levels.remark,)


def _holds_sound(decoded: Decoded) -> bool:
    # NaN and infinite samples count as sound here: they are refused later, with their own message.
    return decoded.samples.size > 0 and not _peak(decoded.samples) <= SILENT_LEVEL


def _announced_by_riff(path: Path) -> float | None:
    """Seconds that the header of a WAV file announces, if the file is too small to hold them; else None.

    ffmpeg silently replaces an impossible size by an estimate. Sizes of 0 and near 2 or 4 GB are placeholders of
    programs that stream and do not know the length.
    """
    size = path.stat().st_size
    with path.open("rb") as file, contextlib.suppress(struct.error, OSError):
        if (head := file.read(12))[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        bytes_per_second = 0
        for _ in range(MOST_CHUNKS):
            chunk, length = struct.unpack("<4sI", file.read(8))
            start = file.tell()
            if chunk == b"fmt ":
                bytes_per_second = struct.unpack("<8xI", file.read(12))[0]
            if chunk == b"data":
                stated = 0 < length < 0x7FFF0000 and start + length > size
                return length / bytes_per_second if stated and bytes_per_second else None
            file.seek(start + length + length % 2)
    return None
