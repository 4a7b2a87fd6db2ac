"""How much visitors may upload: a limit for one request, and one for all uploads that are kept at a time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder
from starlette.responses import PlainTextResponse

from memorytalker.page.limits import LARGEST_MEGABYTES, fault_of

#: Bytes of one request: a sound, and a file of motion beside it, with what forms add.
LARGEST_REQUEST = (2 * LARGEST_MEGABYTES + 1) * 1_000_000
#: Bytes of all uploads; they are deleted within about an hour. They are counted anew after so many seconds.
LARGEST_UPLOADS, COUNTED_SECONDS = 3_000_000_000, 5.0
#: How the address of uploads ends.
UPLOAD = "/upload"
FULL = "Too much has been uploaded in the last hour; please try again later."
TOO_LARGE = f"This is more than {LARGEST_MEGABYTES} MB; cut the recording."
log = logging.getLogger("memorytalker.page")

Message = MutableMapping[str, Any]


class UploadLimit:
    """ASGI middleware that refuses a request before its bytes are kept.

    Args:
        app: what answers accepted requests.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._counted, self._bytes = 0.0, 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request with 413 where it is too large, with 507 where there is no room, else pass it on."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        stated = dict(scope["headers"]).get(b"content-length", b"")
        if stated.isdigit() and int(stated[:20]) > LARGEST_REQUEST:
            return await PlainTextResponse(TOO_LARGE, 413)(scope, receive, send)
        if scope["path"].endswith(UPLOAD) and self._kept() > LARGEST_UPLOADS:
            return await PlainTextResponse(FULL, 507)(scope, receive, send)
        received, begun = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_REQUEST:  # it said less, or nothing; as if the visitor had gone
                return {"type": "http.disconnect"}
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except OSError as error:
            lacks = fault_of(error)
            if begun or lacks is None:
                raise
            log.exception("Shown to a visitor: %s", lacks)
            await PlainTextResponse(lacks, 507)(scope, receive, send)

    def _kept(self) -> int:
        """Bytes of all uploads, as counted lately."""
        now = time.monotonic()
        if not self._counted or now - self._counted > COUNTED_SECONDS:
            self._counted, self._bytes = now, bytes_below(Path(get_upload_folder()))
        return self._bytes


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder; what goes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total
