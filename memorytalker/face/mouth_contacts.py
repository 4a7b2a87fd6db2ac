"""Keeping a mouth's contacts while its movement is changed: closed lips stay closed, a lip at the teeth stays there.

What the network says about p b m and f v is right to a tenth of a millimetre, and no style and no feeling is worth
losing it. So the shapes that part the lips are changed less the nearer the lips, or lip and teeth, are to touching,
and not at all where they touch; what the other shapes do to the lips there is taken back by the jaw and the lower lip.
Every frame is treated by itself, so that a stream gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import eased

#: Shapes that part or join the lips, or hide the teeth, by the beginnings of their names.
PARTING = ("jaw", "mouthClose", "mouthFunnel", "mouthUpperUp", "mouthLowerDown", "mouthShrug", "mouthRoll", "tongueOut")
#: Lips closer than the first count as closed, further apart than the second as free; likewise the lower lip below the
#: edge of the upper teeth. Metres.
CLOSED, FREE = 0.0003, 0.0018
AT_TEETH, OFF_TEETH = 0.0004, 0.0018
#: A vertex of the lower lip is measured against the nearest one of the upper lip, no further to the side than this.
ASIDE = 0.0006
#: The part of the lips that is watched: this far to either side of the middle, in metres.
WATCHED = 0.020


@dataclass(frozen=True, eq=False)
class MouthContacts:
    """What touches in a mouth, linear in the weights of its shapes.

    Args:
        names: of the S shapes.
        openings: (S, n) metres by which a shape parts the lips at n places between the corners.
        middle: (S,) metres, in the middle of the lips.
        lowering: (S,) metres by which the lower lip moves down from the edge of the upper teeth.
        teeth_rest: metres by which it lies below that edge in the neutral face; negative: it covers the edge.
    """

    names: tuple[str, ...]
    openings: np.ndarray
    middle: np.ndarray
    lowering: np.ndarray
    teeth_rest: float

    def opening(self, weights: np.ndarray) -> np.ndarray:
        """Return how far the lips are apart where they are furthest apart: (T,) metres, of weights (T, S)."""
        return (weights @ self.openings).max(axis=1)

    def below_teeth(self, weights: np.ndarray) -> np.ndarray:
        """Return how far the lower lip is below the edge of the upper teeth: (T,) metres, of weights (T, S)."""
        return weights @ self.lowering + self.teeth_rest

    def closed(self, weights: np.ndarray) -> np.ndarray:
        """Return from 1, lips closed, to 0, lips free: (T,)."""
        return 1.0 - eased((self.opening(weights) - CLOSED) / (FREE - CLOSED))

    def at_teeth(self, weights: np.ndarray) -> np.ndarray:
        """Return from 1, lower lip at the upper teeth, to 0, free of them: (T,)."""
        return 1.0 - eased((self.below_teeth(weights) - AT_TEETH) / (OFF_TEETH - AT_TEETH))

    def kept(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Give changed weights the contacts that the unchanged ones have.

        Args:
            before: (T, S) weights in [0, 1] as the network moves the mouth.
            after: (T, S) the changed weights in [0, 1].

        Returns:
            (T, S) weights in [0, 1]: those of `after` where nothing touches; where lips touch in `before` they are no
            further apart, or less than `CLOSED`, and where the lower lip is at the teeth it stays there.
        """
        weights = np.array(after, np.float64)
        closed, teeth = self.closed(before), self.at_teeth(before)
        held = np.maximum(closed, teeth)[:, None]
        parting = np.array([name.startswith(PARTING) for name in self.names])
        weights[:, parting] += held * (before[:, parting] - weights[:, parting])
        jaw, chin = self.names.index("jawOpen"), self.names.index("mouthShrugLower")
        # The lower lip rises to where shapes that stay have parted the lips, or moved them from the teeth.
        apart = self.opening(weights) - np.maximum(self.opening(before), CLOSED)
        weights[:, chin] += closed * np.maximum(apart, 0.0) / -self.openings[chin].max()
        moved = (weights - before) @ self.lowering
        weights[:, jaw] -= (1.0 - closed) * teeth * moved / self.lowering[jaw]
        # Lips that press through each other open again.
        through = np.minimum(before @ self.middle, 0.0) - weights @ self.middle
        weights[:, jaw] += (1.0 - closed) * np.maximum(through, 0.0) / self.middle[jaw]
        return np.clip(weights, 0.0, 1.0)


def mouth_contacts(head: HeadMesh) -> MouthContacts:
    """Measure the contacts of a head's mouth.

    Args:
        head: with blendshapes, the region of its inner lips and its landmarks.

    Returns:
        The contacts.

    Raises:
        HeadError: a head without these.
    """
    marks, inner = head.landmarks, head.regions["inner_lips"]
    places, jaw = head.template, head.blendshape("jawOpen")[:, 1]
    middle = inner[np.abs(places[inner, 0]) < WATCHED]
    most = jaw[marks["inner_lip_lower"]]
    lower, upper = middle[jaw[middle] < most / 2], middle[jaw[middle] > most / 4]
    pairs = [(marks["inner_lip_upper"], marks["inner_lip_lower"])]
    for vertex in lower:
        near = upper[np.abs(places[upper, 0] - places[vertex, 0]) < ASIDE]
        if len(near):
            pairs.append((int(near[np.linalg.norm(places[near] - places[vertex], axis=1).argmin()]), int(vertex)))
    ups, downs = np.array(pairs).T
    heights = head.blendshapes[:, :, 1].astype(np.float64)
    return MouthContacts(
        head.blendshape_names,
        heights[:, ups] - heights[:, downs],
        heights[:, pairs[0][0]] - heights[:, pairs[0][1]],
        -heights[:, marks["inner_lip_lower"]],
        float(places[marks["upper_teeth"], 1] - places[marks["inner_lip_lower"], 1]),
    )
