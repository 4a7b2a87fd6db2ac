"""Files made to exhaust a machine: each is refused in one sentence, in an address space with 1 GB to spare."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from memorytalker.comparison.ground_truth import GroundTruthError, read_ground_truth
from memorytalker.face.array_files import ArrayFileError, open_arrays
from memorytalker.face.curve_json import CurveFileError, _unique
from memorytalker.face.head import load_head
from memorytalker.sound.decode import Waveform

ROOT = Path(__file__).resolve().parents[1]
#: What reads every file of a folder with both readers, in an address space that may grow by 1 GB.
READER = """
import json, resource, sys
from pathlib import Path
import numpy as np
from memorytalker.comparison.ground_truth import GroundTruthError, read_ground_truth
from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.ground_truth import read_ground_truth
from memorytalker.face.curve_files import CurveFileError, read_curves
from memorytalker.face.head import load_head
from memorytalker.sound.decode import Waveform
head, sound = load_head(), Waveform(np.zeros(16000, np.float32))
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 1_000_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sorted(Path(sys.argv[1]).iterdir()):
    messages = []
    for read, refused in (
        (lambda: read_curves(path), CurveFileError),
        (lambda: read_ground_truth(path, sound, head, None, 20.0), GroundTruthError),
    ):
        if refused is CurveFileError and path.stat().st_size > 2_000_000:
            continue  # read_ground_truth calls read_curves
        try:
            messages.append(type(read()).__name__)
        except refused as error:
            messages.append(str(error))
    print(json.dumps([path.name, *messages]), flush=True)
"""
NAMES = np.array(["jawOpen", "mouthFunnel"])


def timed(times: list[float]) -> str:
    return json.dumps({"frames": [{"time": time, "jawOpen": 0.1} for time in times]})


def rows(content: str) -> str:
    return f'{{"fps": 30, "names": ["jawOpen"], "weights": [{content}]}}'


def archive(path: Path, **entries: tuple[str, tuple[int, ...], bytes]) -> None:
    """An npz of arrays with (dtype, shape, one byte that all are made of), which are never held in memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, (kind, shape, byte) in entries.items():
            with packed.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                left = int(np.prod(shape)) * np.dtype(kind).itemsize
                while left > 0:
                    left -= file.write(byte * min(left, 1 << 22))


def copies(path: Path, names: list[str]) -> None:
    """An npz with one small array under each of the names."""
    file = io.BytesIO()
    np.save(file, np.zeros(1))
    with pytest.warns(UserWarning, match="Duplicate name") if len(set(names)) < len(names) else open(path, "wb"):
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.writestr(f"{name}.npy", file.getvalue())


#: File -> its content, and part of the message of the curve reader and of the ground-truth reader.
TEXTS = {
    "steps.json": (lambda: timed([0, *np.arange(1, 12) * 1e-5, 4.5]), "0.01 ms apart; give times in seconds and at mo"),
    "uneven.json": (lambda: timed([*np.arange(40) / 240, *np.arange(1.0, 39)]), "s; cut it and its sound to at most"),
    "deep.json": (lambda: "[" * 100_000, "lists in lists without end"),
    "deeper.json": (lambda: "[" * 6_000_000, "more values than can be read at once"),
    "objects.json": (lambda: '{"a":' * 1_000_000, "lists in lists without end"),
    "empty.json": (lambda: rows(",".join(["{}"] * 2_000_000)), "more values than can be read at once"),
    "texts.json": (lambda: rows("[" + '"ab",' * 6_000_000 + "0]"), "frame 0 is no row of 1 weights"),
    "one_row.json": (lambda: rows("[" + "1e9," * 4_000_000 + "0]"), "frame 0 is no row of 1 weights"),
    "digits.json": (lambda: rows(f"[{'9' * 5_000_000}]"), "NaN or infinite values"),
    "keys.json": (lambda: "{" + ",".join(f'"{k}":0' for k in range(1_000_000)) + "}", "which is not a recording"),
    "wide.json": (lambda: '{"a": "\U0001f600' + "a" * 20_000_000 + '"}', "which is not a recording of a face"),
    "long.csv": (lambda: "Timecode," + "JawOpen," * 1_000_000, "Line 1 of long.csv is no row of a table"),
    "quotes.csv": (lambda: "Timecode,JawOpen\n" + '"\n","\n' * 1_000_000, "has 1800003 lines or more; cut it"),
    "blank.csv": (lambda: "Timecode,JawOpen\n" + "\n" * 3_000_000, "has 1800003 lines or more; cut it"),
    "times.csv": (lambda: "Timecode,JawOpen\n" + f"{'0' * 60_000}1,0\n" * 99, "The time of row 1 of times.csv"),
}  # fmt: skip


