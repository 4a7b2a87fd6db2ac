"""What several tests need, and when a test that was skipped has failed.

Small random models compute everything the shipped one does, in milliseconds. Where CI is "true" everything that tests
need is expected to be there, so that a skip is a failure, but for tests marked `gpu`.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach the network
os.environ.setdefault("GRADIO_HEARTBEAT_INTERVAL", "1")  # seconds, not 15, until a page sees that a visitor has left
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; it is read when numpy and torch are first loaded
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import pytest
from toy_models import FAMILIES, random_model

from memorytalker.face import head as heads

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"
_read_head = heads.load_head


@functools.cache
def _shipped_head(folder: Path) -> heads.HeadMesh:
    return _read_head(folder)


def _load_head(path: Path | None = None) -> heads.HeadMesh:
    """`load_head`, which reads the shipped head once: nobody can change a head, so that all may have the same."""
    return _shipped_head(heads.HEAD_FOLDER) if path is None else _read_head(path)


heads.load_head = functools.wraps(_read_head)(_load_head)  # before any module takes it by name
#: Markers of tests that may be skipped even where everything is expected to be there.
MAY_BE_SKIPPED = ("gpu",)
#: Files that take half a minute or more; at the end one of them would keep a worker while the other has nothing left.
LONG = (
    "test_app.py",
    "test_batch.py",
    "test_paper_road.py",
    "test_training_commands.py",
    "test_types.py",
    "test_wheel.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one worker as a whole, and everything that visits the page in a browser to the same one.

    What a file makes once is made once, and one server and one browser run at a time, beside the other worker's tests.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share_of(nodeid)

    config.option.loadscopereorder = False  # what takes longest comes first
    return ByFile(config, log)


def share_of(nodeid: str) -> str:
    """What goes to one worker as a whole: the file of a test, or all browser tests."""
    file = nodeid.split("::")[0]
    return "browser" if "browser" in file.split("/") else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the browser's tests, which are collected first, and then the long files."""
    items.sort(key=lambda item: share_of(item.nodeid) != "browser" and item.path.name not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let Python's garbage collector rest while tests and libraries are loaded, and pass over these from then on."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not any(item.get_closest_marker(marker) for marker in MAY_BE_SKIPPED):
        decide(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    decide(report)
    return report


def decide(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip where everything is expected to be there."""
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{reason}\nWith CI=true everything that tests need is expected to be there."


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material beside the repository; its tests are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"there is no folder {SHARED.name} beside the project: the reference material is not here")
    return SHARED


@pytest.fixture(scope="session")
def make_model() -> Callable:
    """`make_model(family, seed=0, **changes)`: a toy MemoryTalker of "open", "vocaset" or "biwi"."""
    return lambda family="open", seed=0, **changes: random_model(dataclasses.replace(FAMILIES[family], **changes), seed)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory, make_model: Callable) -> Path:
    """A weights folder of a toy model that moves the shipped head; its windows are 2 s with 0.5 s of overlap."""
    from memorytalker.face.head import load_head
    from memorytalker.face.motion_space import speech_space
    from memorytalker.weights import save_weights

    folder = tmp_path_factory.mktemp("weights") / "tiny"
    space = speech_space(load_head())
    sizes = {"coordinates": space.coordinates, "basis": space.name, "motion_scale": 30.0}
    save_weights(make_model(**sizes, window_seconds=2.0, overlap_seconds=0.5), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_talker(tiny_weights: Path):
    """A Talker of `tiny_weights` on the CPU."""
    from memorytalker.pipeline import Talker

    return Talker.from_pretrained(tiny_weights, device="cpu")


@pytest.fixture(scope="session")
def shipped_talker():
    """The Talker of the shipped weights on the CPU."""
    from memorytalker.pipeline import Talker

    if not (TESTS.parent / "weights" / "open" / "config.json").is_file():
        pytest.skip("weights/open is not in this checkout")
    return Talker.from_pretrained(device="cpu")


@pytest.fixture
def voice() -> Callable[..., np.ndarray]:
    """`voice(seconds, seed=0)`: a buzz with syllables, (S,) float32 at 16 kHz. Not speech, but not noise either."""

    def make(seconds: float, seed: int = 0, rate: int = 16000) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time = np.arange(round(seconds * rate)) / rate
        pitch = 2 * np.pi * (110 + 20 * rng.random()) * time + 2 * np.sin(2 * np.pi * 0.7 * time)
        buzz = sum(np.sin(k * pitch) / k for k in range(1, 12))
        syllables = np.clip(np.sin(2 * np.pi * (3 + rng.random()) * time) + 0.2, 0, None)
        return (0.1 * syllables * buzz + 0.001 * rng.standard_normal(time.size)).astype(np.float32)

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Toy models are faster on one thread, and the machine is shared."""
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    yield
