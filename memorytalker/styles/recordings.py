"""Recordings of one person from which a style is learned, read within bounds.

A recording is a file of face curves with a sound of its name beside it, or a video of the face.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from memorytalker.face.curve_files import SUFFIXES, read_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform, load_waveform, shown_name
from memorytalker.styles.delivery import StyleError
from memorytalker.tracking.face_video import SUFFIXES as VIDEO_SUFFIXES
from memorytalker.tracking.face_video import FaceVideo, read_face_videos
from memorytalker.tracking.landmarks import CaptureError
from memorytalker.tracking.tracker import TrackerError
from memorytalker.tracking.video_frames import VideoError

SOUND_SUFFIXES = tuple(
    ".wav .flac .mp3 .m4a .aac .ogg .opus .webm .mp4 .mov .m4v .mkv .avi .aif .aiff .caf .wma .3gp".split()
)
#: Recordings of a person, and seconds of all of them together.
MOST, LONGEST_SECONDS = 200, 600.0
#: Sound and motion may differ in length by so many seconds, or by this share of the longer.
DIFFERENCE, DIFFERENCE_SHARE = 0.5, 0.1
#: A stretch of a video in which the face is seen is a recording from so many seconds on.
SHORTEST_STRETCH = 1.5
#: Remarks that are told at once; forty recordings may have two hundred.
MOST_REMARKS, FURTHER_REMARKS = 8, "Further remarks are left out here."


class AdaptError(StyleError):
    """Recordings from which no style can be learned.

    The message is one sentence that names the remedy; after it come the remarks on the recordings, as `told_remarks`
    gives them.
    """


@dataclass(frozen=True, eq=False)
class Recording:
    """Face curves and the sound of the same moments; both begin together.

    Args:
        name: for messages.
        curves: weights (T, n) by name, at any frame rate.
        waveform: 16 kHz, mono.
        remarks: what was decided while reading it, in sentences; of a video only the first stretch has them.
    """

    name: str
    curves: FaceCurves
    waveform: Waveform
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the shorter of the two."""
        return min(self.curves.duration, self.waveform.seconds)


def told_remarks(remarks: Sequence[str]) -> tuple[str, ...]:
    """Return the remarks that a user is told: the first few, and a sentence where there are more."""
    return (*remarks[:MOST_REMARKS], FURTHER_REMARKS) if len(remarks) > MOST_REMARKS else tuple(remarks)


def refusal(sentence: str, remarks: Sequence[str]) -> AdaptError:
    """Return the error that says why no style can be learned, and what was remarked on while reading."""
    return AdaptError(" ".join((sentence, *told_remarks(remarks))))


