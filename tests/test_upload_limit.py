"""What visitors upload is bounded before it is kept: one request, and all of them together."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import loops
import pytest

pytest.importorskip("gradio")

from memorytalker.page import upload_limit  # noqa: E402
from memorytalker.page.limits import NO_ROOM  # noqa: E402
from memorytalker.page.upload_limit import FULL, TOO_LARGE, UploadLimit, bytes_below  # noqa: E402


class Server:
    """In place of Gradio: keeps what it receives."""

    def __init__(self) -> None:
        self.received, self.cut = 0, False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.cut = True
                return
            self.received += len(message["body"])
            if not message["more_body"]:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                return


def asked(limit: UploadLimit, chunks: list[bytes], path: str = "/gradio_api/upload", **headers: str) -> tuple:
    """The status, and the text of a refusal."""
    left, sent = list(chunks), []

    async def receive() -> dict:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    loops.run(limit(scope, receive, send))
    return (sent[0]["status"] if sent else None), b"".join(one.get("body", b"") for one in sent).decode()


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(upload_limit, "LARGEST_REQUEST", 100)
    monkeypatch.setattr(upload_limit, "LARGEST_UPLOADS", 1000)
    monkeypatch.setattr(upload_limit, "COUNTED_SECONDS", 0.0)
    return tmp_path


def test_an_ordinary_request_passes(uploads: Path) -> None:
    server = Server()
    assert asked(UploadLimit(server), [b"a" * 50, b"b" * 50], content_length="100") == (200, "")
    assert server.received == 100


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/queue/join"])
@pytest.mark.parametrize("stated", ["101", "9" * 30])
def test_a_request_that_says_too_much_is_not_read(uploads: Path, path: str, stated: str) -> None:
    server = Server()
    assert asked(UploadLimit(server), [b""], path, content_length=stated) == (413, TOO_LARGE)
    assert server.received == 0


@pytest.mark.parametrize("headers", [{}, {"content_length": "10"}, {"content_length": "-5"}])
def test_a_request_that_says_too_little_is_cut(uploads: Path, headers: dict[str, str]) -> None:
    server = Server()
    asked(UploadLimit(server), [b"a" * 60] * 50, **headers)
    assert server.received <= 120 and server.cut


def test_all_uploads_together_are_bounded(uploads: Path) -> None:
    (uploads / "deep").mkdir()
    (uploads / "deep" / "voice.wav").write_bytes(bytes(900))
    limit = UploadLimit(Server())
    assert bytes_below(uploads) == 900 and asked(limit, [b"a"])[0] == 200
    (uploads / "other.wav").write_bytes(bytes(101))
    assert asked(limit, [b"a"]) == (507, FULL)
    assert asked(limit, [b"a"], "/gradio_api/queue/join")[0] == 200, "what is there may still be used"
    (uploads / "other.wav").unlink()
    assert asked(limit, [b"a"])[0] == 200


def test_an_upload_for_which_there_is_no_room_on_the_disk_is_refused_in_words(uploads: Path) -> None:
    async def full(scope: Any, receive: Any, send: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")

    async def mistaken(scope: Any, receive: Any, send: Any) -> None:
        raise OSError("a mistake of ours")

    assert asked(UploadLimit(full), [b"a"]) == (507, NO_ROOM)
    with pytest.raises(OSError, match="mistake"):
        asked(UploadLimit(mistaken), [b"a"])


def test_other_messages_pass(uploads: Path) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    for scope in ({"type": "lifespan"}, {"type": "websocket", "path": "/upload"}, {"type": "http", "method": "GET"}):
        loops.run(UploadLimit(app)(scope, None, None))
    assert seen == ["lifespan", "websocket", "http"]
