"""Sound: any file or array to a 16 kHz mono waveform. The only place that opens sound; `decoder` runs ffmpeg on it."""

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
from memorytalker.sound.ffmpeg import SAMPLE_RATE, AudioError, Decoded, Decoder
from memorytalker.sound.mixing import mix, without_offset

SHORTEST_SECONDS = 0.1
LONGEST_SECONDS = 7200.0
#: A file that announces this much more sound than it holds was cut off; ordinary encoder delays are below 0.1 s.
MISSING_SECONDS = 0.25
#: Float samples above this are not a hot recording but broken data (it admits 16-bit values stored as floats).
HIGHEST_LEVEL = 32768.0
#: No sample above this: a step and a half of 16-bit sound (-87 dB), which admits dither. Nothing can be heard.
SILENT_LEVEL = 1.5 / 32768
#: Sound tracks of a file that are tried until one holds sound. Screen recorders put the microphone second.
TRACKS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
#: Chunks of a WAV file that are read to find its length; ordinary files have fewer than ten.
MOST_CHUNKS = 1000

_REMEDY = "choose a recording such as WAV, FLAC, MP3, M4A, OGG, WebM or MP4"


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: samples (S,) float32 in [-1, 1], finite, at `sample_rate` Hz. Raises AudioError otherwise.

    remarks: what was decided while reading and should be told, in plain sentences.
    """

    samples: np.ndarray
    sample_rate: int = SAMPLE_RATE
    remarks: tuple[str, ...] = ()

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
    (S, channels) or (channels, S) of floats or integers, or a Waveform. Channels are averaged; where the average loses
    what they hold, because they are in opposite phase (`mixing.CANCELLED`), the loudest is used. Of several sound
    tracks the first that holds sound is used. A constant offset is taken away (`mixing.OFFSET_SHARE`). Whatever is so
    decided stands in the `remarks` of the Waveform. Sound that exceeds [-1, 1], as float files may, is scaled down as a
    whole and not clipped. Gaps and a late start of the sound track become silence, so that times stay those of the
    file. MP3 and AAC encoder delay is removed where the file states it (otherwise up to about 50 ms of leading silence
    remain).

    Raises AudioError, in one plain sentence, for a missing, empty or unreadable file, a folder, a file without sound or
    cut off before its announced end, less than 0.1 s or more than `longest_seconds` of sound, and samples that are NaN
    or infinite. Nothing is shortened silently.
    """
    said: tuple[str, ...] = ()
    if isinstance(source, Waveform):
        samples, _ = _from_array(source.samples, source.sample_rate, longest_seconds)
        name, said = "The sound", source.remarks
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        name = shown_name(path)
        samples, said = _from_file(path, name, longest_seconds)
    elif isinstance(source, Sequence) and len(source) == 2:
        name = "The sound"
        samples, said = _from_array(source[0], source[1], longest_seconds)
    else:
        raise AudioError("Give sound as a path or as a pair (samples, rate in Hz).")
    samples, offset = without_offset(_checked(samples, name, longest_seconds))
    return Waveform(_within_scale(samples), remarks=said + offset)


def is_silent(waveform: Waveform) -> bool:
    """Whether nothing at all is heard: no sample is farther from zero than a step and a half of 16-bit sound.

    Noise and music without speech are not silent; `remarks.speech_remark` says what the network makes of them.
    """
    return _peak(waveform.samples) <= SILENT_LEVEL


def write_wav(path: str | Path, waveform: Waveform) -> None:
    """Write a mono 16-bit PCM WAV file; a failure leaves no file behind."""
    pcm = np.round(np.clip(waveform.samples, -1, 1) * 32767).astype("<i2")

    def write(part: Path) -> None:
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(waveform.sample_rate)
            file.writeframes(pcm.tobytes())

    write_whole(Path(path), write)


def shown_name(path: Path) -> str:
    """The file's own name, short and free of markup and control characters, for use in messages."""
    name = "".join(c if c.isprintable() and c not in "<>&\"'`" else "_" for c in path.name)
    return (name or "The path") if len(name) <= 60 else f"{name[:40]}...{name[-15:]}"


