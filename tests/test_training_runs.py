"""Runs that are killed, resumed, shared by processes or passed in pieces all end where an unbroken one does."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch
import toy_training

from memorytalker.config import ConfigError
from memorytalker.training.folder import RunFolder, commit
from memorytalker.training.processes import share, start_processes

TESTS = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def start() -> Callable:
    """`start(function, *arguments)`: a process of its own, forked from one that has loaded everything once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["toy_training"])
    with pytest.MonkeyPatch.context() as patch:  # what is loaded ahead is looked for by the environment alone
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (TESTS.parent, TESTS))))
        patch.setenv("OMP_NUM_THREADS", "1")
        forkserver.ensure_running()

    def begin(target: Callable, *arguments: object) -> multiprocessing.Process:
        process = context.Process(target=target, args=arguments)
        process.start()
        return process

    return begin


@pytest.fixture(scope="module")
def unbroken(start: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    process = start(toy_training.train, folder)
    process.join()
    assert process.exitcode == 0
    return folder


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("moment", toy_training.MOMENTS)
def test_a_run_killed_at_any_moment_ends_bit_for_bit_where_an_unbroken_one_does(
    moment: str, start: Callable, unbroken: Path, tmp_path: Path
) -> None:
    killed = start(toy_training.train, tmp_path, moment)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert not (tmp_path / "weights").exists()
    resumed = start(toy_training.train, tmp_path, None, 5)  # from other weights: the checkpoint decides
    if moment == "before_the_best":  # killed in the first epoch with a checkpoint of step 3 behind it
        assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 3
    resumed.join()
    assert resumed.exitcode == 0
    ends = [torch.load(folder / "last.pt", weights_only=True) for folder in (unbroken, tmp_path)]
    assert ends[0]["step"] == ends[1]["step"] == 12
    for name, value in ends[0]["model"].items():
        assert torch.equal(ends[1]["model"][name], value), name
    assert (unbroken / "best.safetensors").read_bytes() == (tmp_path / "best.safetensors").read_bytes()
    for whole, broken in zip(log_of(unbroken), log_of(tmp_path), strict=True):
        assert {**whole, "seconds": 0} == {**broken, "seconds": 0}
    assert len(json.loads((tmp_path / "run.json").read_text())["sessions"]) == 2


@pytest.mark.parametrize("stage", ["memorize", "stylize"])
def test_two_processes_train_what_one_does(stage: str, start: Callable, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    alone = start(toy_training.train_shared, tmp_path / "one", stage, 0, 1, port)
    pair = [start(toy_training.train_shared, tmp_path / "two", stage, rank, 2, port) for rank in (0, 1)]
    for process in (alone, *pair):
        process.join()
        assert process.exitcode == 0
    one = torch.load(tmp_path / "one" / "last.pt", weights_only=True)["model"]
    two = torch.load(tmp_path / "two" / "last.pt", weights_only=True)["model"]
    moved = toy_training.random_model(toy_training.FAMILIES["open"]).state_dict()
    assert max(float((value - moved[name]).abs().max()) for name, value in one.items()) > 1e-3, "something was learned"
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, msg=name, atol=1e-5, rtol=1e-4)
    ranks = [torch.load(tmp_path / "two" / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, value in ranks[0].items():
        assert torch.equal(ranks[1][name], value), "every process ends with the best weights"
    for first, second in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert second["validation"] == pytest.approx(first["validation"], rel=1e-4)
        assert second["train"] == pytest.approx(first["train"], rel=1e-4)


@pytest.mark.parametrize(("count", "processes"), [(8, 3), (3, 2), (1, 4), (5, 1)])
def test_shares_make_up_the_batch(count: int, processes: int) -> None:
    losses = torch.arange(1.0, count + 1)
    own = [share(count, processes, rank) for rank in range(processes)]
    assert sorted(place for places, weight in own if weight for place in places) == list(range(count))
    total = sum(losses[list(places)].mean() * weight for places, weight in own) / processes
    torch.testing.assert_close(total, losses.mean())


def test_a_run_may_go_on_under_another_commit_but_not_on_other_data(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim = {"training": {"epochs": 3}, "data": "a"}
    folder.describe(claim, {"commit": "one"})
    folder.save({"step": 1})
    folder.describe(claim, {"commit": "two"})
    # A field that came later counts at its default.
    folder.check({"training": {"epochs": 3, "captured_share": 0.0}, "data": "a"})
    assert [session["commit"] for session in folder.about()["sessions"]] == ["one", "two"]
    with pytest.raises(ConfigError, match="other settings .data"):
        folder.check({**claim, "data": "b"})
    with pytest.raises(ConfigError, match="other settings .training"):
        folder.check({**claim, "training": {"epochs": 4}})


def test_the_commit_is_unknown_outside_a_checkout(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"


def test_precisions_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="no, bf16, fp16"):
        start_processes("half", torch.device("cpu"))
    with pytest.raises(ConfigError, match="bf16"):
        start_processes("fp16", torch.device("cpu"))
