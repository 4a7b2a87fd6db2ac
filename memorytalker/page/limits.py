"""What the page accepts from a visitor, and the messages with which it refuses the rest."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr

from memorytalker.config import ConfigError
from memorytalker.errors import InputError
from memorytalker.exports.take import ExportError
from memorytalker.face.curve_table import CurveFileError
from memorytalker.face.head import HeadError
from memorytalker.face.motion import MotionError
from memorytalker.faults import DISK_FULL, NO_MEMORY, machine_fault
from memorytalker.rendering import RenderError, VideoError
from memorytalker.sound.decode import AudioError, Waveform, load_waveform
from memorytalker.sound.ffmpeg import DecoderError
from memorytalker.styles.delivery import StyleError
from memorytalker.tracking.landmarks import CaptureError
from memorytalker.tracking.tracker import TrackerError
from memorytalker.tracking.video_frames import VideoError as FaceVideoError

LONGEST_SECONDS = 60.0
LARGEST_MEGABYTES = 20
LONGEST_QUEUE = 16
KEEP_SECONDS = 3600
PATIENCE_SECONDS = 900.0
#: Reading a file of motion, which has no steps that could be watched, may take this long.
READING_SECONDS = 60.0
LARGEST_SEED = 2**31 - 1

LIMITS_TEXT = (
    f"WAV, FLAC, MP3, M4A, OGG, WebM, or the sound of a video; 0.1 to {LONGEST_SECONDS:.0f} seconds; at most "
    f"{LARGEST_MEGABYTES} MB. One video is drawn at a time, and up to {LONGEST_QUEUE} visitors may wait. Your sound "
    f"stays on this server and is deleted within about an hour; the results are deleted when you leave the page."
)
BUSY = "There are too many visitors waiting just now; please try again in a few minutes."
TOO_SLOW = "This takes too long; try again with a shorter recording."
#: What this server lacks, said to a visitor; whoever runs it finds more in its log.
NO_ROOM = "This server's disk is full just now; please try again later."
TOO_LITTLE_MEMORY = "This server has too little memory for this just now; try a shorter sound, or try again later."
NO_VIDEO = "This server cannot make videos just now; please try again later, or choose another kind of file."
RESTARTED = "This page is just being restarted; please ask again in a minute."
NO_DECODER = "This server cannot read sounds just now; please try again later."


class PageError(InputError):
    """A request that cannot be met; the message is one plain sentence that names the remedy."""


def read_sound(path: str | Path | None, missing: str) -> Waveform:
    """The waveform of a visitor's file, at most LONGEST_SECONDS long.

    Args:
        path: the file on this server, or None.
        missing: the message where there is no file.

    Raises:
        PageError: there is no file, or no longer; in plain words.
        AudioError: the file cannot be read as sound, or is too long; in plain words.
    """
    if not path:
        raise PageError(missing)
    if not Path(path).exists():
        raise PageError("The sound is no longer on this server; please give it again.")
    return load_waveform(path, longest_seconds=LONGEST_SECONDS)


def fault_of(error: BaseException) -> str | None:
    """Return the sentence for what this server lacks: disk, memory, graphics or ffmpeg; None for any other error."""
    if isinstance(error, RenderError) and str(error) == NO_MEMORY:
        return TOO_LITTLE_MEMORY
    if isinstance(error, (RenderError, VideoError)):
        return NO_ROOM if "disk is full" in str(error) else NO_VIDEO
    if isinstance(error, DecoderError):
        return NO_DECODER
    return {DISK_FULL: NO_ROOM, NO_MEMORY: TOO_LITTLE_MEMORY}.get(machine_fault(error) or "")


def refused(error: Exception) -> gr.Error:
    """The error as Gradio shows it to a visitor, with its message escaped: Gradio would render markup in it."""
    return gr.Error(html.escape(str(error), quote=False), print_exception=False)


#: Errors whose messages are written for visitors.
PLAIN_ERRORS = (
    AudioError, CaptureError, ConfigError, CurveFileError, ExportError, HeadError, MotionError, PageError, StyleError,
    TrackerError, FaceVideoError,
)  # fmt: skip
