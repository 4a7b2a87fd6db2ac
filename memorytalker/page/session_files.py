"""A folder for each session's results, removed when the visitor leaves, at the latest after `keep_seconds`."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from memorytalker.page import gradio_private
from memorytalker.scratch import Scratch

#: Results kept per session, and their bytes together; the oldest are removed for a new one.
RESULTS_KEPT, LARGEST_SESSION = 6, 500_000_000
#: Bytes of the results of all sessions, and share of the free disk that they may take; the oldest go, whoever's.
LARGEST_TOTAL, LARGEST_SHARE = 5_000_000_000, 0.5


class SnapshotSet(set):
    """A set that may change while it is iterated: iteration is over a copy."""

    def __iter__(self) -> Iterator:
        """Iterate over a copy, which is made in one call."""
        return iter(list(super().__iter__()))


def patch_gradio_sweep(demo: gr.Blocks) -> None:
    """Make Gradio's sweep of old uploads survive an upload that arrives during it.

    The sweep iterates sets of paths in one thread while others add to them; the error would end it for good.
    """
    gradio_private.replace_upload_sets(demo, SnapshotSet)


@dataclass(frozen=True)
class _Kept:
    """A kept result: its folder, when it was made, and the bytes of its files."""

    path: Path
    made: int
    size: int


def _by_age(folders: Iterable[Path]) -> list[_Kept]:
    """The results in these folders, the oldest first."""
    found = []
    for path in folders:
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in path.iterdir())
            found.append(_Kept(path, path.stat().st_mtime_ns, size))
    return sorted(found, key=lambda one: one.made)


def _bytes(results: Iterable[_Kept]) -> int:
    return sum(one.size for one in results)


class SessionFiles:
    """One folder with an unguessable name for each session, inside a temporary folder of the process."""

    def __init__(self, keep_seconds: float) -> None:
        self.keep_seconds = keep_seconds
        self._scratch = Scratch("memorytalker.sessions-")
        self.root = self._scratch.path
        self._names: dict[str, str] = {}  # session -> folder
        self._lock = threading.Lock()
        self._sweeper: threading.Thread | None = None
        # Gradio serves files in here from where they are. It would copy others into its own cache, named by their
        # content, where two visitors with the same result share one file.
        gr.set_static_paths([self.root])

    def keep(self, path: str | Path, request: gr.Request | None) -> str:
        """Move a finished file into the folder of the request's session; return its new path."""
        session = getattr(request, "session_hash", None) or secrets.token_hex(16)
        with self._lock:
            folder = self._scratch.remade() / self._names.setdefault(session, secrets.token_hex(16))
            folder.mkdir(exist_ok=True)
            self._make_room(folder, Path(path).stat().st_size)
            result_folder = folder / secrets.token_hex(8)
            result_folder.mkdir()
            kept = shutil.move(path, result_folder / Path(path).name)
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep_while_needed, name="session-files", daemon=True)
                self._sweeper.start()
        return str(kept)

    def _make_room(self, folder: Path, size: int) -> None:
        """Remove the oldest results of a session's folder, and then of all, until one of `size` bytes may be added."""
        own = _by_age(folder.iterdir())
        every = _by_age(self.root.glob("*/*"))
        largest = min(LARGEST_TOTAL, LARGEST_SHARE * (shutil.disk_usage(self.root).free + _bytes(every)))
        while own and (len(own) >= RESULTS_KEPT or _bytes(own) + size > LARGEST_SESSION):
            shutil.rmtree(own.pop(0).path, ignore_errors=True)
        every = _by_age(self.root.glob("*/*"))
        while every and _bytes(every) + size > largest:
            shutil.rmtree(every.pop(0).path, ignore_errors=True)

    def close(self) -> None:
        """Remove the files of all sessions."""
        self._scratch.close()

    def leave(self, request: gr.Request, demo: gr.Blocks | None = None) -> None:
        """Remove the files of a session that has ended, and the component values that `demo` keeps of it."""
        session = getattr(request, "session_hash", None) or ""
        with self._lock:
            name = self._names.pop(session, None)
        if name:
            shutil.rmtree(self.root / name, ignore_errors=True)
        # Gradio keeps the component values of the last sessions, a 3D head of megabytes among them.
        if demo is not None:
            gradio_private.forget_values(demo, session)
            gradio_private.forget_messages(demo, session)

    def sweep(self) -> bool:
        """Remove results older than `keep_seconds`; return whether any are left."""
        oldest = time.time() - self.keep_seconds
        with self._lock:
            left: set[str] = set()
            with contextlib.suppress(OSError):  # somebody else has removed the folder, or something in it
                for result in self.root.glob("*/*"):
                    if result.stat().st_mtime < oldest:
                        shutil.rmtree(result, ignore_errors=True)
                for folder in self.root.iterdir():
                    with contextlib.suppress(OSError):  # not empty
                        os.rmdir(folder)
                left = {folder.name for folder in self.root.iterdir()}
            self._names = {session: name for session, name in self._names.items() if name in left}
            if not left:
                self._sweeper = None
        return bool(left)

    def _sweep_while_needed(self) -> None:
        """Sweep until nothing is left, then end: an idle page has no sweeping thread."""
        while self.sweep():
            time.sleep(max(0.5, min(30.0, self.keep_seconds / 6)))