def test_nothing_that_is_uploaded_grows(tmp_path: Path) -> None:
    vertices = load_head().vertex_count
    expected = {}
    for name, (content, messages) in TEXTS.items():
        (tmp_path / name).write_text(content(), encoding="utf-8")
        expected[name] = messages, messages
    for name, megabytes in (("large.csv", 200), ("large.json", 70)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 1_000_000 * megabytes + 1)
        expected[name] = (f"is larger than {megabytes} MB; cut it into shorter takes",) * 2
    expected["uneven.json"] = "RecordedCurves", expected["uneven.json"][1]
    no_recording = "is not a recording; save an npz with weights, names and fps"
    np.savez_compressed(tmp_path / "forty.npz", weights=np.zeros((40_000, 2), "f2"), names=NAMES, fps=30)
    expected["forty.npz"] = "RecordedCurves", "lasts 1333.3 s; cut it and its sound to at most 20 s"
    archive(tmp_path / "weights.npz", weights=("|u1", (5_000_000, 4), b"\0"), names=("<U7", (4,), b"\0"))
    expected["weights.npz"] = "5000000 rows of 4 columns", "5000000 rows of 4 columns"
    archive(tmp_path / "vertices.npz", vertices=("<f4", (3_500, vertices, 3), b"\0"), fps=("<f4", (), b"\x43"))
    expected["vertices.npz"] = no_recording, "unpacks to 0.41 GB; cut it to the part that is compared"
    archive(tmp_path / "hour.npz", vertices=("<f4", (300, vertices, 3), b"\0"), fps=("<f4", (), b"\x41"))
    expected["hour.npz"] = no_recording, "cut it and its sound to at most 20 s"
    for count, names in ((4_000, [f"a{k}" for k in range(4_000)]), (20_000, ["a"] * 20_000), (20, ["a"] * 20)):
        copies(tmp_path / f"copies{count}.npz", names)
        messages = "names an array twice" if count == 20 else "more than 32 arrays"
        expected[f"copies{count}.npz"] = messages, messages
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False,
        env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    answers = {name: messages for name, *messages in map(json.loads, done.stdout.splitlines())}
    assert set(answers) == set(expected)
    for name, messages in expected.items():
        for part, answer in zip(messages[-len(answers[name]) :], answers[name], strict=True):
            assert part in answer and len(answer) < 300 and "\n" not in answer, (name, answer)


def test_the_directory_of_an_archive_is_believed_in_its_plain_form_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "take.npz", weights=np.zeros((30, 2)), names=NAMES, fps=30.0)
    whole = (tmp_path / "take.npz").read_bytes()
    assert set(open_arrays(tmp_path / "take.npz").headers) == {"weights", "names", "fps"}
    packing = whole.index(b"PK\x01\x02") + 10
    for wrong in (
        whole + b"a comment",
        whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:],  # refers to another directory
        whole[:-12] + b"\xff" * 12,
        whole.replace(b"weights.npy", b"../../x.npy"),
        whole[:packing] + b"\x0c" + whole[packing + 1 :],  # packed by bzip2
    ):
        (tmp_path / "wrong.npz").write_bytes(wrong)
        with pytest.raises(ArrayFileError):
            open_arrays(tmp_path / "wrong.npz").read("weights")


class Counted(str):
    """A name that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other)


def test_a_name_given_twice_is_found_without_comparing_all_with_all() -> None:
    """A minute of the page's one worker went into 60,000 names, the last of them twice."""
    pairs = [(Counted(f"k{number}"), 0.0) for number in range(2_000)] + [(Counted("k1999"), 0.0)]
    with pytest.raises(CurveFileError, match="names k1999 twice"):
        _unique("take.json")(pairs)
    assert Counted.compared < 3 * len(pairs)


def test_vertices_at_a_great_rate_are_as_bounded_as_curves(tmp_path: Path) -> None:
    """Motion of 3 s may hold 3,000 frames, which take a gigabyte while they are compared."""
    head = load_head()
    archive(
        tmp_path / "fast.npz", vertices=("<f2", (1_300, head.vertex_count, 3), b"\0"),
        template=("<f2", (head.vertex_count, 3), b"\0"), fps=("<f4", (), np.float32(500).tobytes()),
    )  # fmt: skip
    sound = Waveform(np.zeros(16_000 * 26 // 10, np.float32))
    with pytest.raises(GroundTruthError, match="has 1300 frames where 1200 are accepted; save it with at most 60"):
        read_ground_truth(tmp_path / "fast.npz", sound, head, None, 20.0)
