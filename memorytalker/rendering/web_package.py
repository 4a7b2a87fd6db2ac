"""Web package: motion, sound and appearance of a head as one small package that a browser can play.

A face moves in a linear space of some thirty dimensions. A package holds a basis of that space over the vertices that
move, and weights for every frame. The error of this compression is measured.
"""

from __future__ import annotations

import base64
import io
import json
import wave
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.head import HeadMesh
from memorytalker.rendering.appearance import HeadAppearance, head_appearance
from memorytalker.rendering.scene import fragment_body
from memorytalker.rendering.surface import ROUNDNESS
from memorytalker.sound.decode import Waveform

#: Largest error of a vertex in metres: a fiftieth of a millimetre.
TOLERANCE = 2e-5
#: A vertex that moves by less than this share of the tolerance counts as still.
STILL = 0.2
#: Dimensions that are tried first.
FIRST_RANK = 48
#: Only every so many frames are checked while the number of dimensions is chosen; all are checked at the end.
STRIDE = 5
#: Version of the package format; memorytalker/page/static/package.js reads only this one.
FORMAT = 2


class PlaybackError(InputError):
    """Motion that cannot be played; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class Playback:
    """T frames of a head of V vertices, of which M move, in k dimensions.

    Args:
        appearance: of the head, in metres.
        fps: frames per second.
        moving: (M,) int64, indices of the vertices that move.
        shapes: (k, M, 3) int16, the basis.
        steps: (k,) float32, metres per unit of each shape.
        weights: (T, k) float32.
        error: largest distance in metres of any vertex in any frame from the original motion.
    """

    appearance: HeadAppearance
    fps: float
    moving: np.ndarray
    shapes: np.ndarray
    steps: np.ndarray
    weights: np.ndarray
    error: float

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.weights) / self.fps

    def offsets(self, frame: int) -> np.ndarray:
        """Unpack the motion of one frame, to the same numbers as the browser does.

        Args:
            frame: from 0 to T - 1.

        Returns:
            (V, 3) float32 offsets from `appearance.template`, in metres.
        """
        return _unpacked(self.appearance.template.shape, self.moving, self.shapes, self.steps, self.weights[frame])

    def to_json(self, waveform: Waveform | None = None) -> str:
        """Return the package as JSON, with the sound if there is one, for the player in the page."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "fps": self.fps,
            "seconds": self.seconds,
            "appearance": _appearance_fields(self.appearance),
            "motion": _motion_fields(self),
            "material": fragment_body(),
        }
        if waveform is not None:
            content["sound"] = base64.b64encode(_wav(waveform)).decode("ascii")
        return json.dumps(content, separators=(",", ":"))


def pack(head: HeadMesh, vertices: np.ndarray, fps: float, tolerance: float = TOLERANCE) -> Playback:
    """Compress motion for the browser.

    The number of dimensions is as small as the tolerance allows; motion with measurement noise needs many.

    Args:
        head: the head; one in unknown units is scaled to the natural size of a head.
        vertices: (T, V, 3) in metres, y up.
        fps: frames per second, 1 to 240.
        tolerance: largest error of a vertex in metres.

    Returns:
        The compressed motion.

    Raises:
        PlaybackError: vertices that do not fit the head or are not finite, or another frame rate.
        HeadError: a head that cannot be drawn.
    """
    vertices = np.asarray(vertices, np.float32)
    if vertices.ndim != 3 or vertices.shape[1:] != head.template.shape or not len(vertices):
        raise PlaybackError(
            f"The motion has the shape {vertices.shape}, but this head needs (frames, {head.vertex_count}, 3); "
            "use the head that the motion was made for."
        )
    if not 1 <= fps <= 240:
        raise PlaybackError(f"Motion cannot have {fps} frames a second; choose 1 to 240.")
    appearance = head_appearance(head)
    reach = np.maximum(vertices.max(axis=0) - head.template, head.template - vertices.min(axis=0)).max(axis=1)
    reach *= appearance.scale  # metres, along the axis of its largest offset
    if not np.isfinite(reach).all():
        raise PlaybackError("The motion has vertices that are not finite; check the file that it came from.")
    moves = reach > STILL * tolerance
    moving = np.flatnonzero(moves)
    offsets = (vertices[:, moving] - head.template[moving]) * np.float32(appearance.scale)
    shapes, steps, weights, error = _compress(offsets.reshape(len(vertices), -1), tolerance)
    error = max(error, 3**0.5 * float(reach[~moves].max(initial=0.0)))
    shapes = shapes.reshape(len(steps), len(moving), 3)
    return Playback(appearance, float(fps), moving, shapes, steps, weights, error)


