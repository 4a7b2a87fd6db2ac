"""Synthetic VOCASET and BIWI in their exact on-disk form: planted faces that open their mouths as loudly as they sound.

`write_vocaset_raw`, `write_vocaset` and `write_biwi` write a folder and return what was planted. The same speaker and
sentence give the same face and the same sound in every form, so that loaders can be compared with each other.
"""

from __future__ import annotations

import io
import pickle
import wave
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FLAME_VERTICES, BIWI_VERTICES = 5023, 23370
#: Two training speakers, then one of validation and one of test: names of VOCASET's split.
VOCASET_SUBJECTS = (
    "FaceTalk_170728_03272_TA",
    "FaceTalk_170904_00128_TA",
    "FaceTalk_170811_03275_TA",
    "FaceTalk_170809_00138_TA",
)
#: Two speakers of training and validation, then one of test: names of BIWI's split.
BIWI_SUBJECTS = ("F2", "M3", "F1")
BIWI_SPEAKERS_SEEN = ("F2", "F3", "F4", "M3", "M4", "M5")
SOUND_RATE = 22000  # Hz, that of VOCASET
MOUTH_HEIGHT = -0.045  # metres below the middle of the face


@dataclass(frozen=True)
class PlantedFace:
    """A face of V vertices on a grid and what is known about it. Metres, y up, the face towards +z."""

    template: np.ndarray  # (V, 3)
    columns: int  # vertices in a row of the grid
    lips: np.ndarray  # indices, sorted
    upper_face: np.ndarray
    opening: tuple[int, int]  # the (upper, lower) vertices on the mid-line between which the mouth opens
    below_mouth: np.ndarray  # (V,) how far a vertex follows the jaw, 0..1


@dataclass(frozen=True)
class Planted:
    """What was written: the face, the speakers' templates and, by sequence name, speaker, vertices (T, V, 3), sound."""

    folder: Path
    face: PlantedFace
    templates: Mapping[str, np.ndarray]
    speakers: Mapping[str, str]
    vertices: Mapping[str, np.ndarray]
    sounds: Mapping[str, np.ndarray]  # (S,) int16 at SOUND_RATE


