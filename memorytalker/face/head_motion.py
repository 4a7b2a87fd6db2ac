"""The motion of a head: a few numbers per frame, from which curves are solved and vertices made when asked for.

An hour of motion is 14 MB of coordinates and 12 GB of vertices, so whoever needs vertices takes them frame by frame.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np

from memorytalker.face.frame_rates import at_frame_rate, values_at_rate
from memorytalker.face.frames import BLOCK
from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.face.motion import FaceCurves, MotionError, resampled
from memorytalker.face.motion_space import MotionSpace
from memorytalker.face.neck import Neck, checked_turns, neck_of
from memorytalker.face.rigged_head import curves_for
from memorytalker.face.solve import CurveSolver, SolvedCurves
from memorytalker.progress import Progress


@dataclass(frozen=True, eq=False)
class HeadMotion:
    """The motion of a head over T frames: a sequence of vertices (V, 3), which are computed when asked for.

    Args:
        head: the mesh that moves.
        space: in which the coordinates are given.
        coordinates: (T, K) float32 in metres; for a space of blendshapes their weights.
        fps: frames per second.
        expression: weights of further blendshapes over the same frames, such as blinks, which are added; None: none.
        driving: the curves that the coordinates were made from, if the motion is given by curves; None: they are
            solved from the coordinates.
        turns: (T, 3) float32 yaw, pitch and roll of the head in radians, see `neck`; None: it never turns.

    Raises:
        MotionError: coordinates, expression or turns that do not fit together.
    """

    head: HeadMesh
    space: MotionSpace
    coordinates: np.ndarray
    fps: float
    expression: FaceCurves | None = None
    driving: FaceCurves | None = None
    turns: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        shape = np.shape(self.coordinates)
        if len(shape) != 2 or shape[1] != self.space.coordinates or self.space.vertex_count != self.head.vertex_count:
            raise MotionError(f"Motion of the shape {shape} does not fit a head of {self.head.vertex_count} vertices.")
        for curves in (self.expression, self.driving):
            if curves is not None and len(curves.weights) != shape[0]:
                raise MotionError(f"There are {shape[0]} frames of motion but {len(curves.weights)} of curves.")
        if self.turns is not None:
            object.__setattr__(self, "turns", checked_turns(self.turns, shape[0]))

    def __len__(self) -> int:
        """T."""
        return len(self.coordinates)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of `vertices`: (T, V, 3)."""
        return len(self), self.head.vertex_count, 3

    @overload
    def __getitem__(self, which: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, which: slice) -> np.ndarray: ...

    def __getitem__(self, which: int | slice) -> np.ndarray:
        """Return the vertices (V, 3) of one frame or (t, V, 3) of some, float32 in metres, y up."""
        if isinstance(which, slice):
            vertices = self.head.template + self._offsets(which)
            return vertices if self.turns is None else self._neck.turned(vertices, self.turns[which])
        if not -len(self) <= which < len(self):
            raise IndexError(f"There is no frame {which}; there are {len(self)}.")
        first = which % len(self)
        return self[first : first + 1][0]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the vertices (V, 3) of each frame; a block of frames is in memory at a time."""
        for block in self.blocks():
            yield from block

    def blocks(self, size: int = BLOCK) -> Iterator[np.ndarray]:
        """Yield the vertices (t, V, 3) of consecutive blocks of at most `size` frames."""
        for first in range(0, len(self), size):
            yield self[first : first + size]

    @property
    def vertices(self) -> np.ndarray:
        """All vertices (T, V, 3) float32 in metres, y up. They take 116 kB a frame on the shipped head."""
        return self[:]

    @property
    def offsets(self) -> np.ndarray:
        """All offsets (T, V, 3) float32 in metres from the template, without the turns of the head."""
        return self._offsets(slice(None))

    def at(self, vertices: list[int] | np.ndarray) -> np.ndarray:
        """Return the positions (T, n, 3) float32 in metres of `n` vertices; the others are not computed."""
        positions = self.head.template[vertices] + self.space.offsets_at(self.coordinates, vertices)
        if self.expression is not None:
            weights = self.expression.reordered(self.head.blendshape_names).weights
            positions = positions + np.einsum("ts,snx->tnx", weights, self.head.blendshapes[:, vertices])
        return positions if self.turns is None else self._neck.turned(positions, self.turns, np.asarray(vertices))

    @cached_property
    def _neck(self) -> Neck:
        return neck_of(self.head)

    @property
    def has_curves(self) -> bool:
        """Whether the motion can be given as curves of named blendshapes."""
        return self.driving is not None or bool(self.space.shapes)

    @property
    def solved(self) -> SolvedCurves:
        """The motion as curves of the head's blendshapes, with what they lose of it; see `solve`."""
        return self.solve()

    def solve(self, progress: Progress | None = None) -> SolvedCurves:
        """Solve for the curves, once; an hour takes ten seconds.

        Args:
            progress: called as progress(frames done, frames in total, "curves"); what it raises cancels.

        Returns:
            The motion as curves of the head's blendshapes, with what they lose of it.

        Raises:
            HeadError: a head without blendshapes.
        """
        if "_solved" not in self.__dict__:
            object.__setattr__(self, "_solved", self._solve(progress))
        return self.__dict__["_solved"]

    def _solve(self, progress: Progress | None) -> SolvedCurves:
        if self.driving is not None:
            return SolvedCurves(self.driving, np.zeros(len(self), np.float32))
        if not self.has_curves:
            raise HeadError(
                "This head has no blendshapes, so its motion cannot be given as curves; save it as .npz, or use the "
                "shipped head."
            )
        solved = CurveSolver(self.space, self.head.regions["lips"]).solve(self.coordinates, self.fps, progress)
        if self.expression is None:
            return solved
        weights = solved.curves.weights + self.expression.reordered(solved.curves.names).weights
        return dataclasses.replace(solved, curves=FaceCurves(np.clip(weights, 0, 1), solved.curves.names, self.fps))

    @property
    def curves(self) -> FaceCurves:
        """The weights (T, 52) of ARKit's blendshapes by name, in [0, 1]; see `solved`."""
        return self.solved.curves

    @classmethod
    def joined(cls, pieces: Sequence[HeadMotion]) -> HeadMotion:
        """Join consecutive pieces of one motion."""
        first = pieces[0]
        expressions = [piece.expression for piece in pieces if piece.expression is not None]
        if len(pieces) == 1:
            return first
        turned = [piece.turns for piece in pieces if piece.turns is not None]
        turns = np.concatenate(turned) if turned else None
        driving = [piece.driving for piece in pieces if piece.driving is not None]
        if driving:
            weights = np.concatenate([one.weights for one in driving])
            return motion_of_curves(first.head, FaceCurves(weights, driving[0].names, first.fps), turns)
        together = (
            FaceCurves(np.concatenate([one.weights for one in expressions]), expressions[0].names, first.fps)
            if expressions
            else None
        )
        coordinates = np.concatenate([piece.coordinates for piece in pieces])
        return cls(first.head, first.space, coordinates, first.fps, together, turns=turns)

    def resample(self, fps: float) -> HeadMotion:
        """Return the motion at another frame rate; see `frame_rates`, and `motion.resampled` for models of vertices."""
        if fps == self.fps:
            return self
        turns = None if self.turns is None else values_at_rate(self.turns, self.fps, fps)
        if self.driving is not None:
            return motion_of_curves(self.head, at_frame_rate(self.driving, fps), turns)
        resample = values_at_rate if self.space.shapes else resampled
        return HeadMotion(
            self.head,
            self.space,
            resample(self.coordinates, self.fps, fps),
            float(fps),
            None if self.expression is None else at_frame_rate(self.expression, fps),
            turns=turns,
        )

    def _offsets(self, which: slice) -> np.ndarray:
        offsets = self.space.offsets(self.coordinates[which])
        if self.expression is not None:
            weights = self.expression.reordered(self.head.blendshape_names).weights[which]
            offsets = offsets + self.head.offsets(weights)
        return offsets


def motion_of_curves(head: HeadMesh, curves: FaceCurves, turns: np.ndarray | None = None) -> HeadMotion:
    """Move a head by curves.

    Args:
        head: a head with blendshapes.
        curves: weights of ARKit's blendshapes by name.
        turns: of the head, as `HeadMotion` has them.

    Returns:
        The motion, whose coordinates are the weights of the head's blendshapes. A head of the user's own leaves out
        what it lacks; `rigged_head.lost_curves` lists it.

    Raises:
        HeadError: a head without blendshapes.
        MotionError: a curve that is not zero everywhere and that the shipped head does not have.
    """
    if not head.blendshape_names:
        raise HeadError("This head has no blendshapes, so face curves cannot move it; the shipped head has them.")
    ordered = curves.reordered(head.blendshape_names) if head.rig is None else curves_for(head, curves)
    basis = head.blendshapes.reshape(len(head.blendshape_names), -1)
    space = MotionSpace("blendshapes", head.vertex_count, basis, None, head.blendshape_names)
    driving = ordered if head.rig is None else curves
    return HeadMotion(head, space, ordered.weights, curves.fps, driving=driving, turns=turns)
