"""The sliders of a style: how far the face moves, what it feels and how the head turns, from moment to moment.

They act at once on the 3D head, in the browser alone (static/sliders.js); the video and the files follow.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import gradio as gr

from memorytalker.files import parse_json
from memorytalker.options import MOODS
from memorytalker.page.limits import PageError
from memorytalker.page.scripts import start_script
from memorytalker.styles.choosing import PRESET_NAMES
from memorytalker.styles.delivery import LARGEST_GAIN, MOST_DELIVERIES, Delivery, check_order
from memorytalker.styles.style import PRESETS

#: Strength of the head's nods and sway when the page begins.
HEAD_MOTION = 0.5
#: Gain of a group -> its words.
GAINS: Mapping[str, str] = MappingProxyType(
    {
        "overall": "Whole mouth", "jaw": "Jaw", "spread": "Width", "rounding": "Rounding", "upper_lip": "Upper lip",
        "corners": "Corners", "brows": "Brows", "blinks": "Blinks", "head": "Head turns",
    }
)  # fmt: skip
#: Offset of a group -> its words. Offsets without a slider are kept as a style has them.
OFFSETS: Mapping[str, str] = MappingProxyType(
    {"jaw": "Jaw held open", "corners": "Corners up", "brows": "Brows up", "blinks": "Lids down"}
)
#: What a description calls the offsets of these groups.
DESCRIBED_OFFSETS: Mapping[str, str] = MappingProxyType(
    {"corners": "corners", "brow_height": "brows", "eyelids": "blinks"}
)
NOT_UNDERSTOOD = "The sliders of the style could not be read; please load the page again."
#: Letters of what a browser may send: 64 moments with every slider moved take a tenth of it.
LONGEST = 400_000


@dataclass(frozen=True)
class SliderValues:
    """What the sliders say.

    Args:
        deliveries: from moment to moment.
        voice_arousal: whether moods and brows follow how excited the voice sounds.
    """

    deliveries: tuple[Delivery, ...] = (Delivery(head_motion=HEAD_MOTION),)
    voice_arousal: bool = False

    @property
    def still(self) -> tuple[Delivery, ...]:
        """The deliveries with a head that never turns by itself."""
        return tuple(
            dataclasses.replace(
                each, gains={name: gain for name, gain in dict(each.gains).items() if name != "head"}, head_motion=0.0
            )
            for each in self.deliveries
        )

    @property
    def head_motion_alone(self) -> float | None:
        """The strength of the head's turns where that is all that the sliders say; else None."""
        first = self.deliveries[0]
        alone = len(self.deliveries) == 1 and first == Delivery(head_motion=first.head_motion)
        return first.head_motion if alone else None

    def to_json(self) -> str:
        """Return what the component holds."""
        values = [delivery_values(each) for each in self.deliveries]
        return json.dumps({"deliveries": values, "arousal": self.voice_arousal})


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """Return the plain values of a delivery, as a style's file has them."""
    pairs = {
        key: {name: round(value, 3) for name, value in getattr(delivery, key)} for key in ("gains", "offsets", "moods")
    }
    return {"start": delivery.start, **pairs, "head_motion": round(delivery.head_motion, 3)}


def build_sliders(channel: str, library: str | None, turns: bool) -> gr.HTML:
    """Lay out the sliders.

    Args:
        channel: of the player that they act on.
        library: path of the module below the page's root that moves curves as a style says; None: it is not installed.
        turns: whether the head can turn on its neck.

    Returns:
        The component; its value is read by `slider_values`.
    """
    gains = {name: words for name, words in GAINS.items() if turns or name != "head"}
    script = start_script(
        "sliders.js", channel=channel, change="change", library=library, gains=gains, offsets=dict(OFFSETS),
        moods=list(MOODS), presets={name: delivery_values(PRESETS[name]) for name in PRESET_NAMES},
        headMotion=HEAD_MOTION if turns else None, largestGain=LARGEST_GAIN, most=MOST_DELIVERIES,
    )  # fmt: skip
    first = SliderValues() if turns else SliderValues((Delivery(),))
    return gr.HTML(
        first.to_json(), html_template="", js_on_load=script, apply_default_css=False, elem_id="sliders",
        label="Sliders of the style",
    )  # fmt: skip


def slider_values(text: Any) -> SliderValues:
    """Read what the sliders say.

    Args:
        text: JSON of `SliderValues.to_json`; empty: as the page begins.

    Returns:
        The values.

    Raises:
        PageError: what the sliders do not write.
        StyleError: a value out of range.
    """
    if not text:
        return SliderValues()
    try:
        values = parse_json(text) if isinstance(text, str) and len(text) <= LONGEST else None
    except ValueError:
        values = None
    keys = set(Delivery.__dataclass_fields__)
    given = values.get("deliveries") if isinstance(values, dict) else None
    usable = isinstance(given, list) and all(isinstance(one, dict) and set(one) <= keys for one in given)
    if not usable or not isinstance(values.get("arousal", False), bool):  # type: ignore[union-attr]
        raise PageError(NOT_UNDERSTOOD)
    deliveries = check_order([Delivery(**one) for one in given[: MOST_DELIVERIES + 1]])  # type: ignore[index]
    return SliderValues(deliveries, values.get("arousal", False))  # type: ignore[union-attr]


def sliders_of(deliveries: Sequence[Delivery], turns: bool, keep_still: bool = False, arousal: bool = False) -> str:
    """Return the value of the sliders that shows deliveries.

    Args:
        deliveries: of a style. Where they do not turn the head, it moves as the page begins.
        turns: whether the head can turn on its neck.
        keep_still: whether a head that the deliveries do not turn is to be still.
        arousal: whether moods and brows follow the voice.
    """
    moved = deliveries if keep_still or not turns else [_turning(each) for each in deliveries]
    return SliderValues(tuple(moved), arousal).to_json()


def _turning(delivery: Delivery) -> Delivery:
    return delivery if delivery.head_motion else dataclasses.replace(delivery, head_motion=HEAD_MOTION)


def delivery_words(deliveries: Iterable[Delivery]) -> str:
    """What deliveries change, in a few words; empty where they change nothing but the head's turns."""
    parts = []
    for each in deliveries:
        words = [f"{name} {100 * strength:.0f} %" for name, strength in dict(each.moods).items()]
        words += [f"{GAINS[name].lower()} × {gain:.2f}" for name, gain in dict(each.gains).items()]
        for name, offset in dict(each.offsets).items():
            shown = OFFSETS.get(name, f"{GAINS[name]} offset").lower()
            words.append(f"{shown} {offset:+.2f}")
        told = ", ".join(words) or "as it is"
        if each.start or words:
            parts.append(f"from {each.start:g} s {told}" if each.start else told)
    return "; ".join(parts)
