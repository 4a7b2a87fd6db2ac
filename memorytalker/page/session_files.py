"""Visits: a folder for each visitor's results, gone when the visitor leaves, and by age at the latest."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from memorytalker.page import gradio_private

#: Results of one visit that are kept at a time; the oldest gives way.
RESULTS_KEPT = 6


class SnapshotSet(set):
    """A set that may grow while it is read; the reader sees what was there when it began."""

    def __iter__(self) -> Iterator:
        """Over a copy, which is made in one go."""
        return iter(list(super().__iter__()))


def patch_gradio_sweep(demo: gr.Blocks) -> None:
    """Let Gradio's sweep of uploads by age survive an upload that arrives in the middle of it.

    The sweep reads sets of paths in one thread while others add to them, and an error ends it for good.
    """
    gradio_private.replace_upload_sets(demo, SnapshotSet)


class SessionFiles:
    """Folders with names that nobody can guess, one for each visitor, inside one folder that goes with the process."""

    def __init__(self, keep_seconds: float) -> None:
        self.keep_seconds = keep_seconds
        self._place = tempfile.TemporaryDirectory(prefix="visits-", ignore_cleanup_errors=True)
        self.root = Path(self._place.name).resolve()
        self._names: dict[str, str] = {}  # session -> folder
        self._lock = threading.Lock()
        self._sweeper: threading.Thread | None = None
        # Files here are handed out as they lie. Gradio would copy others into a cache of its own, under names made of
        # their content, where two visitors with the same result share one file.
        gr.set_static_paths([self.root])

    def keep(self, path: str | Path, request: gr.Request | None) -> str:
        """Move a finished file into the visitor's folder, and say where it lies now."""
        session = getattr(request, "session_hash", None) or secrets.token_hex(16)
        with self._lock:
            visit = self.root / self._names.setdefault(session, secrets.token_hex(16))
            visit.mkdir(exist_ok=True)
            results = sorted(visit.iterdir(), key=lambda result: result.stat().st_mtime_ns)
            for result in results[: max(0, len(results) - RESULTS_KEPT + 1)]:
                shutil.rmtree(result, ignore_errors=True)
            place = visit / secrets.token_hex(8)
            place.mkdir()
            kept = shutil.move(path, place / Path(path).name)
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep_while_needed, name="visits", daemon=True)
                self._sweeper.start()
        return str(kept)

    def leave(self, request: gr.Request, demo: gr.Blocks | None = None) -> None:
        """Remove everything of a visitor who has left, and let `demo` forget what it last showed them."""
        session = getattr(request, "session_hash", None) or ""
        with self._lock:
            name = self._names.pop(session, None)
        if name:
            shutil.rmtree(self.root / name, ignore_errors=True)
        # Gradio keeps the values of every component of every session, a 3D head among them, until a hundred more came.
        if demo is not None:
            gradio_private.forget_values(demo, session)
            gradio_private.forget_messages(demo, session)

    def sweep(self) -> bool:
        """Remove results older than `keep_seconds`; whether any are left."""
        oldest = time.time() - self.keep_seconds
        with self._lock:
            for result in self.root.glob("*/*"):
                if result.stat().st_mtime < oldest:
                    shutil.rmtree(result, ignore_errors=True)
            for visit in self.root.iterdir():
                with contextlib.suppress(OSError):  # not empty
                    os.rmdir(visit)
            left = {visit.name for visit in self.root.iterdir()}
            self._names = {session: name for session, name in self._names.items() if name in left}
            if not left:
                self._sweeper = None
        return bool(left)

    def _sweep_while_needed(self) -> None:
        """Runs for as long as there is anything to remove, so that an idle page has no thread of it."""
        while self.root.exists() and self.sweep():
            time.sleep(max(0.5, min(30.0, self.keep_seconds / 6)))
