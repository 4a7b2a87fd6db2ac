"""Recordings of one person from which a style is learned: face curves with their sound, read within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memorytalker.face.curve_files import SUFFIXES, read_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform, load_waveform, shown_name
from memorytalker.styles.delivery import StyleError

SOUND_SUFFIXES = tuple(
    ".wav .flac .mp3 .m4a .aac .ogg .opus .webm .mp4 .mov .m4v .mkv .avi .aif .aiff .caf .wma .3gp".split()
)
#: Recordings of a person, and seconds of all of them together.
MOST, LONGEST_SECONDS = 200, 600.0
#: Sound and motion may differ in length by so many seconds, or by this share of the longer.
DIFFERENCE, DIFFERENCE_SHARE = 0.5, 0.1


class AdaptError(StyleError):
    """Recordings from which no style can be learned; the message is one sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Face curves and the sound of the same moments; both begin together.

    Args:
        name: for messages.
        curves: weights (T, n) by name, at any frame rate.
        waveform: 16 kHz, mono.
    """

    name: str
    curves: FaceCurves
    waveform: Waveform

    @property
    def seconds(self) -> float:
        """Length of the shorter of the two."""
        return min(self.curves.duration, self.waveform.seconds)


def find_recordings(folder: str | Path) -> tuple[Path, ...]:
    """Return the files of face curves in a folder, and in folders within it, that have a sound of their name beside.

    Raises:
        AdaptError: there is none, or too many.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AdaptError(f"There is no folder {folder}; give the one that holds the recordings.")
    found = []
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file() and _sounds(path):
            found.append(path)
            if len(found) > MOST:
                raise AdaptError(f"{folder} holds more than {MOST} recordings; give those of one person.")
    if not found:
        raise AdaptError(f"{folder} holds no recording; put take.csv (.json, .npz) and take.wav (.mov) side by side.")
    return tuple(sorted(found))


def read_recordings(takes: str | Path | Recording | Iterable[str | Path | Recording]) -> tuple[Recording, ...]:
    """Read recordings.

    Args:
        takes: a folder, files of face curves with a sound of the same name beside them, or recordings, or several.

    Returns:
        The recordings, in their order.

    Raises:
        AdaptError: a sound that is missing or of another length, or too much of everything.
        AudioError, CurveFileError: a file that cannot be read.
    """
    several: Sequence[str | Path | Recording] = [takes] if isinstance(takes, (str, Path, Recording)) else list(takes)
    if len(several) > MOST:
        raise AdaptError(f"A style is learned from at most {MOST} recordings; give those of one person.")
    recordings: list[Recording] = []
    for take in several:
        paths = [take] if isinstance(take, Recording) or not Path(take).is_dir() else find_recordings(take)
        for one in paths:
            recordings.append(one if isinstance(one, Recording) else _read(Path(one)))
            if len(recordings) > MOST or sum(each.seconds for each in recordings) > LONGEST_SECONDS:
                raise AdaptError(
                    f"That is more than {MOST} recordings or {LONGEST_SECONDS / 60:.0f} minutes; a minute is enough."
                )
    if not recordings:
        raise AdaptError("There is no recording; give face curves with their sound.")
    return tuple(recordings)


def _read(path: Path) -> Recording:
    sounds = _sounds(path)
    if not sounds:
        raise AdaptError(f"{shown_name(path)} has no sound of its name beside it (.wav, .mov or another).")
    if len(sounds) > 1:
        names = ", ".join(one.name for one in sounds)
        raise AdaptError(f"{shown_name(path)} has more than one sound beside it ({names[:80]}); keep one.")
    recording = Recording(
        path.stem[:60], read_curves(path, longest_seconds=LONGEST_SECONDS).curves, load_waveform(sounds[0])
    )
    motion, sound = recording.curves.duration, recording.waveform.seconds
    if abs(motion - sound) > max(DIFFERENCE, DIFFERENCE_SHARE * max(motion, sound)):
        raise AdaptError(
            f"{shown_name(path)} lasts {motion:.1f} s and its sound {sound:.1f} s; give the sound of this very take."
        )
    return recording


def _sounds(path: Path) -> list[Path]:
    return [
        path.with_suffix(end)
        for suffix in SOUND_SUFFIXES
        for end in (suffix, suffix.upper())
        if path.with_suffix(end).is_file()
    ]
