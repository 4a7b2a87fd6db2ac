"""What every export format receives: a `Take`, and what it returns: the files it wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from memorytalker.errors import InputError
from memorytalker.face.frames import Frames
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform
from memorytalker.version import VERSION


class ExportError(InputError):
    """Motion that cannot be exported as asked; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class Provenance:
    """Where a motion comes from; formats that can hold text store it.

    Args:
        source: name of the sound or the curve file, without its folder.
        head: identity of the shipped head, or file name of the user's.
        model: sha256 of the weights; "" for imported curves.
        style: "own voice", "neutral", or the name of the sound that gave the style; "" for imported curves.
        seed: random seed of the expression; None without expression.
        generator: program and version.
    """

    source: str
    head: str
    model: str
    style: str
    seed: int | None
    generator: str = f"MemoryTalker {VERSION}"


@dataclass(frozen=True, eq=False)
class MemoryTrace:
    """What the memory did during a motion.

    Args:
        address: (T, n) float32, share of each of the n memory slots in a frame; rows sum to 1.
        style_weights: (n,) float32, weight of each slot in the speaking style.
        slot_labels: names of the n slots.
    """

    address: np.ndarray
    style_weights: np.ndarray
    slot_labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Take:
    """Motion that is ready to be written, at the frame rate to write.

    Args:
        curves: weights (T, n) of the head's named blendshapes, in [0, 1]; None for a head without blendshapes.
        frames: T frames (V, 3) float32 in metres, y up, the face towards +z.
        fps: frames per second.
        head: the mesh that moves.
        waveform: the sound, beginning with frame 0; None without sound.
        provenance: where the motion comes from.
        lip_residual_mm: largest distance of a lip vertex between the curves and the predicted motion, in millimetres;
            None where the curves are the motion.
        render: how a video is rendered.
        progress: called as progress(frames done, frames in total, stage); raises to cancel.
        memory: of the same frames; None where the frame rate was changed, or without a network.
        turns: (T, 3) yaw, pitch and roll of the head in radians, see `face.neck`; `frames` have them already. None:
            the head never turns.
    """

    curves: FaceCurves | None
    frames: Frames
    fps: float
    head: HeadMesh
    waveform: Waveform | None
    provenance: Provenance
    lip_residual_mm: float | None = None
    render: RenderOptions = field(default_factory=RenderOptions)
    progress: Progress | None = None
    memory: MemoryTrace | None = None
    turns: np.ndarray | None = None

    def need_curves(self) -> FaceCurves:
        """Return the curves. Raises ExportError for a head without blendshapes."""
        if self.curves is None:
            raise ExportError(
                "This head has no blendshapes, so there are no curves to write; choose .npz, .pc2 or .obj."
            )
        return self.curves


@dataclass(frozen=True)
class ExportFormat:
    """A file format.

    Args:
        name: for `--format`, lower case with hyphens, such as "livelink".
        suffix: of the main file, with the dot, such as ".csv".
        title: name of the format for people, at most 40 characters.
        summary: which programs open it, one short sentence.
        write: writes the main file (its path is given and its folder exists) and the files beside it; each file appears
            when it is complete. Returns all files written, the main file first.
        video: whether it is rendered, at the frame rate of the render options; it needs no curves.
        vast: whether a minute takes more than a gigabyte; the page does not offer it.
        extra: what of pyproject.toml installs the libraries it needs; None: nothing more.
        beside: what may be written beside the main file, each as what follows its stem: "_sound.wav" is talk_sound.wav
            for talk.glb, and "" is the folder talk.
        named: the file name by which its programs know what they open, from any name; None: any name will do.
    """

    name: str
    suffix: str
    title: str
    summary: str
    write: Callable[[Take, Path], tuple[Path, ...]]
    extra: str | None = None
    video: bool = False
    vast: bool = False
    beside: tuple[str, ...] = ()
    named: Callable[[str], str] | None = None

    def file_name(self, source: str) -> str:
        """Return the name of the main file for a sound called `source`: talk and the suffix, or as `named` wants it."""
        return f"talk{self.suffix}" if self.named is None else self.named(Path(source).stem)

    def places(self, path: Path) -> tuple[Path, ...]:
        """Return the main file `path`, and every file or folder that may be written beside it."""
        return (path, *(path.with_name(f"{path.stem}{end}") for end in self.beside))
