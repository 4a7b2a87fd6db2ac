"""A film of our own head whose curves and turns are known, drawn once, and what can be done to its file."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.face.neck import neck_of
from memorytalker.options import RenderOptions
from memorytalker.rendering import render_frames
from memorytalker.rendering.video import write_video
from memorytalker.sound.decode import Waveform
from memorytalker.sound.ffmpeg import ffmpeg_path

FPS, SECONDS = 30, 2.5


@dataclass(frozen=True, eq=False)
class DrawnFilm:
    """path: of the video. curves: (T, 52) of the head. turns: (T, 3) radians."""

    path: Path
    curves: FaceCurves
    turns: np.ndarray

    def changed(self, folder: Path, name: str, *options: str, before: tuple[str, ...] = ()) -> Path:
        """Run the film through ffmpeg with options, those `before` standing before its name."""
        path = folder / name
        command = [ffmpeg_path(), "-v", "error", "-y", *before, "-i", str(self.path), *options, str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return path


def planted_curves() -> tuple[FaceCurves, np.ndarray]:
    """Syllables between closed lips, a blink and raised brows; turns of the head of some degrees."""
    head, frames = load_head(), round(FPS * SECONDS)
    time = np.arange(frames) / FPS
    opening = np.clip(np.sin(2 * np.pi * 2.0 * (time - 0.3)), 0, 1) * ((time > 0.3) & (time < 2.2))
    weights = np.zeros((frames, len(head.blendshape_names)), np.float32)

    def put(name: str, values: np.ndarray) -> None:
        weights[:, head.blendshape_names.index(name)] = values

    put("jawOpen", 0.35 * opening)
    for side in ("Left", "Right"):
        put(f"mouthLowerDown{side}", 0.2 * opening)
        put(f"mouthSmile{side}", 0.3 * np.clip(1 - np.abs(time - 1.1) / 0.3, 0, 1))
        put(f"eyeBlink{side}", np.clip(1 - np.abs(time - 0.9) / 0.12, 0, 1))
        put(f"browOuterUp{side}", 0.6 * np.clip(1 - np.abs(time - 1.7) / 0.35, 0, 1))
    put("browInnerUp", 0.7 * np.clip(1 - np.abs(time - 1.7) / 0.35, 0, 1))
    turns = np.radians(np.stack([9 * np.sin(3 * time), 4 * np.sin(4 * time + 1), 4 * np.sin(2 * time + 2)], 1))
    return FaceCurves(weights, head.blendshape_names, FPS), turns


def draw_film(path: Path, samples: np.ndarray) -> DrawnFilm:
    """Draw the planted motion with a sound (S,) at 16 kHz."""
    head, (curves, turns) = load_head(), planted_curves()
    vertices = (head.template + head.offsets(curves.weights)).astype(np.float32)
    vertices = neck_of(head).turned(vertices, turns)
    frames = render_frames(head, vertices, RenderOptions(width=400, height=400))
    write_video(path, frames, FPS, Waveform(samples), len(vertices))
    return DrawnFilm(path, curves, turns)
