"""The space that motion lives in: coordinates in a linear basis of a head's blendshapes, or plain vertices.

Blendshape motion lies in a small linear space. In an orthonormal basis of it distances are those of vertices (up to the
constant 3 V / K in every mean), and a frame is K = 31 numbers instead of 28,944. A model of vertices (VOCASET, BIWI)
has the identity as its basis, so that nobody has to ask which of the two it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from memorytalker.face.frames import frame_by_frame
from memorytalker.face.head import HeadError, HeadMesh, load_head

#: Speech moves the lower face; these shapes are left to the expression layer.
STILL = ("eye", "brow", "noseSneer")
#: Singular values below this share of the largest are dropped from a basis.
TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class MotionSpace:
    """A linear space of motion.

    Args:
        name: of the basis, in the configuration of models that speak it; "" for vertices.
        vertex_count: V.
        basis: (K, 3 V) float64, orthonormal rows in metres; None: the identity, K = 3 V.
        from_weights: (S, K) from blendshape weights to coordinates in metres; None for vertices.
        shapes: the S names of the blendshapes.
    """

    name: str
    vertex_count: int
    basis: np.ndarray | None = None
    from_weights: np.ndarray | None = None
    shapes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Prepare the basis for decoding, once."""
        rows = None if self.basis is None else np.ascontiguousarray(self.basis, np.float32)
        object.__setattr__(self, "_rows", rows)

    @property
    def coordinates(self) -> int:
        """Numbers per frame, K."""
        return 3 * self.vertex_count if self.basis is None else len(self.basis)

    def offsets(self, coordinates: np.ndarray) -> np.ndarray:
        """Decode motion.

        Args:
            coordinates: (T, K) float32 in metres.

        Returns:
            Offsets (T, V, 3) float32 in metres from the template. A frame's bits do not depend on the other frames.
        """
        frames = len(coordinates)
        rows: np.ndarray | None = self._rows  # type: ignore[attr-defined]
        if rows is None:
            return coordinates.reshape(frames, self.vertex_count, 3)
        return frame_by_frame(coordinates, rows).reshape(frames, self.vertex_count, 3)

    def offsets_at(self, coordinates: np.ndarray, vertices: list[int] | np.ndarray) -> np.ndarray:
        """Return the offsets (T, n, 3) in metres of `n` vertices alone, equal to `offsets` within rounding."""
        frames = len(coordinates)
        if self.basis is None:
            return coordinates.reshape(frames, self.vertex_count, 3)[:, vertices]
        rows = self.basis.reshape(self.coordinates, -1, 3)[:, vertices].astype(np.float32)
        return (coordinates @ rows.reshape(self.coordinates, -1)).reshape(frames, -1, 3)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Convert blendshape weights (T, S) to coordinates (T, K) float32 in metres. Only for a basis of shapes."""
        assert self.from_weights is not None
        return (weights @ self.from_weights).astype(np.float32)


def vertex_space(vertex_count: int) -> MotionSpace:
    """Return the space of plain vertices, whose coordinates are offsets (3 V,)."""
    return MotionSpace("", vertex_count)


def speech_space(head: HeadMesh) -> MotionSpace:
    """Return the space of a head's speech shapes, from the basis that is stored with the head.

    Args:
        head: the shipped head.

    Returns:
        The space.

    Raises:
        HeadError: a head without a stored basis.
    """
    if head.motion_mix is None:
        raise HeadError("This head has no basis of motion; use the shipped head.")
    shapes = head.blendshapes.reshape(len(head.blendshape_names), -1).astype(np.float64)
    mix = np.asarray(head.motion_mix, np.float64)
    basis = mix @ shapes
    speaking = np.array([not name.startswith(STILL) for name in head.blendshape_names])
    from_weights = (shapes * speaking[:, None]) @ basis.T
    return MotionSpace(basis_name(mix), head.vertex_count, basis, from_weights, head.blendshape_names)


def speech_mix(names: tuple[str, ...], shapes: np.ndarray) -> np.ndarray:
    """Compute the orthonormal basis of the shapes that speech moves, as a mix of the shapes.

    It is stored with the head, because another linear algebra library may choose other signs.

    Args:
        names: of the S blendshapes.
        shapes: (S, V, 3) in metres at weight 1.

    Returns:
        (K, S) float64; its product with the shapes has orthonormal rows, strongest first.
    """
    speaking = np.array([not name.startswith(STILL) for name in names])
    flat = shapes.reshape(len(names), -1).astype(np.float64) * speaking[:, None]
    left, values, _ = np.linalg.svd(flat, full_matrices=False)
    kept = values > TOLERANCE * values[0]
    mix = (left[:, kept] / values[kept]).T
    largest = mix[np.arange(len(mix)), np.abs(mix).argmax(axis=1)]
    return mix * np.sign(largest)[:, None]


def basis_name(mix: np.ndarray) -> str:
    """Return the name of a basis: it changes with any of its numbers, so that no model is read in another basis."""
    return f"speech-{hashlib.sha256(np.ascontiguousarray(mix, np.float64).tobytes()).hexdigest()[:8]}"


def space_of(basis: str, coordinates: int, head: HeadMesh | None = None) -> MotionSpace:
    """Return the space in which a model predicts motion.

    Args:
        basis: name of the basis in the model's configuration; "" for vertices.
        coordinates: numbers per frame, K.
        head: the head with that basis; None: the shipped one.

    Returns:
        The space.

    Raises:
        HeadError: a basis that is not the head's, or another number of coordinates.
    """
    if not basis:
        if coordinates % 3:
            raise HeadError(f"These weights predict {coordinates} numbers a frame, which are no vertices in 3D.")
        return vertex_space(coordinates // 3)
    space = speech_space(load_head() if head is None else head)
    if (basis, coordinates) != (space.name, space.coordinates):
        raise HeadError(
            f"These weights predict {coordinates} coordinates in the basis {basis[:40]}, and the head's is "
            f"{space.name} with {space.coordinates}; use the head and the weights of one version."
        )
    return space