def find_recordings(folder: str | Path) -> tuple[Path, ...]:
    """Return the recordings in a folder, and in folders within it.

    These are files of face curves that have a sound of their name beside, and videos that are not that sound.

    Raises:
        AdaptError: there is none, or too many.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AdaptError(f"There is no folder {folder}; give the one that holds the recordings.")
    found = []
    for path in folder.rglob("*"):
        if not path.name.startswith(".") and path.is_file() and (_with_sound(path) or _on_its_own(path)):
            found.append(path)
            if len(found) > MOST:
                raise AdaptError(f"{folder} holds more than {MOST} recordings; give those of one person.")
    if not found:
        raise AdaptError(
            f"{folder} holds no recording; give videos of the face, or take.csv (.json, .npz) and take.wav."
        )
    return tuple(sorted(found))


def read_recordings(
    takes: str | Path | Recording | Iterable[str | Path | Recording],
    progress: Progress | None = None,
    longest_seconds: float = LONGEST_SECONDS,
) -> tuple[Recording, ...]:
    """Read recordings of one person.

    Args:
        takes: a folder, files of face curves with a sound of the same name beside them, videos of the face, or
            recordings, or several.
        progress: called as progress(frames done, 0, "track") for videos.
        longest_seconds: of all recordings together.

    Returns:
        The recordings: first those of curves, in their order, then each stretch of a video in which the face is seen.

    Raises:
        AdaptError: a sound that is missing or of another length, a video in which no face can be followed, or too much
            of everything.
        AudioError, CurveFileError: a file that cannot be read.
    """
    several: Sequence[str | Path | Recording] = [takes] if isinstance(takes, (str, Path, Recording)) else list(takes)
    if len(several) > MOST:
        raise AdaptError(f"A style is learned from at most {MOST} recordings; give those of one person.")
    recordings: list[Recording] = []
    videos: list[Path] = []
    for take in several:
        paths = [take] if isinstance(take, Recording) or not Path(take).is_dir() else find_recordings(take)
        for one in paths:
            if not isinstance(one, Recording) and Path(one).suffix.lower() in VIDEO_SUFFIXES:
                videos.append(Path(one))
            else:
                recordings.append(one if isinstance(one, Recording) else _read(Path(one), longest_seconds))
            _check_amount(recordings, videos, longest_seconds)
    if videos:
        left = max(1.0, longest_seconds - sum(each.seconds for each in recordings))
        with _tracked_in_words():
            faces = read_face_videos(videos, longest_seconds=left, progress=progress)
        for face in faces:
            recordings += recordings_of(face)
        _check_amount(recordings, (), longest_seconds)
        if not recordings:
            remarks = [remark for face in faces for remark in face.remarks]
            sentence = f"The face is never seen for {SHORTEST_STRETCH:g} s without a break; film it from the front."
            raise refusal(sentence, remarks)
    if not recordings:
        raise AdaptError("There is no recording; give a video of the face, or face curves with their sound.")
    return tuple(recordings)


def recordings_of(face: FaceVideo) -> tuple[Recording, ...]:
    """Return each stretch of a video in which the face is seen, with its sound.

    Raises:
        AdaptError: a video without sound.
    """
    if face.waveform is None:
        raise AdaptError(f"{face.name} has no sound that can be used; film with sound, as a style is heard and seen.")
    found: list[Recording] = []
    sound, fps, remarks = face.waveform, face.curves.fps, face.remarks
    if not face.seen.all():
        remarks += (f"Nothing is learned from moments in which the face in {face.name} is not seen from the front.",)
    for part in face.stretches:
        first, last = (round(bound * sound.sample_rate / fps) for bound in (part.start, part.stop))
        samples = sound.samples[first:last]
        if min(part.stop - part.start, len(samples) / sound.sample_rate * fps) < SHORTEST_STRETCH * fps:
            continue
        curves = FaceCurves(face.curves.weights[part], face.curves.names, fps)
        found.append(Recording(Path(face.name).stem[:60], curves, Waveform(samples), () if found else remarks))
    return tuple(found)


@contextmanager
def _tracked_in_words() -> Iterator[None]:
    """Raise the errors of videos and of the tracker as AdaptError, with the same message."""
    try:
        yield
    except (CaptureError, TrackerError, VideoError) as error:
        raise AdaptError(str(error)) from error


def _check_amount(recordings: Sequence[Recording], videos: Sequence[Path], longest_seconds: float) -> None:
    """Raise AdaptError for more than anybody needs."""
    if len(recordings) + len(videos) > MOST or sum(each.seconds for each in recordings) > longest_seconds:
        raise AdaptError(f"That is more than {MOST} recordings or {longest_seconds:.0f} s; half a minute is enough.")


def _read(path: Path, longest_seconds: float) -> Recording:
    sounds = _sounds(path)
    if not sounds:
        raise AdaptError(f"{shown_name(path)} has no sound of its name beside it (.wav, .mov or another).")
    if len(sounds) > 1:
        names = ", ".join(one.name for one in sounds)
        raise AdaptError(f"{shown_name(path)} has more than one sound beside it ({names[:80]}); keep one.")
    read, waveform = read_curves(path, longest_seconds=longest_seconds), load_waveform(sounds[0])
    recording = Recording(path.stem[:60], read.curves, waveform, read.remarks + waveform.remarks)
    motion, sound = recording.curves.duration, recording.waveform.seconds
    if abs(motion - sound) > max(DIFFERENCE, DIFFERENCE_SHARE * max(motion, sound)):
        raise AdaptError(
            f"{shown_name(path)} lasts {motion:.1f} s and its sound {sound:.1f} s; give the sound of this very take."
        )
    return recording


def _with_sound(path: Path) -> bool:
    """Whether a file holds face curves and has a sound beside it."""
    return path.suffix.lower() in SUFFIXES and bool(_sounds(path))


def _on_its_own(path: Path) -> bool:
    """Whether a file is a video that is not the sound of curves beside it."""
    curves = (path.with_suffix(end) for suffix in SUFFIXES for end in (suffix, suffix.upper()))
    return path.suffix.lower() in VIDEO_SUFFIXES and not any(one.is_file() for one in curves)


def _sounds(path: Path) -> list[Path]:
    return [
        path.with_suffix(end)
        for suffix in SOUND_SUFFIXES
        for end in (suffix, suffix.upper())
        if path.with_suffix(end).is_file()
    ]
