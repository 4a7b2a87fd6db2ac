"""A component that plays a 3D head with its sound; the visitor can turn it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from memorytalker.page.scripts import start_script
from memorytalker.rendering.web_package import pack

EMPTY = "The talking head appears here, in 3D, before the video is drawn."
NO_3D = "Your browser shows no 3D; the video below will follow."


def player(
    elem_id: str,
    channel: str,
    *,
    label: str = "Talking head in 3D",
    empty: str = EMPTY,
    no_3d: str = NO_3D,
    autoplay: bool = True,
    **options: Any,
) -> gr.HTML:
    """A component whose value comes from `player_value`; None empties it.

    Args:
        elem_id: its element id.
        channel: name in its events "memorytalker:time" and "memorytalker:seek" on the document, which keep other parts
            of the page at the same time.
        label: its accessible name.
        empty: text while there is no value.
        no_3d: text in place of the head where there is no WebGL.
        autoplay: play a new value at once, unless the visitor prefers reduced motion.
        **options: further arguments of `gr.HTML`.
    """
    script = start_script("player.js", channel=channel, label=label, empty=empty, no3d=no_3d, autoplay=autoplay)
    return gr.HTML(
        None, html_template="", js_on_load=script, apply_default_css=False, elem_id=elem_id, label=label, **options
    )


def player_value(animation: Any) -> str:
    """The value for an `Animation`: its motion and sound as JSON."""
    return pack(animation.head, animation.vertices, animation.fps).to_json(animation.waveform)