def planted_face(vertex_count: int) -> PlantedFace:
    """A face of exactly `vertex_count` vertices (at least 30), rows from the forehead down."""
    columns = max(5, int(np.sqrt(0.75 * vertex_count)) // 2 * 2 + 1)  # odd: one column lies on the mid-line
    rows = -(-vertex_count // columns)
    row, column = np.divmod(np.arange(vertex_count), columns)
    x = (column / (columns - 1) - 0.5) * 0.16
    step = 0.22 / (rows - 1)
    mouth_row = round((0.11 - MOUTH_HEIGHT) / step)  # the last row above the mouth
    y = (mouth_row - row + 0.5) * step + MOUTH_HEIGHT
    template = np.stack([x, y, 0.08 - 4 * x**2 - 2 * (y - 0.02) ** 2], 1)
    away = np.hypot(x / 0.025, (y - MOUTH_HEIGHT) / 0.012)
    lips = np.sort(np.argsort(away, kind="stable")[: max(8, vertex_count // 20)])
    middle = columns // 2
    opening = (mouth_row * columns + middle, (mouth_row + 1) * columns + middle)
    assert set(opening) <= set(lips.tolist())
    below = np.where(y < MOUTH_HEIGHT, np.exp(-((x / 0.05) ** 2)), 0.0)
    return PlantedFace(template, columns, lips, np.flatnonzero(y > 0.03), opening, below)


def loudness(speaker: str, sentence: int, times: np.ndarray) -> np.ndarray:
    """How loud the sentence is at `times` in seconds, 0..1: syllables at a rate of the speaker's own."""
    generator = np.random.default_rng([sentence, *speaker.encode()])
    rate, start = 3 + 2 * generator.random(2)
    accent = 0.7 + 0.3 * np.sin(2 * np.pi * 0.6 * times + 6 * generator.random())
    return np.clip(np.sin(2 * np.pi * rate * times + start), 0, None) * accent


def speaker_template(face: PlantedFace, speaker: str) -> np.ndarray:
    """(V, 3) the neutral face of a speaker: the planted one, a little larger or smaller."""
    scale = 0.95 + 0.1 * np.random.default_rng([*speaker.encode()]).random()
    return (face.template * scale).astype(np.float32)


def speak(face: PlantedFace, speaker: str, sentence: int, seconds: float, fps: float) -> np.ndarray:
    """(T, V, 3) float32 metres: the jaw follows the loudness, as far as the speaker's style says; the brows a bit."""
    times = np.arange(round(seconds * fps)) / fps
    loud = loudness(speaker, sentence, times)
    reach = 0.008 + 0.012 * np.random.default_rng([1, *speaker.encode()]).random()
    moved = np.zeros((len(times), len(face.template), 3))
    moved[..., 1] = -reach * loud[:, None] * face.below_mouth
    moved[..., 2] = -0.3 * reach * loud[:, None] * face.below_mouth
    moved[:, face.upper_face, 1] += (0.001 * np.sin(2 * np.pi * 0.8 * times) * loud)[:, None]
    return (speaker_template(face, speaker) + moved).astype(np.float32)


def sound_of(speaker: str, sentence: int, seconds: float, rate: int = SOUND_RATE) -> np.ndarray:
    """(S,) int16: a buzz at the speaker's pitch, as loud as `loudness`, in a little noise."""
    times = np.arange(round(seconds * rate)) / rate
    generator = np.random.default_rng([2, sentence, *speaker.encode()])
    pitch = 90 + 120 * np.random.default_rng([3, *speaker.encode()]).random()
    buzz = sum(np.sin(2 * np.pi * k * pitch * times) / k for k in range(1, 9))
    samples = 0.2 * loudness(speaker, sentence, times) * buzz + 0.002 * generator.standard_normal(len(times))
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def sentence_name(subject: str, sentence: int) -> str:
    """The name of a sequence, as VOCASET and BIWI spell it."""
    return f"{subject}_e{sentence:02d}" if len(subject) == 2 else f"{subject}_sentence{sentence:02d}"


def plant(
    folder: Path,
    wanted: Sequence[tuple[str, int]],
    seconds: float,
    vertex_count: int,
    fps: float,
    rates: Mapping[str, float],
    missing: Collection[str],
) -> Planted:
    """The contents of a data set, not yet written: `wanted` are (subject, sentence)."""
    face = planted_face(vertex_count)
    speakers, vertices, sounds = {}, {}, {}
    for subject, sentence in wanted:
        name = sentence_name(subject, sentence)
        if name not in missing:
            speakers[name] = subject
            vertices[name] = speak(face, subject, sentence, seconds, rates.get(name, fps))
            sounds[name] = sound_of(subject, sentence, seconds)
    templates = {subject: speaker_template(face, subject) for subject, _ in wanted}
    folder.mkdir(parents=True, exist_ok=True)
    return Planted(folder, face, templates, speakers, vertices, sounds)


def write_vocaset_raw(
    folder: Path,
    subjects: Sequence[str] = VOCASET_SUBJECTS,
    sentences: Sequence[int] = (21, 22),
    seconds: float = 1.0,
    vertex_count: int = FLAME_VERTICES,
    fps: float = 60,
    rates: Mapping[str, float] | None = None,
    missing: Collection[str] = (),
) -> Planted:
    """The raw download. `rates`: other frame rates by sequence name; `missing`: sequences that are not there."""
    wanted = [(subject, sentence) for subject in subjects for sentence in sentences]
    planted = plant(folder, wanted, seconds, vertex_count, fps, rates or {}, missing)
    sounds: dict = {subject: {} for subject in subjects}
    rows: dict = {subject: {} for subject in subjects}
    start, blocks = 0, []
    for name in reversed(planted.vertices):  # not in the order of the names
        subject, sequence = planted.speakers[name], name.rsplit("_", 1)[1]
        count = len(planted.vertices[name])
        sounds[subject][sequence] = {"audio": planted.sounds[name], "sample_rate": SOUND_RATE}
        rows[subject][sequence] = {frame: start + frame for frame in reversed(range(count))}
        blocks.append(planted.vertices[name])
        start += count
    np.save(folder / "data_verts.npy", np.concatenate(blocks))
    write_pickle(folder / "raw_audio_fixed.pkl", sounds)
    write_pickle(folder / "subj_seq_to_idx.pkl", rows)
    write_templates(planted)
    write_masks(folder, planted.face)
    return planted


def write_vocaset(
    folder: Path,
    subjects: Sequence[str] = VOCASET_SUBJECTS,
    sentences: Sequence[int] = (21, 22),
    seconds: float = 1.0,
    vertex_count: int = FLAME_VERTICES,
    fps: float = 60,
    rates: Mapping[str, float] | None = None,
    missing: Collection[str] = (),
) -> Planted:
    """The processed form: wav/, vertices_npy/ and templates.pkl, with FLAME_masks.pkl beside them."""
    wanted = [(subject, sentence) for subject in subjects for sentence in sentences]
    planted = plant(folder, wanted, seconds, vertex_count, fps, rates or {}, missing)
    write_sequences(planted)
    write_masks(folder, planted.face)
    return planted


def write_biwi(
    folder: Path,
    subjects: Sequence[str] = BIWI_SUBJECTS,
    sentences: Sequence[int] = (1, 2, 33, 37),
    seconds: float = 1.0,
    vertex_count: int = BIWI_VERTICES,
    fps: float = 25,
    rates: Mapping[str, float] | None = None,
    missing: Collection[str] = (),
) -> Planted:
    """BIWI's form, with regions/lve.txt and fdd.txt. Of a speaker only the sentences of the split are written."""
    wanted = [(s, n) for s in subjects for n in sentences if (n <= 36) == (s in BIWI_SPEAKERS_SEEN)]
    planted = plant(folder, wanted, seconds, vertex_count, fps, rates or {}, missing)
    write_sequences(planted)
    (folder / "regions").mkdir(exist_ok=True)
    for name, indices in (("lve", planted.face.lips), ("fdd", planted.face.upper_face)):
        (folder / "regions" / f"{name}.txt").write_text(", ".join(map(str, indices)))
    return planted


def write_sequences(planted: Planted) -> None:
    """wav/<name>.wav, vertices_npy/<name>.npy (T, 3 V) and templates.pkl."""
    for name in ("wav", "vertices_npy"):
        (planted.folder / name).mkdir(exist_ok=True)
    for name, vertices in planted.vertices.items():
        np.save(planted.folder / "vertices_npy" / f"{name}.npy", vertices.reshape(len(vertices), -1))
        with wave.open(str(planted.folder / "wav" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SOUND_RATE)
            file.writeframes(planted.sounds[name].astype("<i2").tobytes())
    write_templates(planted)


def write_templates(planted: Planted) -> None:
    """templates.pkl: subject -> (V, 3) float64."""
    templates = {name: array.astype(np.float64) for name, array in planted.templates.items()}
    write_pickle(planted.folder / "templates.pkl", templates)


def write_masks(folder: Path, face: PlantedFace) -> None:
    """FLAME_masks.pkl: as in the real one, the masks together reach the last vertex."""
    third = np.array_split(face.upper_face, 3)
    masks = {"lips": face.lips, "forehead": third[0], "eye_region": third[1], "nose": third[2]}
    masks |= {"face": np.arange(len(face.template) - 1), "right_eyeball": np.array([len(face.template) - 1])}
    write_pickle(folder / "FLAME_masks.pkl", masks)


def write_faces(path: Path, vertex_count: int) -> np.ndarray:
    """Write the planted face as an ASCII PLY mesh with triangles; returns these, (F, 3), facing outwards.

    The mouth is a slit: no triangle joins the upper to the lower lip.
    """
    face = planted_face(vertex_count)
    columns, rows = face.columns, -(-vertex_count // face.columns)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    below = corner + columns
    triangles = np.concatenate([np.stack([corner, below, corner + 1], 1), np.stack([corner + 1, below, below + 1], 1)])
    triangles = triangles[triangles.max(1) < vertex_count]
    upper = face.opening[0] // columns
    crosses = (triangles // columns == upper).any(1) & (triangles // columns == upper + 1).any(1)
    triangles = triangles[~(crosses & np.isin(triangles, face.lips).all(1))]
    lines = ["ply", "format ascii 1.0", f"element vertex {vertex_count}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"element face {len(triangles)}", "property list uchar int vertex_indices", "end_header"]
    lines += [" ".join(f"{value:.6f}" for value in vertex) for vertex in face.template]
    lines += [" ".join(map(str, (3, *triangle))) for triangle in triangles]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return triangles


class _Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: protocol 2, with every text and every array's bytes as an 8-bit string."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else bytes(value)
        head = pickle.SHORT_BINSTRING + bytes([len(data)]) if len(data) < 256 else pickle.BINSTRING
        self.write(head if len(data) < 256 else head + len(data).to_bytes(4, "little"))
        self.write(data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_text


def write_pickle(path: Path, value: Any, python2: bool = True) -> None:
    """A protocol-2 pickle with numpy's old module names, as Python 2 wrote it or as Python 3 does."""
    buffer = io.BytesIO()
    (_Python2Pickler if python2 else pickle.Pickler)(buffer, protocol=2).dump(value)
    path.write_bytes(buffer.getvalue().replace(b"cnumpy._core.", b"cnumpy.core."))
