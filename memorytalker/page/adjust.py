"""The sliders that change curves: at once in the 3D head, in the browser alone, and then in what is exported."""

from __future__ import annotations

from typing import Any

import gradio as gr

from memorytalker.face.head import HeadMesh
from memorytalker.files import parse_json
from memorytalker.options import CurveOptions
from memorytalker.page.limits import PageError
from memorytalker.page.run_controls import INSTANT
from memorytalker.page.scripts import call_script

INTRODUCTION = (
    "These change the face of the 3D head at once. The video and the files follow: make the head talk again, or "
    "prepare a file under “Download for other programs”. The curve of a shape becomes curve × gain + offset."
)
#: Strengths and gains go from 0 to this; offsets from minus `MOST_ADDED` to it.
STRONGEST, MOST_ADDED = 2.0, 0.5
#: A shape that everybody sees.
FIRST_SHAPE = "jawOpen"
NOT_UNDERSTOOD = "The sliders of the face could not be read; please load the page again."
#: Characters of the changes that a browser may send: all shapes with gain and offset take a third of it.
LONGEST = 10_000


def build_adjust(head: HeadMesh, channel: str) -> Any:
    """Lay out the accordion and connect it.

    Args:
        head: of the page; one that curves cannot move has no sliders.
        channel: of the player that the sliders act on.

    Returns:
        The component whose value `curve_options` reads.
    """
    names = sorted(head.blendshape_names)
    first = FIRST_SHAPE if FIRST_SHAPE in names else next(iter(names), None)
    changes = gr.Textbox("", visible="hidden", label="Changes of the face", elem_id="face-changes")
    with gr.Accordion("Adjust the face", open=False, visible=bool(names), elem_id="adjust"):
        gr.HTML(f'<p class="small">{INTRODUCTION}</p>')
        with gr.Row():
            upper = _slider("Upper face", 0, STRONGEST, 1, "strength of brows and eyes", "upper-face")
            lower = _slider("Lower face", 0, STRONGEST, 1, "strength of mouth, jaw and cheeks", "lower-face")
        shape = gr.Dropdown(names, value=first, label="Shape", elem_id="shape")
        with gr.Row():  # without the list beside them, which leaves the ends of their scales no room
            gain = _slider("Gain", 0, STRONGEST, 1, None, "shape-gain")
            offset = _slider("Offset", -MOST_ADDED, MOST_ADDED, 0, None, "shape-offset")
        summary = gr.HTML("", label="Changed shapes", elem_id="face-summary")
        reset = gr.Button("Reset the face", size="sm", elem_id="reset-face")
    # Events of change, which come after the value; others may bring the value before.
    for field, slider in (("upper_face", upper), ("lower_face", lower)):
        script = call_script("adjust.js", "strengthened", channel, field)
        slider.change(None, slider, [changes, summary], js=script, **INSTANT)
    for field, slider in (("gains", gain), ("offsets", offset)):
        script = call_script("adjust.js", "reshaped", channel, first, field)
        slider.change(None, slider, [changes, summary], js=script, **INSTANT)
    shape.change(None, shape, [gain, offset], js=call_script("adjust.js", "chosen", channel), **INSTANT)
    reset.click(
        None,
        None,
        [changes, summary, upper, lower, gain, offset],
        js=call_script("adjust.js", "reset", channel),
        **INSTANT,
    )
    return changes


def _slider(label: str, lowest: float, highest: float, value: float, info: str | None, elem_id: str) -> gr.Slider:
    return gr.Slider(lowest, highest, value=value, step=0.05, label=label, info=info, elem_id=elem_id, min_width=160)


def curve_options(text: str | None) -> CurveOptions:
    """Read the changes that the sliders hold.

    Args:
        text: JSON of the fields of CurveOptions; empty: nothing is changed.

    Returns:
        The options.

    Raises:
        PageError: text that the sliders do not write.
        ConfigError: a value out of range.
    """
    if not text:
        return CurveOptions()
    try:
        fields = parse_json(text) if isinstance(text, str) and len(text) <= LONGEST else None
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or not set(fields) <= set(CurveOptions.__dataclass_fields__):
        raise PageError(NOT_UNDERSTOOD)
    return CurveOptions(**fields)
