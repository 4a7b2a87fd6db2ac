"""A video of a face as motion: its 52 curves, the turns of the head, and its sound.

Each frame is tracked by itself; then the turn of the head is removed, the face is scaled by its eyes, the face at rest
is found among the frames whose lips are closed and still, and the curves are solved with which the open head, drawn and
tracked in the same way, shows the same motion. Lips that were tracked as closed are closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves, resampled
from memorytalker.face.neck import LARGEST_ANGLE
from memorytalker.progress import Progress
from memorytalker.sound.decode import AudioError, Waveform, load_waveform
from memorytalker.tracking.face_track import FaceTrack, track_face
from memorytalker.tracking.head_pose import facing, head_turns
from memorytalker.tracking.landmark_solver import Basis, keep_closures, open_gap, read_basis, solve_landmarks
from memorytalker.tracking.landmarks import Neutral, fill_missing, find_neutral, openings, refine_neutral
from memorytalker.tracking.tracker import BASIS_FILE, FaceTracker, load_tracker
from memorytalker.tracking.upper_face import upper_curves
from memorytalker.tracking.video_frames import VideoError

#: Suffixes of files that are read as videos of a face.
SUFFIXES = tuple(".mp4 .mov .m4v .webm .mkv .avi .mpg .mpeg .wmv .3gp .ogv".split())
#: Frames per second of the curves.
FPS = 30.0
#: Seconds of a video at the most, and of all videos of a person.
LONGEST_SECONDS = 600.0
#: A face that is lost for longer than this, in seconds, is not seen in between.
LOST = 0.2
#: From this angle on a face is turned away, in radians: one corner of the mouth begins to hide.
TURNED_AWAY = np.radians(35.0)
#: A video is refused when the face is seen in less than this share of it. Shorter stretches, in seconds, tell nothing.
LEAST_SEEN, SHORTEST_STRETCH = 0.5, 0.5


@dataclass(frozen=True, eq=False)
class FaceVideo:
    """A face in a video, as motion of the open head. Frame i is at i / FPS seconds of the file and of its sound.

    Args:
        name: of the file.
        curves: weights (T, 52) by ARKit's names, at 30 frames a second.
        head_turns: (T, 3) yaw, pitch and roll in radians, as `face/neck.py` has them.
        seen: (T,) bool, whether the face was seen from the front; elsewhere the curves are interpolated.
        lip_opening: (T,) as tracked, in eye distances.
        lip_width: (T,) likewise.
        waveform: the sound; None without a sound track.
        remarks: what the user should know, in sentences.
    """

    name: str
    curves: FaceCurves
    head_turns: np.ndarray
    seen: np.ndarray
    lip_opening: np.ndarray
    lip_width: np.ndarray
    waveform: Waveform | None
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the motion in seconds."""
        return self.curves.duration

    @property
    def stretches(self) -> tuple[slice, ...]:
        """The frames of each stretch in which the face was seen."""
        return stretches_of(self.seen)


@dataclass(frozen=True, eq=False)
class _Steady:
    """A face at 30 frames a second without the turns of its head.

    points: (T, P, 2). turns: (T, 3) radians. seen: (T,) bool. times, openings: (n,) of the tracked frames, in seconds
    and in eye distances.
    """

    track: FaceTrack
    points: np.ndarray
    turns: np.ndarray
    seen: np.ndarray
    times: np.ndarray
    openings: np.ndarray
    remarks: tuple[str, ...]


def read_face_video(
    path: str | Path,
    tracker: FaceTracker | None = None,
    head: HeadMesh | None = None,
    longest_seconds: float = LONGEST_SECONDS,
    progress: Progress | None = None,
) -> FaceVideo:
    """Read the face in a video file; see `read_face_videos`."""
    return read_face_videos([path], tracker, head, longest_seconds, progress)[0]


def read_face_videos(
    paths: Sequence[str | Path],
    tracker: FaceTracker | None = None,
    head: HeadMesh | None = None,
    longest_seconds: float = LONGEST_SECONDS,
    progress: Progress | None = None,
) -> tuple[FaceVideo, ...]:
    """Read the face of one person in video files; the face at rest is found in all of them together.

    Args:
        paths: the videos, all of the same person.
        tracker: of single images; None: the shipped one.
        head: the head of the curves; None: the shipped head.
        longest_seconds: of all videos together.
        progress: called as progress(frames done, 0, "track").

    Returns:
        The face in each of them, in their order.

    Raises:
        CaptureError: lips that never close.
        TrackerError: the tracker's networks or their runtime are not there.
        VideoError: a video that cannot be used, in one sentence with the remedy.
    """
    head, tracker = head or load_head(), tracker or load_tracker()
    basis = read_basis(BASIS_FILE, head)
    left, faces = longest_seconds, []
    for path in paths:
        if left < SHORTEST_STRETCH:
            raise VideoError(f"These videos last more than {longest_seconds:g} s together; a minute is enough.")
        track = track_face(path, tracker, basis.index, left, progress)
        left -= track.seconds
        faces.append(_steady(track))
    stretches = [face.points[part] for face in faces for part in stretches_of(face.seen)]
    neutral = find_neutral(stretches, basis.index, most_turns=0)
    sounds = [_sound(Path(path), longest_seconds) for path in paths]
    return tuple(_solved(face, neutral, basis, sound) for face, sound in zip(faces, sounds, strict=True))


