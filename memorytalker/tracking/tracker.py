"""The face tracker: 478 points of a face in a single image, by the networks of a `face_landmarker.task`.

The file is a zip of LiteRT graphs, published as MediaPipe Face Landmarker; it ships as `weights/tracker`. Their
runtime, `ai-edge-litert`, comes with the extra "film"; nothing is sent anywhere. An image is looked at by itself,
without smoothing over time, which would take a part of the amplitude of fast lips.

Source: Kartynnik et al. 2019, arXiv 1907.06724 (the face mesh).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.errors import InputError
from memorytalker.extras import to_install
from memorytalker.places import assets_folder, remedy, weights_folder
from memorytalker.tracking.detection import (
    ANCHORS,
    DETECTOR_SIZE,
    REGRESSORS,
    Detection,
    Square,
    cut_square,
    decode_detections,
    whole_square,
)

#: How the open head looks to this tracker: its points, and what each shape of the head does to them.
BASIS_FILE = assets_folder("tracking") / "tracker_basis.npz"
#: The shipped networks.
NETWORKS_FILE = weights_folder() / "tracker" / "face_landmarker.task"

#: Points of the face mesh with both irises.
POINTS = 478
#: A face counts from this presence on.
LEAST_PRESENCE = 0.5
#: Width and height in pixels of what the landmark network sees.
LANDMARK_SIZE = 256
DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"
#: No graph of the file is larger, in bytes.
LARGEST_GRAPH = 64 * 2**20


class TrackerError(InputError):
    """Networks or an image that cannot be used; the message says what is wrong and what is needed."""


@dataclass(frozen=True)
class TrackedFace:
    """A face in an image.

    Attributes:
        points: (478, 2) in pixels of the image, numbered as in MediaPipe Face Mesh; x to the viewer's right, y down.
        depth: (478,) relative depth on the scale of the pixels; smaller is nearer to the camera.
        presence: how sure the network is that it saw a face, from 0 to 1.
        score: how sure the detector was.
    """

    points: np.ndarray
    depth: np.ndarray
    presence: float
    score: float


class FaceTracker:
    """Finds and tracks faces in single images. To be used from one thread at a time."""

    def __init__(self, detector: Any, landmarks: Any) -> None:
        """Take two interpreters with their tensors allocated; `load_tracker` makes them."""
        self._detector, self._landmarks = detector, landmarks

    def detect(self, image: np.ndarray) -> tuple[Detection, ...]:
        """Find faces.

        Args:
            image: (H, W, 3) uint8 sRGB.

        Returns:
            The faces, the surest first.

        Raises:
            TrackerError: no such image.
        """
        _check_image(image)
        seen = whole_square(image.shape[1], image.shape[0])
        answer = _run(self._detector, cut_square(image, seen, DETECTOR_SIZE, "black") / 127.5 - 1.0)
        regressors, logits = answer[ANCHORS * REGRESSORS].reshape(ANCHORS, REGRESSORS), answer[ANCHORS]
        return decode_detections(regressors, logits, seen)

    def points_in(self, image: np.ndarray, square: Square) -> tuple[np.ndarray, float]:
        """Find the points of the face that a square shows upright.

        Args:
            image: (H, W, 3) uint8 sRGB.
            square: around the face.

        Returns:
            Points (478, 3), x and y in pixels of the image and depth on their scale; and the presence, from 0 to 1.

        Raises:
            TrackerError: no such image.
        """
        _check_image(image)
        answer = _run(self._landmarks, cut_square(image, square, LANDMARK_SIZE) / 255.0)
        points = answer[POINTS * 3].reshape(POINTS, 3).astype(float) / LANDMARK_SIZE
        flat = square.to_image(points[:, :2])
        presence = 1.0 / (1.0 + math.exp(-float(np.clip(answer[1][0], -100, 100))))
        return np.concatenate([flat, points[:, 2:] * square.side], 1), presence

    def track(self, image: np.ndarray) -> TrackedFace | None:
        """Track the surest face.

        Args:
            image: (H, W, 3) uint8 sRGB.

        Returns:
            The face; None if there is none.

        Raises:
            TrackerError: no such image.
        """
        found = self.detect(image)
        if not found:
            return None
        points, presence = self.points_in(image, found[0].square())
        if presence < LEAST_PRESENCE:
            return None
        return TrackedFace(points[:, :2], points[:, 2], presence, found[0].score)


def load_tracker(path: str | Path | None = None, threads: int = 1) -> FaceTracker:
    """Load the networks of a face tracker.

    Args:
        path: a `face_landmarker.task`; None: the shipped one.
        threads: number of threads that each network may use.

    Returns:
        The tracker.

    Raises:
        TrackerError: the file is missing or damaged or holds other networks, or their runtime is not installed.
    """
    path = NETWORKS_FILE if path is None else Path(path)
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise TrackerError(to_install("ai_edge_litert")) from None
    graphs = _read_graphs(path, (DETECTOR, LANDMARKS))
    networks = []
    for graph, size, outputs in (
        (graphs[0], DETECTOR_SIZE, {ANCHORS * REGRESSORS, ANCHORS}),
        (graphs[1], LANDMARK_SIZE, {POINTS * 3, 1}),
    ):
        try:
            network = Interpreter(model_content=graph, num_threads=threads)
            network.allocate_tensors()
            seen = [tuple(one["shape"]) for one in network.get_input_details()]
            sizes = {math.prod(one["shape"]) for one in network.get_output_details()}
        except (RuntimeError, ValueError):
            raise TrackerError(
                f"{path} holds no LiteRT graph that can be run; get face_landmarker.task again."
            ) from None
        if seen != [(1, size, size, 3)] or not outputs <= sizes:
            raise TrackerError(f"The networks in {path} are not those of MediaPipe's Face Landmarker; get that file.")
        networks.append(network)
    return FaceTracker(*networks)


def track_frames(tracker: FaceTracker, frames: Iterable[np.ndarray]) -> np.ndarray:
    """Track the surest face in each frame by itself.

    Args:
        tracker: as `load_tracker` gives it.
        frames: T images (H, W, 3) uint8 sRGB.

    Returns:
        (T, 478, 2) in pixels; NaN in frames in which no face was found.

    Raises:
        TrackerError: a frame that is no such image.
    """
    faces = (tracker.track(frame) for frame in frames)
    points = [np.full((POINTS, 2), np.nan) if face is None else face.points for face in faces]
    return np.stack(points) if points else np.empty((0, POINTS, 2))


def _read_graphs(path: Path, names: tuple[str, ...]) -> list[bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                if archive.getinfo(name).file_size > LARGEST_GRAPH:
                    raise TrackerError(f"{name} in {path} is larger than a face tracker's network; get the file again.")
            return [archive.read(name) for name in names]
    except FileNotFoundError:
        where = remedy("weights/tracker") if path == NETWORKS_FILE else "give MediaPipe's face_landmarker.task"
        raise TrackerError(f"There is no {path}; {where}.") from None
    except (OSError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        raise TrackerError(f"{path} is not a face tracker; give MediaPipe's face_landmarker.task.") from None


def _run(network: Any, image: np.ndarray) -> dict[int, np.ndarray]:
    """What a network answers to an image, flat, by the number of its values."""
    network.set_tensor(network.get_input_details()[0]["index"], image[None].astype(np.float32))
    network.invoke()
    outputs = [network.get_tensor(one["index"]).ravel() for one in network.get_output_details()]
    return {len(values): values for values in reversed(outputs)}  # the first of several of one size


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise TrackerError(f"An image needs the shape (height, width, 3) and bytes, not {image.shape} {image.dtype}.")
