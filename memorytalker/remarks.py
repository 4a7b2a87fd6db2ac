"""What is said of the sounds of an animation, in the same sentences on the page, in the API and on the command line."""

from __future__ import annotations

from typing import Any

from memorytalker.animation import Animation
from memorytalker.face.head import HeadError
from memorytalker.sound.decode import Waveform, is_silent

SILENCE_SLOT = "sil"
#: A frame is read as silence where this share of the memory address rests on the slot of silence, ...
RESTING = 0.5
#: ... and no speech is heard where so many frames are. Sparse speech reaches this too, but opens the mouth.
RESTING_FRAMES = 0.9
#: Lips nearer than this, in metres, count as closed.
CLOSED = 0.001


def remarks_on(animation: Animation, style: Any = None) -> tuple[str, ...]:
    """What was decided while reading the sound, and `style` if that is a sound; and what is said if nobody speaks."""
    second = style.remarks if isinstance(style, Waveform) else ()
    speech = speech_remark(animation)
    return (
        *animation.waveform.remarks,
        *(f"Of the second sound: {remark}" for remark in second),
        *([] if speech is None else [speech]),
    )


def speech_remark(animation: Animation) -> str | None:
    """A sentence for sound that is silent, or in which the network finds no speech; None where there is speech.

    What it says of the mouth is measured on the animation. A head that does not name its lips, or slots without
    silence among them, leave only digital silence to be told.
    """
    opening = _widest_opening(animation)
    if is_silent(animation.waveform):
        if opening is None:
            return "The sound is silent."
        if opening < CLOSED:
            return "The sound is silent, so the mouth stays closed."
        return f"The sound is silent, yet the mouth opens by {1000 * opening:.1f} mm; have it closed in silence."
    if opening is None or opening >= CLOSED or SILENCE_SLOT not in animation.slot_labels:
        return None
    resting = animation.memory_address[:, animation.slot_labels.index(SILENCE_SLOT)] > RESTING
    return "No speech is heard in this sound, so the mouth stays closed." if resting.mean() >= RESTING_FRAMES else None


def _widest_opening(animation: Animation) -> float | None:
    """How far the inner lips part at the most, in metres; None for a head that does not name them."""
    try:
        upper, lower = (animation.head.landmarks[f"inner_lip_{side}"] for side in ("upper", "lower"))
    except HeadError:
        return None
    return float((animation.vertices[:, upper, 1] - animation.vertices[:, lower, 1]).max())
