"""Calls of the named endpoints over plain HTTP: checked before Gradio sees them, and refused in a sentence.

Gradio answers `{"error": null}`, or 500 without words, where a call does not reach the function that it names: for a
parameter too few, a misspelt name, an endpoint that is not there, or a file that was never uploaded. Here such a call
is answered with one sentence, and parameters that are left out take their defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from memorytalker.files import parse_json
from memorytalker.page.gradio_private import endpoint_parameters
from memorytalker.page.limits import PageError

#: Bytes of a call; files are uploaded before and named in it.
LARGEST_CALL = 1_000_000
#: How addresses of calls end: the parameters in order under "data", or by name.
_IN_ORDER, _BY_NAME = re.compile(r"/(?:call|api|run)/([^/]+)/?$"), re.compile(r"/call/v2/([^/]+)/?$")
#: Where answers come as a stream of messages.
_ANSWERS = re.compile(r"/call/(?:v2/)?[^/]+/[^/]+/?$|/queue/data$")
#: A message that says only that something was refused, as Gradio writes it in either place.
_WORDLESS = re.compile(rb'"error": ?null')
UNREAD = (
    "The call could not be read: give each file as the answer of /gradio_api/upload, in Python with "
    "gradio_client.handle_file, and each parameter as /gradio_api/info describes it."
)

Message = MutableMapping[str, Any]
Parameters = Sequence[Mapping[str, Any]]


class CallError(PageError):
    """A call that is refused; the message is one sentence, `status` its HTTP status."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class NamedCalls:
    """ASGI middleware that checks the calls of endpoints and gives their errors words.

    Args:
        app: what answers all requests.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._endpoints: dict[str, list[dict[str, Any]]] = {}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a wrong call with its sentence; pass every other request on, with all its parameters."""
        path = scope.get("path", "")
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if scope["method"] == "GET" and _ANSWERS.search(path):
            return await self._app(scope, receive, _with_words(send))
        by_name = _BY_NAME.search(path)
        called = by_name or _IN_ORDER.search(path)
        if scope["method"] != "POST" or not called:
            return await self._app(scope, receive, send)
        try:
            body = await _read(receive)
            if not _of_the_page(called.group(1), body):
                body = _complete(body, self._parameters(scope["app"], called.group(1)), bool(by_name))
        except CallError as error:
            return await JSONResponse({"error": str(error)}, error.status)(scope, receive, send)
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        await self._app(scope, _replayed(body, receive), send)

    def _parameters(self, app: Any, name: str) -> Parameters:
        if not self._endpoints:
            self._endpoints = endpoint_parameters(app)
        if name not in self._endpoints:
            raise CallError(f"There is no such endpoint; there are {', '.join(self._endpoints)}.", 404)
        return self._endpoints[name]


def _of_the_page(name: str, body: bytes) -> bool:
    """Whether the page itself calls: it sends the number of a function to the address of no endpoint."""
    if name != "predict":
        return False
    try:
        return isinstance(parse_json(body.decode("utf-8")).get("fn_index"), int)
    except (ValueError, AttributeError):
        return False


def _complete(text: bytes, parameters: Parameters, by_name: bool) -> bytes:
    """The body of a call with its defaults filled in. Raises CallError."""
    names = ", ".join(one["parameter_name"] for one in parameters) or "none"
    try:
        body = parse_json(text.decode("utf-8"))
    except ValueError:
        body = None
    data: Any = body if by_name else body.get("data") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(data, dict if by_name else list):
        form = "one object of parameters by name" if by_name else 'an object {"data": [...]}, the parameters in order'
        raise CallError(f"The body of this call is JSON: {form}; it takes {names}.")
    if by_name:
        known = [one["parameter_name"] for one in parameters]
        if unknown := [name for name in data if name not in known]:
            raise CallError(f"There is no parameter {ascii(unknown[0])[:40]} here; this call takes {names}.")
        values = dict(data)
    else:
        if len(data) > len(parameters):
            raise CallError(f"These are {len(data)} parameters; this call takes at most {len(parameters)}: {names}.")
        values = {one["parameter_name"]: value for one, value in zip(parameters, data, strict=False)}
    for one in parameters:
        name = one["parameter_name"]
        if name not in values:
            if not one["parameter_has_default"]:
                raise CallError(f"The parameter '{name}' is missing; this call takes {names}.")
            values[name] = one["parameter_default"]
    full = values if by_name else body | {"data": [values[one["parameter_name"]] for one in parameters]}
    return json.dumps(full).encode("utf-8")


async def _read(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_CALL:
            raise CallError(
                f"A call has at most {LARGEST_CALL // 1_000_000} MB; upload files and name them in it.", 413
            )
        if not message.get("more_body"):
            return body


def _replayed(body: bytes, receive: Callable[[], Awaitable[Message]]) -> Callable[[], Awaitable[Message]]:
    """`receive` as if `body` had just arrived."""
    pending = [body]

    async def replay() -> Message:
        return {"type": "http.request", "body": pending.pop(), "more_body": False} if pending else await receive()

    return replay


def _with_words(send: Callable[[Message], Awaitable[None]]) -> Callable[[Message], Awaitable[None]]:
    """`send` with a sentence in the place of an error without one. Gradio sends each message as one piece."""
    words = json.dumps({"error": UNREAD})[1:-1].encode()

    async def worded(message: Message) -> None:
        body = message.get("body", b"")
        refused = body.startswith(b"event: error") or b'"success":false' in body.replace(b" ", b"")
        if refused and _WORDLESS.search(body):
            message = {**message, "body": _WORDLESS.sub(words, body)}
        await send(message)

    return worded
