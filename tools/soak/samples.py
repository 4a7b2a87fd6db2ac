"""Good files of every kind that is read, small enough to break thousands of them, and ways to break them."""

from __future__ import annotations

import base64
import functools
import io
import json
import random
import struct
import subprocess
import tempfile
import wave
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import imageio_ffmpeg
import numpy as np
from safetensors.numpy import save

from memorytalker.face.head import ARKIT_NAMES
from memorytalker.places import assets_folder, weights_folder
from memorytalker.styles.style import FORMAT, VERSION
from memorytalker.weights import LIVE_NAME

#: Values that a careless reader takes for what they stand in the place of.
ABSURD = (
    b"1e999", b"-1e999", b"NaN", b"1e308", b"9" * 400, b"-1", b"0", b"", b"true", b"null", b'"x"', b"[]", b"{}",
    b"999999999999", b"1e-300", b'"../../../etc/passwd"', b'"<img src=x onerror=alert(1)>"', b"[" * 5000, b"\0",
)  # fmt: skip
#: Names that a shell, a page or a log might trip over; none holds a slash.
NAMES = ("take", "-o", "<b>take", "a;b", "$(take)", "take\nnext", "ta ke", "%s%n", "täke\u202e", "x" * 180, "..take")

#: Frames of motion, at 30 a second.
FRAMES = 25
#: Where a file may say that more of it lies; the first is there, the last two are a link out of the folder and a pipe.
UPWARD = (
    b"beside.bin", b"../beside.bin", b"../../../../../../etc/passwd", b"/etc/passwd", b"file:///etc/passwd",
    b"..%2f..%2f..%2fetc%2fpasswd", b"%2e%2e/%2e%2e/etc/passwd", b"http://127.0.0.1/x", b"//host/x", b"C:\\\\x",
    b"x%00y", b"~/x", b"", b".", b"link.bin", b"pipe.bin",
)  # fmt: skip


def sound(seconds: float = 0.5) -> bytes:
    """A hum that rises and falls."""
    file = io.BytesIO()
    time = np.arange(round(seconds * 16000)) / 16000
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1), writer.setsampwidth(2), writer.setframerate(16000)
        writer.writeframes((8000 * np.sin(2 * np.pi * 140 * time) * np.sin(20 * time)).astype("<i2").tobytes())
    return file.getvalue()


def _csv() -> bytes:
    rows = [
        f"12:00:00:{2 * k:02d}.000,61," + ",".join(f"{(k % 7) / 10:.4f}" for _ in ARKIT_NAMES) for k in range(FRAMES)
    ]
    names = [name[0].upper() + name[1:] for name in ARKIT_NAMES]
    return "\n".join(["Timecode,BlendShapeCount," + ",".join(names), *rows, ""]).encode()


def _json() -> bytes:
    frames = [{"time": k / 30, "blendShapes": {"jawOpen": 0.1, "mouthFunnel": 0.2}} for k in range(FRAMES)]
    return json.dumps({"fps": 30, "frames": frames}).encode()


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _curves_npz() -> bytes:
    return _npz(
        weights=np.full((FRAMES, 2), 0.1, np.float32), names=np.array(["jawOpen", "mouthFunnel"]), fps=np.array(30)
    )


def _bomb() -> bytes:
    """An npz that announces and unpacks to 4 GB, in a few kilobytes a piece."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, shape in (("vertices", (34_000, 9_648, 3)), ("weights", (10**9, 1))):
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
            packed.writestr(f"{name}.npy", header.getvalue() + bytes(1_000_000))
        packed.writestr("names.npy", _npz_entry(np.array(["jawOpen"])))
        packed.writestr("fps.npy", _npz_entry(np.array(30.0)))
    return file.getvalue()


def _npz_entry(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _obj() -> bytes:
    corners = [f"v {x} {y} {z}" for x in (0, 0.2) for y in (0, 0.2) for z in (0, 0.2)]
    return "\n".join([*corners, "f 1 2 3", "f 2 3 4", "f 5/1 6/2 7/3", ""]).encode()


def _ply() -> bytes:
    head = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    )
    head += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    return head.encode() + struct.pack("<9f", 0, 0, 0, 0.2, 0, 0, 0, 0.2, 0.1) + struct.pack("<B3i", 3, 0, 1, 2)


def scene() -> tuple[dict, bytes]:
    """A head: a triangle with one morph target: the document and its buffer."""
    positions = np.array([[0, 0, 0], [0.2, 0, 0], [0, 0.2, 0]], "<f4")
    buffer = positions.tobytes() + (positions * 0.01).tobytes()
    bounds = {"min": [0, 0, 0], "max": [0.2, 0.2, 0]}
    document = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}],
        "meshes": [{
            "primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 1}]}],
            "extras": {"targetNames": ["jawOpen"]},
        }],
        "buffers": [{"byteLength": len(buffer)}],
        "bufferViews": [{"buffer": 0, "byteOffset": 36 * k, "byteLength": 36} for k in range(2)],
        "accessors": [
            {"bufferView": k, "componentType": 5126, "count": 3, "type": "VEC3", **bounds} for k in range(2)
        ],
    }  # fmt: skip
    return document, buffer


def _gltf() -> bytes:
    document, buffer = scene()
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(buffer).decode()
    return json.dumps(document).encode()


def _glb() -> bytes:
    document, buffer = scene()
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(buffer), 0x004E4942) + buffer
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def _config() -> bytes:
    return (weights_folder() / "open" / "config.json").read_bytes()


def _live_config() -> bytes:
    return (weights_folder() / LIVE_NAME / "config.json").read_bytes()


def _style() -> bytes:
    style = {"format": FORMAT, "version": VERSION, "name": "mine", "slot_share": 0.5, "source": "Mine."}
    return json.dumps(style | {"deliveries": [{"gains": {"jaw": 1.1}, "head_motion": 0.2}]}).encode()


def _zip() -> bytes:
    """A good npz, and beside its arrays names that lead out of it, twice the same, and a link."""
    file = io.BytesIO(_curves_npz())
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "a") as packed:
        for name in ("../../above.npy", "/tmp/absolute.npy", "..\\above.npy", "a" * 300 + ".npy"):
            packed.writestr(name, _npz_entry(np.zeros(3)))
        packed.writestr(link, "/etc/passwd")
    return file.getvalue()


def _upward() -> bytes:
    document, _ = scene()
    document["buffers"][0]["uri"] = UPWARD[0].decode()
    return json.dumps(document).encode()


def _video() -> bytes:
    """A quarter of a second of a test image, with a tone."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=96x96:rate=24"]
    command += ["-f", "lavfi", "-i", "sine", "-t", "0.25", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, f"{folder}/video.mp4"], check=True, stdin=subprocess.DEVNULL)
        return Path(folder, "video.mp4").read_bytes()


