"""Live Link Face CSV: a row a frame with a timecode, ARKit's 52 shapes and nine angles, as Unreal imports it.

The frame field of the timecode counts sixtieths of a second at every frame rate, as the phone writes it and Unreal's
importer reads it. The angles of the head are those of `face/neck.py`, in radians; those of the eyes are 0, as the gaze
is in the shapes eyeLook. The format has no place for the frame rate or the provenance.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from memorytalker.exports.take import ExportFormat, Take
from memorytalker.exports.text import arkit_curves, reported
from memorytalker.face.motion import FaceCurves
from memorytalker.files import write_whole
from memorytalker.progress import Progress

#: The shapes in the order of the phone's files.
SHAPES: tuple[str, ...] = tuple(
    "eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight "
    "eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawRight "
    "jawLeft jawOpen mouthClose mouthFunnel mouthPucker mouthRight mouthLeft mouthSmileLeft mouthSmileRight "
    "mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower "
    "mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft "
    "mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft "
    "browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut".split()
)
#: The angles, in radians.
ANGLES: tuple[str, ...] = tuple(
    "HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll".split()
)
#: Letters of a subject's name at the most.
_LONGEST_SUBJECT = 60


def unreal_file_name(subject: str) -> str:
    """Return the file name from which Unreal reads slate, take and subject: memorytalker_1_<subject>.csv.

    Args:
        subject: any name; what is no letter or digit becomes a hyphen, as underscores part the name.

    Returns:
        The name, without a folder.
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", subject).strip("-")[:_LONGEST_SUBJECT].strip("-")
    return f"memorytalker_1_{plain or 'face'}.csv"


def timecode(frame: int, fps: float) -> str:
    """Return the time of a frame as HH:MM:SS:FF.sss, FF.sss in sixtieths of a second, from 00:00:00:00.000 on."""
    seconds, part = divmod(round(frame * 60_000 / fps), 60_000)
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}:{part // 1000:02d}.{part % 1000:03d}"


def _write(take: Take, path: Path) -> tuple[Path, ...]:
    curves = arkit_curves(take).reordered(SHAPES)
    turns = np.zeros((len(curves.weights), 3)) if take.turns is None else take.turns
    write_whole(path, lambda part: _write_rows(curves, turns, part, take.progress))
    return (path,)


def _write_rows(curves: FaceCurves, turns: np.ndarray, path: Path, progress: Progress | None) -> None:
    columns = len(SHAPES) + len(ANGLES)
    values = len(SHAPES) + turns.shape[1]
    row = f",{columns}" + ",%.10f" * values + ",0.0000000000" * (columns - values) + "\n"
    with path.open("w", encoding="ascii", newline="") as file:
        header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in SHAPES), *ANGLES]
        file.write(",".join(header) + "\n")
        for frame, weights in reported(curves.weights, progress):
            file.write(timecode(frame, curves.fps) + row % (*weights.tolist(), *(turns[frame] + 0.0).tolist()))


LIVE_LINK = ExportFormat(
    name="livelink",
    suffix=".csv",
    title="Live Link Face (CSV)",
    summary="Unreal Engine, and the plugins of Blender, Maya, Houdini and Unity.",
    write=_write,
    named=unreal_file_name,
)
