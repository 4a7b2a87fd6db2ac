"""The tool that follows an hour of sound: it passes what does not drift, and sees what does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from live_case import live_frame, random_network

from memorytalker import benchmark
from memorytalker.live.websocket import WebSocketOutput
from tools.live import hour


def in_thread(function: Callable[..., bool], *given: float) -> bool:
    """What it returns in a thread and a loop of its own, since that of a browser may run in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *given).result()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hour, "live_network", lambda: (random_network(), False))


def test_sound_is_followed_without_drift(capsys: pytest.CaptureFixture[str]) -> None:
    assert hour.follow(0.1)
    assert "180 frames" in capsys.readouterr().out


def test_a_clock_that_drifts_is_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound card that is a hundredth slow is slower than the clock may follow."""
    monkeypatch.setattr(hour, "SKEW", -0.01)
    assert not hour.follow(0.1)


def test_listeners_of_whom_one_stalls_hear_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_thread(hour.listen, 3, 0.02)
    assert "3 heard all 36 frames" in capsys.readouterr().out


def test_a_listener_who_loses_frames_is_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frame 5 is sent twice and frame 6 never."""
    send = WebSocketOutput.send
    swapped = {6: 5}
    monkeypatch.setattr(
        WebSocketOutput, "send", lambda self, frame: send(self, live_frame(swapped.get(frame.number, frame.number)))
    )
    assert not in_thread(hour.listen, 2, 0.02)


def test_the_cost_of_live_motion_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "live_network", lambda: (random_network(), False))
    found = benchmark.measure_live(0.5)
    assert 0 < found.load and 0 < found.load_with_style and found.lookahead == pytest.approx(14 / 120)
    assert "random weights" in found.table() and "look-ahead 117 ms" in found.table()
