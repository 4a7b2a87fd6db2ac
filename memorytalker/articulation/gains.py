"""Movement that is larger or smaller by groups of mouth shapes: how the speech of one person becomes another's.

People differ in how far they open the mouth and, more or less independently, in how much they round and spread it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry
from memorytalker.articulation.speaker import ArticulationStyle


@dataclass(frozen=True)
class Gains:
    """Factors of the lip opening (`jaw`) and of rounding and spreading (`width`)."""

    jaw: float = 1.0
    width: float = 1.0

    @property
    def style(self) -> ArticulationStyle:
        """The articulation style with these gains; the lips part with the jaw, but less."""
        lips = self.jaw**0.7
        return ArticulationStyle(
            jaw=self.jaw, rounding=self.width, spreading=self.width, lifting=lips, lowering=lips, lean=0.0, slurring=0.0
        )


def rescaled(curves: np.ndarray, style: ArticulationStyle, geometry: MouthGeometry, fps: float) -> np.ndarray:
    """Apply an articulation style to recorded curves, whose phones need not be known.

    The lip opening becomes that of the curves times the gain of the jaw, so lips that were closed stay closed.

    Args:
        curves: (T, S) over `geometry.shapes`, in [0, 1].
        style: of the new speaker, relative to the recorded one.
        geometry: of the head.
        fps: frames per second.

    Returns:
        Curves (T, S) in [0, 1].
    """
    opening = np.maximum(curves @ geometry.gap, 0.0)
    return with_opening(style.apply(curves, geometry.shapes, fps), style.jaw * opening, geometry)


def with_opening(curves: np.ndarray, opening: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """Change jaw and lips as little as possible, so that the lips open as wanted.

    Lips too far apart close without the jaw (`mouthClose`, as far as the jaw is open), then the jaw closes. Lips
    not far enough apart part without the jaw, then the jaw opens.

    Args:
        curves: (T, S) over `geometry.shapes`, in [0, 1].
        opening: (T,) metres between the inner lips.
        geometry: of the head.

    Returns:
        Curves (T, S) in [0, 1].
    """
    curves = curves.copy()
    jaw, close = geometry.shapes.index("jawOpen"), geometry.shapes.index("mouthClose")
    change = (curves @ geometry.gap - opening) / -geometry.gap[
        close
    ]  # of mouthClose, which closes: its gap is negative
    most = np.maximum(curves[:, jaw] - curves[:, close], 0.0)
    curves[:, close] += np.clip(change, -curves[:, close], most)
    curves[:, jaw] += (opening - curves @ geometry.gap) / geometry.gap[jaw]
    return np.clip(curves, 0.0, 1.0)
