"""A user's own head as it came, with an animation of its own morph targets: glTF binary.

Document, materials, textures, extras and names stay as they are; only animations of the same morph targets go. Times
are in seconds, the weights are linear in between.

Source:
    glTF 2.0, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html#animations
"""

from __future__ import annotations

import copy
import dataclasses
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from memorytalker.exports.take import ExportError, Take
from memorytalker.face.gltf_file import REMEDY, GltfFile
from memorytalker.face.gltf_scene import mesh_targets
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.face.rig import HeadRig
from memorytalker.face.rig_mesh import resting_weights
from memorytalker.face.rigged_head import Visemes, drive, rig_of
from memorytalker.files import write_together
from memorytalker.progress import Progress
from memorytalker.sound.decode import Waveform, write_wav

#: Frames that are written at once.
BLOCK = 64
#: Bytes that a .glb file can hold.
MOST_BYTES = 2**32 - 1
#: What the name of the sound beside a file ends in: talk_sound.wav for talk.glb.
SOUND = "_sound.wav"
#: Name of the animation.
ANIMATION = "MemoryTalker"
_WEIGHTS, _FLOAT = "weights", 5126


@dataclasses.dataclass(frozen=True, eq=False)
class _Track:
    """The weights of one node. gains: (n, targets) from the head's controls. rest: (targets,) of the others."""

    node: int
    gains: np.ndarray
    rest: np.ndarray


def export_rig(
    head: HeadMesh,
    curves: FaceCurves,
    path: Path,
    visemes: Visemes | None = None,
    about: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    waveform: Waveform | None = None,
) -> Path:
    """Write a user's own head with its animation, and its sound beside it as NAME_sound.wav.

    Args:
        head: a head of `load_rigged_head`.
        curves: by ARKit's names, at the frame rate to write; what the head lacks is left out.
        path: the .glb file; a .vrm file is one too.
        visemes: as in `rigged_head.drive`.
        about: what to store as extras of the animation, besides its frames per second.
        progress: called as progress(frames done, frames in total, stage); raises to cancel.
        waveform: the sound; None: without sound.

    Returns:
        `path`.

    Raises:
        ExportError: another suffix, or more than a file can hold.
        HeadError: a head without a rig.
    """
    path, rig = Path(path), rig_of(head)
    if path.suffix.lower() not in (".glb", ".vrm"):
        raise ExportError(f"A head of your own is saved as .glb, not as {path.suffix or path.name!r}.")
    weights = drive(head, curves, visemes)
    document, pieces = _packed(rig.file)
    tracks = _tracks(rig)
    times = (np.arange(len(weights)) / curves.fps).astype("<f4")
    size = sum(len(piece) for piece in pieces)
    sizes = [len(track.rest) * len(times) * 4 for track in tracks]
    if size + times.nbytes + sum(sizes) > MOST_BYTES - 2**24:
        raise ExportError("This is more than a .glb file can hold; export it in shorter pieces.")
    _animate(document, tracks, times, size, {"fps": curves.fps, **(about or {})})
    total = size + times.nbytes + sum(sizes)
    document["buffers"] = [{**(document.get("buffers") or [{}])[0], "byteLength": total}]
    document["buffers"][0].pop("uri", None)

    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        raise ExportError(f"{rig.file.name} describes itself with numbers that are none; {REMEDY}.") from None

    def save(part: Path) -> None:
        with part.open("wb") as file:
            _write_header(file, text, total)
            for piece in (*pieces, times.tobytes()):
                file.write(piece)
            for rows in _rows(tracks, weights, progress):
                file.write(rows)
            file.write(bytes(-total % 4))

    writers: dict[Path, Callable[[Path], object]] = {path: save}
    if waveform is not None:
        writers[path.with_name(f"{path.stem}{SOUND}")] = lambda part: write_wav(part, waveform)
    write_together(writers)
    return path


def write(take: Take, path: Path) -> tuple[Path, ...]:
    """Write a take on a head of the user's own; see `export_rig`. ExportError for another head."""
    if take.head.rig is None:
        raise ExportError("This format is for a head of your own; give one with --head, or choose another format.")
    about = {f"memorytalker:{key}": value for key, value in dataclasses.asdict(take.provenance).items()}
    if take.lip_residual_mm is not None:
        about["memorytalker:lipResidualMillimetres"] = take.lip_residual_mm
    sound = None if take.waveform is None else path.with_name(f"{path.stem}{SOUND}")
    if sound is not None:
        about["memorytalker:sound"] = sound.name
    export_rig(take.head, take.need_curves(), path, about=about, progress=take.progress, waveform=take.waveform)
    return (path,) if sound is None else (path, sound)


