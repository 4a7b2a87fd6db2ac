"""What else there is, timed on the same sound in the same process: each peer says what it does and what is inside.

None of them is tuned, neither for nor against it. What cannot run here is named as not measured, with the reason.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from memorytalker.animation import Animation
from memorytalker.benchmark import WARM_UP, worked_seconds
from memorytalker.models.talker import MemoryTalker
from memorytalker.options import RenderOptions
from memorytalker.rendering import write_video
from memorytalker.rendering.stage import graphics_environment
from memorytalker.sound.acoustics import loudness_contour
from memorytalker.sound.decode import Waveform
from memorytalker.training.settings import read_settings

#: Length of a sentence of VOCASET, of 3 to 5 s, in seconds; and what the paper needs for one on its GPU.
SENTENCE, PAPER_SECONDS = 4.0, 0.0078
#: What a pass of the paper's network costs on a GPU is a few milliseconds, so more of them are measured.
GPU_RUNS = 50


@dataclass(frozen=True)
class Peer:
    """One line of the comparison.

    Args:
        name: of the peer.
        inside: what its time contains.
        seconds: of wall clock, one for each run; empty where it was not measured.
        processor: likewise the seconds that all cores together worked.
        reason: why it was not.
    """

    name: str
    inside: str
    seconds: tuple[float, ...] = ()
    processor: tuple[float, ...] = ()
    reason: str = ""


def peers(animation: Animation, options: RenderOptions, runs: int) -> Iterator[Peer]:
    """Measure every peer on the sound and motion of an animation, `runs` times after one that is not counted."""
    yield network("cpu", animation.waveform.seconds, runs)
    yield paper_on_gpu()
    yield plain_loop(animation, options, runs)
    yield loudness_only(animation.waveform, runs)
    yield rhubarb(animation.waveform, runs)
    yield Peer("uLipSync", "sound -> visemes", reason="it is C# for Unity; no Python port is installed")


def timed(name: str, inside: str, work: Callable[[], Any], runs: int) -> Peer:
    """A peer whose seconds are those of `runs` calls of `work`, after one that is not counted."""
    seconds, processor = [], []
    for number in range(WARM_UP + runs):
        began, worked = time.perf_counter(), worked_seconds()
        work()
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - began)
            processor.append(worked_seconds() - worked)
    return Peer(name, inside, tuple(seconds), tuple(processor))


def network(device: str, seconds: float, runs: int, name: str = "public method's layers") -> Peer:
    """The paper's network at the sizes of VOCASET with random weights, on noise: HuBERT, memory, decoder."""
    inside = (
        f"{seconds:g} s of samples -> HuBERT base, memory, decoder -> 5023 vertices; {device}; neither load nor video"
    )
    model = MemoryTalker(read_settings("memorize", "vocaset").model).eval().to(device)
    config = model.config
    samples = 0.1 * torch.randn(1, round(seconds * config.sample_rate), generator=torch.Generator().manual_seed(0))
    frames = torch.tensor([round(seconds * config.fps)], device=device)
    samples = samples.to(device)

    def work() -> None:
        with torch.inference_mode():
            model(model.text_logits(samples, frames))
        if device != "cpu":
            torch.cuda.synchronize()

    return timed(name, inside, work, runs)


def paper_on_gpu() -> Peer:
    """The same on a GPU, for a sentence, beside the time that the paper states."""
    name = f"paper's preset on a GPU, goal {1000 * PAPER_SECONDS:g} ms"
    if not torch.cuda.is_available():
        return Peer(name, f"{SENTENCE:g} s of samples -> vertices", reason="no GPU here")
    return network("cuda", SENTENCE, GPU_RUNS, name)


def plain_loop(animation: Animation, options: RenderOptions, runs: int) -> Peer:
    """What most scripts do: a PyVista window, new points and a screenshot for each frame, and a video of them."""
    name, inside = "plain PyVista loop", "the same motion -> frames, flat and without shadows -> MP4 with sound"
    if importlib.util.find_spec("pyvista") is None:
        return Peer(name, inside, reason="pyvista is not installed")
    os.environ.update(graphics_environment())
    import pyvista

    head, vertices = animation.head, animation.vertices

    def frames() -> Iterator[np.ndarray]:
        window = pyvista.Plotter(off_screen=True, window_size=[options.width, options.height])
        mesh = pyvista.PolyData.from_regular_faces(vertices[0].copy(), head.faces)
        window.add_mesh(mesh, scalars=head.colors, rgb=True)
        window.camera_position = "xy"
        try:
            for frame in vertices:
                mesh.points = frame
                yield np.asarray(window.screenshot(return_img=True))
        finally:
            window.close()

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_video(Path(folder) / "plain.mp4", frames(), animation.fps, animation.waveform, len(vertices))

    return timed(name, inside, work, runs)


def loudness_only(waveform: Waveform, runs: int) -> Peer:
    """The simplest of all: the mouth is open while it is loud."""
    inside = "samples -> one curve of the jaw at 100 Hz"
    return timed("loudness", inside, lambda: loudness_contour(waveform.samples), runs)


def rhubarb(waveform: Waveform, runs: int) -> Peer:
    """Rhubarb Lip Sync, where its program is in the PATH; its recogniser for English."""
    name, inside = "Rhubarb", "WAV file -> timed mouth shapes; starts its program each time"
    program = shutil.which("rhubarb")
    if program is None:
        return Peer(name, inside, reason="its program is not in the PATH")
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        soundfile.write(sound, waveform.samples, waveform.sample_rate)
        command = [program, "-q", "-f", "json", "-o", str(Path(folder) / "mouth.json"), str(sound)]
        try:
            return timed(
                name, inside, lambda: subprocess.run(command, check=True, timeout=120, capture_output=True), runs
            )
        except (OSError, subprocess.SubprocessError) as error:
            return Peer(name, inside, reason=f"it failed ({type(error).__name__})")
