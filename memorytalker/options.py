"""What may be chosen for an animation besides its sound and its speaking style.

`AnimateOptions` is the one list of these choices: the command line makes its flags of the fields, the page hands an
object on, and `Talker.animate` and `Talker.stream` take the fields as keywords. No network library is loaded here.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
import reprlib
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from memorytalker.config import ConfigError

#: From where a head can be seen.
CAMERAS: tuple[str, ...] = ("front", "three_quarter", "profile")


def described(
    default: Any, help: str, unit: str = "", lowest: float | None = None, highest: float | None = None
) -> Any:
    """A field of a dataclass of options with what is said of it.

    Args:
        default: an immutable value.
        help: what it means, for `--help`.
        unit: its unit or range in words.
        lowest: the least number that is accepted; None: no such bound.
        highest: the largest.
    """
    return field(default=default, metadata={"help": help, "unit": unit, "lowest": lowest, "highest": highest})


class AnimateChanges(TypedDict, total=False):
    """The fields of AnimateOptions as keywords, for type checkers and editors; a test keeps both alike."""

    identity: str | None
    style_blend: float
    expression: bool
    seed: int
    close_in_silence: bool


@dataclass(frozen=True)
class AnimateOptions:
    """How one sound is animated. The same options and sound give the same animation, to the last bit.

    Args:
        identity: whose face the head takes, a name of `Talker.head.identities`; None: the head's own.
        style_blend: how much of the speaking style is taken, from 0 (neutral) to 1 (all of it).
        expression: blinks, gaze, brow accents and idle motion are added; the mouth stays as it is.
        seed: from which these are drawn, a whole number from 0 on; another seed gives other blinks and glances.
        close_in_silence: close the mouth where the sound is silent, see `motion.silence_gain`.

    Raises:
        ConfigError: a value of the wrong kind or out of range, in one sentence. Whether a head has the identity, or
            blendshapes for an expression, is known to the talker alone and refused by it.
    """

    identity: str | None = described(None, "whose face the head takes; 'doctor' lists them (with --data: a subject)")
    style_blend: float = described(1.0, "how much of the speaking style is taken", "0: neutral, to 1: all of it", 0, 1)
    expression: bool = described(False, "add blinks, gaze, brow accents and idle motion; the mouth stays as it is")
    seed: int = described(0, "another seed gives other blinks and glances", "a whole number from 0 on", 0)
    close_in_silence: bool = described(False, "close the mouth wherever the sound is silent")

    def __post_init__(self) -> None:
        """Raise ConfigError, in plain words, for a value that cannot be used."""
        if not (self.identity is None or isinstance(self.identity, str)):
            raise ConfigError(f"The identity is a name of the head's, or None for its own, not {_said(self.identity)}.")
        if not _is_number(self.style_blend, numbers.Real) or not 0 <= self.style_blend <= 1:
            raise ConfigError(f"style_blend goes from 0, neutral, to 1, the style, not {_said(self.style_blend)}.")
        if not _is_number(self.seed, numbers.Integral) or self.seed < 0:
            raise ConfigError(f"The seed of an expression is a whole number from 0 on, not {_said(self.seed)}.")
        for name in ("expression", "close_in_silence"):
            if type(getattr(self, name)).__name__ != "bool":  # Python's or numpy's, which is not loaded here
                raise ConfigError(f"{name} is either True or False, not {_said(getattr(self, name))}.")

    def changed(self, **changes: Unpack[AnimateChanges]) -> AnimateOptions:
        """These options with some of them changed.

        Args:
            changes: fields and their new values.

        Returns:
            New options; these stay as they are.

        Raises:
            TypeError: a keyword that is no field; the message names those that are.
            ConfigError: a value that cannot be used.
        """
        known = [field.name for field in dataclasses.fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise TypeError(f"There is no option {', '.join(unknown)}; an animation has {', '.join(known)}.")
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class RenderOptions:
    """How a talking head is drawn. Even sizes only (H.264 in 4:2:0).

    Args:
        width: of the frames, in pixels: an even number from 64 to 4096.
        height: likewise.
        fps: frames a second of the video, 1 to 120; motion is resampled to it.
        camera: one of `CAMERAS`: "front", "three_quarter" or "profile".
        antialias: whether edges are smoothed.
        background_top: colour at the top, as "#rrggbb".
        background_bottom: colour at the bottom; between them it changes evenly.

    Raises:
        ConfigError: frames that cannot be made, in one sentence.
    """

    width: int = described(512, "width of the frames", "pixels, even, 64 to 4096", 64, 4096)
    height: int = described(512, "height of the frames", "pixels, even, 64 to 4096", 64, 4096)
    fps: int = described(30, "frames a second of the video", "1 to 120", 1, 120)
    camera: str = described("front", "from where the head is seen", ", ".join(CAMERAS))
    antialias: bool = described(True, "smooth edges")
    background_top: str = described("#2b313b", "colour at the top", "#rrggbb")
    background_bottom: str = described("#14171c", "colour at the bottom", "#rrggbb")

    def __post_init__(self) -> None:
        """Raise ConfigError, in plain words, for a picture that cannot be made."""
        for name, size in (("width", self.width), ("height", self.height)):
            if not 64 <= size <= 4096 or size % 2:
                raise ConfigError(f"The picture's {name} is {size}; choose an even number of pixels from 64 to 4096.")
        if not 1 <= self.fps <= 120:
            raise ConfigError(f"The picture rate is {self.fps}; choose 1 to 120 pictures a second.")
        if self.camera not in CAMERAS:
            raise ConfigError(f"There is no camera {self.camera!r}; choose one of {', '.join(CAMERAS)}.")
        for color in (self.background_top, self.background_bottom):
            if not re.fullmatch("#[0-9a-fA-F]{6}", color):
                raise ConfigError(f"{color!r} is not a colour; write it as '#rrggbb'.")


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _said(value: object) -> str:
    """A value as a message shows it: shortened, for it may be anything that a stranger sent."""
    text = reprlib.repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
