"""Breath in recorded motion: silences in which the mouth is open.

People breathe in before they speak, some with a wide open mouth, which sounds softly between 0.5 and 4 kHz. Labelled as
silence, in which a mouth is closed, such frames would contradict their slot.
"""

from __future__ import annotations

import numpy as np

from memorytalker.articulation.coarticulation import MouthGeometry
from memorytalker.phones import ENGLISH

#: Lip opening in metres above which a mouth is open in silence; trackers report less for closed lips.
BREATH_GAP = 0.0015


def with_breaths(labels: np.ndarray, weights: np.ndarray, geometry: MouthGeometry) -> np.ndarray:
    """Relabel silence with an open mouth as breath.

    Args:
        labels: (T,) indices of `ENGLISH.phones`, -1 unknown.
        weights: (T, S) over `geometry.shapes`.
        geometry: of the head.

    Returns:
        Labels (T,).
    """
    breathing = (labels == ENGLISH.silence_index) & (weights @ geometry.gap > BREATH_GAP)
    return np.where(breathing, ENGLISH.index(ENGLISH.breath), labels)
