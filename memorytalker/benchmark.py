"""The benchmark: the time of each stage from a sound to a video, and what live motion costs, on this machine."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.options import RenderOptions
from memorytalker.pipeline import Talker
from memorytalker.places import assets_folder
from memorytalker.sound.decode import SAMPLE_RATE, AudioError, Waveform, load_waveform

EXAMPLES = assets_folder("speech")
#: Result on the page -> goal in seconds for ten seconds of speech on two cores, after loading.
GOALS = MappingProxyType({"memory": 2.0, "3D head": 4.0, "video": 12.0})
GOAL_SPEECH = 10.0  # seconds


@dataclass(frozen=True)
class Timings:
    """Seconds of wall clock for each stage; each second is counted once, so that the stages add up to `total`."""

    load: float  # libraries, weights and head; before the first clip only
    encode: float  # sound file -> slot logits and style
    decode: float  # logits -> memory -> vertices; what the heatmap shows is known then
    pack: float  # motion -> the curves that a browser plays
    render: float  # waiting for frames
    write: float  # handing them to the video encoder, and its end
    total: float  # without load
    seconds_of_speech: float
    frames: int
    width: int
    height: int
    device: str
    processors: int

    def json(self) -> str:
        """The figures as indented JSON."""
        rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return json.dumps(rounded, indent=1)

    def table(self) -> str:
        """The figures as lines of text."""
        head = f"{self.seconds_of_speech:.1f} s of speech, {self.frames} frames of {self.width} x {self.height}"
        lines = [f"{head}, {self.device}, {self.processors} processors"]
        for stage in ("load", "encode", "decode", "pack", "render", "write", "total"):
            lines.append(f"{stage:>8} {getattr(self, stage):7.2f} s")
        lines.append("total excludes load; frames are rendered and written in parallel, each second counts once")
        for name, seconds in self.waits.items():
            goal = f"; goal for two cores: {GOALS[name]:.0f} s" if self.seconds_of_speech == GOAL_SPEECH else ""
            lines.append(f"{name} after {seconds:.2f} s{goal}")
        return "\n".join(lines)

    @property
    def waits(self) -> dict[str, float]:
        """Seconds from the sound to each result, in the order in which the page shows them."""
        memory = self.encode + self.decode
        return {"memory": memory, "3D head": memory + self.pack, "video": self.total}


#: Share of real time that live motion may take on one core, seconds of its look-ahead and of a chunk of sound.
GOAL_LIVE_LOAD, GOAL_LIVE_LOOKAHEAD, LIVE_CHUNK = 0.1, 0.12, 0.02


@dataclass(frozen=True)
class LiveTimings:
    """What live motion costs on one core. Times are seconds of that core."""

    seconds_of_speech: float
    load: float  # share of real time
    load_with_style: float  # the same with a style that changes curves
    lookahead: float  # from a sound to its frame, by the network alone
    chunk_95: float  # 95 % of the chunks of 20 ms are computed in this time
    shipped: bool  # else the weights are random, which cost the same

    def table(self) -> str:
        """The figures as lines of text."""
        weights = "" if self.shipped else ", random weights, as weights/live is not there"
        known = 1000 * (self.lookahead + LIVE_CHUNK + self.chunk_95)
        return "\n".join(
            (
                f"live, {self.seconds_of_speech:.1f} s of speech in chunks of 20 ms on one core{weights}",
                f"  {self.load:.3f} of real time, {self.load_with_style:.3f} with a style; goal {GOAL_LIVE_LOAD:g}",
                f"  look-ahead {1000 * self.lookahead:.0f} ms; goal {1000 * GOAL_LIVE_LOOKAHEAD:.0f} ms",
                f"  95 % of the frames are known {known:.0f} ms after their sound, chunk and computing included",
            )
        )


def measure_live(seconds: float = 5.0) -> LiveTimings:
    """Follow `seconds` of the first example as if it were spoken now, on one core, without and with a style."""
    import torch

    from memorytalker.face.head import load_head
    from memorytalker.live_motion import live_pieces
    from memorytalker.styles.live_delivery import live_style
    from memorytalker.styles.style import Style

    _check_seconds(seconds)
    network, shipped = live_network()
    head = load_head()
    samples = _of_length(load_waveform(_example()), seconds).samples
    size = round(LIVE_CHUNK * SAMPLE_RATE)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = []
        for style in (Style(), Style.preset("friendly")):
            weights, delivery = live_style(style, head, network.config.slots)
            spent: list[float] = []
            for piece in live_pieces(network, head, _timed_chunks(samples, size, spent), weights, delivery):
                piece.curves  # noqa: B018 - what a receiver would read
            found.append(np.array(spent))
    finally:
        torch.set_num_threads(threads)
    return LiveTimings(
        seconds_of_speech=seconds,
        load=float(found[0].sum() / seconds),
        load_with_style=float(found[1].sum() / seconds),
        lookahead=network.config.grid.lookahead,
        chunk_95=float(np.quantile(found[0], 0.95)),
        shipped=shipped,
    )


def live_network() -> tuple[Any, bool]:
    """Return the shipped live network; where there is none, one of its size with random weights, and False."""
    from memorytalker.face.head import ARKIT_NAMES
    from memorytalker.face.motion_space import STILL
    from memorytalker.live_weights import load_live
    from memorytalker.models.live import LiveNetwork
    from memorytalker.models.live_config import LiveConfig
    from memorytalker.weights import WeightsError

    try:
        return load_live(), True
    except WeightsError:
        shapes = tuple(name for name in ARKIT_NAMES if not name.startswith(STILL))
        return LiveNetwork(LiveConfig(shapes)).eval(), False


def _timed_chunks(samples: np.ndarray, size: int, spent: list[float]) -> Iterator[np.ndarray]:
    """Yield chunks, and note how long each was worked on; time in which other programs had the core does not count."""
    for first in range(0, len(samples), size):
        began = time.process_time()
        yield samples[first : first + size]
        spent.append(time.process_time() - began)


def measure(
    seconds: float = 10.0,
    sound: Path | None = None,
    weights: str | None = None,
    device: str | None = None,
    options: RenderOptions | None = None,
) -> Timings:
    """Animate `seconds` of `sound` (repeated as often as needed; None: the first example) and time every stage."""
    from memorytalker.page.playback import playback_json
    from memorytalker.rendering import render_frames

    options = RenderOptions() if options is None else options
    _check_seconds(seconds)
    began = time.perf_counter()
    talker = Talker.from_pretrained(weights, device)
    next(render_frames(talker.head, talker.head.template[None], options))  # loads the graphics library
    load = time.perf_counter() - began
    waveform = _of_length(load_waveform(_example() if sound is None else sound), seconds)
    decode = _Stopwatch()
    hooks = [
        talker.model.register_forward_pre_hook(lambda *_: decode.start()),
        talker.model.register_forward_hook(lambda *_: decode.stop()),
    ]
    try:
        began = time.perf_counter()
        animation = talker.animate(waveform)
        animated = time.perf_counter() - began
    finally:
        for hook in hooks:
            hook.remove()
    began = time.perf_counter()
    playback_json("", animation.curves, animation.waveform)
    packed = time.perf_counter() - began
    render, write, frames = _video(animation, options)
    return Timings(
        load=load,
        encode=animated - decode.seconds,
        decode=decode.seconds,
        pack=packed,
        render=render,
        write=write,
        total=animated + packed + render + write,
        seconds_of_speech=waveform.seconds,
        frames=frames,
        width=options.width,
        height=options.height,
        device=str(talker.device),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    )


class _Stopwatch:
    """Adds up the times between `start` and `stop`."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, 0.0

    def start(self) -> None:
        self._since = time.perf_counter()

    def stop(self) -> None:
        self.seconds += time.perf_counter() - self._since


