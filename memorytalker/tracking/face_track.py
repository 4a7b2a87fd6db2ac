"""Following the face through a video: its landmarks in every frame, and what is wrong with the video in words."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.progress import Progress
from memorytalker.sound.decode import shown_name
from memorytalker.tracking.detection import Detection
from memorytalker.tracking.landmarks import EYE_CORNERS, columns
from memorytalker.tracking.tracker import LEAST_PRESENCE, FaceTracker
from memorytalker.tracking.video_frames import VideoError, VideoFacts, VideoFrames

#: A face at least so large as the one that is followed, as a share of its size, may be the one that speaks.
AS_LARGE = 0.6
#: Shares of a video's frames: with another face as large it is refused from the first on, and told from the second on;
#: with no face at all it is refused from the third on.
MANY_FACES, SOME_FACES, NO_FACE = 0.2, 0.02, 0.5
#: Brightness of a face, of 255, below which it counts as dark, and that of a video in which no face can be seen.
DARK, TOO_DARK = 45.0, 25.0
#: Distance of the outer eye corners in pixels of the frames as they are tracked: nearer, a face is too small.
SMALLEST_EYES = 36.0
#: Frames per second below which lips cannot be followed, and below which some of their motion is lost.
LEAST_RATE, GOOD_RATE = 12.0, 20.0
#: Steps between frames count as uneven when they differ from their median by this share of it.
UNEVEN = 0.25
#: Frames of a video at the least.
FEWEST_FRAMES = 5
#: Frames between two reports of progress.
REPORTED = 15


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """A face that was followed through a video.

    Args:
        name: of the file.
        points: (T, P, 3) pixels of the frames, and depth on the same scale; NaN where no face was found.
        times: (T,) seconds from the beginning of the file.
        index: (P,) MediaPipe numbers.
        remarks: what the user should know, in sentences.
    """

    name: str
    points: np.ndarray
    times: np.ndarray
    index: np.ndarray
    remarks: tuple[str, ...]

    @property
    def step(self) -> float:
        """Seconds from a frame to the next, typically."""
        return float(np.median(np.diff(self.times)))

    @property
    def even(self) -> bool:
        """Whether all frames are as far apart."""
        return bool((np.abs(np.diff(self.times) - self.step) <= UNEVEN * self.step).all())

    @property
    def seconds(self) -> float:
        """From the beginning of the file to the end of the last frame."""
        return float(self.times[-1]) + self.step


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was seen in the frames of a video. light: (T,) brightness of the face, or of the frame without one.

    others: (T,) whether another face is as large.
    """

    points: np.ndarray
    light: np.ndarray
    others: np.ndarray


def track_face(
    path: str | Path,
    tracker: FaceTracker,
    index: np.ndarray,
    longest_seconds: float,
    progress: Progress | None = None,
) -> FaceTrack:
    """Follow the face in a video file; each frame is looked at by itself.

    Args:
        path: the video.
        tracker: of single images.
        index: (P,) MediaPipe numbers of the points that are kept.
        longest_seconds: a longer video is refused.
        progress: called as progress(frames done, 0, "track").

    Returns:
        The face.

    Raises:
        VideoError: no video, or one in which no face can be followed, in one sentence with the remedy.
    """
    name = shown_name(Path(path))
    frames = VideoFrames(path, longest_seconds)
    seen = _follow(frames, tracker, index, progress)
    facts = frames.facts
    if len(facts.times) < FEWEST_FRAMES or (np.diff(facts.times) <= 0).any() or facts.times[-1] <= 0:
        raise VideoError(f"{name} holds hardly a moving image; film somebody who speaks for a few seconds.")
    track = FaceTrack(name, seen.points, facts.times, index, _checked(name, seen, index, facts))
    if 1 / track.step < LEAST_RATE:
        raise VideoError(
            f"{name} has only {1 / track.step:.0f} frames a second, too few to follow lips; film with {GOOD_RATE:.0f} "
            "or more."
        )
    remarks = list(track.remarks)
    if 1 / track.step < GOOD_RATE:
        remarks.append(f"{name} has {1 / track.step:.0f} frames a second; fast lips need {GOOD_RATE:.0f} or more.")
    if not track.even:
        remarks.append(f"The frames of {name} are not evenly apart; each is taken at its own time.")
    return dataclasses.replace(track, remarks=tuple(remarks))


