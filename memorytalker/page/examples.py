"""The example voices: short clips that a visitor can take instead of their own voice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from memorytalker.places import assets_folder

SPEECH_FOLDER = assets_folder("speech")
#: File name -> who speaks, and the first words.
EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "woman_farming.wav": "A woman: “One great drawback to farming in California…”",
        "woman_blue.wav": "Another woman: “He wore blue silk stockings…”",
        "man_dove.wav": "A man: “Open thy heart wide…”",
    }
)
#: File name -> label of its button.
TITLES: Mapping[str, str] = MappingProxyType(
    {"woman_farming.wav": "Woman", "woman_blue.wav": "Woman 2", "man_dove.wav": "Man"}
)
#: File name -> the head that fits the voice, where the page has it.
HEADS: Mapping[str, str] = MappingProxyType(
    {"woman_farming.wav": "ada", "woman_blue.wav": "efua", "man_dove.wav": "bruno"}
)


def example_path(name: str) -> str:
    """Path of the clip of that file name."""
    return str(SPEECH_FOLDER / name)


def example_head(name: str, identities: Any, otherwise: str) -> str:
    """The head that fits the clip: one of `identities`; `otherwise` where that one is not among them."""
    return HEADS[name] if HEADS.get(name) in identities else otherwise
