"""Wish: everything that a visitor chooses for one animation, checked in plain words, and told again as a caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from memorytalker.options import CAMERAS, AnimateOptions
from memorytalker.page.limits import LARGEST_SEED, PageError, read_sound
from memorytalker.sound.decode import Waveform, is_silent

THIS_VOICE, ANOTHER_VOICE, NEUTRAL = "this voice", "another voice", "neutral"
STYLE_SOURCES = (THIS_VOICE, ANOTHER_VOICE, NEUTRAL)
CAMERA_NAMES: Mapping[str, str] = MappingProxyType(
    {"front": "Front", "three_quarter": "Three-quarter", "profile": "Profile"}
)
NO_SOUND = "There is no voice yet; record one, upload a file or take an example."
NO_STYLE_SOUND = "There is no second clip yet; give the voice whose manner you want, or choose another manner."


@dataclass(frozen=True)
class AnimateRequest:
    """One animation as asked for.

    `sound` and `style_sound` are paths on this server; `identity` is the head, and `options` all else that the talker
    takes.
    """

    sound: str | None
    identity: str
    camera: str = "front"
    style: str = THIS_VOICE
    style_sound: str | None = None
    options: AnimateOptions = AnimateOptions()

    def checked(self, identities: Any) -> RequestAudio:
        """The sounds of this wish; raises PageError or AudioError, in plain words, for what cannot be met."""
        if not isinstance(self.identity, str) or self.identity not in identities:
            raise PageError(f"There is no such head; choose one of {', '.join(identities)}.")
        if self.camera not in CAMERAS:
            raise PageError(f"There is no such camera; choose one of {', '.join(CAMERAS)}.")
        if self.style not in STYLE_SOURCES:
            raise PageError(f"There is no such manner of speaking; choose one of: {', '.join(STYLE_SOURCES)}.")
        if self.options.seed > LARGEST_SEED:
            raise PageError(f"The seed is a whole number from 0 to {LARGEST_SEED}.")
        speech = read_sound(self.sound, NO_SOUND)
        if self.style != ANOTHER_VOICE:
            return RequestAudio(speech, None)
        manner = read_sound(self.style_sound, NO_STYLE_SOUND)
        if is_silent(manner):
            raise PageError("The second clip is silent, and silence has no manner; give one in which somebody speaks.")
        return RequestAudio(speech, manner)

    def arguments(self, voices: RequestAudio) -> dict[str, Any]:
        """Keyword arguments of `Talker.animate`."""
        style = {ANOTHER_VOICE: {"style": voices.manner}, NEUTRAL: {"style": None}}.get(self.style, {})
        return style | {"options": self.options.changed(identity=self.identity)}

    def caption(self, head_name: str) -> str:
        """The settings in one line of words."""
        options = self.options
        share = f"{100 * options.style_blend:.0f} %"
        manner = "neutral manner" if self.style == NEUTRAL else f"manner of {self.style}, {share}"
        parts = [
            head_name,
            f"camera {CAMERA_NAMES[self.camera].lower()}",
            manner,
            f"expression {f'on, seed {options.seed}' if options.expression else 'off'}",
            f"mouth {'closed in silence' if options.close_in_silence else 'as the network moves it in silence'}",
        ]
        return "; ".join(parts) + "."


@dataclass(frozen=True, eq=False)
class RequestAudio:
    """The sounds of a wish: what is said, and whose manner is taken where that is another clip."""

    speech: Waveform
    manner: Waveform | None


def seen_name(name: str, description: str = "") -> str:
    """An identity as a visitor reads it: its name, and a few words where there are some."""
    return name.replace("_", " ").capitalize() + (f", {description}" if description else "")


def options_of(seed: Any = 0, **chosen: Any) -> AnimateOptions:
    """The options that a visitor chose, fields of AnimateOptions; some programs write whole numbers as 7.0.

    Raises ConfigError, in plain words, for a value that cannot be used.
    """
    return AnimateOptions(seed=int(seed) if isinstance(seed, float) and seed.is_integer() else seed, **chosen)
