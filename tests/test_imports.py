"""Large libraries are imported without the garbage collector, which goes on afterwards."""

from __future__ import annotations

import gc
import getpass
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from memorytalker import imports
from memorytalker.imports import collector_paused, name_user, prepare_matplotlib, prepare_mesa


def test_the_collector_pauses_inside_and_goes_on_afterwards() -> None:
    assert gc.isenabled()
    with pytest.raises(ImportError), collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "the inner pause must not end the outer one"
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused(), collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_first_of_two_threads_does_not_end_the_pause_of_the_second() -> None:
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    inside: list[bool] = []

    def second() -> None:
        first_in.wait(10)
        with collector_paused():
            second_in.set()
            first_out.wait(10)
            inside.append(gc.isenabled())

    thread = threading.Thread(target=second)
    thread.start()
    with collector_paused():
        first_in.set()
        second_in.wait(10)
    first_out.set()
    thread.join(10)
    assert inside == [False]
    assert gc.isenabled()


@pytest.mark.parametrize("writable", [True, False])
def test_matplotlib_gets_a_folder_where_the_home_takes_none(
    writable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server whose home is read only; elsewhere what it keeps there serves the next start."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path / "home")})
    monkeypatch.setattr(os.path, "expanduser", lambda _: str(tmp_path / "home"))
    ending: list[object] = []
    monkeypatch.setattr(imports.atexit, "register", ending.append)
    asked: list[object] = []
    monkeypatch.setattr(os, "access", lambda place, mode: asked.append(place) or writable)
    prepare_matplotlib()
    assert asked == [tmp_path]  # the nearest folder that is there
    assert ("MPLCONFIGDIR" in os.environ) == (not writable) == bool(ending)
    if not writable:
        folder = Path(os.environ["MPLCONFIGDIR"])
        assert folder.is_dir() and folder.name.startswith("memorytalker.figures-")
        prepare_matplotlib()
        assert os.environ["MPLCONFIGDIR"] == str(folder)  # what is chosen stays
        ending[-1]()  # type: ignore[operator]
        assert not folder.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Mesa draws on Linux")
@pytest.mark.parametrize("home", ["writable", "read only", "unknown"])
def test_mesa_gets_a_folder_where_the_home_takes_none(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is the one that the system knows, since Mesa does not look at HOME."""

    def user(_: int) -> SimpleNamespace:
        if home == "unknown":
            raise KeyError
        return SimpleNamespace(pw_dir=str(tmp_path / "home"))

    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path)})
    monkeypatch.setattr("pwd.getpwuid", user)
    ending: list[object] = []
    monkeypatch.setattr(imports.atexit, "register", ending.append)
    asked: list[object] = []
    monkeypatch.setattr(os, "access", lambda place, mode: asked.append(place) or home == "writable")
    prepare_mesa()
    assert asked == ([] if home == "unknown" else [tmp_path])  # the nearest folder that is there
    assert ("MESA_SHADER_CACHE_DIR" in os.environ) == (home != "writable") == bool(ending)
    if ending:
        folder = Path(os.environ["MESA_SHADER_CACHE_DIR"])
        assert folder.is_dir() and folder.name.startswith("memorytalker.shaders-")
        prepare_mesa()
        assert os.environ["MESA_SHADER_CACHE_DIR"] == str(folder)  # what is chosen stays
        ending[-1]()  # type: ignore[operator]
        assert not folder.exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_user_whom_the_system_does_not_know_gets_a_name(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(os, "environ", {"LOGNAME": "somebody"} if known else {})
    if not known:
        monkeypatch.setattr("pwd.getpwuid", nobody)
    name_user()
    assert getpass.getuser() == ("somebody" if known else "user")
