"""A good small file of every kind, changed a little in 300 ways, and any bytes: a result, or one sentence."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from curve_writers import CURVE_FILES
from hypothesis import given, settings
from hypothesis import strategies as st

from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.ground_truth import GroundTruth, read_ground_truth
from memorytalker.face.curve_files import CurveFileError, read_curves
from memorytalker.face.head import ARKIT_NAMES, HeadMesh, load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform

STEADY = settings(max_examples=150, deadline=None, derandomize=True, database=None)
ABSURD = (
    "1e999", "-1e999", "NaN", "Infinity", "1e308", "-1e308", "9" * 400, "9" * 5000, "1e-400", "-1", "0", "", "true",
    "null", '"x"', "[]", "{}", "0x10", "1_0", "1.2.3", "999999999999", "-0.0", "\0", "\n", "٣",
)  # fmt: skip
#: What may stand where an npz has eight bytes of numbers or of its own tables.
WORDS = (
    *(struct.pack("<d", number) for number in (np.nan, np.inf, -1e308, 1e300, 5e-324)),
    *(struct.pack("<q", number) for number in (0, -1, 2**63 - 1, -(2**63), 2**31)),
)


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "take"


def vertices_file(head: HeadMesh, packed: bool) -> bytes:
    file, vertices = io.BytesIO(), np.repeat(head.template[None].astype(np.float16), 4, 0)
    if packed:
        np.savez_compressed(file, vertices=vertices, fps=6)
    else:
        np.save(file, vertices)
    return file.getvalue()


def mutations(good: bytes, text: bool, seed: int) -> Iterator[bytes]:
    """300 files near to a good one: 100 cut, 100 with another byte, 100 with an absurd number for one of theirs."""
    random = np.random.default_rng(seed)
    ends = [*range(10), *range(len(good) - 10, len(good)), *random.integers(10, len(good) - 10, 80)]
    yield from (good[:end] for end in ends)
    begin = min(len(good), 600)  # headers and names stand at the ends, and matter most
    for number in range(100):
        places = (random.integers(0, begin), random.integers(len(good) - begin, len(good)), random.integers(len(good)))
        place = int(places[number % 3])
        yield good[:place] + bytes([int(random.integers(256))]) + good[place + 1 :]
    numbers = [found.span() for found in re.finditer(rb"-?\d+(\.\d+)?", good if text else good[:0])]
    for number in range(100):
        if text:
            first = number < 50
            start, end = numbers[number % len(numbers) if first else int(random.integers(len(numbers)))]
            yield good[:start] + ABSURD[number % len(ABSURD)].encode() + good[end:]
        else:
            place = int((random.integers(0, begin), random.integers(len(good) - begin, len(good) - 8))[number % 2])
            yield good[:place] + WORDS[number // 2 % len(WORDS)] + good[place + 8 :]


def refused_well(error: ValueError) -> None:
    message = str(error)
    assert message.endswith((".", "?")) and "\n" not in message and len(message) < 400, message
    assert not re.search(r"Traceback|Error\b|(^|\s)/\w|<class|0x[0-9a-f]{6}", message), message


def outcome(read: Callable[[], object]) -> object | None:
    """What is read, or None for one sentence of ours; anything else fails the test."""
    try:
        return read()
    except (CurveFileError, GroundTruthError) as error:
        refused_well(error)
        return None


def small_curves() -> FaceCurves:
    return FaceCurves(np.random.default_rng(1).uniform(0, 1, (20, 4)), ARKIT_NAMES[10:13] + ("jawOpen",), 30)


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", CURVE_FILES)
def test_a_curve_file_that_was_changed_a_little(path: Path, kind: str) -> None:
    ending, write = CURVE_FILES[kind]
    good = write(small_curves())
    path = path.with_suffix(ending)
    read_as = []
    for changed in (good, *mutations(good, ending != ".npz", seed=7)):
        path.write_bytes(changed)
        result = outcome(lambda: read_curves(path, longest_seconds=20.0))
        if result is not None:
            assert result.curves.duration <= 20 and set(result.curves.names) <= set(ARKIT_NAMES)
        read_as.append(result is not None)
    assert len(read_as) == 301 and read_as[0], "the file itself is good"
    assert 5 < sum(read_as) < 250, "some changes matter and some do not"


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("packed", [True, False], ids=["npz", "npy"])
def test_vertices_that_were_changed_a_little(path: Path, head: HeadMesh, packed: bool) -> None:
    good, sound = vertices_file(head, packed), Waveform(np.zeros(16000 * 4 // 6, np.float32))
    path = path.with_suffix(".npz" if packed else ".npy")
    fps = None if packed else 6.0
    read_as = []
    for changed in (good, *mutations(good, False, seed=8)):
        path.write_bytes(changed)
        result = outcome(lambda: read_ground_truth(path, sound, head, fps, longest_seconds=20.0))
        if result is not None:
            assert isinstance(result, GroundTruth) and np.isfinite(result.motion.offsets).all()
        read_as.append(result is not None)
    assert len(read_as) == 301 and read_as[0] and 5 < sum(read_as) < 250


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ending", [".csv", ".json", ".npz"])
@STEADY
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
def test_any_bytes(path: Path, ending: str, content: bytes) -> None:
    path.with_suffix(ending).write_bytes(content)
    assert outcome(lambda: read_curves(path.with_suffix(ending))) is None


WORDS_OF_JSON = st.sampled_from(
    "fps names weights frames time timestamp blendShapes exportFps facsNames weightMat numFrames metadata frame_count "
    "blendshape_names jawOpen JawOpen mouthLeft mouth_left HeadYaw".split()
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(30), st.just(0.1), WORDS_OF_JSON),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS_OF_JSON, inner, max_size=4)),
    max_leaves=20,
)


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@STEADY
@given(data=st.dictionaries(WORDS_OF_JSON, VALUES, max_size=5))
def test_any_json_with_our_words(path: Path, data: dict) -> None:
    path.with_suffix(".json").write_text(json.dumps(data))
    outcome(lambda: read_curves(path.with_suffix(".json")))


CELLS = st.one_of(
    st.sampled_from(["Timecode", "timeCode", "JawOpen", "jaw_open", "", "0.5", "00:00:00:01.000", "0:0:1:0", '"']),
    st.floats().map(str), st.text(max_size=5),
)  # fmt: skip


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@STEADY
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=3), max_size=6), headed=st.booleans())
def test_any_table_with_our_words(path: Path, rows: list[list[str]], headed: bool) -> None:
    lines = [",".join(row) for row in ([["Timecode", "JawOpen"]] if headed else []) + rows]
    path.with_suffix(".csv").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    outcome(lambda: read_curves(path.with_suffix(".csv")))
