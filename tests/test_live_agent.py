"""Agents: speech and its frames through one pipe, by the example of docs/live.md as it is written."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_case import random_network
from websockets.sync.client import connect
from websockets.sync.server import serve

from memorytalker import Style, Talker
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.visemes import VISEMES
from memorytalker.live.agent import speech_messages
from memorytalker.live_motion import live_pieces
from memorytalker.sound.decode import AudioError
from memorytalker.styles.live_delivery import live_style

DOCS = Path(__file__).resolve().parents[1] / "docs" / "live.md"
RATE = 24000


class StubTalker:
    """Follows speech with a small random network."""

    def live(self, chunks: Any, style: Any = None, *, head: Any) -> Any:
        network = random_network()
        weights, delivery = live_style(style or Style(), head, network.config.slots)
        return live_pieces(network, head, chunks, weights, delivery)


def bytes_of(samples: np.ndarray, size: int) -> list[bytes]:
    data = np.round(samples * 32767).astype("<i2").tobytes()
    return [data[k : k + size] for k in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1001, 4800, 10**6])
def test_sound_and_frames_come_in_order_however_the_bytes_are_cut(voice, size: int) -> None:
    speech = bytes_of(voice(1.0, rate=RATE), size)
    messages = list(speech_messages(StubTalker(), speech, RATE))
    assert json.loads(messages[0]) == {"rate": RATE}
    assert b"".join(one for one in messages if isinstance(one, bytes)) == b"".join(speech)
    frames = [json.loads(one) for one in messages[1:] if isinstance(one, str)]
    assert [frame["frame"] for frame in frames] == list(range(30))
    assert set(frames[0]["curves"]) == set(ARKIT_NAMES) and tuple(frames[0]["visemes"]) == VISEMES
    sent = 0
    for message in messages[1:]:
        if isinstance(message, bytes):
            sent += len(message)
        else:
            assert json.loads(message)["t"] <= sent / 2 / RATE + 1e-4, "a frame before its sound"


def test_frames_do_not_depend_on_the_cuts(voice) -> None:
    samples = voice(0.6, rate=RATE)
    texts = [
        [one for one in speech_messages(StubTalker(), bytes_of(samples, size), RATE) if isinstance(one, str)]
        for size in (999, 10**6)
    ]
    assert texts[0] == texts[1]


def test_refusals() -> None:
    with pytest.raises(AudioError, match="without any sound"):
        list(speech_messages(StubTalker(), []))
    with pytest.raises(AudioError, match="choose a rate"):
        list(speech_messages(StubTalker(), [b"\0\0"], 100))


def test_the_example_of_a_pipe_runs_as_written(voice, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"<!-- example: pipe, server -->\n```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[1]
    httpx = pytest.importorskip("httpx")
    speech, asked = bytes_of(voice(0.7, rate=RATE), 4001), []

    class Response:
        def iter_bytes(self) -> list[bytes]:
            return speech

    def stream(method: str, url: str, *, json: dict[str, Any], timeout: float) -> Any:
        asked.append((method, url, json))
        return contextlib.nullcontext(Response())

    monkeypatch.setattr(httpx, "stream", stream)
    monkeypatch.setattr(Talker, "from_pretrained", lambda: StubTalker())
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, str(DOCS), "exec"), names)
    with serve(names["answer"], "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with connect(f"ws://127.0.0.1:{server.socket.getsockname()[1]}") as socket:
            for words in ("hello", "again"):
                socket.send(words)
                assert json.loads(socket.recv(timeout=30)) == {"rate": RATE}
                heard, frames = b"", 0
                while len(heard) < sum(map(len, speech)) or frames < 21:
                    message = socket.recv(timeout=30)
                    if isinstance(message, bytes):
                        heard += message
                    else:
                        assert json.loads(message)["frame"] == frames
                        frames += 1
                assert heard == b"".join(speech) and frames == 21
        server.shutdown()
        thread.join(10)
    assert [one[2]["input"] for one in asked] == ["hello", "again"]
    assert asked[0][:2] == ("POST", names["SERVICE"]) and asked[0][2]["response_format"] == "pcm"
