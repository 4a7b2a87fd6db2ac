"""What a visitor chooses for one animation: its check, in plain words, and its caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from memorytalker.options import CAMERAS, AnimateOptions, CurveOptions
from memorytalker.page.limits import LARGEST_SEED, PageError, read_sound
from memorytalker.sound.decode import Waveform, is_silent

THIS_VOICE, ANOTHER_VOICE, NEUTRAL = "this voice", "another voice", "neutral"
STYLE_SOURCES = (THIS_VOICE, ANOTHER_VOICE, NEUTRAL)
CAMERA_NAMES: Mapping[str, str] = MappingProxyType(
    {"front": "Front", "three_quarter": "Three-quarter", "profile": "Profile"}
)
NO_SOUND = "There is no voice yet; record one, upload a file or take an example."
NO_STYLE_SOUND = "There is no second clip yet; give the voice whose style you want, or choose another style."


@dataclass(frozen=True)
class AnimateRequest:
    """One animation as asked for.

    Args:
        sound: path of the voice on this server.
        identity: name of the head.
        camera: a key of CAMERA_NAMES.
        style: where the speaking style comes from, one of STYLE_SOURCES.
        style_sound: path of the clip that gives the style, for ANOTHER_VOICE.
        options: everything else that `Talker.animate` takes.
        curves: how the curves are changed in what is exported.
    """

    sound: str | None
    identity: str
    camera: str = "front"
    style: str = THIS_VOICE
    style_sound: str | None = None
    options: AnimateOptions = AnimateOptions()
    curves: CurveOptions = CurveOptions()

    def checked(self, identities: Any) -> RequestAudio:
        """Read the sounds of this request.

        Args:
            identities: names of the heads there are.

        Raises:
            PageError: a choice that does not exist, or a clip that is missing or silent; in plain words.
            AudioError: a sound that cannot be read; in plain words.
        """
        if not isinstance(self.identity, str) or self.identity not in identities:
            raise PageError(f"There is no such head; choose one of {', '.join(identities)}.")
        if self.camera not in CAMERAS:
            raise PageError(f"There is no such camera; choose one of {', '.join(CAMERAS)}.")
        if self.style not in STYLE_SOURCES:
            raise PageError(f"There is no such speaking style; choose one of: {', '.join(STYLE_SOURCES)}.")
        if self.options.seed > LARGEST_SEED:
            raise PageError(f"The seed is a whole number from 0 to {LARGEST_SEED}.")
        speech = read_sound(self.sound, NO_SOUND)
        if self.style != ANOTHER_VOICE:
            return RequestAudio(speech, None)
        style = read_sound(self.style_sound, NO_STYLE_SOUND)
        if is_silent(style):
            raise PageError(
                "The second clip is silent and so has no speaking style; give one in which somebody speaks."
            )
        return RequestAudio(speech, style)

    def arguments(self, audio: RequestAudio) -> dict[str, Any]:
        """Keyword arguments of `Talker.animate`."""
        styles: dict[str, dict[str, Any]] = {ANOTHER_VOICE: {"style": audio.style}, NEUTRAL: {"style": None}}
        return styles.get(self.style, {}) | {"options": self.options.changed(identity=self.identity)}

    def caption(self, head_name: str) -> str:
        """The settings in one line of words."""
        options = self.options
        share = f"{100 * options.style_blend:.0f} %"
        style = "neutral style" if self.style == NEUTRAL else f"style of {self.style}, {share}"
        parts = [
            head_name,
            f"camera {CAMERA_NAMES[self.camera].lower()}",
            style,
            f"expression {f'on, seed {options.seed}' if options.expression else 'off'}",
            f"mouth {'kept closed in pauses' if options.close_in_silence else 'as the network moves it in pauses'}",
        ]
        if self.curves != CurveOptions():
            parts.append("face adjusted")
        return "; ".join(parts) + "."


@dataclass(frozen=True, eq=False)
class RequestAudio:
    """The sounds of a request.

    Args:
        speech: what the head says.
        style: the clip that gives the speaking style; None where it is not another voice's.
    """

    speech: Waveform
    style: Waveform | None


def seen_name(name: str, description: str = "") -> str:
    """The name of an identity as a visitor reads it, with its description if there is one."""
    return name.replace("_", " ").capitalize() + (f", {description}" if description else "")


def options_of(seed: Any = 0, **chosen: Any) -> AnimateOptions:
    """AnimateOptions of what a visitor chose.

    Args:
        seed: a whole number; 7.0 is taken as 7, for JSON clients may send it so.
        **chosen: other fields of AnimateOptions.

    Raises:
        ConfigError: a value that cannot be used; in plain words.
    """
    return AnimateOptions(seed=int(seed) if isinstance(seed, float) and seed.is_integer() else seed, **chosen)
