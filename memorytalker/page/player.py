"""Player: a head in 3D that can be turned, in step with its sound; its values travel inside the component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from memorytalker.page.scripts import start_script
from memorytalker.rendering.web_package import pack, packages_json

EMPTY = "The talking head appears here, in 3D, before the video is drawn."
NO_3D = "Your browser shows no 3D; the video below will follow."
#: Rate of a face that does not move, which no one sees.
STILL_FPS = 30.0


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


def still_value(head: Any, vertices: np.ndarray) -> str:
    """One face (V, 3) of `head`, metres, that does not move."""
    return stills_value(head, {"": vertices})


def stills_value(head: Any, faces: Mapping[str, np.ndarray]) -> str:
    """Faces (V, 3) of `head`, metres, side by side under their names; they are turned together."""
    return packages_json([pack(head, face[None], STILL_FPS, name=name) for name, face in faces.items()])


def pair_value(
    left: Any, right: Any, waveform: Any = None, names: tuple[str, str] = ("", ""), errors: bool = True
) -> str:
    """Two `Animation`s side by side, of one rate, with `waveform` or else the sound of the first.

    With `errors` the left head, of the same mesh, wears its distance from the right one in millimetres.
    """
    moved = [pack(one.head, one.vertices, one.fps, name=name) for one, name in zip((left, right), names, strict=True)]
    return packages_json(moved, left.waveform if waveform is None else waveform, paint=errors)
