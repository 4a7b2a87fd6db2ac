"""Temporary folders: gone at the end, remade while in use, and swept when their process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from memorytalker.scratch import JOB, Scratch, is_abandoned, sweep

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path.resolve()


def test_a_folder_goes_with_its_owner(temporary: Path) -> None:
    with Scratch() as path:
        (path / "deep").mkdir()
        assert path.parent == temporary and path.name.startswith(JOB)
    assert not path.exists()
    kept = Scratch()
    kept.close(), kept.close()
    assert not kept.path.exists()
    dropped = Scratch().path
    assert not dropped.exists()


def test_a_folder_is_remade_under_its_name_until_it_is_closed(temporary: Path) -> None:
    kept = Scratch()
    os.rmdir(kept.path)
    assert kept.remade() == kept.path and kept.path.is_dir() and sweep() == []
    kept.close()
    assert not kept.remade().exists()


def test_what_a_killed_process_left_is_swept_and_nothing_else(temporary: Path) -> None:
    code = "import time; from memorytalker.scratch import Scratch; one = Scratch(); print(one.path, flush=True)\n"
    environment = {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "PATH": os.environ["PATH"]}

    def start() -> tuple[subprocess.Popen, Path]:
        waits = [sys.executable, "-c", code + "time.sleep(60)"]
        process = subprocess.Popen(waits, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (killed, left), (lives, used) = start(), start()
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        (left / "talk.mp4").write_text("half a video")
        for name in ("memorytalk", "other-1", "memorytalker_notes"):
            (temporary / name).mkdir()
        (temporary / "memorytalker-file").touch()
        (temporary / "memorytalker-link").symlink_to(temporary / "other-1")
        assert sweep() == [left]
        assert used.is_dir() and not left.exists()
        assert len(list(temporary.iterdir())) == 6
    finally:
        for process in (killed, lives):
            process.kill(), process.wait()
            process.stdout and process.stdout.close()


def test_what_has_just_been_made_can_be_left_alone(temporary: Path) -> None:
    young, old = temporary / "young", temporary / "old"
    young.touch(), old.touch()
    os.utime(old, (0, 0))
    assert not is_abandoned(young, 60) and is_abandoned(young) and is_abandoned(old, 60)


def test_nothing_is_swept_where_there_is_no_folder(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    assert sweep() == [] and not is_abandoned(temporary / "none" / "x")
