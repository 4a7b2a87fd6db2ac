"""Takes: a face tracker's recordings with their sound, in a user's own folder, checked before training.

A take is a motion file (`curve_files.SUFFIXES`) and a sound or video file of the same name beside it, or a video of the
face alone (`face_video.SUFFIXES`), from which its motion is tracked. Every speaker has
a folder. Takes that lie in no folder belong to one speaker, named like the whole folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from memorytalker.face.curve_files import SUFFIXES, CurveFileError, read_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.acoustics import RATE, loudness_contour
from memorytalker.sound.decode import SAMPLE_RATE, AudioError, load_waveform
from memorytalker.tracking.face_video import SUFFIXES as VIDEO_SUFFIXES
from memorytalker.tracking.face_video import read_face_video
from memorytalker.tracking.landmarks import CaptureError
from memorytalker.tracking.video_frames import VideoError

SOUND_SUFFIXES = tuple(
    ".wav .flac .mp3 .m4a .aac .ogg .opus .webm .mp4 .mov .m4v .mkv .avi .aif .aiff .caf .wma .3gp".split()
)
#: Files that may belong to a take.
KNOWN = {*SUFFIXES, *SOUND_SUFFIXES, *VIDEO_SUFFIXES}
#: Sound and motion may differ in length by so many seconds without a remark, and by this share of the longer at most.
UNREMARKED, LARGEST_DIFFERENCE = 0.2, 0.1
SHORTEST_SECONDS = 1.0
#: A speaker with so many takes gives the last one to the test.
ENOUGH_TO_TEST = 3
#: The lag of the jaw behind the voice is searched within this range, in seconds. A lag beyond `LATEST` is reported if
#: its correlation is clearly higher (speech is rhythmic and fits itself again a syllable later), and a correlation
#: below `WEAKEST` as a wrong sound. Measured on tracked speech: 0 to 0.04 s, correlation 0.5 to 0.85.
LAG_SOUGHT, LATEST, CLEARLY, WEAKEST = 1.0, 0.15, 0.1, 0.2
#: Seconds of a take from which on the lag is reliable.
LONG_ENOUGH = 12.0


@dataclass(frozen=True)
class TakeFiles:
    """Where a take lies.

    Attributes:
        name: of the take; no other take of the folder has it.
        speaker: who speaks.
        motion: the file of face curves, or the video of a face.
        sound: the sound or video file, perhaps the same.
        split: "train" or "test".
    """

    name: str
    speaker: str
    motion: Path
    sound: Path
    split: str


@dataclass(frozen=True)
class Take:
    """A take that was read. Curves and samples begin together and are both cut to the shorter of the two.

    Attributes:
        files: where the take lies.
        curves: face curves at the frame rate of the recording.
        samples: (S,) float32 at 16 kHz.
        motion_seconds: length of the motion before it was cut.
        sound_seconds: length of the sound before it was cut.
        decided: what was decided while reading the motion, in sentences.
    """

    files: TakeFiles
    curves: FaceCurves
    samples: np.ndarray
    motion_seconds: float
    sound_seconds: float
    decided: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length in seconds after the cut."""
        return min(self.motion_seconds, self.sound_seconds)

    @cached_property
    def follow(self) -> tuple[float, float]:
        """How the jaw follows the voice.

        Compares jawOpen with the loudness in dB, which is held within 30 dB of the loudest. Both are smoothed over 60
        ms, and the jaw is moved by up to a second.

        Returns:
            The delay of the jaw behind the voice at which both fit best, in seconds, and their correlation at that
            delay.
        """
        loud = loudness_contour(self.samples)
        loud = np.maximum(loud, np.percentile(loud, 98) - 30)
        times = (np.arange(len(loud)) + 0.5) / RATE
        jaw = np.interp(times, np.arange(len(self.curves.weights)) / self.curves.fps, self.curves.curve("jawOpen"))
        jaw, loud = (gaussian_filter1d(values, 0.025 * RATE) for values in (jaw, loud))
        reach = min(int(LAG_SOUGHT * RATE), len(loud) // 3)
        inner = slice(reach, len(loud) - reach)
        steps = range(-reach, reach + 1)
        fits = {step: _correlation(jaw[inner.start + step : inner.stop + step], loud[inner]) for step in steps}
        near, best = (
            max((step for step in steps if abs(step) <= LATEST * RATE), key=fits.__getitem__),
            max(steps, key=fits.__getitem__),
        )
        best = best if fits[best] > fits[near] + CLEARLY else near
        return best / RATE, fits[best]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know before training with the take, in sentences."""
        remarks = list(self.decided)
        if abs(self.motion_seconds - self.sound_seconds) > UNREMARKED:
            which = "motion" if self.motion_seconds > self.sound_seconds else "sound"
            longer = abs(self.motion_seconds - self.sound_seconds)
            remarks.append(f"The {which} is {longer:.2f} s longer; its end is left out. Both must begin together.")
        lag, fit = self.follow
        if self.seconds < LONG_ENOUGH:
            pass
        elif fit < WEAKEST:
            remarks.append(f"The jaw hardly follows the voice (correlation {fit:.2f}); is this the sound of this take?")
        elif abs(lag) > LATEST:
            late = "motion" if lag > 0 else "sound"
            remarks.append(f"The {late} seems to be {abs(lag):.2f} s late; cut so much from its beginning.")
        return tuple(remarks)


def find_takes(folder: str | Path) -> tuple[tuple[TakeFiles, ...], tuple[str, ...]]:
    """Find the takes below a folder.

    Args:
        folder: a user's recordings, one folder per speaker.

    Returns:
        The takes, sorted by speaker and name, and one sentence for each file that has no partner.

    Raises:
        CaptureError: there is no take, or it is not clear which files belong together.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CaptureError(f"There is no folder {folder}; give the one that holds the recordings.")
    groups: dict[tuple[Path, str], list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.suffix.lower() in KNOWN:
            groups.setdefault((path.parent, path.stem), []).append(path)
    pairs: dict[str, list[tuple[str, Path, Path]]] = {}
    alone = []
    for (parent, stem), paths in groups.items():
        motions = [path for path in paths if path.suffix.lower() in SUFFIXES]
        if not motions and len(paths) == 1 and paths[0].suffix.lower() in VIDEO_SUFFIXES:
            motions, paths = paths, paths * 2
        sounds = [path for path in paths if path not in motions] or paths[len(motions) :]
        if not motions or not sounds:
            lacks = "motion (.csv, .json or .npz)" if sounds else "sound (.wav, .mov or another)"
            alone += [f"{path.relative_to(folder)} has no {lacks} of its name beside it." for path in paths]
            continue
        if len(paths) > 2:
            names = ", ".join(path.name for path in paths)
            raise CaptureError(f"{parent / stem} is there more than once ({names}); keep one motion and one sound.")
        inside = parent.relative_to(folder).parts
        speaker = inside[0] if inside else folder.resolve().name
        name = _plain("_".join((speaker, *inside[1:], stem)))
        pairs.setdefault(speaker, []).append((name, motions[0], sounds[0]))
    if not pairs:
        raise CaptureError(f"{folder} holds no take; put take.csv (.json, .npz) and take.wav (.mov) side by side.")
    takes = []
    for speaker, entries in sorted(pairs.items()):
        entries.sort()
        tested = len(entries) if len(entries) >= ENOUGH_TO_TEST else 0
        for number, (name, motion, sound) in enumerate(entries, start=1):
            takes.append(TakeFiles(name, speaker, motion, sound, "test" if number == tested else "train"))
    taken = [take.name for take in takes]
    for name in taken:
        if taken.count(name) > 1:
            raise CaptureError(f"Two takes in {folder} would both be called {name}; rename one.")
    return tuple(takes), tuple(alone)


def read_take(files: TakeFiles) -> Take:
    """Read motion and sound of a take, and cut both to the shorter.

    Args:
        files: where the take lies.

    Returns:
        The take.

    Raises:
        CaptureError: a file cannot be used, jawOpen never moves, less than a second is left, or the lengths differ by
            more than a tenth.
    """
    try:
        curves, decided = _motion(files.motion)
    except (CurveFileError, VideoError) as error:
        raise CaptureError(f"The motion of the take {files.name} cannot be used: {error}") from None
    if "jawOpen" not in curves.names or np.ptp(curves.curve("jawOpen")) < 1e-3:
        raise CaptureError(f"In {files.motion} jawOpen never moves; record again with the whole face in view.")
    try:
        samples = load_waveform(files.sound).samples
    except AudioError as error:
        raise CaptureError(f"The sound of {files.motion} cannot be read: {error}") from None
    motion, sound = curves.duration, len(samples) / SAMPLE_RATE
    if min(motion, sound) < SHORTEST_SECONDS:
        raise CaptureError(f"{files.motion} holds less than {SHORTEST_SECONDS:g} s of motion with sound; record more.")
    if abs(motion - sound) > max(UNREMARKED, LARGEST_DIFFERENCE * max(motion, sound)):
        lengths = f"{files.motion} lasts {motion:.1f} s but {files.sound.name} {sound:.1f} s"
        raise CaptureError(f"{lengths}; give the sound of this very take.")
    frames = max(1, min(len(curves.weights), int(sound * curves.fps + 1e-6)))
    kept = FaceCurves(curves.weights[:frames], curves.names, curves.fps)
    return Take(files, kept, samples[: round(motion * SAMPLE_RATE)], motion, sound, decided)


def _motion(path: Path) -> tuple[FaceCurves, tuple[str, ...]]:
    """Read the curves of a motion file or of a video, and what was decided while reading, in sentences."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        face = read_face_video(path)
        return face.curves, face.remarks
    read = read_curves(path)
    return read.curves, read.remarks


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation of two curves; 0 if either is constant."""
    if len(first) < 2 or first.std() < 1e-9 or second.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _plain(name: str) -> str:
    """A name without characters that mean something in a corpus or a path."""
    return re.sub(r"[^\w.\-]+", "-", name)
