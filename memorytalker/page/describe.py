"""Words to sliders: what is understood of a description moves the sliders, where the visitor moves it on.

Sliders that the words do not name stay as they are, so that a style that was learned or a mood that was chosen is kept.
Words that are changed and read again replace what they said before.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from memorytalker.face.shape_groups import GAIN_GROUPS, OFFSET_GROUPS
from memorytalker.options import MOODS
from memorytalker.page.limits import PLAIN_ERRORS
from memorytalker.page.run_controls import INSTANT
from memorytalker.page.sliders import DESCRIBED_OFFSETS, GAINS, OFFSETS, SliderValues, slider_values
from memorytalker.styles.delivery import Delivery, check_order, delivery_of, mood_columns
from memorytalker.styles.describe import LONGEST
from memorytalker.styles.style import Style, Understood

EXAMPLE = "hardly opens her mouth, very lively, a bit sad; from 4 s: shouting"
NO_WORDS = "Write how somebody speaks first, such as “very lively, a bit sad”."
HELP = "In English. What is understood moves the sliders below, the others stay; nothing is guessed."


@dataclass(frozen=True)
class Described:
    """What came of a description.

    Args:
        before: what the sliders said before it.
        after: what they said after it.
    """

    before: str
    after: str


def build_describe() -> dict[str, Any]:
    """Lay out the box of words; `wire_describe` connects it. Returns components by element id."""
    words = gr.Textbox(
        label="Say it in words", info=HELP, placeholder=EXAMPLE, lines=2, max_lines=4, max_length=LONGEST,
        elem_id="describe-words",
    )  # fmt: skip
    button = gr.Button("Set the sliders", size="sm", elem_id="describe")
    told = gr.HTML("", label="What was understood", elem_id="described")
    return {"describe-words": words, "describe": button, "described": told}


def wire_describe(parts: dict[str, Any]) -> None:
    """Connect the box: a description sets the sliders, and says which and why.

    Args:
        parts: of `build_describe`, and "sliders".
    """

    words, sliders, last = parts["describe-words"], parts["sliders"], gr.State(None)
    gr.on(
        [parts["describe"].click, words.submit], described, [words, sliders, last],
        [sliders, parts["described"], last], **INSTANT,
    )  # fmt: skip


def described(words: str, sliders: Any, last: Described | None) -> tuple[Any, str, Described | None]:
    """Read a description.

    Args:
        words: of the visitor.
        sliders: what the sliders say now.
        last: what came of the description before.

    Returns:
        The new value of the sliders, or an update that leaves them as they are; what was understood, as HTML; and what
        came of it.
    """
    if not (words or "").strip():
        return gr.skip(), f'<p class="wrong" role="alert">{NO_WORDS}</p>', last
    try:
        style = Style.describe(words)
        now = slider_values(sliders)
        before = slider_values(last.before) if last is not None and slider_values(last.after) == now else now
        deliveries = laid_over(before.deliveries, style)
    except PLAIN_ERRORS as error:
        return gr.skip(), f'<p class="wrong" role="alert">{html.escape(str(error))}</p>', last
    told = understood_html(style)
    if not style.understood:
        return gr.skip(), told, last
    after = SliderValues(deliveries, now.voice_arousal).to_json()
    return after, told, Described(before.to_json(), after)


def laid_over(before: Sequence[Delivery], style: Style) -> tuple[Delivery, ...]:
    """Lay a description over deliveries: what it names of a moment is as described, the rest stays.

    A face has one mood at a time, or a mixture that was chosen as one: a mood that is named replaces all.

    Args:
        before: the deliveries.
        style: as `Style.describe` makes it.

    Returns:
        The deliveries, with the moments of both.

    Raises:
        StyleError: more moments than a style may have.
    """
    starts = sorted({each.start for each in (*before, *style.deliveries)})
    made = []
    for start in starts:
        described = _at(style.deliveries, start)
        moved = _moved(described, style)
        made.append(delivery_of(np.where(moved, described.values, _at(before, start).values), start))
    return check_order(made)


def _moved(described: Delivery, style: Style) -> np.ndarray:
    """Which of `Delivery.values` the words of one moment name, (n,) bool."""
    moved = described.values != Delivery().values
    names = [*GAIN_GROUPS, *(f"{group} offset" for group in OFFSET_GROUPS), *MOODS, "head_motion"]
    for each in style.understood:
        if each.start == described.start:
            offset = DESCRIBED_OFFSETS.get(each.dimension)
            moved[names.index(each.dimension if offset is None else f"{offset} offset")] = True
    if moved[mood_columns()].any():
        moved[mood_columns()] = True
    return moved


def _at(deliveries: Sequence[Delivery], start: float) -> Delivery:
    """The delivery that holds from `start` on."""
    return [each for each in deliveries if each.start <= start][-1]


def understood_html(style: Style) -> str:
    """What was understood of a description and what was not, as HTML."""
    grouped: dict[tuple[float, str], list[Understood]] = {}
    for each in style.understood:
        grouped.setdefault((each.start, each.words), []).append(each)
    rows = []
    for (start, words), moves in grouped.items():
        effects = ", ".join(_effect(each) for each in moves)
        since = f"from {start:g} s: " if start else ""
        rows.append(f"<li><q>{html.escape(words)}</q> {since}{effects}</li>")
    listed = f'<ul class="understood">{"".join(rows)}</ul>' if rows else ""
    unknown = f"Not understood: {', '.join(style.unknown[:20])}." if style.unknown else ""
    others = [remark for remark in style.remarks if not remark.startswith("Not understood:")]
    strange = f'<p class="wrong">{html.escape(unknown)}</p>' if unknown else ""
    remarks = "".join(f'<p class="small">{html.escape(remark)}</p>' for remark in others)
    return f'<div role="status">{listed}{strange}{remarks}</div>'


def _effect(moved: Understood) -> str:
    """One slider that words moved, and where to: "Jaw ▼▼"."""
    name = moved.dimension
    if name in MOODS:
        words = name.capitalize()
    elif name == "head_motion":
        words = "Nods and sway"
    else:
        words = OFFSETS[DESCRIBED_OFFSETS[name]] if name in DESCRIBED_OFFSETS else GAINS.get(name, name)
    sign = ("less" if moved.amount < 0 else "more") if name not in MOODS or moved.amount < 0 else ""
    strong = "much " if abs(moved.amount) > 0.75 and sign else "a little " if abs(moved.amount) < 0.35 and sign else ""
    share = f"{100 * moved.amount:.0f} %" if name in MOODS and moved.amount > 0 else f"{strong}{sign}"
    return f"{words} {share}".strip()
