"""The tab Live, but for the browser: what it serves, what it is told, and recordings that come from strangers."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_case import random_network
from starlette.applications import Starlette
from starlette.testclient import TestClient
from stub_talker import StubTalker

from memorytalker.face.head import ARKIT_NAMES
from memorytalker.live_weights import save_live
from memorytalker.page.examples import EXAMPLES
from memorytalker.page.jobs import JobRunner
from memorytalker.page.limits import LONGEST_SECONDS, PageError
from memorytalker.page.live import NOT_INSTALLED, head_look, live_options, read_recording, voice_style
from memorytalker.page.live_files import LiveFiles, live_files, live_route
from memorytalker.phones import ENGLISH
from memorytalker.places import library_folder
from memorytalker.sound.decode import AudioError

SLOTS = ENGLISH.phones


@pytest.fixture(scope="module")
def runner() -> Iterator[JobRunner]:
    runner = JobRunner(StubTalker())
    yield runner
    runner.close()


@pytest.fixture
def files(tmp_path: Path) -> LiveFiles:
    save_live(random_network(), tmp_path / "live")
    return LiveFiles(library_folder(), tmp_path / "live")


def test_the_browser_gets_library_weights_and_voices(files: LiveFiles) -> None:
    client = TestClient(Starlette(routes=[live_route(files)]))
    script = client.get(f"{files.address}/library/index.js")
    assert script.status_code == 200 and "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]
    weights = client.get(f"{files.address}/weights/model.safetensors")
    assert weights.content == (files.weights / "model.safetensors").read_bytes()
    assert client.get(f"{files.address}/weights/config.json").json()["live"]["slots"] == list(SLOTS)
    for name in EXAMPLES:
        assert client.get(f"{files.address}/speech/{name}").content[:4] == b"RIFF"
    for wrong in ("/weights/../index.js", "/library/%2e%2e/%2e%2e/setup.py", "/else/x", "", "/weights/"):
        assert client.get(files.address + wrong).status_code == 404, wrong


def test_other_weights_have_another_address(files: LiveFiles, tmp_path: Path) -> None:
    before = files.address
    save_live(random_network(1), tmp_path / "other")
    assert dataclasses.replace(files, weights=tmp_path / "other").address != before
    none = dataclasses.replace(files, weights=None)
    assert none.address != before
    client = TestClient(Starlette(routes=[live_route(none)]))
    assert client.get(f"{none.address}/weights/config.json").status_code == 404
    assert client.get(f"{none.address}/library/index.js").status_code == 200
    assert live_files().library == library_folder()


def test_a_clone_without_the_library_still_has_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runner: JobRunner
) -> None:
    monkeypatch.setattr("memorytalker.page.live_files.library_folder", lambda: tmp_path / "none")
    found = live_files()
    client = TestClient(Starlette(routes=[live_route(found)]))
    assert client.get(f"{found.address}/library/index.js").status_code == 404
    assert live_options(runner, found)["problem"] == NOT_INSTALLED


def test_the_tab_is_told_what_it_needs(runner: JobRunner, files: LiveFiles) -> None:
    options = live_options(runner, files)
    assert options["problem"] == "" and options["library"].endswith("/library/index.js")
    assert sorted(slot for _, slots in options["groups"] for slot in slots) == list(range(len(SLOTS)))
    assert [one["name"] for one in options["heads"]] == list(runner.head.identities)
    assert len(options["columns"]) == 61 and options["longest"] == LONGEST_SECONDS
    none = live_options(runner, dataclasses.replace(files, weights=None))
    assert none["problem"] == NOT_INSTALLED


def test_styles_of_examples_and_heads_are_answered(runner: JobRunner) -> None:
    answer = voice_style(runner, "man_dove.wav")
    assert answer["voice"] == "man_dove.wav" and len(answer["weights"]) == len(SLOTS)
    assert head_look(runner.head, "old_man")["address"].endswith(".glb")
    for wrong in ("../../etc/passwd", None, 3, ["man_dove.wav"], {}):
        with pytest.raises(PageError, match="no such voice"):
            voice_style(runner, wrong)
        with pytest.raises(PageError, match="no such head"):
            head_look(runner.head, wrong)


def sent(
    frames: int = 45, rate: int = 48000, seconds: float = 1.5, names: tuple[str, ...] = ARKIT_NAMES
) -> dict[str, Any]:
    """A recording as a browser sends it; the jaw opens like a ramp."""

    def text(values: np.ndarray) -> str:
        return base64.b64encode(values.tobytes()).decode()

    curves = np.zeros((frames, len(names)), "<u2")
    curves[:, 0] = np.linspace(0, 65535, frames)
    address = np.zeros((frames, len(SLOTS)), "u1")
    address[:, 3] = 255
    sound = (8000 * np.sin(np.arange(round(rate * seconds)) / 20)).astype("<i2")
    return {
        "fps": 30, "names": list(names), "rate": rate, "weights": [1.0] * len(SLOTS),
        "curves": text(curves), "address": text(address), "sound": text(sound),
    }  # fmt: skip


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_a_recording_becomes_an_animation(runner: JobRunner, tmp_path: Path, rate: int) -> None:
    animation = read_recording(sent(rate=rate), runner.head, "old_man", SLOTS)
    assert len(animation) == 45 and animation.fps == 30 and animation.head.identity == "old_man"
    assert animation.waveform.seconds == pytest.approx(1.5, abs=0.01)
    jaw = animation.curves.weights[:, animation.curves.names.index(ARKIT_NAMES[0])]
    np.testing.assert_allclose(jaw, np.linspace(0, 1, 45), atol=1e-4)
    assert (animation.memory_address.argmax(1) == 3).all()
    np.testing.assert_allclose(animation.memory_address.sum(1), 1, atol=1e-6)
    (file,) = animation.save(tmp_path / "live.csv")
    assert len(file.read_text().splitlines()) == 46


@pytest.mark.parametrize(
    "changes",
    [
        {"fps": 0}, {"fps": "nan"}, {"fps": 1e9}, {"fps": None}, {"rate": "x"}, {"names": ["nose"] * 52}, {"names": 5},
        {"names": []}, {"names": [ARKIT_NAMES[0]] * 52}, {"names": list(ARKIT_NAMES[:51])}, {"curves": "AAAA"},
        {"curves": "!"}, {"curves": None}, {"curves": "A" * 60_000_000}, {"address": ""}, {"sound": 3},
        {"weights": [float("nan")] * 40}, {"weights": [1.0]}, {"weights": [None] * 40}, {"weights": {}},
    ],
    ids=lambda changes: "-".join(f"{name}={str(value)[:12]}" for name, value in changes.items()),
)  # fmt: skip
def test_what_no_browser_of_ours_sends_is_refused(runner: JobRunner, changes: dict[str, Any]) -> None:
    with pytest.raises(PageError, match="record again"):
        read_recording(sent() | changes, runner.head, "woman", SLOTS)


@pytest.mark.parametrize("take", [None, [], "x", {}, {"fps": 30}])
def test_what_is_no_recording_is_refused(runner: JobRunner, take: Any) -> None:
    with pytest.raises(PageError, match="record again"):
        read_recording(take, runner.head, "woman", SLOTS)


def test_a_head_or_a_sound_that_is_not_there_is_refused(runner: JobRunner) -> None:
    for identity in ("nobody", None, ["woman"]):
        with pytest.raises(PageError, match="record again"):
            read_recording(sent(), runner.head, identity, SLOTS)
    with pytest.raises(AudioError):
        read_recording(sent() | {"sound": ""}, runner.head, "woman", SLOTS)
    with pytest.raises(AudioError):
        read_recording(sent() | {"rate": -5}, runner.head, "woman", SLOTS)
