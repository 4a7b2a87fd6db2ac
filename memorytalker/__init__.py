"""MemoryTalker: a voice goes in, a talking 3D head comes out.

Names are imported when they are first used: `import memorytalker` by itself loads no network library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from memorytalker.imports import collector_paused
from memorytalker.version import VERSION

if TYPE_CHECKING:
    from memorytalker.animation import Animation, EncodedSound, MotionPiece
    from memorytalker.config import ConfigError, ModelConfig
    from memorytalker.errors import ExecutionError, InputError, MemoryTalkerError, TalkerError
    from memorytalker.exports.take import ExportError
    from memorytalker.face.head import HeadError, HeadMesh, load_head
    from memorytalker.face.head_motion import HeadMotion
    from memorytalker.face.motion import FaceCurves, MotionError
    from memorytalker.options import AnimateOptions, CurveOptions, RenderOptions
    from memorytalker.pipeline import OWN_VOICE, Talker
    from memorytalker.rendering.stage import RenderError
    from memorytalker.rendering.video import VideoError
    from memorytalker.sound.decode import AudioError, Waveform, load_waveform
    from memorytalker.styles.delivery import StyleError
    from memorytalker.styles.style import Style
    from memorytalker.weights import WeightsError

__version__ = VERSION
#: Where each public name lives.
_HOMES = {
    "AnimateOptions": "options",
    "Animation": "animation",
    "AudioError": "sound.decode",
    "ConfigError": "config",
    "CurveOptions": "options",
    "EncodedSound": "animation",
    "ExecutionError": "errors",
    "ExportError": "exports.take",
    "FaceCurves": "face.motion",
    "HeadError": "face.head",
    "HeadMesh": "face.head",
    "HeadMotion": "face.head_motion",
    "InputError": "errors",
    "MemoryTalkerError": "errors",
    "ModelConfig": "config",
    "MotionError": "face.motion",
    "MotionPiece": "animation",
    "OWN_VOICE": "pipeline",
    "RenderError": "rendering.stage",
    "RenderOptions": "options",
    "Style": "styles.style",
    "StyleError": "styles.delivery",
    "Talker": "pipeline",
    "TalkerError": "errors",
    "VideoError": "rendering.video",
    "Waveform": "sound.decode",
    "WeightsError": "weights",
    "load_head": "face.head",
    "load_waveform": "sound.decode",
}
__all__ = [
    "OWN_VOICE",
    "AnimateOptions",
    "Animation",
    "AudioError",
    "ConfigError",
    "CurveOptions",
    "EncodedSound",
    "ExecutionError",
    "ExportError",
    "FaceCurves",
    "HeadError",
    "HeadMesh",
    "HeadMotion",
    "InputError",
    "MemoryTalkerError",
    "ModelConfig",
    "MotionError",
    "MotionPiece",
    "RenderError",
    "RenderOptions",
    "Style",
    "StyleError",
    "Talker",
    "TalkerError",
    "VideoError",
    "Waveform",
    "WeightsError",
    "load_head",
    "load_waveform",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'memorytalker' has no attribute {name!r}")
    with collector_paused():
        return getattr(importlib.import_module(f"memorytalker.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
