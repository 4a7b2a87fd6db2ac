"""A speaking style: how somebody speaks, as one value that is saved, loaded, mixed and given to a talker.

It has two parts. Slot weights say which of the memory's slots count for how much; they are what the network hears in a
voice, and a style without them takes those of the voice that is animated. Deliveries act on the curves afterwards.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.files import parse_json, read_bounded, write_whole
from memorytalker.styles.delivery import Delivery, DeliveryTrack, StyleError, check_order, delivery_of

#: The version of the file; another is refused.
FORMAT = "memorytalker-style"
VERSION = 1
#: Bytes of a style's file, letters of its texts, memory slots, and the largest weight of one.
LARGEST_FILE, LONGEST_TEXT, MOST_SLOTS, LARGEST_WEIGHT = 200_000, 500, 1000, 100.0


@dataclass(frozen=True)
class AdaptationReport:
    """How well a style that was learned from somebody fits motion of that person that it was not learned from.

    Args:
        seconds: of motion that it was learned from.
        checked_seconds: of motion that it was checked on.
        error_before: r.m.s. error of the lip opening there in millimetres on the shipped head, the better of the
            neutral style and that of the voice.
        error_after: the same in the learned style.
        correlation: of the lip opening there, predicted in the learned style, with the recorded one.
        amplitude: standard deviation of the lip width there, predicted over recorded.
        fitted: what was learned: "gains", or "slot weights and gains".
    """

    seconds: float
    checked_seconds: float
    error_before: float
    error_after: float
    correlation: float
    amplitude: float
    fitted: str

    @property
    def words(self) -> str:
        """The report in one sentence."""
        return (
            f"On {self.checked_seconds:.0f} s that were kept back, the lip opening is off by {self.error_after:.2f} mm "
            f"instead of {self.error_before:.2f} mm (correlation {self.correlation:.2f})."
        )


@dataclass(frozen=True, eq=False)
class KeptBackCurves:
    """The lip opening of recordings that a style was checked on, in millimetres on the shipped head.

    Args:
        fps: frames per second.
        recorded: (N,) as recorded, the kept-back pieces after each other.
        before: (N,) as predicted by the better of the neutral style and that of the voice.
        after: (N,) as predicted in the learned style.
        joins: frames at which another piece begins.
    """

    fps: float
    recorded: np.ndarray
    before: np.ndarray
    after: np.ndarray
    joins: tuple[int, ...] = ()


@dataclass(frozen=True)
class Understood:
    """A part of a description that was understood.

    Args:
        words: as they were written.
        dimension: what they move: a group of gains or offsets, a mood, or "head_motion".
        amount: how far, -1 (much less) to 1 (much more).
        start: seconds into the clip from which on it holds.
    """

    words: str
    dimension: str
    amount: float
    start: float = 0.0


@dataclass(frozen=True)
class Style:
    """A speaking style. Everything is optional: `Style()` is the style of the voice, unchanged.

    Args:
        name: a few words for people.
        deliveries: how far the face moves, its mood and the head's turns, from moment to moment.
        slot_weights: (slot label, weight) pairs or a mapping; empty: those of the voice.
        slot_share: how much the slot weights count against those of the voice that is animated, 0 to 1.
        source: where the style comes from, one sentence.
        report: of a style that was learned from somebody.
        understood: of a style that was described in words.
        unknown: words of the description that were not understood.
        remarks: what else was decided while reading the description or the recordings, in sentences.
        kept_back: of a style that was just learned: the curves that its report measures. A file does not hold them.

    Raises:
        StyleError: a value that no style can have.
    """

    name: str = ""
    deliveries: tuple[Delivery, ...] = (Delivery(),)
    slot_weights: Mapping[str, float] | tuple[tuple[str, float], ...] = ()
    slot_share: float = 1.0
    source: str = ""
    report: AdaptationReport | None = None
    understood: tuple[Understood, ...] = field(default=())
    unknown: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())
    kept_back: KeptBackCurves | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check everything; a file of a stranger is made into a style here."""
        for what in ("name", "source"):
            if not isinstance(getattr(self, what), str) or len(getattr(self, what)) > LONGEST_TEXT:
                raise StyleError(f"The {what} of a style is a text of at most {LONGEST_TEXT} letters; shorten it.")
        object.__setattr__(self, "deliveries", check_order(self.deliveries))
        share = self.slot_share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise StyleError("slot_share of a style goes from 0, the voice's own weights, to 1, those of the style.")
        object.__setattr__(self, "slot_weights", _checked_weights(self.slot_weights))

    @property
    def gains(self) -> Mapping[str, float]:
        """Group -> gain at the beginning; groups that are not changed are left out."""
        return MappingProxyType(dict(self.deliveries[0].gains))

    @property
    def offsets(self) -> Mapping[str, float]:
        """Group -> offset at the beginning; groups that are not changed are left out."""
        return MappingProxyType(dict(self.deliveries[0].offsets))

    @property
    def moods(self) -> Mapping[str, float]:
        """Mood -> strength at the beginning; absent moods are left out."""
        return MappingProxyType(dict(self.deliveries[0].moods))

    @property
    def head_motion(self) -> float:
        """Strength of the head's turns at the beginning."""
        return self.deliveries[0].head_motion

    @property
    def track(self) -> DeliveryTrack:
        """The deliveries over time."""
        return DeliveryTrack(self.deliveries)

    def weights_for(self, labels: Sequence[str]) -> np.ndarray | None:
        """Return the slot weights (n,) float32 in the order of a model's slots; None if the style has none.

        Raises:
            StyleError: the style names other slots than the model has.
        """
        weights = dict(self.slot_weights)
        if not weights or self.slot_share == 0:
            return None
        if set(weights) != set(labels):
            raise StyleError(
                f"This style weights {len(weights)} memory slots that are not the {len(labels)} of these weights; "
                "adapt it again with them, or leave its slot_weights out."
            )
        return np.array([weights[label] for label in labels], np.float32)

    def with_delivery(self, **changes: Any) -> Style:
        """Return the style with fields of every delivery changed: `gains`, `offsets`, `moods` or `head_motion`.

        Named gains, offsets and moods replace those of the same name; the others stay.
        """
        deliveries = []
        for each in self.deliveries:
            merged: dict[str, Any] = {
                key: dict(getattr(each, key)) | dict(value) if key != "head_motion" else value
                for key, value in changes.items()
            }
            deliveries.append(dataclasses.replace(each, **merged))
        return dataclasses.replace(self, deliveries=tuple(deliveries))

    def blended(self, other: Style, share: float = 0.5) -> Style:
        """Mix two styles.

        Args:
            other: the second style.
            share: from 0, this style, to 1, the other.

        Returns:
            The mixed style. Where only one has slot weights, the mix has them with less `slot_share`.

        Raises:
            StyleError: a share out of range, or slot weights of different slots.
        """
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise StyleError(f"The share of the second style goes from 0 to 1, not {str(share)[:20]}.")
        starts = sorted({each.start for style in (self, other) for each in style.deliveries})
        mixed = tuple(
            delivery_of((1 - share) * _at(self, start) + share * _at(other, start), start) for start in starts
        )
        parts = [(style, part) for style, part in ((self, 1 - share), (other, share)) if style.slot_weights]
        total = sum(part * style.slot_share for style, part in parts)
        weights: dict[str, float] = {}
        if total > 0:
            labels = list(dict(parts[0][0].slot_weights))
            if any(set(dict(style.slot_weights)) != set(labels) for style, _ in parts):
                raise StyleError("These two styles weight different memory slots and cannot be mixed.")
            rows = [(dict(style.slot_weights), part * style.slot_share / total) for style, part in parts]
            weights = {label: sum(part * row[label] for row, part in rows) for label in labels}
        return Style(
            name=" and ".join(filter(None, (self.name, other.name)))[:LONGEST_TEXT],
            deliveries=mixed,
            slot_weights=weights,
            slot_share=float(min(total, 1.0)) if weights else 1.0,
            source="A mix of two styles.",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plain values of the style's file. Numbers are rounded to six digits."""
        values: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": self.name, "source": self.source}
        values["deliveries"] = [
            {
                "start": each.start,
                **{key: _rounded(getattr(each, key)) for key in ("gains", "offsets", "moods")},
                "head_motion": round(each.head_motion, 6),
            }
            for each in self.deliveries
        ]
        if self.slot_weights:
            values |= {"slot_weights": _rounded(self.slot_weights), "slot_share": round(self.slot_share, 6)}
        if self.report is not None:
            values["report"] = {
                key: round(value, 6) if isinstance(value, float) else value
                for key, value in dataclasses.asdict(self.report).items()
            }
        return values

    def save(self, path: str | Path) -> Path:
        """Write the style as a small JSON file. The file appears when it is complete.

        Raises:
            StyleError: the file cannot be written.
        """
        path = Path(path)
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if path.is_dir() or not path.parent.is_dir():
            raise StyleError(f"{path} cannot be written; name a file in a folder that exists.")
        try:
            write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
        except OSError as error:
            raise StyleError(f"{path} cannot be written ({error.strerror or error}); choose another folder.") from None
        return path

    @classmethod
    def load(cls, path: str | Path) -> Style:
        """Read a style that `save` wrote, from anybody: it is bounded and checked.

        Args:
            path: the JSON file.

        Returns:
            The style.

        Raises:
            StyleError: a file that is missing, too large, of another version, or no style.
        """
        path = Path(path)
        try:
            values = parse_json(read_bounded(path, LARGEST_FILE).decode("utf-8"))
        except OSError:
            raise StyleError(f"There is no style {_plain(path.name)}; check the path.") from None
        except ValueError:
            raise StyleError(f"{_plain(path.name)} is no style: it is no JSON text, or too large.") from None
        return style_of_values(values, _plain(path.name))

    @classmethod
    def preset(cls, name: str) -> Style:
        """Return a style by name; `PRESETS` lists them. Raises StyleError for another name."""
        if name not in PRESETS:
            raise StyleError(f"There is no preset {_plain(str(name))}; there are {', '.join(PRESETS)}.")
        return Style(name=name, deliveries=(PRESETS[name],), source="A preset.")

    @classmethod
    def describe(cls, text: str) -> Style:
        """Make a style of words, such as "hardly opens her mouth, very lively, a bit sad"; see `styles/describe.py`."""
        from memorytalker.styles.describe import describe

        return describe(text)


def style_of_values(values: Any, shown: str = "This") -> Style:
    """Make a style of the plain values of its file; StyleError, naming the file as `shown`, for what is no style."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise StyleError(f"{shown} is no style; save one with Style.save or the command adapt.")
    if values.get("version") != VERSION:
        raise StyleError(f"{shown} is a style of another version; this program reads version {VERSION}.")
    known = {"format", "version", "name", "source", "deliveries", "slot_weights", "slot_share", "report"}
    if unknown := sorted(set(values) - known):
        raise StyleError(f"{shown} has the unknown key {_plain(str(unknown[0]))}; a style has {', '.join(known)}.")
    given, report = values.get("deliveries", [{}]), values.get("report")
    keys = {one.name for one in dataclasses.fields(Delivery)}
    if not isinstance(given, list) or not all(isinstance(one, dict) and set(one) <= keys for one in given[:1000]):
        raise StyleError(f"{shown} is damaged: its deliveries are objects of {', '.join(sorted(keys))}.")
    weights = values.get("slot_weights", {})
    if not isinstance(weights, dict):
        raise StyleError(f"{shown} is damaged: slot_weights names each slot and its weight.")
    return Style(
        name=values.get("name", ""),
        deliveries=check_order([Delivery(**one) for one in given[:1000]]),
        slot_weights=weights,
        slot_share=values.get("slot_share", 1.0),
        source=values.get("source", ""),
        report=None if report is None else _report(report, shown),
    )


def _report(values: Any, shown: str) -> AdaptationReport:
    fields = {one.name: one.type for one in dataclasses.fields(AdaptationReport)}
    usable = isinstance(values, dict) and set(values) == set(fields)
    for name, kind in fields.items():
        if usable:
            value = values[name]
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
            usable = number if kind == "float" else isinstance(value, str) and len(value) <= LONGEST_TEXT
    if not usable:
        raise StyleError(f"{shown} is damaged: its report needs {', '.join(fields)}; leave it out.")
    return AdaptationReport(**values)


def _checked_weights(given: object) -> tuple[tuple[str, float], ...]:
    try:
        pairs = dict(given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise StyleError("slot_weights of a style are pairs of a slot and its weight.") from None
    if len(pairs) > MOST_SLOTS:
        raise StyleError(f"A style weights at most {MOST_SLOTS} memory slots.")
    for label, value in pairs.items():
        number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
        if not isinstance(label, str) or len(label) > 40 or not number or not 0 <= value <= LARGEST_WEIGHT:
            raise StyleError(f"Each slot of a style has a weight from 0 to {LARGEST_WEIGHT:g}; repair slot_weights.")
    return tuple((label, float(value)) for label, value in pairs.items())


def _at(style: Style, start: float) -> np.ndarray:
    """Numbers of the delivery that holds at `start` seconds."""
    return [each for each in style.deliveries if each.start <= start][-1].values


def _rounded(pairs: Any) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in pairs}


def _plain(text: str) -> str:
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return "".join(sign if sign.isprintable() else "?" for sign in short)


#: Styles by name.
PRESETS: Mapping[str, Delivery] = MappingProxyType(
    {
        "neutral": Delivery(),
        "mumbling": Delivery(gains={"overall": 0.75, "jaw": 0.45, "upper_lip": 0.6}),
        "clear": Delivery(gains={"jaw": 1.25, "spread": 1.3, "rounding": 1.3, "upper_lip": 1.2}),
        "lively": Delivery(gains={"overall": 1.2, "brows": 1.6}, offsets={"corners": 0.08}, head_motion=0.7),
        "shouting": Delivery(
            gains={"jaw": 1.7, "upper_lip": 1.5, "brows": 1.4}, offsets={"brows": 0.1}, head_motion=0.6
        ),
        "whispering": Delivery(gains={"jaw": 0.6, "rounding": 1.2, "brows": 0.8}, head_motion=0.15),
        "friendly": Delivery(gains={"spread": 1.15}, offsets={"corners": 0.15}, moods={"joy": 0.35}, head_motion=0.4),
        "serious": Delivery(gains={"spread": 0.85, "brows": 0.6}, offsets={"brows": -0.15}, head_motion=0.2),
        "tired": Delivery(gains={"overall": 0.75, "brows": 0.4}, offsets={"blinks": 0.35}, head_motion=0.15),
    }
)
