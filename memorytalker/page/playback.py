"""What the 3D player plays: curves and sound, as JSON; the head is a file of its own. Needs no Gradio."""

from __future__ import annotations

import base64
import io
import json
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from memorytalker.face.adjust import UPPER_FACE
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform

#: Version of the format; memorytalker/page/static/playback.js reads only this one.
FORMAT = 4


def playback_json(
    head: str | None, curves: FaceCurves | None, waveform: Waveform | None = None, turns: np.ndarray | None = None
) -> str:
    """Describe a talking head for the player.

    Args:
        head: path of the head's file below the page's root; None for a head that curves cannot move.
        curves: weights in [0, 1] of the head's blendshapes by name; None: the head is only fetched in advance.
        waveform: the sound, beginning with frame 0.
        turns: (T, 3) yaw, pitch and roll of the head in radians, for the frames of the curves; None: it never turns.

    Returns:
        JSON; playback.js describes its fields.
    """
    content: dict[str, Any] = {"format": FORMAT, "head": head}
    if curves is not None:
        content |= {
            "fps": curves.fps,
            "seconds": len(curves.weights) / curves.fps,
            "names": curves.names,
            "upper": [name for name in curves.names if name.startswith(UPPER_FACE)],
            "weights": _packed(curves),
        }
        if turns is not None:
            content["turns"] = _base64(np.asarray(turns, "<f4").tobytes())
    elif waveform is not None:
        content["seconds"] = waveform.seconds
    if waveform is not None:
        content["sound"] = _base64(_wav(waveform))
    return json.dumps(content, separators=(",", ":"))


def other_style_json(curves: FaceCurves, apart: np.ndarray) -> str:
    """Describe the same motion in the neutral style, for the player's switch.

    Args:
        curves: as of `playback_json`, over the same T frames.
        apart: (T,) distance from the motion in style at the lips, in millimetres.

    Returns:
        JSON; playback.js describes its fields.
    """
    content = _motion(curves) | {"apart": _base64(np.asarray(apart, "<f4").tobytes())}
    return json.dumps(content, separators=(",", ":"))


def plain_motion_json(
    curves: FaceCurves,
    turns: np.ndarray | None,
    speaking: np.ndarray,
    deliveries: Sequence[Any],
    arousal: np.ndarray | None = None,
    heard: bool = False,
) -> str:
    """Describe the motion of a value before the sliders of a style act.

    Args:
        curves: as of `playback_json`, over the same T frames.
        turns: (T, 3) turns of the head in radians at a strength of 1; None: it cannot turn.
        speaking: (T,) how much somebody speaks, from 0 in silence to 1.
        deliveries: plain values of those that the value itself was made with.
        arousal: (T,) how excited the voice sounds, from -1 to 1; None: not known.
        heard: whether moods and brows of the value itself follow it.

    Returns:
        JSON; playback.js describes its fields.
    """
    content = _motion(curves) | {
        "speaking": _base64(np.asarray(speaking, "<f4").tobytes()),
        "deliveries": list(deliveries),
        "heard": heard,
    }
    if arousal is not None:
        content["arousal"] = _base64(np.asarray(arousal, "<f4").tobytes())
    if turns is not None:
        content["turns"] = _base64(np.asarray(turns, "<f4").tobytes())
    return json.dumps(content, separators=(",", ":"))


def _motion(curves: FaceCurves) -> dict[str, Any]:
    """What the player needs of curves that take the place of a value's own."""
    return {"frames": len(curves.weights), "names": curves.names, "weights": _packed(curves)}


def _packed(curves: FaceCurves) -> str:
    return _base64((65535 * np.clip(curves.weights, 0, 1)).round().astype("<u2").tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _wav(waveform: Waveform) -> bytes:
    """The sound as a WAV file of 16-bit PCM, which every browser plays, at its own sample rate."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(waveform.sample_rate)
        writer.writeframes(np.round(np.clip(waveform.samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()