def _follow(frames: VideoFrames, tracker: FaceTracker, index: np.ndarray, progress: Progress | None) -> _Seen:
    points, light, others = [], [], []
    last: Detection | None = None
    missing = np.full((len(index), 3), np.nan, np.float32)
    for number, image in enumerate(frames):
        if progress is not None and number % REPORTED == 0:
            progress(number, 0, "track")
        found = tracker.detect(image)
        face = _followed(found, last)
        kept = missing
        if face is not None:
            landmarks, presence = tracker.points_in(image, face.square())
            if presence >= LEAST_PRESENCE:
                kept, last = landmarks[index].astype(np.float32), face
        points.append(kept)
        light.append(_brightness(image, face))
        others.append(face is not None and any(max(o.size) > AS_LARGE * max(face.size) for o in found if o is not face))
    return _Seen(np.stack(points), np.array(light), np.array(others))


def _followed(found: tuple[Detection, ...], last: Detection | None) -> Detection | None:
    """The face that lies where the last one was; else the largest; None without a face."""
    if not found:
        return None
    if last is not None:
        nearest = min(found, key=lambda one: float(np.linalg.norm(one.centre - last.centre)))
        if np.linalg.norm(nearest.centre - last.centre) < max(last.size) / 2:
            return nearest
    return max(found, key=lambda one: float(max(one.size)))


def _brightness(image: np.ndarray, face: Detection | None) -> float:
    """Mean brightness of a face's box, or of an image without one, from 0 to 255; every fourth pixel is enough."""
    part = image
    if face is not None:
        (left, top), (right, bottom) = face.centre - face.size / 2, face.centre + face.size / 2
        cut = image[max(0, int(top)) : max(0, int(bottom)), max(0, int(left)) : max(0, int(right))]
        part = cut if cut.size else image
    return float(part[::4, ::4].mean())


def _checked(name: str, seen: _Seen, index: np.ndarray, facts: VideoFacts) -> tuple[str, ...]:
    """What the user should know; VideoError for a video that cannot be used."""
    found = np.isfinite(seen.points).all((1, 2))
    if found.mean() < NO_FACE:
        if np.median(seen.light) < TOO_DARK:
            raise VideoError(f"{name} is too dark to see a face; film with light on the face.")
        where = "is found" if not found.any() else f"is found in only {found.mean():.0%} of the frames"
        raise VideoError(
            f"No face {where} in {name}; film one face from the front, upright, filling at least a third of the image."
        )
    if seen.others.mean() > MANY_FACES:
        raise VideoError(f"Several faces are seen in {name}; film only the one that speaks, or cut the others off.")
    right, left = columns(index, EYE_CORNERS)
    eyes = float(np.median(np.linalg.norm(np.diff(seen.points[found][:, [right, left], :2], axis=1), axis=-1)))
    if eyes < SMALLEST_EYES:
        raise VideoError(
            f"The face in {name} is too small to follow its lips; go nearer, or cut the image to the face."
        )
    remarks = []
    if seen.others.mean() > SOME_FACES:
        remarks.append(f"Now and then {name} shows a second face; the one that is there first is followed.")
    if np.median(seen.light[found]) < DARK:
        remarks.append(f"The face in {name} is dark, so its lips are followed less well; film with light on the face.")
    if facts.rotation % 360:
        remarks.append(f"{name} is stored turned by {abs(facts.rotation):.0f} degrees; it is read upright.")
    if facts.cut_off:
        remarks.append(f"{name} is damaged after {facts.times[-1]:.1f} s; what is before that is used.")
    return tuple(remarks)
