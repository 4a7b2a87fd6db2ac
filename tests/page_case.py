"""A page around the stub talker, served in this process."""

from __future__ import annotations

import glob
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from gradio_client import Client
from stub_talker import StubTalker

import app
from memorytalker.page import theme

RATE = 16000
PATIENCE = 120.0  # seconds; a busy machine answers late


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether `condition` comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return met


class Page:
    """A served page, its talker and the folder in which everything temporary lies."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.talker = folder, StubTalker()
        self.demo = app.create_demo(self.talker, **options)
        _, self.url, _ = self.demo.launch(
            **theme.launch_options(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1"
        )

    def visitor(self) -> Client:
        """A client with a session of its own."""
        patient = {"timeout": PATIENCE}
        return Client(self.url, verbose=False, download_files=str(self.folder / "downloads"), httpx_kwargs=patient)

    def leftovers(self) -> list[str]:
        """Folders of jobs that are still there; given a moment, for the worker lets go at its next frame."""
        until(lambda: not list(self.folder.glob("memorytalker-*")))
        return [path.name for path in self.folder.glob("memorytalker-*")]

    def results(self) -> set[Path]:
        """Files that are kept for visitors."""
        # `glob` passes over folders that go while it looks; a pathlib of Python 3.11 does not.
        found = glob.glob("memorytalker.sessions-*/*/*/*", root_dir=self.folder)
        return {self.folder / name for name in found if (self.folder / name).is_file()}

    def healthy(self) -> None:
        """Let the talker work without faults or holds again."""
        self.talker.fails, self.talker.pause = "", 0.0
        self.talker.hold = self.talker.hold_network = lambda: False


@contextmanager
def served(folder: Path) -> Iterator[Page]:
    """Serve a page whose temporary files all lie in `folder`."""
    before = tempfile.tempdir, os.environ.get("GRADIO_TEMP_DIR")
    tempfile.tempdir, os.environ["GRADIO_TEMP_DIR"] = str(folder), str(folder / "gradio")
    folder.mkdir(exist_ok=True)
    page = Page(folder)
    try:
        yield page
    finally:
        page.demo.close()
        tempfile.tempdir = before[0]
        if before[1] is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = before[1]


def written(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    """Write a sound."""
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def speech(seconds: float) -> np.ndarray:
    """A hum of so many seconds."""
    return 0.3 * np.sin(np.arange(round(seconds * RATE)) * 0.05).astype(np.float32)
