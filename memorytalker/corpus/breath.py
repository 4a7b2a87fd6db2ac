"""Breath in recorded motion: the moments in which nobody speaks and the filmed mouth stands open.

People draw breath before they speak, some through a wide open mouth, and it can be heard, softly, between 0.5 and
4 kHz. A network that is told that all of this is silence, in which a mouth is shut, has to do one thing while its
address says another.
"""

from __future__ import annotations

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry
from memorytalker.phones import ENGLISH

#: Metres between the inner lips from which on a mouth is open in silence: above what a tracker leaves of closed lips.
BREATH_GAP = 0.0015


def with_breaths(labels: np.ndarray, weights: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """The phone of each frame (T,), silence with an open mouth renamed breath.

    labels (T,) are indices of `ENGLISH.phones`, -1 unknown; weights (T, S) over `geometry`'s shapes.
    """
    breathing = (labels == ENGLISH.silence_index) & (weights @ geometry.gap > BREATH_GAP)
    return np.where(breathing, ENGLISH.index(ENGLISH.breath), labels)