def _checked(samples: np.ndarray, name: str, longest_seconds: float) -> np.ndarray:
    """Finite samples of a length and level that can be used, or an AudioError that says what is wrong with them."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} contains NaN or infinite samples; export it again from the program that made it.")
    seconds = samples.size / SAMPLE_RATE
    if seconds < SHORTEST_SECONDS:
        held = int(1000 * seconds) / 1000  # rounded down, or it would seem long enough
        raise AudioError(f"{name} holds only {held:g} s of sound; give at least {SHORTEST_SECONDS} s.")
    if seconds > longest_seconds:
        raise AudioError(_too_long(name, longest_seconds))
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
    """Samples of any layout and rate -> (S,) float32 at 16 kHz, not yet checked for length or level; and remarks."""
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
        raise AudioError(_too_long("The sound", longest_seconds))
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        middle = 0.0 if array.dtype.kind == "i" else (limits.max + 1) / 2
        array = (array.astype(np.float64) - middle) / (float(limits.max) + 1 - middle)
    said: tuple[str, ...] = ()
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as infinite
        if array.ndim == 2:
            array, said = mix(array, float(rate)) if array.shape[1] else (array[:0].reshape(-1), ())
        array = np.ascontiguousarray(array, dtype=np.float32)
    if int(rate) == SAMPLE_RATE or array.size == 0 or not np.isfinite(array).all():
        return array.copy(), said
    given = ("-f", "f32le", "-ar", str(int(rate)), "-ac", "1")
    decoded = Decoder(array.astype("<f4").tobytes(), longest_seconds, given).track()
    if decoded.failed:
        raise AudioError(f"The sound could not be converted from {int(rate)} Hz; give it at {SAMPLE_RATE} Hz.")
    return decoded.samples, said


def _from_file(path: Path, name: str, longest_seconds: float) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode a file to (S,) float32 at 16 kHz, not yet checked for length or level; and remarks."""
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
            decoded, said = _first_with_sound(Decoder(file, longest_seconds), name)
    except AudioError:
        raise
    except (OSError, ValueError):  # ValueError: a null byte in the path
        raise AudioError(f"{name} cannot be opened; check its permissions and path.") from None
    listing = decoded.listing
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
    return decoded.samples, said


def _first_with_sound(decoder: Decoder, name: str) -> tuple[Decoded, tuple[str, ...]]:
    """The first sound track that is not silent, and what is said of the choice; the first track where all are."""
    first, said = _track(decoder, 0)
    if _holds_sound(first):
        return first, said
    count = len(first.listing.mono)
    passed = {"silent" if first.samples.size else "unreadable"}
    for number in range(1, min(count, len(TRACKS))):
        decoded, remarks = _track(decoder, number)
        if _holds_sound(decoded):
            what = " or ".join(sorted(passed))
            before = f"first sound track of {name} is" if number == 1 else f"first {number} sound tracks of {name} are"
            return decoded, (f"The {before} {what}; the {TRACKS[number]} is used.", *remarks)
        passed.add("silent" if decoded.samples.size else "unreadable")
    if count > len(TRACKS):
        said += (f"Only the first {len(TRACKS)} sound tracks of {name} were heard; export the one with the voice.",)
    return first, said


def _track(decoder: Decoder, number: int) -> tuple[Decoded, tuple[str, ...]]:
    """A sound track as the average of its channels, or its loudest channel where the average loses what they hold."""
    decoded = decoder.track(number)
    mono = decoded.listing.mono
    if not decoded.samples.size or mono[number : number + 1] == (True,):
        return decoded, ()
    levels = decoder.levels(number, decoded.samples)
    if levels is None or levels.instead is None:
        return decoded, ()
    return decoder.track(number, levels.instead), (levels.remark,)


def _holds_sound(decoded: Decoded) -> bool:
    # NaN and infinite samples are not silent: they are refused with their own words.
    return decoded.samples.size > 0 and not _peak(decoded.samples) <= SILENT_LEVEL


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
