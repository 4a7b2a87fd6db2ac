"""The example voices: short clips that a visitor can take instead of their own voice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from memorytalker.places import assets_folder

SPEECH_FOLDER = assets_folder("speech")
#: File name -> label of its button.
EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "woman_farming.wav": "A woman: “One great drawback to farming in California…”",
        "woman_blue.wav": "Another woman: “He wore blue silk stockings…”",
        "man_dove.wav": "A man: “Open thy heart wide…”",
    }
)


def example_path(name: str) -> str:
    """Path of the clip of that file name."""
    return str(SPEECH_FOLDER / name)
