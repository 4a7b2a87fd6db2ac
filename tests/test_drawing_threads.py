"""One and several drawing threads give the same frames, and what fails in any of them reaches the reader."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from memorytalker.face.frames import Frames
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.options import RenderOptions
from memorytalker.rendering import RenderError, render_frames, renderer, stage

OPTIONS = RenderOptions(width=128, height=128)
FRAMES = 2 * renderer.RUN + 3


class Computed:
    """Frames that are made when asked for, as those of an animation are; counts how many were."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.made = frames, 0

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, span: slice) -> np.ndarray:
        self.made += len(self.frames[span])
        return self.frames[span]


@pytest.fixture(scope="module")
def head() -> HeadMesh:
    return load_head()


@pytest.fixture(scope="module")
def spoken(head: HeadMesh) -> np.ndarray:
    opened = np.sin(np.arange(FRAMES, dtype=np.float32))[:, None, None] ** 2
    return head.template + opened * head.blendshape("jawOpen")


def drawn(
    monkeypatch: pytest.MonkeyPatch, threads: int, head: HeadMesh, frames: Frames, **changes: object
) -> np.ndarray:
    monkeypatch.setattr(renderer, "drawing_threads", lambda frames: threads)
    return np.stack(list(render_frames(head, frames, OPTIONS, **changes)))  # type: ignore[arg-type]


def test_two_threads_draw_what_one_draws(head: HeadMesh, spoken: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    by: dict[int, set[int]] = {}
    draw = stage.Stage.draw

    def noted(self: stage.Stage, vertices: np.ndarray, number: int) -> np.ndarray:
        by.setdefault(threading.get_ident(), set()).add(number)
        return draw(self, vertices, number)

    one = drawn(monkeypatch, 1, head, spoken)
    monkeypatch.setattr(stage.Stage, "draw", noted)
    np.testing.assert_array_equal(drawn(monkeypatch, 2, head, spoken), one)
    first, second = sorted(by.values(), key=len, reverse=True)
    assert first | second == set(range(FRAMES)) and first & second == {0}
    assert np.abs(one[1].astype(int) - one[0]).max() > 60  # something did move


def test_one_thread_paints(head: HeadMesh, spoken: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = spoken[: renderer.RUN + 2]
    paint = np.random.default_rng(0).integers(0, 256, frames.shape, np.uint8)
    one = drawn(monkeypatch, 1, head, frames, paint=paint)
    by, draw = set(), stage.Stage.draw

    def noted(self: stage.Stage, vertices: np.ndarray, number: int) -> np.ndarray:
        by.add(threading.get_ident())
        return draw(self, vertices, number)

    monkeypatch.setattr(stage.Stage, "draw", noted)
    np.testing.assert_array_equal(drawn(monkeypatch, 2, head, frames, paint=paint), one)
    assert len(by) == 1


def test_a_failure_in_the_second_thread_is_told_in_its_turn(
    head: HeadMesh, spoken: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = spoken.copy()
    broken[renderer.RUN + 1] = head.template * 0.01
    monkeypatch.setattr(renderer, "drawing_threads", lambda frames: 2)
    monkeypatch.setattr(renderer, "FEW", FRAMES)  # each frame is drawn whole, so that one without a head is seen
    frames = render_frames(head, broken, OPTIONS)
    for _ in range(renderer.RUN + 1):
        next(frames)
    with pytest.raises(RenderError, match=f"no head in frame {renderer.RUN + 1}"):
        next(frames)
    assert not [one for one in threading.enumerate() if one.name == "memorytalker-renderer"]


def test_closing_early_ends_every_thread(head: HeadMesh, spoken: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "drawing_threads", lambda frames: 2)
    frames = render_frames(head, spoken, OPTIONS)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if one.name == "memorytalker-renderer"]


def test_short_motion_is_made_once_and_long_motion_is_not_held(
    head: HeadMesh, spoken: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Computed(spoken[:10])
    one = drawn(monkeypatch, 1, head, short)  # type: ignore[arg-type]
    assert short.made == 10
    monkeypatch.setattr(renderer, "HELD", 9 * head.template.nbytes)
    long = Computed(spoken[:10])
    np.testing.assert_array_equal(drawn(monkeypatch, 1, head, long), one)  # type: ignore[arg-type]
    assert long.made > 20


@pytest.mark.parametrize(("cores", "frames", "threads"), [(1, 300, 1), (2, 300, 1), (4, 300, 2), (4, 20, 1)])
def test_a_second_thread_draws_where_cores_are_left(
    cores: int, frames: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "usable_cores", lambda: cores)
    assert renderer.drawing_threads(frames) == threads
