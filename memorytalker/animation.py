"""The result of a talker: a talking head over time, and how it is saved. Needs no torch."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

import numpy as np

from memorytalker.exports.saving import save_motion
from memorytalker.exports.take import MemoryTrace, Provenance
from memorytalker.face.adjust import adjusted
from memorytalker.face.head import HeadMesh
from memorytalker.face.head_motion import HeadMotion
from memorytalker.face.motion import FaceCurves
from memorytalker.options import CurveChanges, CurveOptions, RenderOptions
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform


@dataclass(frozen=True, eq=False)
class EncodedSound:
    """What a network reads from a sound before any style: with it the sound is animated again without the encoder.

    Args:
        digest: of the sound and of the model, so that it serves no other; "" where the model's is not known.
        logits: of each window, (k t, n) float32.
        arousal: (first frame, how excited the voice sounds from -1 to 1) of each window; empty: not estimated.
    """

    digest: str
    logits: tuple[np.ndarray, ...] = ()
    arousal: tuple[tuple[int, float], ...] = ()


def known_sound(encoded: EncodedSound | None, samples: np.ndarray, model_digest: str) -> EncodedSound:
    """Return what is known of a sound (S,): `encoded` where it is of this sound and model, else one that is empty."""
    digest = hashlib.sha256(model_digest.encode())
    digest.update(np.ascontiguousarray(samples).tobytes())
    name = digest.hexdigest() if model_digest else ""
    return encoded if encoded is not None and name == encoded.digest != "" else EncodedSound(name)


@dataclass(frozen=True, eq=False)
class MotionPiece:
    """Consecutive frames of a stream.

    Args:
        first_frame: number of the piece's first frame in the whole stream, from 0.
        motion: of the piece's t frames.
        memory_address: (t, n) float32, share of each of the n memory slots in a frame; rows sum to 1.
        style_weights: (n,) float32, the same in all pieces of a stream; ones for the neutral style.
    """

    first_frame: int
    motion: HeadMotion
    memory_address: np.ndarray
    style_weights: np.ndarray

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.motion.fps

    @property
    def curves(self) -> FaceCurves:
        """Weights (t, 52) of ARKit's blendshapes by name, in [0, 1]."""
        return self.motion.curves

    @property
    def vertices(self) -> np.ndarray:
        """(t, V, 3) float32 in metres, y up."""
        return self.motion.vertices


@dataclass(frozen=True, eq=False)
class Animation:
    """A talking head over time. Metres, y up, the face towards +z, the head's own left towards +x.

    Args:
        motion: of T frames.
        memory_address: (T, n) float32, share of each of the n memory slots in a frame; rows sum to 1.
        style_weights: (n,) float32, weight of each slot in this speaking style; ones for the neutral style.
        slot_labels: names of the n slots.
        waveform: the animated sound, 16 kHz, mono.
        provenance: where the motion comes from; exported files say it.
        encoded: what the network read from the sound, for `Talker.animate`; 160 bytes a frame. None: not kept.
    """

    motion: HeadMotion
    memory_address: np.ndarray
    style_weights: np.ndarray
    slot_labels: tuple[str, ...]
    waveform: Waveform
    provenance: Provenance
    encoded: EncodedSound | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """T."""
        return len(self.motion)

    @property
    def head(self) -> HeadMesh:
        """The mesh, with the chosen identity."""
        return self.motion.head

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.motion.fps

    @property
    def coordinates(self) -> np.ndarray:
        """What the network predicts: (T, K) float32 in metres, in the basis of the head; K = 3 V for vertices."""
        return self.motion.coordinates

    @property
    def curves(self) -> FaceCurves:
        """Weights (T, 52) of ARKit's blendshapes by name, in [0, 1]. Raises HeadError for a head without any."""
        return self.motion.curves

    @property
    def lip_residual_mm(self) -> float:
        """The largest distance, in millimetres, of a lip vertex between `curves` and the predicted motion."""
        return self.motion.solved.residual_mm

    @property
    def vertices(self) -> np.ndarray:
        """(T, V, 3) float32 in metres, y up, made anew at each call: 116 kB a frame. `frames` takes no memory."""
        return self.motion.vertices

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the vertices (V, 3) float32 in metres of one frame after the other."""
        return iter(self.motion)

    def adjusted(self, options: CurveOptions = CurveOptions(), **changes: Unpack[CurveChanges]) -> Animation:
        """Return the animation with gains and offsets applied to its curves; the network does not run again.

        Args:
            options: gains, offsets and strengths of the upper and lower face.
            changes: fields of CurveOptions as keywords; they replace those of `options`.

        Returns:
            The animation, moved by the changed curves; itself if nothing changes.

        Raises:
            ConfigError: an option out of range.
            HeadError: a head without blendshapes.
            MotionError: a gain or an offset of a curve that the head does not have.
            TypeError: a keyword that is no option.
        """
        motion = adjusted(self.motion, options.changed(**changes))
        return self if motion is self.motion else dataclasses.replace(self, motion=motion)

    def save(
        self,
        path: str | Path,
        format: str | None = None,
        *,
        fps: float | None = None,
        render: RenderOptions = RenderOptions(),
        progress: Progress | None = None,
    ) -> tuple[Path, ...]:
        """Write the animation to a file. The file appears when it is complete; a failure leaves none.

        Args:
            path: the file; its suffix selects the format: .mp4, .csv, .json, .glb and others, as `exports.registry`
                lists them.
            format: name of a format, for suffixes that several share, such as "visemes"; None: the first.
            fps: frames per second of the file; None: those of the animation, and of a video those of `render`.
            render: how a video is rendered.
            progress: called as progress(frames done, frames in total, stage); what it raises cancels.

        Returns:
            The files written, `path` first: some formats have their sound or their mesh beside them.

        Raises:
            ExportError, HeadError, RenderError, VideoError: as `exports.saving.save_motion`.
        """
        return save_motion(
            self.motion,
            Path(path),
            format,
            provenance=self.provenance,
            waveform=self.waveform,
            memory=MemoryTrace(self.memory_address, self.style_weights, self.slot_labels),
            fps=fps,
            render=render,
            progress=progress,
        )
