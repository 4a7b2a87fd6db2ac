"""The page with what a server may lack, and with many visitors: a sentence for each, and the next job succeeds."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gradio")
import imageio_ffmpeg
from gradio_client import handle_file
from gradio_client.exceptions import AppError

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(ROOT), str(ROOT / "tests")) if path not in sys.path]
from page_case import Page, served, speech, until, written  # noqa: E402
from stub_talker import StubAnimation, StubTalker  # noqa: E402

from memorytalker.page import demo, session_files  # noqa: E402
from memorytalker.page.limits import NO_DECODER, NO_ROOM, NO_VIDEO, TOO_LITTLE_MEMORY  # noqa: E402
from memorytalker.rendering import RenderError, video, write_video  # noqa: E402
from tools.load.visitors import Asked, come, described, left_behind, problems  # noqa: E402

QUEUE = 3


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "LONGEST_QUEUE", QUEUE)
        with served(tmp_path_factory.mktemp("page")) as page:
            yield page


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


def encoded(animation: StubAnimation, path: str | Path, *_: Any, **__: Any) -> tuple[Path, ...]:
    """In place of the stub's video: frames of one colour through our own encoder."""
    frames = (np.full((64, 64, 3), 90, np.uint8) for _ in range(len(animation)))
    write_video(Path(path), frames, 30, animation.waveform, len(animation))
    return (Path(path),)


def killed_encoder(patch: pytest.MonkeyPatch) -> None:
    """The encoder is killed when it has its first frames."""
    started, feed, running = video._started, video._feed, []

    def start(*arguments: Any) -> Any:
        running.append(started(*arguments))
        return running[-1]

    def fed(*arguments: Any) -> None:
        running[-1].kill()
        running[-1].wait()
        feed(*arguments)

    patch.setattr(video, "_started", start)
    patch.setattr(video, "_feed", fed)
    patch.setattr(StubAnimation, "save", encoded)


FULL = OSError(errno.ENOSPC, "No space left on device", "/secret/place")
FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "encoder killed": (killed_encoder, NO_VIDEO),
    "no OpenGL": (lambda patch: patch.setattr(StubAnimation, "save", raising(RenderError("No OpenGL."))), NO_VIDEO),
    "no ffmpeg": (lambda patch: patch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/bin/false"), NO_DECODER),
    "no memory": (lambda patch: patch.setattr(StubTalker, "style_of", raising(MemoryError())), TOO_LITTLE_MEMORY),
    "disk full": (lambda patch: patch.setattr(StubAnimation, "save", raising(FULL)), NO_ROOM),
    "disk full at last": (lambda patch: patch.setattr(session_files.shutil, "move", raising(FULL)), NO_ROOM),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_server_lacks_is_said_and_does_not_stay(page: Page, tmp_path: Path, fault: str) -> None:
    visitor, sound = page.visitor(), handle_file(written(tmp_path / "short.wav", speech(0.2)))
    break_it, words = FAULTS[fault]
    with pytest.MonkeyPatch.context() as patch:
        break_it(patch)
        with pytest.raises(AppError) as refused:
            visitor.predict(sound, api_name="/animate")
    assert str(refused.value) == words
    assert page.leftovers() == []
    assert visitor.predict(sound, api_name="/animate")[1]["seconds"] == pytest.approx(0.2)


def test_many_at_once_are_served_in_turn_and_leave_nothing(page: Page) -> None:
    asked = come(page.url, visitors=6, jobs=2)
    assert problems(asked) == [], described(asked)
    assert len(asked) == 12 and any(one.places for one in asked) and any(one.refusals for one in asked)

    def of_the_crowd() -> list[str]:
        """It asked for curves; a video is another test's, whose visitor may still be there."""
        return [name for name in left_behind(page.folder) if not name.endswith(".mp4")]

    assert until(lambda: not of_the_crowd()), of_the_crowd()


def test_what_goes_wrong_among_many_is_seen() -> None:
    def one(number: int, **changes: Any) -> Asked:
        good: dict[str, Any] = {"began": number, "ended": number + 1.5, "answer": (1.0 + number, 31 + 30 * number)}
        return Asked(number % 6, 1.0 + number, **good | changes)

    well = [one(number) for number in range(24)]
    assert problems(well) == []
    for wrong, words in (
        ({"answer": None, "error": "It broke."}, "It broke"),
        ({"answer": (2.0, 61)}, "the answer of another"),
        ({"ended": 22.9, "places": [2, 1]}, "starved while another was served 4 times"),
        ({"ended": 6.0}, "never saw its place"),
        ({"places": [1, 2]}, "place in the queue grew"),
    ):
        said = problems([one(0, **wrong), *well[1:]])
        assert len(said) >= 1 and words in said[0], (wrong, said)
