"""Style weights as HTML: in words, as bars relative to the average speaker, and two voices side by side."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

import numpy as np

from memorytalker.page import insight
from memorytalker.phones import ENGLISH

NEUTRAL_TEXT = (
    "This is the neutral style: every slot has weight 1, so there is nothing to draw. Choose the style of a voice to "
    "see how it weights the slots."
)
#: A scale reaches at least this factor to both sides of its middle.
LEAST_REACH = 1.02


class Scale:
    """A logarithmic axis for factors; it reaches a little beyond the data."""

    def __init__(self, values: Iterable[float], middle: float = 1.0) -> None:
        values = [*values, middle]
        low, high = math.log(min(values)), math.log(max(values))
        margin = max(0.08 * (high - low), math.log(LEAST_REACH) / 2)
        self.low, self.high = low - margin, high + margin

    def place(self, value: float) -> float:
        """Position of a factor on the axis, in percent from the left end."""
        return 100 * (math.log(value) - self.low) / (self.high - self.low)


def style_html(weights: np.ndarray, average: np.ndarray | None, labels: Sequence[str], name: str) -> str:
    """Style weights in words and as sorted signed bars.

    Args:
        weights: (n,).
        average: (n,) of the average speaker, or None.
        labels: the n slot labels.
        name: of the radio buttons; unique among the views on a page.
    """
    emphasis = insight.style_emphasis(weights, average)
    if emphasis is None:
        return f'<div class="style-view"><p>{NEUTRAL_TEXT}</p></div>'
    most, least = insight.extremes(emphasis, labels)
    own = emphasis.relative / emphasis.overall
    return f"""<div class="style-view"><p>{html.escape(insight.strength_text(emphasis))}</p>
<div class="lists"><div><h4>Most emphasised</h4>{_listed(most)}</div>
<div><h4>Most suppressed</h4>{_listed(least)}</div></div>
<details class="every-slot"><summary>Every slot</summary><fieldset><legend>Bars show each slot against</legend>
<label><input type="radio" name="{name}" value="average" checked> {_reference(emphasis)}</label>
<label><input type="radio" name="{name}" value="own"> this voice's mean ({emphasis.overall:.2f} ×)</label>
</fieldset>
<p class="keys">{_key("zero", "1 ×, equal")}<span class="by-average">{_key("whole", "this voice's mean")}</span>
{_key("bar more", "more")}{_key("bar less", "less")}</p>
{_bars(emphasis.relative, emphasis.order, labels, "by-average", emphasis.overall)}
{_bars(own, emphasis.order, labels, "by-own", None)}</details></div>"""


def voices_html(first: np.ndarray, second: np.ndarray, average: np.ndarray | None, labels: Sequence[str]) -> str:
    """Two styles, weights (n,) each, side by side: a sentence, and two marks for each slot."""
    reference = np.ones(len(labels)) if average is None else np.asarray(average, np.float64)
    factors = np.stack([first / reference, second / reference])
    ratio = factors[1] / factors[0]
    scale = Scale(factors.ravel().tolist())
    groups = _groups(labels)
    rows = []
    for slot in np.argsort(-ratio, kind="stable").tolist():
        a, b = (scale.place(float(value)) for value in factors[:, slot])
        values = f"{factors[0, slot]:.3f} / {factors[1, slot]:.3f}"
        words = f"first voice {factors[0, slot]:.3f} times, second {factors[1, slot]:.3f} times"
        drawn = (
            f'<span class="join" style="left:{min(a, b):.2f}%;width:{abs(a - b):.2f}%"></span>'
            f'<span class="mark second" style="left:{b:.2f}%"></span>'
            f'<span class="mark first" style="left:{a:.2f}%"></span>'
        )
        rows.append(_row(slot, labels, groups, words, drawn, values, scale))
    neutral = " The first is the neutral style." if (np.asarray(first) == 1).all() else ""
    what = "the average training speaker" if average is not None else "the neutral style"
    return f"""<div class="style-view"><p>{html.escape(insight.difference_text(first, second, labels))}{neutral}</p>
<p class="keys">{_key("mark first", "first voice (the head above)")}{_key("mark second", "second voice")}
{_key("zero", f"1 ×, {what}")}<span>Numbers: first / second</span></p>
<ol class="bars two" aria-label="Both voices, slot by slot">{"".join(rows)}</ol></div>"""


def _bars(relative: np.ndarray, order: np.ndarray, labels: Sequence[str], name: str, whole: float | None) -> str:
    scale, groups, rows = Scale(relative.tolist()), _groups(labels), []
    fine = 3 if relative.max() / relative.min() < 1.2 else 2
    for slot in order.tolist():
        value = float(relative[slot])
        start, end = sorted((scale.place(1.0), scale.place(value)))
        kind = "close" if abs(value - 1) <= insight.CLOSE else "more" if value > 1 else "less"
        drawn = f'<span class="bar {kind}" style="left:{start:.2f}%;width:{end - start:.2f}%"></span>'
        drawn += "" if whole is None else f'<span class="whole" style="left:{scale.place(whole):.2f}%"></span>'
        rows.append(_row(slot, labels, groups, f"{value:.{fine}f} times", drawn, f"{value:.{fine}f} ×", scale))
    return f'<ol class="bars {name}" aria-label="Slots, most emphasised first">{"".join(rows)}</ol>'


def _row(
    slot: int, labels: Sequence[str], groups: dict[int, str], words: str, drawn: str, values: str, scale: Scale
) -> str:
    word = ENGLISH.sample_words.get(labels[slot])
    as_in = f", as in {word}" if word else ""
    label = f"{insight.slot_names(labels, [slot])}{as_in}{groups[slot]}: {words}; show its face"
    zero = f'<span class="zero" style="left:{scale.place(1.0):.2f}%"></span>'
    return (
        f'<li><button type="button" class="bar-row" tabindex="-1" data-slot="{slot}" aria-label="{html.escape(label)}" '
        f'title="{html.escape(label)}">'
        f'<span class="phone">{html.escape(labels[slot])}</span><span class="track">{drawn}{zero}</span>'
        f'<span class="factor">{values}</span></button></li>'
    )


def _groups(labels: Sequence[str]) -> dict[int, str]:
    """Slot -> its group, as text that follows the slot's name."""
    pairs = [(slot, name) for name, slots in ENGLISH.grouped(labels) for slot in slots]
    return {slot: f", {name}" if name and name != "silence" else "" for slot, name in pairs}


def _reference(emphasis: insight.Emphasis) -> str:
    return "the average training speaker" if emphasis.average_known else "the neutral style (the average is not known)"


def _key(mark: str, words: str) -> str:
    return f'<span class="key"><span class="{mark}"></span>{words}</span>'


def _listed(lines: Sequence[str]) -> str:
    if not lines:
        return '<p class="small">None: all are close to average.</p>'
    return f'<ul class="words">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>'
