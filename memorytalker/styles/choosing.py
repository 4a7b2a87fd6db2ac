"""What `style=` means in Python, `--style`, the page and the endpoints: one vocabulary of words and files.

`own` is the voice that is animated, `neutral` the network's style without any voice; then come the presets by name, a
saved style's file and a sound whose speaking style is meant.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.sound.decode import Waveform, load_waveform, shown_name
from memorytalker.styles.delivery import StyleError
from memorytalker.styles.style import PRESETS, Style


class StyleSource(enum.Enum):
    """Where the speaking style comes from if no style is given."""

    OWN_VOICE = "own voice"


OWN_VOICE = StyleSource.OWN_VOICE
#: The style of the voice that is animated, and the network's own.
OWN, NEUTRAL = "own", "neutral"
#: Names of presets; "neutral" is the word above and no preset here.
PRESET_NAMES: tuple[str, ...] = tuple(name for name in PRESETS if name != NEUTRAL)
#: What was said before, and what is said now.
FORMER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "self": f"'{OWN}'",
        "own voice": f"'{OWN}'",
        "this voice": f"'{OWN}'",
        "another voice": "the file of that voice",
        "none": f"'{NEUTRAL}'",
    }
)
#: Smallest style weight that an exaggeration leaves.
LEAST_WEIGHT = np.float32(0.05)
#: Suffix of a style's file.
SUFFIX = ".json"


def check_word(text: str) -> None:
    """Raise StyleError, naming the new word, for a word of former versions that names no file."""
    if text in FORMER_WORDS and not Path(text).exists():
        raise StyleError(
            f"The style '{text}' is called {FORMER_WORDS[text]} now; a style is '{OWN}', '{NEUTRAL}', "
            f"a preset ({', '.join(PRESET_NAMES)}), a saved style ({SUFFIX}) or a sound."
        )


def chosen_style(given: Any) -> Any:
    """Return what a style argument means, whatever its form.

    Args:
        given: 'own', 'neutral', the name of a preset, a saved style's file, a sound's file, or anything else, which is
            returned as it is. A file of that name comes before a preset.

    Returns:
        OWN_VOICE, None for the neutral style, a `Style`, or what was given: a sound, style weights, None.

    Raises:
        StyleError: a word of former versions, or a style's file that cannot be read.
    """
    if not isinstance(given, (str, Path)):
        return given
    text = str(given)
    if text.lower().endswith(SUFFIX):
        return Style.load(text)
    if isinstance(given, Path):
        return given
    if text in (OWN, NEUTRAL):
        return OWN_VOICE if text == OWN else None
    if text in PRESETS and not Path(text).exists():
        return Style.preset(text)
    check_word(text)
    return given


def named_style(text: str) -> Style | Waveform | StyleSource | None:
    """Return the style that a word of the command line names, with its file read.

    Args:
        text: as in `chosen_style`.

    Returns:
        OWN_VOICE, None for the neutral style, a style, or the sound whose style is meant.

    Raises:
        AudioError: a sound that cannot be read.
        StyleError: as in `chosen_style`.
    """
    chosen = chosen_style(text)
    return load_waveform(Path(chosen)) if isinstance(chosen, str) else chosen


def described_style(text: str | None) -> Style | None:
    """Return the style of a description; None without one.

    Raises:
        StyleError: text of which nothing was understood.
    """
    if text is None:
        return None
    style = Style.describe(text)
    if not style.understood:
        raise StyleError(" ".join(style.remarks)[:500])
    return style


def understood_words(style: Style) -> tuple[str, ...]:
    """Say in sentences what was understood of a description, and what was not."""
    if not style.understood:
        return style.remarks
    parts = [
        f"{each.words}: {each.dimension.replace('_', ' ')} {each.amount:+.2f}"
        + (f" from {each.start:g} s" if each.start else "")
        for each in style.understood
    ]
    return (f"Understood: {'; '.join(parts)}.", *style.remarks)


def sound_name(sound: Any) -> str:
    """The file name of a sound without its folder, or "sound" for samples and "style weights" for an array."""
    if isinstance(sound, Style):
        return sound.name or "style"
    if isinstance(sound, Waveform) and sound.name:
        return sound.name
    if isinstance(sound, (str, Path)):
        return shown_name(Path(sound))
    return "style weights" if isinstance(sound, np.ndarray) else "sound"


def blended(weights: np.ndarray, blend: float) -> np.ndarray:
    """Return style weights (n,) between the neutral style (`blend` 0) and the given one (1); above 1 beyond it."""
    if blend == 1:
        return weights
    mixed = (1 + np.float32(blend) * (weights - 1)).astype(np.float32)
    # Beyond the style a weight could turn a slot's motion round, which no voice does.
    return np.maximum(mixed, np.minimum(weights, LEAST_WEIGHT)) if blend > 1 else mixed
