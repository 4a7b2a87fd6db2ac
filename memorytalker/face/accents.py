"""Stressed syllables: the moments at which speakers raise their brows or nod."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from memorytalker.face.motion import smoothed
from memorytalker.sound.prosody import Prosody

#: Seconds on either side within which an accent is the most prominent syllable.
REACH = 0.25
#: Smallest prominence of an accent.
LEAST = 0.9


def accents(examined: int, end: int, prosody: Prosody, fps: float) -> Iterator[tuple[int, float]]:
    """Yield the frames of stressed syllables among the frames from `examined` to before `end`, with their prominence.

    A syllable is prominent by its loudness and by how far its pitch rises above the voice's median.

    Args:
        examined: the first frame.
        end: the frame after the last; frames without prosody are left out.
        prosody: of the sound so far, ideally beyond these frames.
        fps: frames per second.
    """
    reach = round(REACH * fps)
    low, known = max(0, examined - 3 * reach), len(prosody.loudness)
    part = slice(low, min(known, end + 3 * reach))
    rise = np.clip(np.nan_to_num(prosody.pitch[part], nan=-6.0), -6.0, 8.0) / 4.0
    loud = np.clip(prosody.loudness[part] + 12.0, 0.0, 16.0) / 12.0
    prominence = smoothed(np.where(np.isnan(prosody.pitch[part]), 0.0, np.maximum(loud + rise, 0.0)), fps, 0.1)
    for frame in range(examined, min(end, known)):
        value, around = prominence[frame - low], prominence[max(0, frame - low - reach) : frame - low + reach + 1]
        if value >= LEAST and value >= around.max():
            yield frame, float(value)