def _packed(file: GltfFile) -> tuple[dict[str, Any], list[bytes | memoryview]]:
    """A copy of the document with all bytes in one buffer, and that buffer in pieces of four bytes times n."""
    document = copy.deepcopy(dict(file.document))
    pieces: list[bytes | memoryview] = []
    starts, size = [], 0

    def add(data: bytes | memoryview) -> int:
        nonlocal size
        start = size
        padding = bytes(-len(data) % 4)
        pieces.extend((data, padding) if padding else (data,))
        size += len(data) + len(padding)
        return start

    for buffer, described in zip(file.buffers, document.get("buffers", []), strict=True):
        starts.append(add(memoryview(buffer)[: described["byteLength"]]))
    for view in document.get("bufferViews", []):
        start = starts[view["buffer"]]
        if start:
            view["byteOffset"] = start + view.get("byteOffset", 0)
        view["buffer"] = 0
    for image, (data, kind) in zip(document.get("images", []), file.images, strict=True):
        if "uri" in image and not image["uri"].startswith("data:"):
            views = document.setdefault("bufferViews", [])
            views.append({"buffer": 0, "byteOffset": add(data), "byteLength": len(data)})
            del image["uri"]
            image.update(bufferView=len(views) - 1, mimeType=kind or _mime(data))
    return document, pieces


def _mime(data: bytes | memoryview) -> str:
    start = bytes(data[:12])
    if start.startswith(b"\xff\xd8"):
        return "image/jpeg"
    return "image/webp" if start[8:] == b"WEBP" else "image/png"


def _tracks(rig: HeadRig) -> list[_Track]:
    """A track for each node whose mesh a control moves."""
    file = rig.file
    counts = {bind.mesh: len(mesh_targets(file, bind.mesh)) for control in rig.controls for bind in control.binds}
    gains = {mesh: np.zeros((len(rig.controls), count), np.float32) for mesh, count in counts.items()}
    for row, control in enumerate(rig.controls):
        for bind in control.binds:
            gains[bind.mesh][row, bind.target] += np.float32(bind.gain)
    tracks = []
    for node, holder in enumerate(file.listed("nodes")):
        mesh = holder.get("mesh")
        if isinstance(mesh, int) and mesh in gains:
            rest = np.array(resting_weights(file, node, counts[mesh]), np.float32)
            driven = {bind.target for control in rig.controls for bind in control.binds if bind.mesh == mesh}
            rest[sorted(driven)] = 0.0
            tracks.append(_Track(node, gains[mesh], rest))
    return tracks


def _animate(document: dict, tracks: list[_Track], times: np.ndarray, size: int, about: Mapping[str, Any]) -> None:
    """Replace the animations of the tracks' nodes in `document`; their numbers begin at byte `size`."""
    nodes = {track.node for track in tracks}
    kept = [one for one in document.get("animations", []) if _without(one, nodes)]
    views, accessors = document.setdefault("bufferViews", []), document.setdefault("accessors", [])

    def add(length: int, more: Mapping[str, Any]) -> int:
        nonlocal size
        views.append({"buffer": 0, "byteOffset": size, "byteLength": 4 * length})
        size += 4 * length
        accessors.append({"bufferView": len(views) - 1, "componentType": _FLOAT, "count": length, "type": "SCALAR"})
        accessors[-1].update(more)
        return len(accessors) - 1

    clock = add(len(times), {"min": [float(times[0])], "max": [float(times[-1])]})
    samplers, channels = [], []
    for number, track in enumerate(tracks):
        output = add(len(times) * len(track.rest), {})
        samplers.append({"input": clock, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": number, "target": {"node": track.node, "path": _WEIGHTS}})
    kept.append({"name": ANIMATION, "samplers": samplers, "channels": channels, "extras": dict(about)})
    document["animations"] = kept


def _without(animation: dict, nodes: set[int]) -> bool:
    """Take the weights of `nodes` out of an animation. Returns whether anything is left of it."""
    try:
        channels = [
            one
            for one in animation["channels"]
            if one["target"].get("path") != _WEIGHTS or one["target"].get("node") not in nodes
        ]
        used = sorted({one["sampler"] for one in channels})
        animation["samplers"] = [animation["samplers"][number] for number in used]
        animation["channels"] = [{**one, "sampler": used.index(one["sampler"])} for one in channels]
    except (KeyError, TypeError, IndexError, AttributeError):
        return False  # an animation that nobody could play
    return bool(channels)


def _write_header(file: IO[bytes], text: bytes, total: int) -> None:
    text += b" " * (-len(text) % 4)
    size = total + -total % 4
    file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + size))
    file.write(struct.pack("<II", len(text), 0x4E4F534A) + text)
    file.write(struct.pack("<II", size, 0x004E4942))


def _rows(tracks: list[_Track], weights: np.ndarray, progress: Progress | None) -> Iterator[bytes]:
    """The numbers of all tracks, block by block."""
    done, total = 0, len(weights)
    for track in tracks:
        for first in range(0, total, BLOCK):
            block = weights[first : first + BLOCK]
            yield (block @ track.gains + track.rest).astype("<f4").tobytes()
            done += len(block)
            if progress is not None:
                progress(min(done // len(tracks), total), total, "writing")
