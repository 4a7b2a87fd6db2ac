"""How many cores a process may use: the fewer of what the system lets it run on and what its container may take."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memorytalker import cores
from memorytalker.rendering import stage


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 8)],
)
def test_the_limit_of_a_container_counts(eight: None, tmp_path: Path, limit: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert cores.usable_cores(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("-1", 8)])
def test_so_does_that_of_the_older_form(eight: None, tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cores.usable_cores(tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("0::/service/page\n", "service/page/cpu.max", "300000 100000"),
        ("0::/service/page\n", "service/cpu.max", "300000 100000"),
        ("1:name=systemd:/other\n4:cpu,cpuacct:/service/page\n", "cpu/service/page/cpu.cfs_quota_us", "300000"),
    ],
)
def test_so_does_that_of_the_group_and_of_those_around_it(
    eight: None, tmp_path: Path, line: str, file: str, text: str
) -> None:
    """As a service of systemd has it, whose limits do not lie at the top."""
    (tmp_path / "membership").write_text(line)
    limit = tmp_path / file
    limit.parent.mkdir(parents=True)
    limit.write_text(text)
    (limit.parent / "cpu.cfs_period_us").write_text("100000")
    (tmp_path / "cpu.max").write_text("500000 100000")
    assert cores.usable_cores(tmp_path, tmp_path / "membership") == 3
    (tmp_path / "cpu.max").write_text("200000 100000")
    assert cores.usable_cores(tmp_path, tmp_path / "membership") == 2


@pytest.mark.parametrize("line", ["0::/../outside\n", "0:\n", "2:cpuset:/outside\n"])
def test_other_groups_do_not_count(eight: None, tmp_path: Path, line: str) -> None:
    for folder in (tmp_path / "outside", tmp_path / "top" / "outside", tmp_path / "top" / "cpu" / "outside"):
        folder.mkdir(parents=True)
        (folder / "cpu.max").write_text("100000 100000")
    (tmp_path / "membership").write_text(line)
    assert cores.usable_cores(tmp_path / "top", tmp_path / "membership") == 8


def test_without_or_with_a_broken_limit_it_is_the_cores_it_may_run_on(eight: None, tmp_path: Path) -> None:
    assert cores.usable_cores(tmp_path) == 8
    (tmp_path / "cpu.max").write_text("two")
    assert cores.usable_cores(tmp_path) == 8


@pytest.mark.parametrize(("chosen", "expected"), [("3", 3), ("99", 8), ("0", 8), ("-2", 8), ("many", 8), ("9" * 30, 8)])
def test_fewer_can_be_chosen(
    eight: None, tmp_path: Path, chosen: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cores.CHOSEN, chosen)
    assert cores.usable_cores(tmp_path) == expected


def test_drawing_takes_no_more_threads_than_that_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    monkeypatch.setattr(stage, "usable_cores", lambda: 3)
    assert stage.graphics_environment()["LP_NUM_THREADS"] == "3"
    monkeypatch.setattr(stage, "usable_cores", lambda: 1)
    assert stage.graphics_environment()["LP_NUM_THREADS"] == "0"  # drawn by the thread that asks for it
    monkeypatch.setenv("LP_NUM_THREADS", "5")
    assert stage.graphics_environment()["LP_NUM_THREADS"] == "5"


@pytest.mark.parametrize(("chosen", "expected"), [(None, 2), ("7", 7)])
def test_torch_computes_on_no_more_cores_than_that_unless_told(
    chosen: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    threads = [7]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: threads.__setitem__(0, count))
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    cores.limit_threads()
    assert threads == [expected]


def test_linear_algebra_takes_no_more_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that may run on more cores than it has the time of."""
    import threadpoolctl
    import torch

    said: list[tuple[object, ...]] = []
    monkeypatch.setattr(threadpoolctl, "threadpool_limits", lambda *asked: said.append(asked))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "usable_cores", lambda: 2)
    monkeypatch.setattr(cores, "_listed_cores", lambda: 2)
    cores.limit_threads()
    assert not said  # it has counted right by itself
    monkeypatch.setattr(cores, "_listed_cores", lambda: 8)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    cores.limit_threads()
    assert not said
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    cores.limit_threads()
    assert said == [(2, "blas")] and os.environ["OPENBLAS_NUM_THREADS"] == "2"