def _video(animation: Any, options: RenderOptions) -> tuple[float, float, int]:
    """Write the animation as a video; return seconds spent waiting for frames, seconds of the rest, and frames."""
    from memorytalker.face.motion import resampled
    from memorytalker.rendering import render_frames, write_video

    vertices = animation.vertices
    if options.fps != animation.fps:
        vertices = resampled(vertices, animation.fps, options.fps)
    waiting = _Stopwatch()

    def timed(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        while True:
            waiting.start()
            frame = next(frames, None)
            waiting.stop()
            if frame is None:
                return
            yield frame

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        frames = timed(render_frames(animation.head, vertices, options))
        write_video(Path(folder) / "bench.mp4", frames, options.fps, animation.waveform, len(vertices))
    return waiting.seconds, time.perf_counter() - began - waiting.seconds, len(vertices)


def _example() -> Path:
    clips = sorted(EXAMPLES.glob("*.wav"))
    if not clips:
        raise AudioError("There is no example clip; name a sound with --sound.")
    return clips[0]


def _check_seconds(seconds: float) -> None:
    if not 0.1 <= seconds <= 3600:
        raise AudioError(f"{seconds} s cannot be measured; choose 0.1 to 3600.")


def _of_length(waveform: Waveform, seconds: float) -> Waveform:
    return Waveform(np.resize(waveform.samples, round(seconds * SAMPLE_RATE)), SAMPLE_RATE)
