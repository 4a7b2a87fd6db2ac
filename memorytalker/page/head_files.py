"""The heads of the 3D player as GLB files, served under addresses that name their content."""

from __future__ import annotations

import functools
import gzip
import hashlib
import threading
from collections import OrderedDict

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from memorytalker.exports.web_head import web_head
from memorytalker.face.head import HeadMesh
from memorytalker.page.scripts import KEPT
from memorytalker.rendering.appearance import look_of

#: Path of the heads below the page's root; the name of a file follows.
ROUTE = "/memorytalker-heads"
#: Heads that are kept, about 1.6 MB each: the shipped identities, and some more.
MOST_HEADS = 24
#: Of gzip; more takes seconds and saves little.
COMPRESSION = 5


class HeadFiles:
    """The files of the heads that were shown last, compressed. Threads may share it.

    A file depends on nothing but the head, so visitors can share it, too.
    """

    def __init__(self, most: int = MOST_HEADS) -> None:
        self._most = most
        self._names: dict[str, str] = {}  # look of a head -> name of its file
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def name_of(self, head: HeadMesh) -> str:
        """Return the name of a head's file, and make the file if it is not there.

        Args:
            head: with its current identity.

        Returns:
            The first 16 digits of the file's sha256, and ".glb".

        Raises:
            HeadError: a head that cannot be drawn.
        """
        look = look_of(head)
        with self._lock:
            name = self._names.get(look)
            if name is None:
                file = web_head(head)
                name = f"{hashlib.sha256(file).hexdigest()[:16]}.glb"
                self._names[look] = name
                self._files[name] = gzip.compress(file, COMPRESSION, mtime=0)
            self._files.move_to_end(name)
            while len(self._files) > self._most:
                gone, _ = self._files.popitem(last=False)
                self._names = {look: name for look, name in self._names.items() if name != gone}
            return name

    def get(self, name: str) -> bytes | None:
        """Return the file of that name, compressed by gzip; None if there is none."""
        with self._lock:
            return self._files.get(name)


@functools.cache
def head_files() -> HeadFiles:
    """The files of this process."""
    return HeadFiles()


def head_address(head: HeadMesh) -> str:
    """Return the path of a head's file below the page's root. The first call for a head takes half a second.

    Raises:
        HeadError: a head that cannot be drawn.
    """
    return f"{ROUTE}/{head_files().name_of(head)}"


def heads_route(files: HeadFiles | None = None) -> Route:
    """The route that serves the heads, for `app_kwargs` of `Blocks.launch`."""
    served = head_files() if files is None else files

    def answer(request: Request) -> Response:
        file = served.get(request.path_params["name"])
        if file is None:
            return Response("There is no such head.", 404, media_type="text/plain")
        headers = {"Cache-Control": KEPT, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            file = gzip.decompress(file)
        return Response(file, media_type="model/gltf-binary", headers=headers)

    return Route(f"{ROUTE}/{{name}}", answer, name="heads")
