"""Rendering: frames and video of a talking head."""

from __future__ import annotations

from memorytalker.rendering.renderer import check_graphics, render_frames
from memorytalker.rendering.side_by_side import side_by_side
from memorytalker.rendering.stage import RenderError
from memorytalker.rendering.video import VideoError, write_video

__all__ = ["RenderError", "VideoError", "check_graphics", "render_frames", "side_by_side", "write_video"]
