"""Files are written whole or not at all, and nothing that was begun is left behind."""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from animation_case import planted_animation

from memorytalker import Animation, ExportError, Waveform, files, load_head
from memorytalker.files import PART, remove_unfinished, write_together, write_whole
from memorytalker.sound.decode import write_wav

PACKAGE = Path(files.__file__).parent


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b.npy", lambda part: np.save(part, np.arange(3)))
    assert list(held(tmp_path)) == ["a/b.npy"]  # np.save adds a suffix where there is none
    assert np.load(tmp_path / "a" / "b.npy").tolist() == [0, 1, 2]


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt])
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    def write(part: Path) -> None:
        part.write_text("half")
        raise error("broken off")

    (tmp_path / "file").write_text("old")
    with pytest.raises(error, match="broken off"):
        write_whole(tmp_path / "file", write)
    assert held(tmp_path) == {"file": b"old"}


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError("no renaming today")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match="today"):
            write_whole(tmp_path / "file", lambda part: part.write_text("whole"))
    assert not held(tmp_path)


def test_files_that_belong_together_change_together(tmp_path: Path) -> None:
    def fail(part: Path) -> None:
        assert held(tmp_path)["first"] == b"old", "nothing is moved before all are written"
        raise RuntimeError("broken off")

    (tmp_path / "first").write_text("old")
    with pytest.raises(RuntimeError):
        write_together({tmp_path / "first": lambda part: part.write_text("new"), tmp_path / "second": fail})
    assert held(tmp_path) == {"first": b"old"}


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    names = []

    def write(part: Path) -> None:
        names.append(part.name)
        if len(names) == 1:
            write_whole(tmp_path / "file", write)
        part.write_text(str(len(names)))

    write_whole(tmp_path / "file", write)
    assert len(set(names)) == 2 and all(name.startswith(PART) and name.endswith("-file") for name in names)
    assert list(held(tmp_path)) == ["file"]


def test_where_no_file_can_be_made_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begun = []
    with pytest.raises(OSError):
        write_whole(tmp_path / "file" / "below", begun.append)
    assert not begun


def test_what_a_killed_process_left_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in (f"{PART}1-a", f"deep/{PART}2-b", "deep/kept"):
        (tmp_path / name).write_text("x")
    remove_unfinished(tmp_path)
    assert list(held(tmp_path)) == ["deep/kept"]


def test_what_is_written_may_be_read_by_others(tmp_path: Path) -> None:
    """Temporary files are often made for their owner alone; a finished one has the rights of any new file."""
    (tmp_path / "plain").write_text("")
    write_wav(tmp_path / "sound.wav", Waveform(np.zeros(1600, np.float32), 16000))
    assert stat.S_IMODE((tmp_path / "sound.wav").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.fixture
def animation() -> Animation:
    head = load_head()
    sound = Waveform(np.zeros(1600, np.float32), 16000)
    vertices = np.repeat(head.template[None], 3, axis=0)
    return planted_animation(head, vertices, np.ones((3, 1), np.float32), np.ones(1, np.float32), ("sil",), sound)


def test_an_animation_that_cannot_be_saved_leaves_nothing(
    animation: Animation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "talk.npz").write_text("old")
    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", fail)
    with pytest.raises(ExportError, match=r"talk.npz cannot be written \(No space left on device\); choose another"):
        animation.save(tmp_path / "talk.npz")
    assert held(tmp_path) == {"talk.npz": b"old"}


def moves(tree: ast.AST) -> list[ast.Call]:
    """Calls that move a finished file: os.replace, and Path.replace, which takes one name where str takes two."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            ast.unparse(node.func) in ("os.replace", "tempfile.mkstemp")
            or (node.func.attr == "replace" and len(node.args) == 1 and not node.keywords)
        )
    ]


def test_nothing_else_in_the_package_moves_finished_files() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if moves(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == {"files.py"}
