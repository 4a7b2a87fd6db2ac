"""Ground truth from a user's files: recorded motion with its sound, transferred to a head.

Three kinds of motion are read: vertices (.npz with `vertices` and `fps`, or .npy with the frame rate given separately),
weights of ARKit's face curves (.csv, .json, or .npz with `weights`, `names` and `fps`), and videos of a face. Frame 0
is at time 0 of the sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from memorytalker.comparison.arrays import GroundTruthError, raised_as_ground_truth_error
from memorytalker.corpus.takes import LARGEST_DIFFERENCE
from memorytalker.face.array_files import LARGEST_BYTES, ArrayFile, open_arrays
from memorytalker.face.curve_files import read_curves
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves, Motion
from memorytalker.sound.decode import LONGEST_SECONDS, Waveform, load_waveform, shown_name
from memorytalker.tracking.face_video import LONGEST_SECONDS as LONGEST_VIDEO
from memorytalker.tracking.face_video import SUFFIXES as VIDEO_SUFFIXES
from memorytalker.tracking.face_video import read_face_video

#: Suffixes of files with motion.
SUFFIXES = (".npz", ".npy", ".csv", ".json", *VIDEO_SUFFIXES)
SHORTEST_SECONDS = 0.5
#: Allowed frame rates of vertices, in frames per second. Those of face curves are `curve_table.RATES`.
RATES = (5.0, 1000.0)
#: Most bytes that face curves may take as vertices: about two minutes at 60 frames a second on the shipped head.
LARGEST_MOTION = 1_000_000_000
#: Curves with more frames per second than this are resampled to it before they become vertices.
CURVES_FPS = 60.0
#: A face is taken to be in metres if its size, relative to the head, lies in this range.
SIZES = (0.5, 2.0)
#: Largest median distance, in metres, of the vertices that speech does not move from those of the matching head.
FARTHEST = 0.005
#: Rigid head motion above this, in metres, is reported in a remark.
STEADY = 0.002
#: Blendshape offsets up to this, in metres, do not count as movement.
UNMOVED = 1e-5
#: Size relative to the head -> the likely unit, and the factor that converts it to metres.
_UNITS = ((1000.0, "millimetres", "0.001"), (100.0, "centimetres", "0.01"))
FORMS = (
    "an .npz with vertices (frames, vertices, 3) in metres and fps, an .npy with such vertices, face curves with "
    "ARKit's names as .csv, .json or .npz, or a video of a face"
)
GIVEN, TRACKED, CAPTURED = "given", "tracked", "captured"


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """Recorded motion with its sound. Frame 0 is at time 0 of the sound.

    name: a title for the user. kind: "tracked" (from video), "captured" or "given" (the user's own). head: the head, of
    one identity, that the motion was transferred to. motion: offsets (T, V, 3) in metres from that head's template,
    with fps. remarks: what was decided while reading, in sentences.
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
    """Read the motion of a file onto `head`, with its sound; the longer of the two is cut to the shorter.

    Args:
        motion: path of the motion file; see the module for the formats.
        sound: anything that `sound.decode.load_waveform` accepts; None: that of the motion, if it is a video.
        head: the head to transfer the motion to.
        fps: frames per second, for a file that does not state them; must not contradict one that does.
        longest_seconds: longer motion is refused before it is expanded to vertices.
        kind: "tracked", "captured" or "given".
        name: title for the user; None takes the file's name.

    Returns:
        The motion as offsets from the head's template, with its sound.

    Raises:
        GroundTruthError: if the motion cannot be used.
        AudioError: if the sound cannot be used.
    """
    if motion is None:
        raise GroundTruthError(f"There is no motion yet; give {FORMS}.")
    path = Path(motion)
    if sound is None and path.suffix.lower() in VIDEO_SUFFIXES:
        sound = path
    if sound is None:
        raise GroundTruthError("There is no sound yet; give the recording that belongs to the motion.")
    if fps is not None and not RATES[0] <= fps <= RATES[1]:
        raise GroundTruthError(f"{fps:g} frames a second is not possible; give {RATES[0]:g} to {RATES[1]:g}.")
    with raised_as_ground_truth_error():
        moving, remarks = _reader(path)(path, head, fps, longest_seconds)
    waveform = load_waveform(sound, longest_seconds=longest_seconds * (1 + LARGEST_DIFFERENCE))
    title = name or shown_name(path)
    return _cut(GroundTruth(title, kind, head, moving, waveform, remarks + waveform.remarks))


def _reader(path: Path) -> Callable[..., tuple[Motion, tuple[str, ...]]]:
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise GroundTruthError(f"There is no file {shown_name(path)}; check the path.")
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return _read_video
    if suffix not in SUFFIXES:
        raise GroundTruthError(f"{shown_name(path)} is not a motion file that can be read; give {FORMS}.")
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


def _cut(whole: GroundTruth) -> GroundTruth:
    """Cut motion and sound to the shorter one, with a remark; refuse a difference of more than a tenth."""
    moving, sounding = whole.motion.duration, whole.waveform.seconds
    difference, longer = abs(moving - sounding), max(moving, sounding)
    if difference > LARGEST_DIFFERENCE * longer:
        raise GroundTruthError(
            f"The motion lasts {moving:.2f} s but the sound {sounding:.2f} s; give the sound of this motion, cut to "
            "the same length, and check the frame rate."
        )
    remarks = whole.remarks
    if difference * whole.motion.fps > 1.0:
        which = "motion" if moving > sounding else "sound"
        remarks += (f"The {which} is {difference:.2f} s longer; its end is left out.",)
    frames = max(1, min(len(whole.motion.offsets), round(sounding * whole.motion.fps)))
    motion = Motion(whole.motion.offsets[:frames], whole.motion.fps)
    samples = whole.waveform.samples[: round(motion.duration * whole.waveform.sample_rate)]
    return GroundTruth(whole.name, whole.kind, whole.head, motion, Waveform(samples), remarks)


def _check_duration(frames: int, fps: float, longest_seconds: float) -> None:
    seconds = frames / fps
    if seconds < SHORTEST_SECONDS:
        raise GroundTruthError(f"The motion lasts {seconds:.2f} s; give at least {SHORTEST_SECONDS} s.")
    if seconds > longest_seconds:
        raise GroundTruthError(
            f"The motion lasts {seconds:.0f} s at {fps:g} frames a second; cut it and its sound to at most "
            f"{longest_seconds:g} s."
        )


def _check_frames(name: str, frames: int, longest_seconds: float) -> None:
    """Refuse vertices of more frames than `longest_seconds` hold at the rate to which curves would be resampled."""
    most = int(longest_seconds * CURVES_FPS)
    if frames > most:
        raise GroundTruthError(
            f"{name} has {frames} frames where {most} are accepted; save it with at most {CURVES_FPS:g} frames a "
            "second, or cut it and its sound."
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
    remarks = list(recorded.remarks)
    if curves.fps > CURVES_FPS:
        remarks.append(f"The curves have {curves.fps:g} frames a second; they are resampled to {CURVES_FPS:g}.")
        curves = curves.resample(CURVES_FPS)
    _check_motion(name, curves, head)
    if "jawOpen" not in curves.names:
        remarks.append("The recording has no curve jawOpen, so its jaw stays closed.")
    if not any(shape.startswith(("brow", "eye")) and curves.curve(shape).any() for shape in curves.names):
        remarks.append("The recording moves neither eyes nor brows, so FDD measures the cheeks alone.")
    return curves.to_motion(head), tuple(remarks)


def _read_video(
    path: Path, head: HeadMesh, fps: float | None, longest_seconds: float
) -> tuple[Motion, tuple[str, ...]]:
    """The motion of a face in a video. Its frames say their own times, so that `fps` is not used."""
    if not head.blendshape_names:
        raise GroundTruthError("This head has no blendshapes, so a face in video cannot move it; give vertices.")
    face = read_face_video(path, longest_seconds=min(longest_seconds, LONGEST_VIDEO))
    _check_duration(len(face.curves.weights), face.curves.fps, longest_seconds)
    _check_motion(face.name, face.curves, head)
    return face.curves.to_motion(head), (*face.remarks, "The motion is tracked in a video and not measured.")


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
            f"{name} does not say its frames per second; give the frame rate, or save fps in the file."
        )
    _check_duration(shape[0], rate, longest_seconds)
    _check_frames(name, shape[0], longest_seconds)
    vertices = _positions(name, arrays.read("vertices" if packed else "").reshape(shape), head)
    if packed and "template" in arrays.headers:
        shape = _vertex_shape(name, arrays, "template", head)
        template = _positions(name, arrays.read("template").reshape(shape), head)[0]
        return Motion(vertices - template, rate), ("The neutral face is the template in the file.",)
    template, remarks = _neutral(name, vertices, head)
    return Motion(vertices - template, rate), remarks


def _vertex_shape(name: str, arrays: ArrayFile, array: str, head: HeadMesh) -> tuple[int, int, int]:
    """Check that an array, still unread, fits the head and is small enough; return its shape (T, V, 3)."""
    header, count = arrays.headers[array], head.vertex_count
    shape = header.shape
    if header.dtype.kind not in "fiu":
        raise GroundTruthError(f"The vertices of {name} are not numbers; save them as float32 in metres.")
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
    """Return the vertices (T, V, 3) as float32. Refuses numbers that are not finite, or not in metres."""
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
    """Find the template of the identity that the motion belongs to, by the vertices that speech does not move."""
    still = _still_vertices(head)
    mean = vertices[:, still].mean(axis=0, dtype=np.float64)
    identities = {head.identity: head.template} | dict(head.identities)
    distances = {
        identity: float(np.median(np.linalg.norm(mean - template[still], axis=-1)))
        for identity, template in identities.items()
    }
    nearest = min(distances, key=distances.__getitem__)
    if distances[nearest] > FARTHEST:
        raise GroundTruthError(
            f"The face of {name} lies {1000 * distances[nearest]:.0f} mm away from every head here; export it without "
            "translation or rotation, y up and facing +z, or save its neutral face as template."
        )
    remarks = []
    if nearest != head.identity and identities[nearest] is not head.template:
        remarks.append(f"This is motion of the head {nearest}, transferred to {head.identity}.")
    shift = max(np.median(np.linalg.norm(frame[still] - mean, axis=-1)) for frame in vertices)  # one frame at a time
    if shift > STEADY:
        remarks.append(f"The head itself moves by up to {1000 * shift:.0f} mm, which counts as error.")
    return identities[nearest], tuple(remarks)


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
            f"The fps of {name} is not a frame rate; save one number from {RATES[0]:g} to {RATES[1]:g}."
        )
    return rate


def _check_rate(name: str, own: float, given: float | None) -> None:
    if given is not None and abs(given - own) > 0.01 * own:
        raise GroundTruthError(
            f"{name} says {own:g} frames a second but you wrote {given:g}; leave the field empty, or correct the file."
        )
