"""Player: a head in 3D that can be turned, in step with its sound; its values travel inside the component."""

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
    """A component for the values below; None empties it, and it then says `empty`.

    `channel` is the name of the clock that it keeps for other parts of the page ("memorytalker:time" and
    "memorytalker:seek" on the document). `no_3d` is what a browser without WebGL says instead of the head. `autoplay`:
    a new value begins to play, unless the visitor asked for less motion. More `options` go to `gr.HTML`.
    """
    script = start_script("player.js", channel=channel, label=label, empty=empty, no3d=no_3d, autoplay=autoplay)
    return gr.HTML(
        None, html_template="", js_on_load=script, apply_default_css=False, elem_id=elem_id, label=label, **options
    )


def player_value(animation: Any) -> str:
    """The motion of an `Animation` with its sound."""
    return pack(animation.head, animation.vertices, animation.fps).to_json(animation.waveform)
