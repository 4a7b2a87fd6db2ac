"""Stopping a run that has just ended: Gradio answers 500 there, and to the visitor it has simply ended.

Its `/cancel` looks up whether the run's messages and its generator are still there, waits, and then takes them without
looking again. What ends the run removes both meanwhile, so that a KeyError comes out. Nothing is left to do then: the
end of the run has closed the generator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

#: How the address of the endpoint ends.
CANCEL = "/cancel"


class CancelOfEndedRun:
    """ASGI middleware that answers a `/cancel` that came too late as one that came in time.

    Args:
        app: what answers all requests.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not scope["path"].endswith(CANCEL):
            return await self._app(scope, receive, send)
        begun = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except KeyError:
            if begun:
                raise
            await JSONResponse({"success": True})(scope, receive, send)
