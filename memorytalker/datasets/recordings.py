"""Recordings: what a layout has on disk, before splits and frame rates make a FaceDataset of it.

T frames as stored, V vertices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from memorytalker.datasets.rates import fitting_rate
from memorytalker.datasets.sequences import DatasetError, Sequence, Skipped
from memorytalker.datasets.splits import Entry, SplitTable
from memorytalker.sound.decode import Waveform

#: A face larger than this, in metres, is not in metres.
LARGEST_FACE = 0.6
_NOTHING_THERE = "neither sound nor motion is there"


@dataclass(frozen=True)
class Recording:
    """One recorded sentence as stored. Only its lengths are known before it is read."""

    frames: int  # T as stored
    seconds: float  # of sound
    read_waveform: Callable[[], Waveform] = field(repr=False)
    read_vertices: Callable[[], np.ndarray] = field(repr=False)  # (T, V, 3) float32
    files: tuple[Path, ...] = ()  # that hold nothing but this recording


@dataclass(frozen=True)
class Recordings:
    """Everything that lies in a folder.

    Attributes:
        vertex_count: number of vertices, V.
        templates: speaker -> neutral face (V, 3) float32.
        found: name -> recording.
        broken: name -> why the recording cannot be used.
        files: those that belong to all recordings.
        notes: what was decided while reading, in words.
    """

    vertex_count: int
    templates: Mapping[str, np.ndarray]  # speaker -> (V, 3) float32
    found: Mapping[str, Recording]
    broken: Mapping[str, str]  # name -> why it cannot be used
    files: tuple[Path, ...]  # that belong to all
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The sequences that both the splits and the disk have.

    Attributes:
        sequences: at one frame rate.
        skipped: sequences of the splits that cannot be used.
        notes: what was decided, in words.
        files: all files that were used.
    """

    sequences: tuple[Sequence, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    files: tuple[Path, ...]


def choose(recordings: Recordings, table: SplitTable, fps: int, captured_fps: int) -> Chosen:
    """Choose the sequences of a split table and bring them to one frame rate.

    A recording that lasts as long as its sound at `fps` is kept as it is. One that does so at `captured_fps` keeps
    every second frame. One that fits neither rate is skipped.

    Args:
        recordings: what lies on disk.
        table: the splits.
        fps: frame rate of the result.
        captured_fps: twice `fps`; or `fps` itself if the data set has one rate only.

    Returns:
        The sequences.

    Raises:
        DatasetError: no sequence is left.
    """
    sequences, skipped, files = [], [], list(recordings.files)
    rates: Counter[int] = Counter()
    gap = 0.0
    for entry in table.entries:
        recording = recordings.found.get(entry.name)
        reason = _unusable(entry, recording, recordings, (fps, captured_fps))
        if reason is not None:
            skipped.append(Skipped(entry.name, reason))
            continue
        assert recording is not None
        rate = fitting_rate(recording.frames, recording.seconds, (fps, captured_fps))
        step = 1 if rate == fps else captured_fps // fps
        rates[step] += 1
        gap = max(gap, abs(recording.frames / (fps * step) - recording.seconds))
        read = partial(_every, recording.read_vertices, step) if step > 1 else recording.read_vertices
        frames = -(-recording.frames // step)
        waveform = recording.read_waveform
        sequences.append(Sequence(entry.name, entry.speaker, entry.split, frames, fps, waveform, read))
        files += recording.files
    if not sequences:
        telling = sorted(skipped, key=lambda item: item.reason == _NOTHING_THERE)[:1]
        raise DatasetError(
            f"None of the {len(table.entries)} sequences of the splits '{table.name}' can be used"
            f"{''.join(f' ({item.name}: {item.reason})' for item in telling)}; "
            "'python -m memorytalker doctor FOLDER' lists what is expected."
        )
    notes = [f"splits '{table.name}'", *_rate_notes(rates, fps, captured_fps, skipped)]
    notes += [f"sound and motion differ by at most {gap:.2f} s", *recordings.notes]
    unused = sorted(set(recordings.found) - {entry.name for entry in table.entries})
    if unused:
        notes.append(f"{len(unused)} sequences on disk are not in the splits and not used, such as {unused[0]}")
    return Chosen(tuple(sequences), tuple(skipped), tuple(notes), tuple(files))


def _unusable(entry: Entry, recording: Recording | None, found: Recordings, rates: tuple[int, int]) -> str | None:
    """Why a sequence cannot be used; None if it can."""
    if recording is None:
        return found.broken.get(entry.name, _NOTHING_THERE)
    if entry.speaker not in found.templates:
        return f"there is no neutral face of {entry.speaker} in templates.pkl"
    if fitting_rate(recording.frames, recording.seconds, rates) is None:
        fitting = f"neither {rates[1]} nor {rates[0]}" if rates[1] != rates[0] else f"not {rates[0]}"
        return f"{recording.frames} frames for {recording.seconds:.2f} s of sound fit {fitting} frames a second"
    return None


def _rate_notes(rates: Counter[int], fps: int, captured_fps: int, skipped: list[Skipped]) -> list[str]:
    """What was decided about frame rates, in words."""
    total = sum(rates.values())
    notes = []
    if halved := total - rates[1]:
        notes.append(f"{halved} of {total} sequences at {captured_fps} fps, every second frame kept: {fps} fps")
    if rates[1]:
        already = " already, kept as they are" if fps != captured_fps else ""
        notes.append(f"{rates[1]} of {total} sequences at {fps} fps{already}")
    misfits = sum("frames a second" in item.reason for item in skipped)
    return notes + ([f"{misfits} more skipped: frames and seconds do not fit"] if misfits else [])


def _every(read: Callable[[], np.ndarray], step: int) -> np.ndarray:
    """Every `step`-th frame of a motion."""
    return np.ascontiguousarray(read()[::step])


def faces(value: object, vertex_count: int, name: str) -> dict[str, np.ndarray]:
    """Check the neutral faces of a data set.

    Args:
        value: the content of a templates file: speaker -> (V, 3) or 3 V numbers.
        vertex_count: number of vertices of the motion, V.
        name: of the file, for messages.

    Returns:
        Speaker -> (V, 3) float32, in the unit of the file.

    Raises:
        DatasetError: there are no faces, or faces of another size or with numbers that are not finite.
    """
    if not isinstance(value, dict) or not value:
        raise DatasetError(f"{name} does not hold neutral faces by speaker; download it again.")
    templates = {}
    for speaker, face in value.items():
        speaker = _spoken_name(speaker, name)
        try:
            face = np.asarray(face)
        except ValueError:  # lists of different lengths
            raise DatasetError(f"The neutral face of {speaker} in {name} is none; download it again.") from None
        if face.dtype.kind not in "fiu" or face.size != 3 * vertex_count:
            raise DatasetError(
                f"The neutral face of {speaker} in {name} has {face.size // 3} vertices, but the motion has "
                f"{vertex_count}; use the templates that belong to this data set."
            )
        with np.errstate(over="ignore"):  # what is too large is infinite, and refused
            face = face.reshape(vertex_count, 3).astype(np.float32)
        if not np.isfinite(face).all():
            raise DatasetError(f"The neutral face of {speaker} in {name} is not finite; download it again.")
        templates[speaker] = face
    return templates


def _spoken_name(speaker: object, name: str) -> str:
    """Check the name of a speaker. Raises DatasetError for anything but short printable text."""
    if not isinstance(speaker, str) or not speaker.isprintable() or not 0 < len(speaker) <= 200:
        raise DatasetError(f"{name} does not name its speakers; download it again.")
    return speaker


def unit_notes(templates: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Warn if the faces are too large to be in metres. They are never rescaled.

    Args:
        templates: speaker -> neutral face (V, 3).

    Returns:
        One warning, or nothing.
    """
    extent = max((float(np.ptp(face, axis=0).max()) for face in templates.values()), default=0.0)
    if extent <= LARGEST_FACE:
        return ()
    return (
        f"a neutral face measures {extent:.3g} units, which is not metres; vertices are used as they are, and errors "
        "are in these units",
    )
