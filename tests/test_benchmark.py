"""What the benchmark makes of its seconds. That it measures at all is tested with the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from memorytalker.benchmark import INSIDE, Benchmark, Machine, Timings, speech_of, spread
from memorytalker.sound.decode import AudioError
from tools.bench import __main__ as bench
from tools.bench import peers
from tools.bench.peers import Peer

RUNS = tuple(
    Timings(encode=k, decode=2 * k, pack=0.5, render=10 * k, write=1.0, processor=20 * k) for k in (1.0, 3.0, 2.0)
)
FOUND = Benchmark(
    machine=Machine("a chip", 2, 0.5, "Linux x86_64", "3.11", "2", "cpu"),
    load=4.0,
    load_processor=3.0,
    runs=RUNS,
    warm_up=1,
    seconds_of_speech=10.0,
    frames=300,
    width=512,
    height=512,
)


def test_the_median_and_the_range_are_those_of_the_runs() -> None:
    assert spread([3.0, 1.0, 8.0]) == {"median": 3.0, "least": 1.0, "most": 8.0, "runs": [3.0, 1.0, 8.0]}
    figures = json.loads(FOUND.json())
    assert set(figures["stages"]) == set(INSIDE) and all(one["inside"] for one in figures["stages"].values())
    assert figures["stages"]["total"]["runs"] == [14.5, 40.5, 27.5] and figures["stages"]["total"]["median"] == 27.5
    assert figures["machine"]["processor"] == "a chip" and figures["warm_up"] == 1 and figures["load"] == 4.0
    assert figures["load_processor"] == 3.0 and figures["stages"]["processor"]["median"] == 40.0


def test_the_table_names_machine_goals_and_what_is_inside() -> None:
    lines = FOUND.table().splitlines()
    assert (
        lines[0].startswith("a chip, 2 processors, 0.5 threads busy")
        and "median of 3 runs after 1 to warm up" in lines[1]
    )
    assert any("27.500 s (14.500 to 40.500)" in line and INSIDE["total"] in line for line in lines)
    assert any(line.startswith("video after") and "goal for two cores: 4.5 s" in line for line in lines)


def test_speech_is_as_long_as_asked_for() -> None:
    assert speech_of(0.5).seconds == pytest.approx(0.5)
    with pytest.raises(AudioError, match="cannot be measured"):
        speech_of(0.0)


def test_what_cannot_run_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    monkeypatch.setattr(peers.torch.cuda, "is_available", lambda: False)
    missing = [peers.rhubarb(speech_of(0.2), 1), peers.paper_on_gpu()]
    assert all(peer.reason and not peer.seconds for peer in missing)
    assert "not measured: no GPU here" in bench.line(missing[1]) and "7.8 ms" in bench.line(missing[1])
    ours = bench.figures(FOUND, [*missing, Peer("one", "a -> b", (1.0, 2.0, 4.0), (1.0, 3.0, 5.0))], [])
    assert (
        ours["peers"][2]["median"] == 2.0
        and ours["peers"][2]["processor"]["median"] == 3.0
        and "median" not in ours["peers"][0]
    )


def test_the_first_run_does_not_count() -> None:
    calls: list[int] = []
    peer = peers.timed("one", "a -> b", lambda: calls.append(0), 3)
    assert len(peer.seconds) == len(peer.processor) == 3 and len(calls) == 4


def test_agreement_is_a_correlation() -> None:
    wave = np.sin(np.arange(50.0))
    assert bench.correlation(wave, 3 * wave + 1) == pytest.approx(1) and bench.correlation(
        wave, -wave
    ) == pytest.approx(-1)
    assert bench.correlation(wave, np.zeros(50)) == 0


def test_agreement_is_told_person_by_person() -> None:
    found = [("ann", 0.9, 0.2), ("bob", 0.1, 0.5), ("ann", 0.7, 0.4), ("ann", 0.8, 0.3)]
    rows = bench.summary([{"person": person, "ours": ours, "loudness": loud} for person, ours, loud in found])
    assert rows == [("ann", 3, 0.8, 0.3), ("bob", 1, 0.1, 0.5)]
