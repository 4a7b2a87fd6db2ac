"""Style weights, one per memory slot: what a style argument gives, and what the voice that is animated gives itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.errors import TalkerError
from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import Waveform, load_waveform
from memorytalker.styles.choosing import OWN_VOICE, StyleSource, blended, chosen_style
from memorytalker.styles.delivery import StyleError
from memorytalker.styles.style import Style
from memorytalker.windows import style_weights_of

Sound = str | Path | tuple[Any, int] | Waveform  # what `load_waveform` takes
Weigher = Callable[[np.ndarray], np.ndarray]  # samples of the first window -> style weights (n,)

#: Largest style weight that is accepted; those of voices lie around 1.
LARGEST_WEIGHT = 100.0


def slot_weights(model: MemoryTalker, sound: Style | Sound | np.ndarray | None) -> np.ndarray:
    """Encode the speaking style of a sound as one weight per memory slot.

    Args:
        model: in evaluation mode.
        sound: as `Talker.style_of` takes it.

    Returns:
        Style weights (n,) float32.

    Raises:
        AudioError, ConfigError, StyleError, TalkerError: as `Talker.style_of` says.
    """
    sound, config = chosen_style(sound), model.config
    if sound is None:
        return np.ones(config.slot_count, np.float32)
    if isinstance(sound, StyleSource):
        raise StyleError("The style 'own' is that of the voice that is animated; give a sound, or 'neutral'.")
    if isinstance(sound, Style):
        weights = sound.weights_for(config.slots)
        if weights is None or sound.slot_share < 1:
            raise StyleError("This style takes slot weights from the voice that is animated; give a sound as well.")
        return weights
    if not isinstance(sound, np.ndarray):
        return _voice_weights(model, load_waveform(sound).samples)
    slots = config.slot_count
    if sound.shape != (slots,) or sound.dtype.kind not in "fiu" or not (np.abs(sound) <= LARGEST_WEIGHT).all():
        raise TalkerError(
            f"Style weights are {slots} finite numbers of at most {LARGEST_WEIGHT:g}; a sound is "
            "given as (samples, rate)."
        )
    return sound.astype(np.float32)


def weigher(model: MemoryTalker, style: Any, blend: float) -> Weigher:
    """Return what gives the style weights of an animation; a style that cannot be used is refused now.

    Args:
        model: in evaluation mode.
        style: as `chosen_style` returns it.
        blend: of the style, as `choosing.blended` takes it.

    Returns:
        A function of samples (S,) of the animated voice, which returns the weights (n,).

    Raises:
        AudioError, ConfigError, StyleError, TalkerError: as `Talker.style_of` says.
    """
    if isinstance(style, Style):
        weights, share = style.weights_for(model.config.slots), np.float32(style.slot_share)
        if weights is not None and share == 1:
            return lambda samples: blended(weights, blend)
        if weights is not None:
            return lambda samples: blended(share * weights + (1 - share) * _voice_weights(model, samples), blend)
    elif style is not OWN_VOICE:
        fixed = blended(slot_weights(model, style), blend)
        return lambda samples: fixed
    return lambda samples: blended(_voice_weights(model, samples), blend)


def _voice_weights(model: MemoryTalker, samples: np.ndarray) -> np.ndarray:
    return style_weights_of(model, samples).cpu().numpy()
