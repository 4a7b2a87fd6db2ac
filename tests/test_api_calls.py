"""Calls over plain HTTP: the page's own pass as they are; calls of endpoints are checked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from memorytalker.page import api_calls


def answered(path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[int, Any]:
    """The status and the body that reach the caller; behind the checks, the body is sent back as it came."""
    parameters = [{"parameter_name": "sound", "parameter_has_default": True, "parameter_default": None}]
    monkeypatch.setattr(api_calls, "endpoint_parameters", lambda app: {"style": parameters})
    sent: list[dict[str, Any]] = []

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "app": None}
    asyncio.run(api_calls.NamedCalls(echo)(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def test_the_pages_own_calls_pass_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    call = {"data": ["woman"], "fn_index": 23, "trigger_id": 51, "session_hash": "za3"}
    assert answered("/gradio_api/run/predict", call, monkeypatch) == (200, call)


def test_calls_of_endpoints_are_checked_and_take_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered("/gradio_api/call/style", {"data": []}, monkeypatch) == (200, {"data": [None]})
    status, refusal = answered("/gradio_api/run/predict", {"data": ["woman"]}, monkeypatch)
    assert status == 404 and "there are style" in refusal["error"]
