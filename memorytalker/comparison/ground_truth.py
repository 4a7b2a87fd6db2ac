"""Truth: motion that is known, with its sound, laid on a head; from the files of whoever brings it.

Three forms are read: vertices (.npz with `vertices` and `fps`, or .npy with a frame rate told beside it), and weights
of ARKit's face curves (.csv, .json, or .npz with `weights`, `names` and `fps`). Frame 0 is at time 0 of the sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.comparison.arrays import GroundTruthError, told_as_truth
from memorytalker.corpus.takes import LARGEST_DIFFERENCE
from memorytalker.face.array_files import LARGEST_BYTES, ArrayFile, open_arrays
from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves, Motion
from memorytalker.sound.decode import LONGEST_SECONDS, Waveform, load_waveform, shown_name

#: Endings of files with motion.
SUFFIXES = (".npz", ".npy", ".csv", ".json")
SHORTEST_SECONDS = 0.5
#: Frames a second that a recording may have. Face curves have less (`recordings.RATES`).
RATES = (5.0, 1000.0)
#: Bytes that face curves may take as vertices: about two minutes at 60 frames a second on the shipped head.
LARGEST_MOTION = 1_000_000_000
#: Curves with more frames a second are brought to so many before they become vertices.
CURVES_FPS = 60.0
#: A face is in metres if it measures so many times the head at the least and at the most.
SIZES = (0.5, 2.0)
#: Vertices that no speech moves lie within this, in metres, of those of the head that the motion belongs to ...
FARTHEST = 0.005
#: ... and a head that itself moves by more than this is told.
STEADY = 0.002
#: Offsets (in metres) of a blendshape below this do not count as movement.
UNMOVED = 1e-5
#: Times the head -> what the numbers seem to be, and what to do.
_UNITS = ((1000.0, "millimetres", "0.001"), (100.0, "centimetres", "0.01"))
FORMS = (
    "an .npz with vertices (frames, vertices, 3) in metres and fps, an .npy with such vertices, or face curves with "
    "ARKit's names as .csv, .json or .npz"
)
GIVEN, FILMED, CAPTURED = "given", "filmed", "captured"


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Known motion with its sound. Frame 0 is at time 0 of the sound.

    name: as people read it. kind: "filmed", "captured" or "given" (a visitor's own). head: of the identity on which
    it is laid. motion: offsets (T, V, 3) in metres from that head's template, with fps. remarks: what was decided while
    reading, in sentences.
    """

    name: str
    kind: str
    head: HeadMesh
    motion: Motion
    waveform: Waveform
    remarks: tuple[str, ...] = ()

    @property
    def vertices(self) -> np.ndarray:
        """(T, V, 3) metres."""
        return self.head.template + self.motion.offsets


def read_ground_truth(
    motion: str | Path | None,
    sound: Any,
    head: HeadMesh,
    fps: float | None = None,
    longest_seconds: float = LONGEST_SECONDS,
    kind: str = GIVEN,
    name: str | None = None,
) -> GroundTruth:
    """The motion of a file on `head`, with its sound, which may be whatever `audio.load_waveform` takes.

    `fps` is needed where the file does not say it, and must not contradict the file. Both end with the shorter one.
    Motion of more than `longest_seconds` is refused before it is expanded.
    Raises TruthError, or AudioError for the sound, in one plain sentence that names the remedy.
    """
    if motion is None:
        raise GroundTruthError(f"There is no motion yet; give {FORMS}.")
    if sound is None:
        raise GroundTruthError("There is no sound yet; give the recording that belongs to the motion.")
    path = Path(motion)
    if fps is not None and not RATES[0] <= fps <= RATES[1]:
        raise GroundTruthError(f"{fps:g} frames a second cannot be; give {RATES[0]:g} to {RATES[1]:g}.")
    with told_as_truth():
        moved, remarks = _reader(path)(path, head, fps, longest_seconds)
    waveform = load_waveform(sound, longest_seconds=longest_seconds * (1 + LARGEST_DIFFERENCE))
    shown = name or shown_name(path)
    return _cut(GroundTruth(shown, kind, head, moved, waveform, remarks + waveform.remarks))


