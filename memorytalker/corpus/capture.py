"""Captured face motion as training clips: face curves at 30 fps with their sound.

A source folder holds landmarks tracked in video (`manifest.jsonl` and `landmarks.npz`) or solved face curves (one npz
per take); `corpus_config.CaptureSource` names the folders and what is held out. A user's own recordings are takes in a
folder (`recorded_clips`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.config import shown
from memorytalker.corpus.clips import Clip, CorpusError, leads_out
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.corpus.landmark_files import LandmarkClip, read_landmark_clips
from memorytalker.corpus.store import stored_lines
from memorytalker.corpus.takes import find_takes, read_take
from memorytalker.face.curve_files import CurveFileError, read_curves
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, MotionError, resampled
from memorytalker.progress import Progress
from memorytalker.sound.decode import SAMPLE_RATE, Waveform, load_waveform, write_wav
from memorytalker.tracking.landmark_solver import Basis, keep_closures, open_gap, read_basis, solve_landmarks
from memorytalker.tracking.landmarks import (
    CaptureError,
    Neutral,
    fill_missing,
    find_neutral,
    openings,
    refine_neutral,
)
from memorytalker.tracking.tracker import BASIS_FILE

FPS = 30.0
#: The source of clips from a user's own folder.
RECORDINGS = "recordings"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CapturedClip:
    """Recorded motion with its sound; frame 0 is at time 0 of the sound.

    Attributes:
        name: of the clip.
        speaker: of the clip.
        source: folder of the capture source.
        split: "train" or "test" (never trained on).
        curves: T frames at 30 fps.
        sound: the sound file.
        text: transcript, if known.
        tracked_gap: (T,) lip opening in eye distances, as tracked; where only curves were recorded, that of the head.
        tracked_width: (T,) lip width, likewise.
    """

    name: str
    speaker: str
    source: str
    split: str
    curves: FaceCurves
    sound: Path
    text: str | None
    tracked_gap: np.ndarray
    tracked_width: np.ndarray


def captured_clips(
    root: str | Path,
    sources: Sequence[CaptureSource],
    head: HeadMesh | None = None,
    only: Collection[str] | None = None,
    basis: Basis | None = None,
) -> Iterator[CapturedClip]:
    """Yield the clips of capture sources; a clip in which the face is lost for long is left out.

    Args:
        root: the folder with the sources.
        sources: which folders.
        head: whose lips should match the tracked ones, by default the shipped head.
        only: names of the clips to solve; the rest face still comes from all clips of a speaker.
        basis: how `head` looks to the tracker, by default the shipped basis.

    Yields:
        Clips at 30 fps.

    Raises:
        CaptureError: a source is missing or damaged.
    """
    root, head = Path(root), head or load_head()
    for source in sources:
        if source.kind == "curves":
            yield from _curve_clips(root / source.folder, source, head, only)
        else:
            basis = basis or read_basis(BASIS_FILE, head)
            yield from _landmark_clips(root / source.folder, source, basis, only)


def video_openings(
    root: str | Path, folders: Sequence[str]
) -> dict[str, tuple[float, np.ndarray, np.ndarray, np.ndarray]]:
    """Measure lips and jaw in tracked landmarks, without solving for curves.

    Args:
        root: the folder with the sources.
        folders: of landmarks, below `root`.

    Returns:
        By clip: fps of the video, and lip opening, lip width and jaw, each (T,) in eye distances.
    """
    result = {}
    for folder in folders:
        for clip in read_landmark_clips(Path(root) / folder):
            points = fill_missing(clip.points, clip.fps)
            if points is not None:
                result[clip.name] = (clip.fps, *openings(points, clip.index))
    return result


def recorded_clips(folder: str | Path, head: HeadMesh) -> Iterator[CapturedClip]:
    """Yield the takes of a user's own folder as clips without text, with "recordings" as their source.

    If sound and motion differ in length, the curves end with the shorter.

    Args:
        folder: the takes, see `takes`.
        head: the head of the curves.

    Raises:
        CaptureError: there is no take, or one that cannot be used.
    """
    for files in find_takes(folder)[0]:
        curves = read_take(files).curves.resample(FPS).reordered(head.blendshape_names)
        gap, width = head_openings(head, curves)
        yield CapturedClip(files.name, files.speaker, RECORDINGS, files.split, curves, files.sound, None, gap, width)


def keep_recording(recorded: CapturedClip, folder: Path) -> Clip:
    """Write the sound of a user's clip, cut to its motion, into the corpus `folder`; return its entry there.

    The corpus then no longer needs the user's folder. `clips.save_clip` writes the curves.
    """
    frames = len(recorded.curves.weights)
    path = f"{RECORDINGS}/{recorded.name}.wav"
    (folder / RECORDINGS).mkdir(parents=True, exist_ok=True)
    samples = load_waveform(recorded.sound).samples[: round(frames * SAMPLE_RATE / FPS)]
    write_wav(folder / path, Waveform(samples))
    return Clip(
        recorded.name, recorded.speaker, recorded.split, recorded.source, "captured", path, frames, int(FPS),
        base="corpus",
    )  # fmt: skip


def write_captured(
    root: str | Path,
    out_folder: str | Path,
    sources: Sequence[CaptureSource],
    head: HeadMesh | None = None,
    progress: Progress | None = None,
) -> int:
    """Solve every clip of the `sources` under `root` and write it; return the number of clips.

    `<name>.npz` each and `clips.jsonl` go into `out_folder`.

    npz: weights (T, 52) float16, names (52,), tracked_gap and tracked_width (T,) float32, fps. A line of clips.jsonl:
    name, speaker, sound (relative to root), frames, fps, text, source, split.
    """
    root, out_folder = Path(root), Path(out_folder)
    out_folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for clip in captured_clips(root, sources, head):
        np.savez_compressed(
            out_folder / f"{clip.name}.npz",
            weights=clip.curves.weights.astype(np.float16),
            names=np.array(clip.curves.names),
            tracked_gap=clip.tracked_gap.astype(np.float32),
            tracked_width=clip.tracked_width.astype(np.float32),
            fps=np.float32(clip.curves.fps),
        )
        entry = {
            "name": clip.name,
            "speaker": clip.speaker,
            "sound": clip.sound.relative_to(root).as_posix(),
            "frames": len(clip.curves.weights),
            "fps": clip.curves.fps,
            "text": clip.text,
            "source": clip.source,
            "split": clip.split,
        }
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
        if progress:
            progress(len(lines), 0, clip.source)
    (out_folder / "clips.jsonl").write_text("".join(lines), encoding="utf-8")
    return len(lines)


def solved_clips(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[dict, FaceCurves]]:
    """Yield what `write_captured` wrote into `folder`: the lines of clips.jsonl, each with its curves over `names`.

    Raises CorpusError for a file that is missing or damaged.
    """
    kinds = dict.fromkeys(("name", "speaker", "sound", "source", "split"), str) | {"text": str | None}
    for row in stored_lines(folder / "clips.jsonl", kinds):
        if leads_out(row["name"]):
            raise CorpusError(
                f"{folder / 'clips.jsonl'} names a clip {shown(row['name'])}; delete it to make it again."
            )
        try:
            curves = read_curves(folder / f"{row['name']}.npz", longest_seconds=math.inf).curves
            curves = curves.resample(FPS).reordered(names)
        except (CurveFileError, MotionError):
            raise CorpusError(f"{folder / row['name']}.npz is damaged; delete {folder} to make it again.") from None
        yield row, curves


def _landmark_clips(
    folder: Path, source: CaptureSource, basis: Basis, only: Collection[str] | None = None
) -> Iterator[CapturedClip]:
    clips, dropped = [], 0
    all_clips = [clip.at(basis.index) for clip in read_landmark_clips(folder)]
    for number, clip in enumerate(all_clips):
        points = fill_missing(clip.points, clip.fps)
        if points is None:
            dropped += 1
            continue
        split = "test" if source.holds_out(clip.name, number, len(all_clips)) else "train"
        clips.append((clip, points, split))
    if dropped:
        words = "%s: %d of %d clips left out: no face was found for too long."
        _log.warning(words, source.folder, dropped, len(all_clips))
    for speaker in dict.fromkeys(clip.speaker for clip, _, _ in clips):
        own = [entry for entry in clips if entry[0].speaker == speaker]
        neutral = find_neutral([points for _, points, _ in own], own[0][0].index)
        for clip, points, split in own:
            if only is None or clip.name in only:
                yield _solved(clip, points, split, source.folder, basis, refine_neutral(neutral, points))


def _solved(
    clip: LandmarkClip, points: np.ndarray, split: str, source: str, basis: Basis, neutral: Neutral
) -> CapturedClip:
    """One clip at 30 fps, in which every video frame with closed lips stays closed."""
    smooth = resampled(points, clip.fps, FPS)
    gap, width, _ = openings(smooth, clip.index)
    closed = openings(points, clip.index)[0] <= neutral.closed_level
    goal = keep_closures(open_gap(gap, neutral.closed_level), np.flatnonzero(closed) / clip.fps, FPS)
    curves = solve_landmarks(smooth, basis, neutral, FPS, gap=goal)
    return CapturedClip(clip.name, clip.speaker, source, split, curves, clip.sound, clip.text, gap, width)


def _curve_clips(
    folder: Path, source: CaptureSource, head: HeadMesh, only: Collection[str] | None = None
) -> Iterator[CapturedClip]:
    takes = curve_takes(folder)
    if not takes:
        raise CaptureError(f"There are no takes (npz with weights, names, fps; or CSV) in {folder}.")
    for number, take in enumerate(takes):
        if only is not None and take.stem not in only:
            continue
        sound = take.with_suffix(".opus")
        if not sound.is_file():
            raise CaptureError(f"The take {take} has no sound {sound.name} beside it.")
        try:
            curves = read_curves(take).curves.resample(FPS).reordered(head.blendshape_names)
        except CurveFileError as error:
            raise CaptureError(f"The take {take} cannot be used: {error}") from None
        gap, width = head_openings(head, curves)
        split = "test" if source.holds_out(take.stem, number, len(takes)) else "train"
        yield CapturedClip(take.stem, source.folder, source.folder, split, curves, sound, None, gap, width)


def curve_takes(folder: Path) -> list[Path]:
    """List the files of face curves in a folder, in order."""
    return sorted(path for suffix in ("*.npz", "*.csv") for path in folder.glob(suffix))


def head_openings(head: HeadMesh, curves: FaceCurves) -> tuple[np.ndarray, np.ndarray]:
    """Measure lip opening (y) and lip width of `head` under `curves`, each (T,), in the head's eye distances."""
    marks = [head.landmarks[name] for name in ("inner_lip_upper", "inner_lip_lower", "mouth_left", "mouth_right")]
    shapes = head.blendshapes[:, marks].reshape(len(head.blendshape_names), -1)
    weights = curves.reordered(head.blendshape_names).weights
    points = (weights @ shapes).reshape(-1, 4, 3) + head.template[marks]
    corners = head.template[[head.landmarks["eye_left_outer"], head.landmarks["eye_right_outer"]]]
    eyes = np.linalg.norm(corners[0] - corners[1])
    rest = head.template[marks[0], 1] - head.template[marks[1], 1]
    gap = points[:, 0, 1] - points[:, 1, 1] - rest  # at rest the lips of the head are closed
    return gap / eyes, np.linalg.norm(points[:, 2] - points[:, 3], axis=-1) / eyes
