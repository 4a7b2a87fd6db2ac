"""The command `doctor`: checks what this machine needs for animation, with a remedy for what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    found: bool
    detail: str  # what was found, or the remedy

    def __str__(self) -> str:
        return f"{'found  ' if self.found else 'MISSING'}  {self.name:<10} {self.detail}"


def examine(weights: str | None = None, device: str | None = None) -> list[Finding]:
    """Check everything that `animate` needs, with the given weights (None: the shipped ones) and device."""
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "ffmpeg": _ffmpeg,
        "opengl": _opengl,
        "head": _head,
        "weights": lambda: _weights(weights),
        "device": lambda: _device(device),
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(Finding(name, True, check()))
        except (ValueError, RuntimeError, OSError, ImportError) as error:
            findings.append(Finding(name, False, " ".join(str(error).split())))
    return findings


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise RuntimeError(f"Python {version} is too old; install Python 3.11 or 3.12.")
    return version


def _ffmpeg() -> str:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-encoders"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lacking = [name for name in ("libx264", " aac ") if name not in done.stdout]
    if lacking:
        raise RuntimeError("This ffmpeg lacks H.264 or AAC; run 'pip install --force-reinstall imageio-ffmpeg'.")
    return f"{imageio_ffmpeg.get_ffmpeg_version()} with H.264 and AAC"


def _opengl() -> str:
    from memorytalker.rendering import check_graphics

    check_graphics()
    return "draws off screen"


def _head() -> str:
    from memorytalker.face.head import load_head

    head = load_head()
    return f"{head.vertex_count} vertices; identities: {', '.join(head.identities)}"


def _weights(source: str | None) -> str:
    from memorytalker.weights import load_weights

    config = load_weights(source).config
    return f"'{config.name}': {config.slot_count} memory slots, {config.fps} frames a second"


def _device(name: str | None) -> str:
    from memorytalker.devices import choose_device

    return str(choose_device(name))
