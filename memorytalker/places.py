"""Places: where the files lie that ship beside the code. Nothing else in the package knows.

In a clone they are the folders `assets/`, `weights/` and `web/src/` next to the package; in an installed package the
same folders lie inside it, where setup.py puts them when it builds a wheel.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
#: What a wheel has and a clone has not.
_INSTALLED = "_data"


def assets_folder(name: str) -> Path:
    """The folder `assets/<name>`, whether or not it is there.

    `name` is "head", "light", "speech", "tracking" or "ground_truth".
    """
    return _root() / "assets" / name


def weights_folder() -> Path:
    """The folder with one folder for each of the shipped weights, whether or not it is there."""
    return _root() / "weights"


def library_folder() -> Path:
    """The folder with the JavaScript modules of the live network, `web/src`, whether or not it is there."""
    return _root() / "web" / "src"


def remedy(folder: str) -> str:
    """What to do where `folder` ("assets/head") is missing or damaged: the end of a sentence, without its full stop."""
    return f"in a clone restore the folder {folder}, otherwise install memorytalker again"


def _root() -> Path:
    inside = _PACKAGE / _INSTALLED
    return inside if inside.is_dir() else _PACKAGE.parent
