"""What may be chosen for an animation besides its sound and its speaking style.

`AnimateOptions` is the one list of these choices: the command line makes its flags of the fields, the page hands an
object on, and `Talker.animate` and `Talker.stream` take the fields as keywords. No network library is loaded here.
"""

from __future__ import annotations

import dataclasses
import numbers
import reprlib
from dataclasses import dataclass
from typing import TypedDict, Unpack

from memorytalker.config import ConfigError, described


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


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _said(value: object) -> str:
    """A value as a message shows it: shortened, for it may be anything that a stranger sent."""
    text = reprlib.repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