def stretches_of(seen: np.ndarray) -> tuple[slice, ...]:
    """The stretches of frames (T,) in which a face was seen for half a second at least."""
    edges = np.flatnonzero(np.diff(np.r_[False, seen, False].astype(int)))
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return tuple(slice(begin, end) for begin, end in pairs if end - begin >= SHORTEST_STRETCH * FPS)


def _steady(track: FaceTrack) -> _Steady:
    """Resample a face to 30 frames a second and remove the turns of its head."""
    found = np.isfinite(track.points).all((1, 2))
    times, known = track.times[found], track.points[found].astype(float)
    points = _at_rate(track)
    grid = np.arange(len(points)) / FPS
    turns = head_turns(points, track.index, FPS)
    seen = _near(grid, times)
    away = seen & (np.abs(turns[:, :2]) > TURNED_AWAY).any(1)
    if seen.mean() < LEAST_SEEN:
        raise VideoError(f"The face in {track.name} is lost for most of the time; keep it in the image.")
    if away.mean() > 1 - LEAST_SEEN:
        raise VideoError(f"The face in {track.name} is turned away for most of the time; film it from the front.")
    remarks = list(track.remarks)
    for lost, words in ((~seen, "not seen"), (away, "turned away")):
        if lost.sum() >= LOST * FPS:
            share = f"For {lost.sum() / FPS:.1f} s ({lost.mean():.0%}) the face in {track.name} is {words}"
            remarks.append(f"{share}; its motion there is only a guess.")
    seen &= ~away
    if not stretches_of(seen):
        raise VideoError(f"The face in {track.name} is never seen for {SHORTEST_STRETCH:g} s; film it for longer.")
    at_frames = np.stack([np.interp(times, grid, one) for one in turns.T], 1)
    opened = openings(facing(known, track.index, at_frames), track.index)[0]
    limited = np.clip(turns, -LARGEST_ANGLE, LARGEST_ANGLE)
    return _Steady(track, facing(points, track.index, turns), limited, seen, times, opened, tuple(remarks))


def _at_rate(track: FaceTrack) -> np.ndarray:
    """(T, P, 3) the points from time 0 on at 30 frames a second; frames without a face are interpolated."""
    points, times = fill_missing(track.points.astype(float), 1.0, np.inf), track.times
    assert points is not None  # there is a face in some frame
    if track.even:
        values = resampled(points, (len(times) - 1) / (times[-1] - times[0]), FPS)
        late = round(times[0] * FPS)
        return values[-late:] if late < 0 else np.concatenate([np.repeat(values[:1], late, axis=0), values])
    from scipy.interpolate import PchipInterpolator

    grid = np.arange(max(1, round(track.seconds * FPS))) / FPS
    return PchipInterpolator(times, points)(np.clip(grid, times[0], times[-1]))


def _near(grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) True at the moments `grid` (T,) that lie between two of `times` (n,) no further apart than `LOST`."""
    after = np.searchsorted(times, grid)
    late = np.r_[times, times[-1] + LOST][after]
    early = np.r_[times[0] - LOST, times][after]
    return (late - early <= LOST + 1e-6) & (grid <= times[-1] + LOST) & (grid >= times[0] - LOST)


def _solved(face: _Steady, neutral: Neutral, basis: Basis, sound: Waveform | str) -> FaceVideo:
    """The curves of a face; frames in which it was not seen are interpolated."""
    own = refine_neutral(neutral, face.points[face.seen])
    gap, width, _ = openings(face.points, basis.index)
    closed = face.times[face.openings <= own.closed_level]
    goal = keep_closures(open_gap(gap, own.closed_level), closed, FPS)
    curves = solve_landmarks(face.points, basis, own, FPS, goal)
    weights = curves.weights.copy()
    for name, values in upper_curves(own.place(face.points)[0], basis.index, face.seen).items():
        weights[:, curves.names.index(name)] = values
    frames, seen = np.arange(len(weights)), np.flatnonzero(face.seen)
    for column in weights.T:
        column[~face.seen] = np.interp(frames[~face.seen], seen, column[seen])
    waveform, remarks = (None, (sound,)) if isinstance(sound, str) else (sound, sound.remarks)
    return FaceVideo(
        name=face.track.name,
        curves=FaceCurves(weights, curves.names, FPS),
        head_turns=face.turns,
        seen=face.seen,
        lip_opening=gap,
        lip_width=width,
        waveform=waveform,
        remarks=face.remarks + remarks,
    )


def _sound(path: Path, longest_seconds: float) -> Waveform | str:
    """The sound of a video, or a sentence where there is none."""
    try:
        return load_waveform(path, longest_seconds=longest_seconds * 1.1)
    except AudioError as error:
        return f"Only the motion is used: {error}"
