"""Point caches and OBJ sequences, read by readers written here from the layout, and by trimesh."""

from __future__ import annotations

import dataclasses
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from take_case import planted_take

from memorytalker.exports import objects
from memorytalker.exports.objects import LONGEST_SEQUENCE, OBJ
from memorytalker.exports.pointcache import PC2
from memorytalker.exports.take import ExportError, Take
from memorytalker.face.frames import BLOCK

COUNT = 5


@pytest.fixture(scope="module")
def take() -> Take:
    return planted_take(COUNT)


class Long:
    """More frames than fit a block, or than anybody wants as files, none of which is stored."""

    def __init__(self, template: np.ndarray, count: int) -> None:
        self.template, self.count, self.asked = template, count, 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, span: slice) -> np.ndarray:
        numbers = np.arange(self.count)[span]
        self.asked = max(self.asked, len(numbers))
        return self.template + (0.001 * numbers[:, None, None]).astype(np.float32)

    def __iter__(self):
        raise AssertionError("frame after frame is slow")


def read_pc2(path: Path) -> np.ndarray:
    """Samples (T, V, 3), by the layout of the format."""
    data = path.read_bytes()
    assert data[:12] == b"POINTCACHE2\x00"
    version, points = struct.unpack_from("<ii", data, 12)
    start, sampling = struct.unpack_from("<ff", data, 20)
    (samples,) = struct.unpack_from("<i", data, 28)
    assert (version, start, sampling) == (1, 0.0, 1.0)
    assert len(data) == 32 + samples * points * 12
    return np.array(struct.unpack_from(f"<{samples * points * 3}f", data, 32)).reshape(samples, points, 3)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Vertices, triangles from zero on, and comments."""
    vertices, faces, comments = [], [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, *cells = line.split(" ")
        if kind == "v":
            assert all(re.fullmatch(r"-?\d+\.\d{6}", cell) for cell in cells)
            vertices.append([float(cell) for cell in cells])
        elif kind == "f":
            faces.append([int(cell) - 1 for cell in cells])
        else:
            assert kind == "#"
            comments.append(line)
    return np.array(vertices), np.array(faces), comments


def test_a_point_cache_holds_every_frame(take: Take, tmp_path: Path) -> None:
    path, mesh = PC2.write(take, tmp_path / "talk.pc2")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["talk.obj", "talk.pc2"]
    assert (path.name, mesh.name) == ("talk.pc2", "talk.obj")
    np.testing.assert_array_equal(read_pc2(path), take.frames)


def test_the_mesh_beside_the_cache_has_its_vertex_order(take: Take, tmp_path: Path) -> None:
    _, mesh = PC2.write(take, tmp_path / "talk.pc2")
    vertices, faces, _ = read_obj(mesh)
    np.testing.assert_allclose(vertices, take.head.template, atol=6e-7)
    np.testing.assert_array_equal(faces, take.head.faces)
    found = trimesh.load(mesh, process=False, maintain_order=True)
    np.testing.assert_allclose(found.vertices, take.head.template, atol=6e-7)
    np.testing.assert_array_equal(found.faces, take.head.faces)


def test_a_long_cache_is_written_block_by_block(take: Take, tmp_path: Path) -> None:
    frames, calls = Long(take.head.template, 2 * BLOCK + 3), []
    long = dataclasses.replace(take, frames=frames, progress=lambda *call: calls.append(call))
    path, _ = PC2.write(long, tmp_path / "long.pc2")
    assert frames.asked <= BLOCK
    np.testing.assert_array_equal(read_pc2(path)[-2:], frames[len(frames) - 2 : len(frames)])
    assert [done for done, _, _ in calls] == [BLOCK, 2 * BLOCK, 2 * BLOCK + 3]
    assert {call[1:] for call in calls} == {(2 * BLOCK + 3, "PC2")}


def test_a_sequence_is_a_numbered_mesh_a_frame(take: Take, tmp_path: Path) -> None:
    files = OBJ.write(take, tmp_path / "talk.obj")
    names = [str(file.relative_to(tmp_path)) for file in files]
    assert names == ["talk.obj", *(f"talk/talk_{number:04d}.obj" for number in range(1, COUNT + 1))]
    assert sorted(names) == sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.obj"))
    np.testing.assert_allclose(read_obj(files[0])[0], take.head.template, atol=6e-7)
    for number, file in enumerate(files[1:]):
        vertices, faces, _ = read_obj(file)
        np.testing.assert_allclose(vertices, take.frames[number], atol=6e-7)
        np.testing.assert_array_equal(faces, take.head.faces)
    found = trimesh.load(files[2], process=False, maintain_order=True)
    np.testing.assert_allclose(found.vertices, take.frames[1], atol=6e-7)
    np.testing.assert_array_equal(found.faces, take.head.faces)


def test_comments_say_where_the_motion_comes_from_and_nothing_else(take: Take, tmp_path: Path) -> None:
    """A name with a line break stays a comment."""
    evil = dataclasses.replace(take.provenance, source="a\nv 9 9 9\r\u2028b.wav", seed=None)
    files = OBJ.write(dataclasses.replace(take, provenance=evil), tmp_path / "talk.obj")
    vertices, _, comments = read_obj(files[1])
    assert len(vertices) == take.head.vertex_count
    assert "# source: a?v 9 9 9??b.wav" in comments and "# frames_per_second: 30" in comments
    assert "# units: metres, y up" in comments and f"# model: {'0' * 64}" in comments
    assert not any("seed" in comment for comment in comments)


def test_a_shorter_sequence_leaves_no_frames_of_a_longer_one(take: Take, tmp_path: Path) -> None:
    OBJ.write(take, tmp_path / "talk.obj")
    (tmp_path / "talk" / "talk_notes.obj").write_text("mine")
    (tmp_path / "talk" / "talk_00007.obj").write_text("mine")
    OBJ.write(dataclasses.replace(take, frames=take.frames[:2]), tmp_path / "talk.obj")
    left = sorted(entry.name for entry in (tmp_path / "talk").iterdir())
    assert left == ["talk_00007.obj", "talk_0001.obj", "talk_0002.obj", "talk_notes.obj"]


def test_too_many_files_are_refused_and_the_remedy_named(take: Take, tmp_path: Path) -> None:
    frames = Long(take.head.template, LONGEST_SEQUENCE + 1)
    with pytest.raises(ExportError, match=r"save it as \.pc2\.$"):
        OBJ.write(dataclasses.replace(take, frames=frames), tmp_path / "talk.obj")
    assert not frames.asked and not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing(take: Take, tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    def stop(done: int, total: int, stage: str) -> None:
        raise Broken

    stopped = dataclasses.replace(take, progress=stop)
    for format in (OBJ, PC2):
        with pytest.raises(Broken):
            format.write(stopped, tmp_path / f"talk{format.suffix}")
    assert not list(tmp_path.iterdir())


def test_what_is_no_mesh_is_refused(take: Take, tmp_path: Path) -> None:
    bare = dataclasses.replace(take.head, faces=take.head.faces[:0])
    unknown = dataclasses.replace(take.head, template=np.zeros_like(take.head.template))
    for head in (bare, unknown):
        for format in (OBJ, PC2):
            with pytest.raises(ExportError, match=r"\.npz\.$"):
                format.write(dataclasses.replace(take, head=head), tmp_path / f"talk{format.suffix}")
    with pytest.raises(ExportError, match="do not fit"):
        PC2.write(dataclasses.replace(take, frames=take.frames[:, :-1]), tmp_path / "talk.pc2")
    (tmp_path / "talk").write_text("a file")
    with pytest.raises(ExportError, match="choose another name"):
        OBJ.write(take, tmp_path / "talk.obj")
    assert [entry.name for entry in tmp_path.iterdir()] == ["talk"]


def test_every_frame_is_asked_for_in_blocks(take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "face_lines", lambda head: "")
    frames = Long(take.head.template[:4], BLOCK + 6)
    files = OBJ.write(dataclasses.replace(take, frames=frames), tmp_path / "talk.obj")
    assert frames.asked <= BLOCK and len(files) == BLOCK + 7
    np.testing.assert_allclose(read_obj(files[-1])[0], frames[len(frames) - 1 : len(frames)][0], atol=6e-7)
