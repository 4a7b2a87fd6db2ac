"""A run that is stopped just as it ends has ended: no 500, and no other error is hidden."""

from __future__ import annotations

import asyncio
from typing import Any

import loops
import pytest

pytest.importorskip("gradio")

from memorytalker.page.cancel import CancelOfEndedRun  # noqa: E402


def asked(path: str, error: Exception | None, begins: bool = False) -> list[int]:
    """The statuses that are sent, where what answers raises `error`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begins or error is None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if error is not None:
            raise error

    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    loops.run(CancelOfEndedRun(app)({"type": "http", "method": "POST", "path": path}, None, send))
    return [message["status"] for message in sent if "status" in message]


def test_a_run_that_has_just_ended_is_stopped() -> None:
    assert asked("/gradio_api/cancel", KeyError("session")) == [200] == asked("/gradio_api/cancel", None)


@pytest.mark.parametrize(
    ("path", "error", "begins"),
    [
        ("/gradio_api/cancel", ValueError("x"), False),
        ("/gradio_api/cancel", KeyError("x"), True),
        ("/gradio_api/queue/join", KeyError("x"), False),
    ],
)
def test_other_errors_stay(path: str, error: Exception, begins: bool) -> None:
    with pytest.raises(type(error)):
        asked(path, error, begins)


def test_the_cancel_of_gradio_is_what_is_mended() -> None:
    """Planted into Gradio's own route: the messages of the session go while it waits."""
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.testclient import TestClient

    with gr.Blocks() as demo:
        gr.Button()
    demo.queue()
    statuses = []
    for middleware in ([], [Middleware(CancelOfEndedRun)]):
        app = gr.routes.App.create_app(demo, app_kwargs={"middleware": middleware})
        queue = app.get_blocks()._queue

        async def ends(event: str, queue: Any = queue) -> None:
            queue.pending_messages_per_session.pop("s", None)

        queue.pending_messages_per_session["s"] = asyncio.Queue()
        queue.pending_event_ids_session["s"] = {"e"}
        queue.remove_from_queue = ends
        client = TestClient(app, raise_server_exceptions=False)
        body = {"session_hash": "s", "fn_index": 0, "event_id": "e"}
        statuses.append(client.post("/gradio_api/cancel", json=body).status_code)
    assert statuses == [500, 200]
