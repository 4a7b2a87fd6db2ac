"""Words to sliders: what is understood of a description moves the sliders, where the visitor moves it on."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from memorytalker.options import MOODS
from memorytalker.page.limits import PLAIN_ERRORS
from memorytalker.page.run_controls import INSTANT
from memorytalker.page.sliders import DESCRIBED_OFFSETS, GAINS, OFFSETS, slider_values, sliders_of
from memorytalker.styles.describe import LONGEST
from memorytalker.styles.style import Style, Understood

EXAMPLE = "hardly opens her mouth, very lively, a bit sad; from 4 s: shouting"
HELP = "In English. What is understood moves the sliders below; nothing is guessed."


def build_describe() -> dict[str, Any]:
    """Lay out the box of words; `wire_describe` connects it. Returns components by element id."""
    words = gr.Textbox(
        label="Say it in words", info=HELP, placeholder=EXAMPLE, lines=2, max_lines=4, max_length=LONGEST,
        elem_id="describe-words",
    )  # fmt: skip
    button = gr.Button("Set the sliders", size="sm", elem_id="describe")
    told = gr.HTML("", label="What was understood", elem_id="described")
    return {"describe-words": words, "describe": button, "described": told}


def wire_describe(parts: dict[str, Any], turns: bool) -> None:
    """Connect the box: a description sets the sliders, and says which and why.

    Args:
        parts: of `build_describe`, and "sliders".
        turns: whether the head can turn on its neck.
    """

    def describe(words: str, sliders: str) -> tuple[Any, str]:
        return described(words, sliders, turns)

    words, sliders = parts["describe-words"], parts["sliders"]
    gr.on([parts["describe"].click, words.submit], describe, [words, sliders], [sliders, parts["described"]], **INSTANT)


def described(words: str, sliders: Any, turns: bool) -> tuple[Any, str]:
    """Read a description.

    Args:
        words: of the visitor.
        sliders: what the sliders say now.
        turns: whether the head can turn on its neck.

    Returns:
        The new value of the sliders, or an update that leaves them as they are; and what was understood, as HTML.
    """
    try:
        style = Style.describe(words or "")
        arousal = slider_values(sliders).voice_arousal
    except PLAIN_ERRORS as error:
        return gr.skip(), f'<p class="wrong" role="alert">{html.escape(str(error))}</p>'
    told = understood_html(style)
    if not style.understood:
        return gr.skip(), told
    still = any(each.dimension == "head_motion" and each.amount <= 0 for each in style.understood)
    return sliders_of(style.deliveries, turns, keep_still=still, arousal=arousal), told


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