def _compress(offsets: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """(T, 3 M) -> shapes (k, 3 M) int16, steps (k,), weights (T, k), largest error; k as small as possible."""
    most, rank = min(offsets.shape), FIRST_RANK
    while True:
        basis, weights = _space(offsets, min(rank, most))
        steps = np.maximum(np.abs(basis).max(axis=1, initial=0.0), 1e-20) / 32767
        shapes = (basis / steps[:, None]).round().astype(np.int16)
        steps = steps.astype(np.float32)
        some = slice(None, None, STRIDE)
        if rank >= most or _distance(offsets[some], shapes, steps, weights[some]) <= tolerance:
            break
        rank *= 2
    fewest, enough = 0, len(shapes)
    while fewest < enough:  # the error falls with the number of dimensions
        middle = (fewest + enough) // 2
        if _distance(offsets[some], shapes[:middle], steps[:middle], weights[some, :middle]) <= 0.9 * tolerance:
            enough = middle
        else:
            fewest = middle + 1
    while (error := _distance(offsets, shapes[:enough], steps[:enough], weights[:, :enough])) > tolerance:
        if enough == len(shapes):
            break
        enough = min(enough + 4, len(shapes))
    return shapes[:enough], steps[:enough], np.ascontiguousarray(weights[:, :enough]), error


def _space(offsets: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The principal directions of `offsets` (T, N): orthonormal (rank, N), strongest first, and weights (T, rank).

    Source: Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53 (2011),
    doi:10.1137/090771806.
    """
    if not rank:
        return np.zeros((0, offsets.shape[1]), np.float32), np.zeros((len(offsets), 0), np.float32)
    draw = np.random.default_rng(0).standard_normal((offsets.shape[1], rank), dtype=np.float32)
    frames = np.linalg.qr(offsets @ draw)[0]
    frames = np.linalg.qr(offsets @ (offsets.T @ frames))[0]  # a power iteration separates strong from weak ones
    reduced = frames.T @ offsets
    values, turn = np.linalg.eigh(reduced.astype(np.float64) @ reduced.T.astype(np.float64))
    order = np.argsort(values)[::-1]
    basis = turn[:, order].T.astype(np.float32) @ reduced
    basis /= np.maximum(np.linalg.norm(basis, axis=1, keepdims=True), 1e-20)
    return basis, offsets @ basis.T


def _distance(offsets: np.ndarray, shapes: np.ndarray, steps: np.ndarray, weights: np.ndarray) -> float:
    """The largest distance of a vertex from its position in `offsets` (T, 3 M)."""
    if not offsets.size:
        return 0.0
    missing = offsets - (weights * steps) @ shapes.astype(np.float32)
    missing *= missing
    return float(np.sqrt(missing.reshape(len(offsets), -1, 3).sum(axis=2).max()))


def _unpacked(
    shape: tuple[int, ...], moving: np.ndarray, shapes: np.ndarray, steps: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    offsets = np.zeros(shape, np.float32)
    offsets[moving] = np.tensordot(weights * steps, shapes.astype(np.float32), 1)
    return offsets


def _appearance_fields(appearance: HeadAppearance) -> dict[str, Any]:
    wide = len(appearance.template) + len(appearance.edges) > 65535
    index = np.uint32 if wide else np.uint16
    return {
        "template": _array(appearance.template),
        "faces": _array(appearance.faces.astype(index)),
        "edges": _array(appearance.edges.astype(index)),
        "fineFaces": _array(appearance.fine_faces.astype(index)),
        "colors": _array(appearance.colors),
        "finishes": _array((100 * appearance.finishes).round().astype(np.uint8)),
        "sky": _array((255 * appearance.light.sky).round().astype(np.uint8)),
        "azimuths": list(appearance.light.azimuths),
        "keys": _array((255 * appearance.light.keys).round().astype(np.uint8)),
        "cameras": {
            name: {"position": list(map(float, camera.position)), "target": list(map(float, camera.focal_point))}
            for name, camera in appearance.cameras.items()
        },
        "roundness": ROUNDNESS,
        "viewAngle": next(iter(appearance.cameras.values())).view_angle,
    }


def _motion_fields(playback: Playback) -> dict[str, Any]:
    return {
        "moving": _array(playback.moving.astype(np.uint32)),
        "shapes": _array(playback.shapes),
        "weights": _array(playback.weights * playback.steps),
    }


def _array(values: np.ndarray) -> dict[str, Any]:
    """Type, shape and base64 of the little-endian bytes."""
    values = np.ascontiguousarray(values)
    plain = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return {
        "type": values.dtype.name,
        "shape": list(values.shape),
        "data": base64.b64encode(plain.tobytes()).decode("ascii"),
    }


def _wav(waveform: Waveform) -> bytes:
    """The sound as a WAV file of 16-bit PCM, which every browser plays, at its own sample rate."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(waveform.sample_rate)
        writer.writeframes(np.round(np.clip(waveform.samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
