"""What `--style` and `--describe` mean: the voice's own style, none, a preset, a style's file, or a sound's style."""

from __future__ import annotations

from pathlib import Path

from memorytalker.sound.decode import Waveform, load_waveform
from memorytalker.styles.delivery import StyleError
from memorytalker.styles.style import PRESETS, Style

#: Suffix of a style's file.
SUFFIX = ".json"
HELP = f"the name of a preset ({', '.join(PRESETS)}), a style's file ({SUFFIX}), or a sound file"


def named_style(text: str) -> Style | Waveform:
    """Return the style that a word of the command line names.

    Args:
        text: the name of a preset, a style's file, or a sound file. A file of that name comes before a preset.

    Returns:
        A style, or the sound whose style is meant.

    Raises:
        AudioError: a sound that cannot be read.
        StyleError: a style's file that cannot be read.
    """
    if text.lower().endswith(SUFFIX):
        return Style.load(text)
    if text in PRESETS and not Path(text).exists():
        return Style.preset(text)
    return load_waveform(Path(text))


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
