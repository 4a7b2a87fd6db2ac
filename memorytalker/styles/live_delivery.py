"""A style's gains, offsets and moods over live motion: frame by frame, causal, with its state in and out.

`layers.py` does the same for a whole sound, where it can look two seconds ahead to see whether somebody speaks. Here
the memory's address says so: what is not read from the slot of silence is speech. `web/src/delivery.js` computes the
same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.mouth_contacts import MouthContacts, mouth_contacts
from memorytalker.phones import ENGLISH
from memorytalker.styles.delivery import DeliveryTrack, delivered
from memorytalker.styles.style import Style

#: Seconds in which a mood's mouth gives way to speech, and comes back: the time constant.
SPEAKING_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class LiveDelivery:
    """What a style changes after the live network.

    Args:
        track: gains, offsets and moods over time.
        contacts: of the head's mouth.
        silence: number of the slot of silence; None: every slot is speech.
    """

    track: DeliveryTrack
    contacts: MouthContacts
    silence: int | None

    def apply(self, first: int, curves: FaceCurves, address: np.ndarray, speaking: float) -> tuple[FaceCurves, float]:
        """Change the curves of consecutive frames. Each is treated alone, so that chunks of any size give the same.

        Args:
            first: number of the first frame.
            curves: (t, S) as the network gives them.
            address: (t, n), rows sum to 1.
            speaking: from 0, silence, to 1, speech, after the frame before; 0 at the beginning.

        Returns:
            The changed curves (t, S), by the names of the head, and `speaking` after these frames.
        """
        share, rows = 1 - math.exp(-1 / (SPEAKING_SECONDS * curves.fps)), []
        for k in range(len(curves.weights)):
            spoken = 1.0 if self.silence is None else 1.0 - float(address[k, self.silence])
            speaking += share * (spoken - speaking)
            one = FaceCurves(curves.weights[k : k + 1], curves.names, curves.fps)
            values = self.track.values(first + k, 1, curves.fps)
            rows.append(delivered(values, one, self.contacts, np.array([speaking])).weights)
        return FaceCurves(np.concatenate(rows), self.contacts.names, curves.fps), speaking


def live_style(style: Style, head: HeadMesh, slots: Sequence[str]) -> tuple[np.ndarray, LiveDelivery | None]:
    """Return what a style is to the live network.

    Args:
        style: the style.
        head: the head that moves; contacts of one of the user's own are those of the shipped one, whose curves it
            follows.
        slots: labels of the n memory slots.

    Returns:
        Style weights (n,) float32, neutral where the style leaves them to the voice; and what is changed after the
        network, or None.

    Raises:
        StyleError: a style that weights other slots.
    """
    found, neutral = style.weights_for(slots), np.ones(len(slots), np.float32)
    weights = neutral if found is None else neutral + np.float32(style.slot_share) * (found - neutral)
    if not style.track.changes_curves:
        return weights, None
    silence = slots.index(ENGLISH.silence) if ENGLISH.silence in slots else None
    contacts = mouth_contacts(head if head.rig is None else load_head())
    return weights, LiveDelivery(style.track, contacts, silence)
