"""The result of a talker: a talking head over time, and how it is saved. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import resampled
from memorytalker.files import write_whole
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform


class AnimationError(InputError):
    """An animation that cannot be saved as asked; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class MotionPiece:
    """Consecutive frames of a stream.

    Args:
        first_frame: number of the piece's first frame in the whole stream, from 0.
        vertices: (t, V, 3) float32 in metres, y up.
        memory_address: (t, n) float32, share of each of the n memory slots in a frame; rows sum to 1.
        style_weights: (n,) float32, the same in all pieces of a stream; ones for the neutral style.
        fps: frames per second.
    """

    first_frame: int
    vertices: np.ndarray
    memory_address: np.ndarray
    style_weights: np.ndarray
    fps: int


@dataclass(frozen=True, eq=False)
class Animation:
    """A talking head over time. Metres, y up, the face towards +z, the head's own left towards +x.

    Args:
        vertices: (T, V, 3) float32 in metres.
        fps: frames per second.
        memory_address: (T, n) float32, share of each of the n memory slots in a frame; rows sum to 1.
        style_weights: (n,) float32, weight of each slot in this speaking style; ones for the neutral style.
        slot_labels: names of the n slots.
        waveform: the animated sound, 16 kHz, mono.
        head: the mesh, with the chosen identity.
    """

    vertices: np.ndarray
    fps: int
    memory_address: np.ndarray
    style_weights: np.ndarray
    slot_labels: tuple[str, ...]
    waveform: Waveform
    head: HeadMesh

    def save(
        self,
        path: str | Path,
        render: RenderOptions = RenderOptions(),
        progress: Progress | None = None,
    ) -> Path:
        """Write the animation to a file. The file appears when it is complete; a failure leaves none.

        Args:
            path: its suffix selects the format. .mp4: a video with the sound. .npz: arrays `vertices` (T, V, 3),
                `fps`, `memory_address`, `style_weights` and `slot_labels`; for a head whose neutral face is unknown
                (`mesh_files.bare_head`) `offsets` (T, V, 3) instead of `vertices`.
            render: how a video is rendered, and its frame rate.
            progress: called as progress(frames done, frames in total, stage) while a video is rendered.

        Returns:
            The path.

        Raises:
            AnimationError: an unknown suffix, or a folder that cannot be written to.
            HeadError: a video of a head without triangles.
            RenderError: frames that cannot be rendered, for example without OpenGL.
            VideoError: a video that cannot be written.
        """
        path = Path(path)
        write = _FORMATS.get(path.suffix.lower())
        if write is None:
            raise AnimationError(
                f"An animation is saved as {', '.join(_FORMATS)}, not as {path.suffix or path.name!r}."
            )
        if path.is_dir() or not path.parent.is_dir():
            raise AnimationError(f"{path} cannot be written; name a file in a folder that exists.")
        try:
            write_whole(path, lambda part: write(self, part, render, progress))
        except OSError as error:
            reason = error.strerror or error
            raise AnimationError(f"{path} cannot be written ({reason}); choose another folder, or make room.") from None
        return path


def _save_video(animation: Animation, path: Path, render: RenderOptions, progress: Progress | None) -> None:
    from memorytalker.rendering import render_frames, write_video

    vertices = animation.vertices
    if render.fps != animation.fps:
        vertices = resampled(vertices, animation.fps, render.fps)
    frames = render_frames(animation.head, vertices, render)
    write_video(path, frames, render.fps, animation.waveform, len(vertices), progress)


def _save_arrays(animation: Animation, path: Path, render: RenderOptions, progress: Progress | None) -> None:
    name = "vertices" if animation.head.template.any() else "offsets"
    arrays: dict[str, Any] = {
        name: animation.vertices,
        "fps": animation.fps,
        "memory_address": animation.memory_address,
        "style_weights": animation.style_weights,
        "slot_labels": np.array(animation.slot_labels),
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)


_FORMATS = MappingProxyType({".mp4": _save_video, ".npz": _save_arrays})
