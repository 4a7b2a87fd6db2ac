"""Extras: which libraries are optional, and the message where one is missing.

Turning a sound into a video needs none of them. pyproject.toml lists the same libraries; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Module -> the extra that brings it.
EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "gradio": "page",
        "PIL": "page",
        "starlette": "page",
        "matplotlib": "data",
        "soundfile": "data",
        "trimesh": "data",
        "accelerate": "train",
        "pocketsphinx": "train",
        "sklearn": "train",
        "tensorboard": "train",
        "pxr": "usd",
        "ray": "ray",
        "ai_edge_litert": "film",
        "sounddevice": "live",
        "websockets": "live",
    }
)


def to_install(module: str, extra: str | None = None) -> str:
    """The sentence for a missing `module`; `extra` as in `missing_extra`."""
    return f'This needs {module}, which is not installed; run pip install "memorytalker[{extra or EXTRAS[module]}]".'


def missing_extra(error: BaseException, extra: str | None = None) -> str | None:
    """One sentence that says what to install, if `error` is a missing module of an extra; otherwise None.

    `extra` is the one that brings everything that the present work needs; by default the one that brings the module.
    """
    module = (getattr(error, "name", None) or "").split(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in EXTRAS:
        return None
    return to_install(module, extra)