def _reader(path: Path) -> Callable[..., tuple[Motion, tuple[str, ...]]]:
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise GroundTruthError(f"There is no file {shown_name(path)}; check the path.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise GroundTruthError(f"{shown_name(path)} is no motion that can be read; give {FORMS}.")
    if suffix not in (".npy", ".npz"):
        return _read_curves
    arrays = set(open_arrays(path).headers)
    if suffix == ".npy" or "vertices" in arrays:
        return _read_vertices
    if not {"weights", "names"} <= arrays:
        raise GroundTruthError(
            f"{shown_name(path)} holds neither vertices nor weights with names; save vertices (frames, vertices, 3) in "
            "metres, and fps."
        )
    return _read_curves


def _cut(truth: GroundTruth) -> GroundTruth:
    """Both as long as the shorter one, which is told; a difference of more than a tenth is refused."""
    moved, waveform = truth.motion.duration, truth.waveform.seconds
    apart, longer = abs(moved - waveform), max(moved, waveform)
    if apart > LARGEST_DIFFERENCE * longer:
        raise GroundTruthError(
            f"The motion lasts {moved:.2f} s but the sound {waveform:.2f} s; give the sound of this motion, cut to the "
            "same length, and check the frame rate."
        )
    remarks = truth.remarks
    if apart * truth.motion.fps > 1.0:
        which = "motion" if moved > waveform else "sound"
        remarks += (f"The {which} is {apart:.2f} s longer; its end is left out.",)
    frames = max(1, min(len(truth.motion.offsets), round(waveform * truth.motion.fps)))
    motion = Motion(truth.motion.offsets[:frames], truth.motion.fps)
    samples = truth.waveform.samples[: round(motion.duration * truth.waveform.sample_rate)]
    return GroundTruth(truth.name, truth.kind, truth.head, motion, Waveform(samples), remarks)


def _check_duration(frames: int, fps: float, longest_seconds: float) -> None:
    seconds = frames / fps
    if seconds < SHORTEST_SECONDS:
        raise GroundTruthError(f"The motion lasts {seconds:.2f} s; give at least {SHORTEST_SECONDS} s.")
    if seconds > longest_seconds:
        raise GroundTruthError(
            f"The motion lasts {seconds:.0f} s at {fps:g} frames a second; cut it and its sound to at most "
            f"{longest_seconds:g} s."
        )


# curves


def _read_curves(
    path: Path, head: HeadMesh, fps: float | None, longest_seconds: float
) -> tuple[Motion, tuple[str, ...]]:
    name = shown_name(path)
    if not head.blendshape_names:
        raise GroundTruthError("This head has no blendshapes, so face curves cannot move it; give vertices.")
    recorded = read_curves(path, fps, longest_seconds)
    curves = recorded.curves
    _check_rate(name, curves.fps, fps)
    _check_duration(len(curves.weights), curves.fps, longest_seconds)
    said = list(recorded.remarks)
    if curves.fps > CURVES_FPS:
        said.append(f"The curves have {curves.fps:g} frames a second; they are resampled to {CURVES_FPS:g}.")
        curves = curves.resample(CURVES_FPS)
    _check_motion(name, curves, head)
    if "jawOpen" not in curves.names:
        said.append("The recording has no curve jawOpen, so its jaw stays shut.")
    if not any(shape.startswith(("brow", "eye")) and curves.curve(shape).any() for shape in curves.names):
        said.append("The recording moves neither eyes nor brows, so FDD tells of the cheeks alone.")
    return curves.to_motion(head), tuple(said)


def _check_motion(name: str, curves: FaceCurves, head: HeadMesh) -> None:
    """Refuse curves that would take too much memory as vertices."""
    each = head.vertex_count * 3 * np.dtype(np.float32).itemsize
    if len(curves.weights) * each > LARGEST_MOTION:
        longest = int(LARGEST_MOTION / each / curves.fps)
        raise GroundTruthError(f"{name} lasts {curves.duration:.0f} s; cut it and its sound to at most {longest} s.")


# vertices


def _read_vertices(
    path: Path, head: HeadMesh, fps: float | None, longest_seconds: float
) -> tuple[Motion, tuple[str, ...]]:
    name, packed = shown_name(path), path.suffix.lower() == ".npz"
    arrays = open_arrays(path)
    own = _own_rate(name, arrays) if packed and "fps" in arrays.headers else None
    if own is not None:
        _check_rate(name, own, fps)
    rate = own or fps
    shape = _vertex_shape(name, arrays, "vertices" if packed else "", head)
    if rate is None:
        raise GroundTruthError(
            f"{name} does not say its frames per second; give them beside it, or save fps in the file."
        )
    _check_duration(shape[0], rate, longest_seconds)
    vertices = _positions(name, arrays.read("vertices" if packed else "").reshape(shape), head)
    if packed and "template" in arrays.headers:
        shape = _vertex_shape(name, arrays, "template", head)
        template = _positions(name, arrays.read("template").reshape(shape), head)[0]
        return Motion(vertices - template, rate), ("The neutral face is the template in the file.",)
    template, said = _neutral(name, vertices, head)
    return Motion(vertices - template, rate), said


def _vertex_shape(name: str, arrays: ArrayFile, array: str, head: HeadMesh) -> tuple[int, int, int]:
    """(T, V, 3) of the head's V, of an array that is not yet read and small enough to be."""
    header, count = arrays.headers[array], head.vertex_count
    shape = header.shape
    if header.dtype.kind not in "fiu":
        raise GroundTruthError(f"The vertices of {name} are no numbers; save them as float32 in metres.")
    if array == "template":
        shape = (1, *shape)
    if len(shape) == 2 and shape[1] == 3 * count:
        shape = (shape[0], count, 3)
    if len(shape) != 3 or shape[2] != 3 or not shape[0]:
        described = ", ".join(str(length)[:12] for length in header.shape[:4])
        raise GroundTruthError(
            f"The vertices of {name} are of shape ({described}); save (frames, {count}, 3) in metres."
        )
    if shape[1] != count:
        raise GroundTruthError(
            f"{name} moves {shape[1]} vertices but this head has {count}; give motion of this mesh, or face "
            "curves, which fit any head."
        )
    size = shape[0] * count * 3 * np.dtype(np.float32).itemsize
    if size > LARGEST_BYTES:
        raise GroundTruthError(f"{name} unpacks to {size / 1e9:.2g} GB; cut it to the part that is compared.")
    return shape


def _positions(name: str, vertices: np.ndarray, head: HeadMesh) -> np.ndarray:
    """(T, V, 3) float32, finite, of about the head's size."""
    with np.errstate(over="ignore"):
        vertices = vertices.astype(np.float32, copy=False)
    if not np.isfinite(vertices).all():
        raise GroundTruthError(f"{name} holds vertices that are not finite; repair or drop those frames first.")
    _check_size(name, vertices[0], head)
    with np.errstate(over="ignore"):
        sides = np.ptp(vertices, axis=1).max(axis=1)
    largest = int(sides.argmax())
    if sides[largest] > SIZES[1] * sides[0]:
        raise GroundTruthError(
            f"The face of {name} measures {sides[largest]:.3g} in frame {largest} but {sides[0]:.3g} in the first; "
            "repair or drop that frame."
        )
    return vertices


def _check_size(name: str, face: np.ndarray, head: HeadMesh) -> None:
    side, own = float(np.ptp(face, axis=0).max()), float(np.ptp(head.template, axis=0).max())
    size = side / own
    if SIZES[0] <= size <= SIZES[1]:
        return
    for times, unit, factor in _UNITS:
        if SIZES[0] * times <= size <= SIZES[1] * times:
            raise GroundTruthError(f"{name} seems to be in {unit}: its face measures {side:.0f}; multiply by {factor}.")
    raise GroundTruthError(
        f"The face of {name} measures {side:.3g} where this head measures {own:.2f} m; give positions (not offsets) of "
        "its vertices, in metres."
    )


def _neutral(name: str, vertices: np.ndarray, head: HeadMesh) -> tuple[np.ndarray, tuple[str, ...]]:
    """The template of the identity to which the motion belongs, found by the vertices that speech does not move."""
    still = _still_vertices(head)
    middle = vertices[:, still].mean(axis=0, dtype=np.float64)
    identities = {head.identity: head.template} | dict(head.identities)
    far = {
        identity: float(np.median(np.linalg.norm(middle - template[still], axis=-1)))
        for identity, template in identities.items()
    }
    nearest = min(far, key=far.__getitem__)
    if far[nearest] > FARTHEST:
        raise GroundTruthError(
            f"The face of {name} lies {1000 * far[nearest]:.0f} mm away from every head here; export it unmoved, y up, "
            "the face towards +z, or save its neutral face as template."
        )
    said = []
    if nearest != head.identity and identities[nearest] is not head.template:
        said.append(f"It is the motion of the head {nearest}, laid on {head.identity}.")
    shift = np.median(np.linalg.norm(vertices[:, still] - middle, axis=-1), axis=1).max()
    if shift > STEADY:
        said.append(f"The head itself moves by up to {1000 * shift:.0f} mm, which counts as error.")
    return identities[nearest], tuple(said)


def _still_vertices(head: HeadMesh) -> np.ndarray:
    """The vertices that no blendshape moves; all, where the head has none."""
    if not head.blendshape_names:
        return np.arange(head.vertex_count)
    reach = np.abs(head.blendshapes).max(axis=(0, 2))
    return np.flatnonzero(reach <= max(UNMOVED, float(np.quantile(reach, 0.1))))


# rates


def _own_rate(name: str, arrays: ArrayFile) -> float:
    header = arrays.headers["fps"]
    plain = header.dtype.kind in "fiu" and header.shape in ((), (1,), (1, 1))
    rate = float(arrays.read("fps").item()) if plain else 0.0
    if not RATES[0] <= rate <= RATES[1]:
        raise GroundTruthError(
            f"The fps of {name} are no frame rate; save one number from {RATES[0]:g} to {RATES[1]:g}."
        )
    return rate


def _check_rate(name: str, own: float, told: float | None) -> None:
    if told is not None and abs(told - own) > 0.01 * own:
        raise GroundTruthError(
            f"{name} says {own:g} frames a second but you wrote {told:g}; leave the field empty, or correct the file."
        )
