"""Make `assets/tracking/tracker_basis.npz`: the open head, drawn with each of its shapes and tracked like a film.

Run it by hand after a change of the head's shapes, with MediaPipe's `face_landmarker.task` (extra `film`):

    python -m tools.tracking.basis face_landmarker.task [--output assets/tracking/tracker_basis.npz]

A tracker errs: it sees less of some motions than there is, and more of others. Drawn and tracked, the shapes have the
same errors as a film, so that the two can be compared. It takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from memorytalker.tracking.landmark_solver import CONTROLS
from memorytalker.tracking.landmarks import EYE_CORNERS, RIGID, align, columns
from memorytalker.tracking.tracker import BASIS_FILE, POINTS, FaceTracker, load_tracker

#: The points that are stored: eyes, irises, brows, lips, nose, cheeks, chin and the outline of the face.
INDEX = tuple(
    int(number)
    for number in (
        "0 1 2 4 5 6 7 10 13 14 17 18 21 33 37 39 40 46 50 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 83 84 87 88 91 "
        "93 95 98 103 105 107 109 117 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159 160 161 162 "
        "163 168 172 173 175 176 178 181 185 191 195 197 199 200 205 234 246 249 251 263 267 269 270 276 280 282 283 "
        "284 285 288 291 293 295 296 297 300 308 310 311 312 313 314 317 318 321 323 324 327 332 334 336 338 346 356 "
        "361 362 365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402 405 409 415 425 "
        "454 466 469 470 471 472 474 475 476 477"
    ).split()
)


@dataclass(frozen=True)
class View:
    """How the head is drawn once.

    Attributes:
        yaw: its turn about the vertical, in degrees.
        pitch: its nod, in degrees.
        size: width and height of the image in pixels.
        background: colour behind it, as "#rrggbb".
    """

    yaw: float
    pitch: float
    size: int
    background: str


#: Small turns, sizes and backgrounds, over which the tracker's noise is averaged. Turns to either side cancel.
VIEWS = tuple(
    View(yaw, pitch, size, background)
    for (yaw, pitch), (size, background) in zip(
        itertools.product((-5.0, -2.0, 2.0, 5.0), (-4.0, 3.0)),
        itertools.cycle(((512, "#2b313b"), (600, "#8a8f98"), (680, "#c9c4ba"), (560, "#5a6a5a"))),
        strict=False,
    )
)


def main() -> None:
    """Draw, track, write the file and print its digest."""
    parser = argparse.ArgumentParser(description="Track the open head with each of its shapes.")
    parser.add_argument("networks", type=Path, help="MediaPipe's face_landmarker.task")
    parser.add_argument("--output", type=Path, default=BASIS_FILE, help="the file to write (default: the shipped one)")
    arguments = parser.parse_args()
    head = load_head()
    rows = poses(head)
    neutral, moved = tracked_poses(head, load_tracker(arguments.networks), rows)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.output,
        index=np.array(INDEX, np.int32),
        neutral=neutral.astype(np.float32),
        shapes=np.array(["+".join(row) for row in rows]),
        full=moved[0].astype(np.float16),
        half=moved[1].astype(np.float16),
    )
    print(hashlib.sha256(arguments.output.read_bytes()).hexdigest(), arguments.output.name)


def poses(head: HeadMesh) -> tuple[tuple[str, ...], ...]:
    """List what is drawn: each shape of the head, and the shapes that the solver moves together."""
    together = tuple(control.shapes for control in CONTROLS.values() if len(control.shapes) > 1)
    return (*((name,) for name in head.blendshape_names), *together)


def tracked_poses(
    head: HeadMesh, tracker: FaceTracker, rows: tuple[tuple[str, ...], ...], views: tuple[View, ...] = VIEWS
) -> tuple[np.ndarray, np.ndarray]:
    """Track the head in n poses, at full and at half weight.

    Args:
        head: the head.
        tracker: of single images.
        rows: the shapes of each pose.
        views: over which the result is averaged.

    Returns:
        The neutral points (P, 2) and displacements (2, n, P, 2), in eye distances, at the points `INDEX`.

    Raises:
        SystemExit: no face was found in one of the images.
    """
    weights = np.zeros((1 + 2 * len(rows), len(head.blendshape_names)), np.float32)
    for number, row in enumerate(rows):
        shapes = [head.blendshape_names.index(name) for name in row]
        weights[1 + number, shapes], weights[1 + len(rows) + number, shapes] = 1.0, 0.5
    seen = [tracked_view(head, weights, view, tracker) for view in views]
    neutral = np.mean([points[0] for points in seen], axis=0)
    moved = np.mean([points[1:] - points[0] for points in seen], axis=0)
    return neutral, moved.reshape(2, len(rows), len(INDEX), 2)


def tracked_view(head: HeadMesh, weights: np.ndarray, view: View, tracker: FaceTracker) -> np.ndarray:
    """Draw and track the head in T poses from one side.

    Args:
        head: the head.
        weights: (T, 52) of its shapes; the first row is the neutral face.
        view: how it is drawn.
        tracker: of single images.

    Returns:
        (T, P, 2) at the points `INDEX`: the origin half-way between the outer eye corners of the first frame, x along
        them, y down, their distance 1; every frame fitted to the first by the points that speech does not move.

    Raises:
        SystemExit: no face was found in one of the images.
    """
    turn = turned(view.yaw, view.pitch)
    vertices = ((head.template + head.offsets(weights)) @ turn.T).astype(np.float32)
    options = RenderOptions(
        width=view.size, height=view.size, background_top=view.background, background_bottom=view.background
    )
    points = np.empty((len(weights), POINTS, 2))
    for number, image in enumerate(render_frames(head, vertices, options)):
        face = tracker.track(image)
        if face is None:
            raise SystemExit(f"No face was found in pose {number} of {view}; choose other views.")
        points[number] = face.points
    return placed(points[:, list(INDEX)])


def placed(points: np.ndarray) -> np.ndarray:
    """Bring tracked frames (T, P, 2), at the points `INDEX`, to the first one's eyes; see `tracked_view`."""
    index = np.array(INDEX)
    left, right = columns(index, EYE_CORNERS)
    across = complex(*(points[0, right] - points[0, left]))
    first = (points[0] - (points[0, left] + points[0, right]) / 2) @ (1, 1j) / across
    return align(points, np.stack([first.real, first.imag], -1), columns(index, RIGID))


def turned(yaw: float, pitch: float) -> np.ndarray:
    """The rotation (3, 3) by a yaw and a pitch in degrees, about the middle of the head."""
    a, b = math.radians(yaw), math.radians(pitch)
    about_y = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    return about_y @ about_x


if __name__ == "__main__":
    main()
