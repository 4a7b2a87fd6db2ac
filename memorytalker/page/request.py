"""What a visitor chooses for one animation: its check, in plain words, and its caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from memorytalker import EncodedSound
from memorytalker.options import CAMERAS, AnimateOptions, CurveOptions
from memorytalker.page.limits import LARGEST_SEED, PageError, read_sound
from memorytalker.page.sliders import delivery_words
from memorytalker.sound.decode import Waveform, is_silent
from memorytalker.styles.choosing import NEUTRAL as NEUTRAL_STYLE
from memorytalker.styles.choosing import OWN, PRESET_NAMES, SUFFIX, check_word
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.style import Style

#: What the page offers as a speaking style: that of the voice, of a file (a sound or a saved style), or the network's.
THIS_VOICE, ANOTHER_VOICE, NEUTRAL = OWN, "file", NEUTRAL_STYLE
STYLE_SOURCES = (THIS_VOICE, NEUTRAL, ANOTHER_VOICE, *PRESET_NAMES)
#: A style of the visitor's own, in the page's list alone: the request holds it as `given`.
MY_OWN = "mine"
CAMERA_NAMES: Mapping[str, str] = MappingProxyType(
    {"front": "Front", "three_quarter": "Three-quarter", "profile": "Profile"}
)
NO_SOUND = "There is no voice yet; record one, upload a file or take an example."
NO_OWN_STYLE = (
    "There is no style of your own yet; learn one or load one under “My own style”, or choose another speaking style."
)
NO_STYLE_SOUND = "There is no second clip yet; give the voice whose style you want, or choose another style."


@dataclass(frozen=True)
class AnimateRequest:
    """One animation as asked for.

    Args:
        sound: path of the voice on this server.
        identity: name of the head.
        camera: a key of CAMERA_NAMES.
        style: the speaking style, one of STYLE_SOURCES.
        style_file: path of the sound or the saved style (.json) that gives the style, for ANOTHER_VOICE.
        options: everything else that `Talker.animate` takes.
        curves: how the curves are changed in what is exported.
        given: a style in the place of all these, such as one described in words; None: none.
        deliveries: how far the face moves, its mood and the head's turns, in the place of what the style says of them;
            None: as the style has it.
        encoded: what the network read from the sound of the result before; where it is the same sound, it is not
            encoded again.
    """

    sound: str | None
    identity: str
    camera: str = "front"
    style: str = THIS_VOICE
    style_file: str | None = None
    options: AnimateOptions = AnimateOptions()
    curves: CurveOptions = CurveOptions()
    given: Style | None = None
    deliveries: tuple[Delivery, ...] | None = None
    encoded: EncodedSound | None = field(default=None, compare=False, repr=False)

    def checked(self, identities: Any) -> RequestAudio:
        """Read the sounds of this request.

        Args:
            identities: names of the heads there are.

        Raises:
            PageError: a choice that does not exist, or a clip that is missing or silent; in plain words.
            AudioError, StyleError: a sound or a style that cannot be read; in plain words.
        """
        if not isinstance(self.identity, str) or self.identity not in identities:
            raise PageError(f"There is no such head; choose one of {', '.join(identities)}.")
        if self.camera not in CAMERAS:
            raise PageError(f"There is no such camera; choose one of {', '.join(CAMERAS)}.")
        if self.style not in STYLE_SOURCES:
            if isinstance(self.style, str):
                check_word(self.style)
            raise PageError(f"There is no such speaking style; choose one of: {', '.join(STYLE_SOURCES)}.")
        if self.options.seed > LARGEST_SEED:
            raise PageError(f"The seed is a whole number from 0 to {LARGEST_SEED}.")
        return RequestAudio(read_sound(self.sound, NO_SOUND), self._style())

    def _style(self) -> Waveform | Style | None:
        """The style that is not the voice's own; None also for the neutral one."""
        if self.given is not None:
            return self.given
        if self.style in PRESET_NAMES:
            return Style.preset(self.style)
        if self.style != ANOTHER_VOICE:
            return None
        if self.style_file and self.style_file.lower().endswith(SUFFIX):
            return Style.load(self.style_file)
        sound = read_sound(self.style_file, NO_STYLE_SOUND)
        if is_silent(sound):
            raise PageError(
                "The second clip is silent and so has no speaking style; give one in which somebody speaks."
            )
        return sound

    def arguments(self, audio: RequestAudio) -> dict[str, Any]:
        """Keyword arguments of `Talker.animate`."""
        own = audio.style is None and self.style != NEUTRAL
        options = self.options.changed(identity=self.identity)
        if self.deliveries is not None and self._neutral:
            options = options.changed(style_blend=1.0)  # the strength is that of a voice's style, and there is none
        return ({} if own else {"style": audio.style}) | {"options": options}

    @property
    def _neutral(self) -> bool:
        return self.given is None and self.style == NEUTRAL

    def caption(self, head_name: str) -> str:
        """The settings in one line of words."""
        options = self.options
        share = f"{100 * options.style_blend:.0f} %"
        styles = {THIS_VOICE: "style of this voice", ANOTHER_VOICE: f"style of {self._file_words()}"}
        style = styles.get(self.style, f"style {self.style}") if self.given is None else given_words(self.given)
        parts = [
            head_name,
            f"camera {CAMERA_NAMES[self.camera].lower()}",
            "neutral style" if self._neutral else f"{style}, {share}",
            f"expression {f'on, seed {options.seed}' if options.expression else 'off'}",
            f"mouth {'kept closed in pauses' if options.close_in_silence else 'as the network moves it in pauses'}",
        ]
        if options.mood is not None:
            parts.append(f"mood {options.mood}, {100 * options.mood_strength:.0f} %")
        if options.head_motion:
            parts.append(f"head motion {100 * options.head_motion:.0f} %")
        if options.voice_arousal:
            parts.append("moods and brows follow the voice")
        if self.deliveries is not None and (moved := delivery_words(self.deliveries)):
            parts.append(f"sliders: {moved}")
        if self.curves != CurveOptions():
            parts.append("face adjusted")
        return "; ".join(parts) + "."

    def _file_words(self) -> str:
        saved = (self.style_file or "").lower().endswith(SUFFIX)
        return "a saved file" if saved else "another voice"


@dataclass(frozen=True, eq=False)
class RequestAudio:
    """The sounds of a request.

    Args:
        speech: what the head says.
        style: the clip that gives the speaking style, or a style; None for the voice's own and the neutral one.
    """

    speech: Waveform
    style: Waveform | Style | None


def given_words(style: Style) -> str:
    """What a given style is, in a few words."""
    if style.report is not None:
        return "style learned from recordings"
    return "style as described" if style.understood else f"style “{style.name[:60] or 'without a name'}”"


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
