"""Files of tracked landmarks: a folder with `manifest.jsonl` and `landmarks.npz`, read clip by clip.

T frames, P points, numbered as in MediaPipe Face Mesh; see `tracking/landmarks.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.config import shown
from memorytalker.corpus.clips import leads_out
from memorytalker.face.array_files import ArrayFileError, opened_arrays
from memorytalker.files import Kind, read_lines
from memorytalker.tracking.landmarks import CaptureError, checked_index, columns

#: Values at or below this in a landmark file mark a frame in which no face was found.
MISSING = -16000
#: Landmark files keep sixteenths of a pixel.
STEPS_PER_PIXEL = 16.0
#: Arrays in a landmark file at the most, frames per second, letters in the name of a clip.
MOST_ARRAYS, RATES, LONGEST_NAME = 20_000, (1.0, 240.0), 200


@dataclass(frozen=True)
class LandmarkClip:
    """One tracked clip.

    Attributes:
        name: of the clip.
        speaker: who speaks.
        points: (T, P, 2) pixels, x to the viewer's right, y down; NaN in frames in which no face was found.
        index: (P,) MediaPipe number of each point.
        fps: frames per second.
        sound: the sound file.
        text: transcript, if known.
    """

    name: str
    speaker: str
    points: np.ndarray
    index: np.ndarray
    fps: float
    sound: Path
    text: str | None = None

    def at(self, index: np.ndarray) -> LandmarkClip:
        """Return the clip with other points, or in another order.

        Args:
            index: (P',) MediaPipe numbers of the points that are wanted.

        Raises:
            CaptureError: one of the points was not tracked.
        """
        kept = columns(self.index, tuple(index.tolist()))
        return dataclasses.replace(self, points=self.points[:, kept], index=self.index[kept])


def read_landmark_clips(folder: str | Path) -> Iterator[LandmarkClip]:
    """Yield the clips of a folder with `manifest.jsonl` and `landmarks.npz`, in the manifest's order.

    Args:
        folder: the capture folder.

    Raises:
        CaptureError: a file or a clip is missing or damaged, or has another shape than the manifest says.
    """
    folder = Path(folder)
    manifest, archive = folder / "manifest.jsonl", folder / "landmarks.npz"
    for path in (manifest, archive):
        if not path.is_file():
            raise CaptureError(f"There is no {path}; a capture folder needs manifest.jsonl and landmarks.npz.")
    entries = _manifest(manifest)
    try:
        with opened_arrays(archive, MOST_ARRAYS) as read:
            index = checked_index(read("index"), archive)
            for entry in entries:
                yield _landmark_clip(folder, entry, index, read(entry["clip"]))
    except ArrayFileError as error:
        raise CaptureError(f"The landmarks in {folder} cannot be used: {error}") from None


def _manifest(path: Path) -> list[dict]:
    """The lines of a manifest of landmarks. Raises CaptureError for one that cannot be."""
    kinds: dict[str, Kind] = {"clip": str, "speaker": str, "audio": str, "frames": int, "fps": float}
    try:
        entries = read_lines(path, kinds | {"text": str | None})
    except (OSError, ValueError) as error:
        reason = "it cannot be read" if isinstance(error, OSError) else str(error)
        raise CaptureError(f"{path} cannot be used ({reason}); mend it as docs/training.md says.") from None
    for entry in entries:
        name, fps = entry["clip"], entry["fps"]
        if leads_out(name) or "/" in name or not 0 < len(name) <= LONGEST_NAME or leads_out(entry["audio"]):
            raise CaptureError(
                f"{path} names {shown(name)} with the sound {shown(entry['audio'])}; keep to its folder."
            )
        if not RATES[0] <= fps <= RATES[1]:
            raise CaptureError(f"{path} gives {shown(name)} {fps:g} fps; choose from {RATES[0]:g} to {RATES[1]:g}.")
    return entries


def _landmark_clip(folder: Path, entry: dict, index: np.ndarray, raw: np.ndarray) -> LandmarkClip:
    name = shown(entry["clip"])
    if raw.shape != (entry["frames"], len(index), 2) or not len(raw):
        shape = " x ".join(map(str, raw.shape))
        raise CaptureError(f"The landmarks of {name} in {folder} have the shape {shape}; the manifest says otherwise.")
    if raw.dtype.kind != "i" or raw.dtype.itemsize > 4:
        raise CaptureError(f"The landmarks of {name} in {folder} are no sixteenths of a pixel; track the clip again.")
    points = raw.astype(np.float64) / STEPS_PER_PIXEL
    points[(raw <= MISSING).any((1, 2))] = np.nan
    sound = folder / entry["audio"]
    return LandmarkClip(entry["clip"], entry["speaker"], points, index, float(entry["fps"]), sound, entry.get("text"))
