"""A component that plays a 3D head with its sound; the visitor can turn it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from memorytalker.face.head import HeadMesh
from memorytalker.page.head_files import head_address
from memorytalker.page.playback import playback_json
from memorytalker.page.scripts import start_script

EMPTY = "The talking head appears here, in 3D, before the video is drawn."
NO_3D = "Your browser shows no 3D; the video below will follow."
NO_CURVES = "The 3D view needs a head that curves can move, and this one has none; the video below will follow."


def player(
    elem_id: str,
    channel: str,
    *,
    label: str = "Talking head in 3D",
    empty: str = EMPTY,
    no_3d: str = NO_3D,
    autoplay: bool = True,
    first: str = "",
    **options: Any,
) -> gr.HTML:
    """A component whose value comes from `player_value`; None empties it.

    Args:
        elem_id: its element id.
        channel: name in its events "memorytalker:time" and "memorytalker:seek" on the document, which keep other parts
            of the page at the same time, and in "memorytalker:adjust", which changes the curves (static/adjust.js).
        label: its accessible name.
        empty: text while there is no value.
        no_3d: text in place of the head where there is no WebGL.
        autoplay: play a new value at once, unless the visitor prefers reduced motion.
        first: `coming_value` of the head that waits here, blinking, while there is no value; empty: none.
        **options: further arguments of `gr.HTML`.
    """
    words = {"empty": empty, "no3d": no_3d, "noCurves": NO_CURVES}
    script = start_script("player.js", channel=channel, label=label, autoplay=autoplay, first=first, **words)
    return gr.HTML(
        None, html_template="", js_on_load=script, apply_default_css=False, elem_id=elem_id, label=label, **options
    )


def player_value(animation: Any) -> str:
    """The value for an `Animation`: its curves and sound, and where its head is."""
    if not animation.motion.has_curves:
        return playback_json(None, None, animation.waveform)
    motion = animation.motion
    return playback_json(head_address(animation.head), animation.curves, animation.waveform, motion.turns)


def coming_value(head: HeadMesh) -> str:
    """The value before there is an animation of a head: it waits, blinking and breathing."""
    return playback_json(head_address(head) if head.blendshape_names else None, None)