def _call() -> bytes:
    """A call of the endpoint `animate`; SOUND stands for an uploaded file."""
    call = {"sound": {"path": "SOUND", "meta": {"_type": "gradio.FileData"}}, "format": "livelink", "seed": 3}
    call |= {"style": "lively", "mood": "joy", "mood_strength": 0.5, "head_motion": None, "gains": {"jawOpen": 1.2}}
    return json.dumps(call).encode()


def _clips() -> bytes:
    return b"# sounds\nvoice.wav\n../other.wav\n/etc/hostname\n"


#: Kind -> the suffix of its files and a good one. The reader of each is in `reader.py` or `page.py`.
KINDS: Mapping[str, tuple[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "sound": (".wav", sound),
        "clip": (".wav", lambda: sorted(assets_folder("speech").glob("*.wav"))[0].read_bytes()),
        "curves-csv": (".csv", _csv),
        "curves-json": (".json", _json),
        "curves-npz": (".npz", _curves_npz),
        "bomb": (".npz", _bomb),
        "head-glb": (".glb", _glb),
        "head-gltf": (".gltf", _gltf),
        "mesh-obj": (".obj", _obj),
        "mesh-ply": (".ply", _ply),
        "weights": (".json", _config),
        "tensors": (".safetensors", lambda: save({"a": np.zeros((4, 4), np.float32), "b": np.ones(3, np.float32)})),
        "mapping": (".json", lambda: b'{"jawOpen": {"jawOpen": 0.8, "mouthFunnel": 0.1}}'),
        "recipe": (".json", lambda: b'{"stage": "memorize", "epochs": 3, "losses": {"motion": 1.0}}'),
        "batch": (".txt", _clips),
        "live": (".json", _live_config),
        "style": (".json", _style),
        "zip": (".npz", _zip),
        "upward": (".gltf", _upward),
        "recording": (".csv", _csv),
        "video": (".mp4", _video),
        # The same files over the page: uploaded, and given to an endpoint.
        "page-sound": (".wav", sound),
        "page-style": (".json", _style),
        "page-csv": (".csv", _csv),
        "page-json": (".json", _json),
        "page-npz": (".npz", _curves_npz),
        "page-bomb": (".npz", _bomb),
        "page-zip": (".npz", _zip),
        "page-adapt": (".csv", _csv),
        "page-video": (".mp4", _video),
        "page-call": (".json", _call),
    }
)


@functools.cache
def good(kind: str) -> bytes:
    """A good file of a kind."""
    return KINDS[kind][1]()


def broken(seed: int, number: int) -> tuple[str, str, bytes]:
    """Break a file; the same seed and number always give the same one.

    Args:
        seed: of the soak.
        number: of the file, from 0.

    Returns:
        Its kind, name and bytes.
    """
    draw = random.Random(f"{seed}-{number}")
    kind = list(KINDS)[number % len(KINDS)]
    data = good(kind)
    if kind == "upward":
        data = data.replace(UPWARD[0], draw.choice(UPWARD))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        data = draw.choice(_WAYS)(data, draw)
    return kind, draw.choice(NAMES) + KINDS[kind][0], data


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _changed(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 2, 8, 64)) if data else 0):
        changed[draw.randrange(min(len(data), 400) if draw.random() < 0.5 else len(data))] = draw.randrange(256)
    return bytes(changed)


def _inserted(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice((*ABSURD, draw.randbytes(40), bytes(5_000))) + data[at:]


def _repeated(data: bytes, draw: random.Random) -> bytes:
    at, size = draw.randrange(len(data) + 1), draw.choice((1, 20, 2_000))
    return data[:at] + data[at : at + size] * draw.choice((2, 50, 2_000)) + data[at + size :]


def _replaced(data: bytes, draw: random.Random) -> bytes:
    """One number, text or name gives way to another."""
    marks = [at for at in range(min(len(data), 20_000)) if data[at : at + 1] in b',:[{"\n ']
    if len(marks) < 2:
        return _changed(data, draw)
    which = draw.randrange(len(marks) - 1)
    return data[: marks[which] + 1] + draw.choice(ABSURD) + data[marks[which + 1] :]


def _other(data: bytes, draw: random.Random) -> bytes:
    """A file of another kind under this name."""
    return good(draw.choice(list(KINDS)))


_WAYS = (_cut, _changed, _changed, _inserted, _repeated, _replaced, _replaced, _other)


def write(folder: Path, name: str, data: bytes) -> Path:
    """Write a file into a new folder below `folder`, so that nothing else lies beside it."""
    path = Path(tempfile.mkdtemp(dir=folder)) / name
    path.write_bytes(data)
    return path
