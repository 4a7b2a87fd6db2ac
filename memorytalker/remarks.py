"""Remarks on the sounds of an animation: the same sentences on the page, in the API and on the command line."""

from __future__ import annotations

from typing import Any

from memorytalker.animation import Animation
from memorytalker.face.head import HeadError
from memorytalker.sound.decode import Waveform, is_silent

SILENCE_SLOT = "sil"
#: A frame counts as silent if the memory address gives the silence slot more than this share.
SILENT_SHARE = 0.5
#: A sound holds no speech if this share of its frames is silent. Sparse speech gets there too, but opens the mouth.
SILENT_FRAMES = 0.9
#: A lip opening below this, in metres, counts as closed.
CLOSED = 0.001


def remarks_on(animation: Animation, style: Any = None) -> tuple[str, ...]:
    """Collect what the user should know about the sounds of an animation.

    Args:
        animation: the finished animation.
        style: the `style` argument it was made with; remarks of a second sound are included.

    Returns:
        Plain sentences: decisions made while decoding (`Waveform.remarks`), and `speech_remark`.
    """
    second = style.remarks if isinstance(style, Waveform) else ()
    speech = speech_remark(animation)
    return (
        *animation.waveform.remarks,
        *(f"Of the second sound: {remark}" for remark in second),
        *([] if speech is None else [speech]),
    )


def speech_remark(animation: Animation) -> str | None:
    """Say whether the sound is silent, or whether the network finds no speech in it.

    What the sentence says about the mouth is measured on the animation. On a head without lip landmarks, or with slots
    that do not include silence, only digital silence is detected.

    Args:
        animation: the finished animation.

    Returns:
        One sentence; None if there is speech.
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
    silent = animation.memory_address[:, animation.slot_labels.index(SILENCE_SLOT)] > SILENT_SHARE
    return "No speech was found in this sound, so the mouth stays closed." if silent.mean() >= SILENT_FRAMES else None


def _widest_opening(animation: Animation) -> float | None:
    """The largest lip opening in metres; None for a head without lip landmarks."""
    try:
        upper, lower = (animation.head.landmarks[f"inner_lip_{side}"] for side in ("upper", "lower"))
    except HeadError:
        return None
    lips = animation.motion.at([upper, lower])[..., 1]
    return float((lips[:, 0] - lips[:, 1]).max())
