"""What the tab Live fetches: the library of `web/`, the live network and the example voices, from this server alone."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute, Mount

from memorytalker.page.examples import SPEECH_FOLDER
from memorytalker.page.scripts import KeptFiles, scripts_version
from memorytalker.places import library_folder

#: Path of these files below the page's root; the version follows.
ROUTE = "/memorytalker-live"


@dataclass(frozen=True)
class LiveFiles:
    """Where the files lie.

    Args:
        library: folder of the JavaScript modules.
        weights: folder of the live network; None: it is not installed.
        speech: folder of the example voices.
    """

    library: Path
    weights: Path | None
    speech: Path = SPEECH_FOLDER

    @property
    def address(self) -> str:
        """Path below the page's root, which names the version: modules and weights under it never change."""
        from memorytalker.weights import CONFIG_FILE

        digest = hashlib.sha256(scripts_version(self.library).encode())
        if self.weights is not None:
            digest.update((self.weights / CONFIG_FILE).read_bytes())  # it holds the sha256 of the weights
        return f"{ROUTE}/{digest.hexdigest()[:12]}"


def live_files() -> LiveFiles:
    """Find the files of this installation. A clone without `web/src` has no live network either."""
    # Imported here, for both load torch, which the page may not before its talker does.
    from memorytalker.live_weights import find_live
    from memorytalker.weights import WeightsError

    library, weights = library_folder(), None
    if library.is_dir():
        with contextlib.suppress(WeightsError):
            weights = find_live()
    return LiveFiles(library, weights)


def library_address(files: LiveFiles) -> str | None:
    """Return the path below the page's root of the modules; None: they are not installed."""
    return f"{files.address}/library" if files.library.is_dir() else None


def live_route(files: LiveFiles | None = None) -> Mount:
    """The route that serves the files, for `app_kwargs` of `Blocks.launch`."""
    files = live_files() if files is None else files
    folders = {"library": files.library, "weights": files.weights, "speech": files.speech}
    routes: list[BaseRoute] = [
        Mount(f"/{name}", KeptFiles(directory=folder)) for name, folder in folders.items() if folder and folder.is_dir()
    ]
    return Mount(files.address, routes=routes, name="live")
