"""What a caller may choose: `AnimateOptions` for the motion, `RenderOptions` for the video.

Each option is declared once. The command line turns the fields into flags, the page builds an object, and
`Talker.animate` and `Talker.stream` take the fields of `AnimateOptions` as keywords.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

from memorytalker.config import ConfigError, shown

#: Feelings that are laid over speech; `face/moods.py` has their poses.
MOODS: tuple[str, ...] = ("joy", "sadness", "fear", "anger", "surprise", "disgust", "calm")
#: From where a head can be seen.
CAMERAS: tuple[str, ...] = ("front", "three_quarter", "profile")


def described(
    default: Any, help: str, unit: str = "", lowest: float | None = None, highest: float | None = None
) -> Any:
    """Declare a field of an option dataclass, with its documentation as metadata.

    Args:
        default: an immutable value.
        help: what the option does, for `--help`.
        unit: its unit or range in words.
        lowest: smallest accepted number; None: no bound.
        highest: largest accepted number; None: no bound.

    Returns:
        A `dataclasses.field`; typed as Any, as `dataclasses.field` itself pretends to be its default.
    """
    return field(default=default, metadata={"help": help, "unit": unit, "lowest": lowest, "highest": highest})


class AnimateChanges(TypedDict, total=False):
    """The fields of AnimateOptions as keywords, for type checkers and editors; a test keeps the two in step."""

    identity: str | None
    style_blend: float
    expression: bool
    seed: int
    close_in_silence: bool
    mood: str | None
    mood_strength: float
    head_motion: float | None
    voice_arousal: bool


@dataclass(frozen=True)
class AnimateOptions:
    """How one sound is animated. The same options and sound give the same animation, to the last bit.

    Args:
        identity: a name in `Talker.head.identities`, whose face is animated; None: the head's own.
        style_blend: strength of the speaking style, from 0 (neutral) to 1 (full).
        expression: add blinks, gaze, brow accents and idle motion; the mouth does not change.
        seed: random seed of the expression and of the head's turns, a whole number from 0 on.
        close_in_silence: close the mouth where the sound is silent, see `motion.silence_gain`.
        mood: one of `MOODS`, which replaces those of the style; None: as the style has it, and none without a style.
        mood_strength: of that mood, from 0 to 1.
        head_motion: strength of the head's turns, from 0 (still) to 1; None: as the style has it, else still.
        voice_arousal: make moods and brows stronger where the voice sounds excited and weaker where it sounds calm; a
            guess, see `styles/arousal.py`.

    Raises:
        ConfigError: a value of the wrong type or out of range. Whether the head has that identity, and the
            blendshapes that expression needs, is checked by the talker.
    """

    identity: str | None = described(None, "whose face the head takes; 'doctor' lists them (with --data: a subject)")
    style_blend: float = described(1.0, "strength of the speaking style", "0 is neutral, 1 is full", 0, 1)
    expression: bool = described(False, "add blinks, gaze, brow accents and idle motion; the mouth stays as it is")
    seed: int = described(0, "random seed of blinks, glances and turns of the head", "a whole number from 0 on", 0)
    close_in_silence: bool = described(False, "close the mouth wherever the sound is silent")
    mood: str | None = described(None, "feeling laid over speech", ", ".join(MOODS))
    mood_strength: float = described(1.0, "strength of that feeling", "0 to 1", 0, 1)
    head_motion: float | None = described(None, "strength of nods and sway of the head", "0 is still, to 1", 0, 1)
    voice_arousal: bool = described(False, "moods and brows follow how excited the voice sounds (a guess)")

    def __post_init__(self) -> None:
        """Raise ConfigError, in plain words, for a value that cannot be used."""
        if not (self.identity is None or isinstance(self.identity, str)):
            raise ConfigError(f"The identity is a name of the head's, or None for its own, not {shown(self.identity)}.")
        if not _is_number(self.style_blend, numbers.Real) or not 0 <= self.style_blend <= 1:
            raise ConfigError(f"style_blend goes from 0, neutral, to 1, the style, not {shown(self.style_blend)}.")
        if not _is_number(self.seed, numbers.Integral) or self.seed < 0:
            raise ConfigError(f"The seed of an expression is a whole number from 0 on, not {shown(self.seed)}.")
        if not (self.mood is None or (isinstance(self.mood, str) and self.mood in MOODS)):
            raise ConfigError(f"There is no mood {shown(self.mood)}; choose one of {', '.join(MOODS)}, or None.")
        for name in ("mood_strength", "head_motion"):
            value = getattr(self, name)
            if value is None and name == "head_motion":
                continue
            if not _is_number(value, numbers.Real) or not 0 <= value <= 1:
                raise ConfigError(f"{name} goes from 0 to 1, not {shown(value)}.")
        for name in ("expression", "close_in_silence", "voice_arousal"):
            if type(getattr(self, name)).__name__ != "bool":  # Python's or numpy's, which is not loaded here
                raise ConfigError(f"{name} is either True or False, not {shown(getattr(self, name))}.")

    def changed(self, **changes: Unpack[AnimateChanges]) -> AnimateOptions:
        """Return a copy with some options changed.

        Args:
            changes: fields and their new values.

        Returns:
            New options.

        Raises:
            TypeError: a keyword that is no field; the message names the fields.
            ConfigError: a value that cannot be used.
        """
        known = [field.name for field in dataclasses.fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise TypeError(f"There is no option {', '.join(unknown)}; an animation has {', '.join(known)}.")
        return dataclasses.replace(self, **changes)


class CurveChanges(TypedDict, total=False):
    """The fields of CurveOptions as keywords, for type checkers and editors; a test keeps the two in step."""

    upper_face: float
    lower_face: float
    gains: Mapping[str, float] | tuple[tuple[str, float], ...]
    offsets: Mapping[str, float] | tuple[tuple[str, float], ...]


#: Gains of one curve, and strengths of half a face, go from 0 to this.
STRONGEST = 4


@dataclass(frozen=True)
class CurveOptions:
    """Corrections of an animation's curves: weight x gain x strength + offset, held within [0, 1].

    Args:
        upper_face: strength of brows, eyes, cheek squint and nose sneer; 1 leaves them.
        lower_face: strength of all other curves; 1 leaves them.
        gains: ARKit name -> gain, 0 to 4, or such pairs.
        offsets: ARKit name -> offset, -1 to 1, or such pairs.

    Raises:
        ConfigError: a value of the wrong type or out of range. Whether the head has such curves, is checked later.
    """

    upper_face: float = described(1.0, "strength of brows and eyes", "0: still, 1: as it is, to 4", 0, STRONGEST)
    lower_face: float = described(1.0, "strength of mouth, jaw and cheeks", "0: still, 1: as it is, to 4", 0, STRONGEST)
    gains: Mapping[str, float] | tuple[tuple[str, float], ...] = described(
        (), "gain of one curve, 0 to 4, such as jawOpen=1.2; may be given several times", "NAME=GAIN"
    )
    offsets: Mapping[str, float] | tuple[tuple[str, float], ...] = described(
        (), "what is added to one curve, -1 to 1, such as mouthSmileLeft=0.1; may be given several times", "NAME=OFFSET"
    )

    def __post_init__(self) -> None:
        """Raise ConfigError, in plain words, for a value that cannot be used; keep mappings as sorted pairs."""
        for name in ("upper_face", "lower_face"):
            if not _is_number(getattr(self, name), numbers.Real) or not 0 <= getattr(self, name) <= STRONGEST:
                raise ConfigError(f"{name} goes from 0 to {STRONGEST:g}, not {shown(getattr(self, name))}.")
        for name, lowest, highest in (("gains", 0.0, STRONGEST), ("offsets", -1.0, 1.0)):
            object.__setattr__(self, name, _pairs(name, getattr(self, name), lowest, highest))

    def changed(self, **changes: Unpack[CurveChanges]) -> CurveOptions:
        """Return a copy with some options changed; arguments and errors as `AnimateOptions.changed`."""
        known = [field.name for field in dataclasses.fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise TypeError(f"There is no option {', '.join(unknown)}; curves have {', '.join(known)}.")
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class RenderOptions:
    """How a talking head is rendered.

    Args:
        width: of the frames, in pixels: an even number (H.264 in 4:2:0 needs that) from 64 to 4096.
        height: of the frames, likewise.
        fps: frames per second of the video, 1 to 120; motion is resampled to it.
        camera: one of `CAMERAS`: "front", "three_quarter" or "profile".
        antialias: whether edges are smoothed.
        background_top: colour at the top, as "#rrggbb".
        background_bottom: colour at the bottom; the background is a gradient between the two.
        transparent: whether the background is left out; .webm can hold that, .mp4 cannot.

    Raises:
        ConfigError: a value that cannot be used.
    """

    width: int = described(512, "width of the frames", "pixels, even, 64 to 4096", 64, 4096)
    height: int = described(512, "height of the frames", "pixels, even, 64 to 4096", 64, 4096)
    fps: int = described(30, "frames a second of the file, to which the motion is resampled", "1 to 120", 1, 120)
    camera: str = described("front", "camera that shows the head", ", ".join(CAMERAS))
    antialias: bool = described(True, "smooth edges")
    background_top: str = described("#2b313b", "colour at the top", "#rrggbb")
    background_bottom: str = described("#14171c", "colour at the bottom", "#rrggbb")
    transparent: bool = False  # no flag: the format decides

    def __post_init__(self) -> None:
        """Raise ConfigError, in plain words, for frames that cannot be made."""
        for name, size in (("width", self.width), ("height", self.height)):
            if not 64 <= size <= 4096 or size % 2:
                raise ConfigError(
                    f"The frames' {name} is {shown(size)}; choose an even number of pixels from 64 to 4096."
                )
        if not 1 <= self.fps <= 120:
            raise ConfigError(f"The frame rate is {shown(self.fps)}; choose 1 to 120 frames a second.")
        if self.camera not in CAMERAS:
            raise ConfigError(f"There is no camera {shown(self.camera)}; choose one of {', '.join(CAMERAS)}.")
        for color in (self.background_top, self.background_bottom):
            if not re.fullmatch("#[0-9a-fA-F]{6}", color):
                raise ConfigError(f"{shown(color)} is not a colour; write it as '#rrggbb'.")
        if type(self.transparent).__name__ != "bool":
            raise ConfigError(f"transparent is either True or False, not {shown(self.transparent)}.")


def _is_number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _pairs(name: str, values: Any, lowest: float, highest: float) -> tuple[tuple[str, float], ...]:
    """(curve, number) pairs in the order of their names, of a mapping or of such pairs."""
    try:
        pairs = dict(values)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} are pairs of a curve's name and a number, not {shown(values)}.") from None
    for curve, value in pairs.items():
        usable = isinstance(curve, str) and _is_number(value, numbers.Real)
        if not usable or not lowest <= value <= highest:
            raise ConfigError(
                f"{name} go from {lowest:g} to {highest:g} for each named curve, not {shown(curve)}={shown(value)}."
            )
    return tuple(sorted((curve, float(value)) for curve, value in pairs.items()))
