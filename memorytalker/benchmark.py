"""The benchmark: the time of each stage from a sound to a video, and what live motion costs, on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from memorytalker.cores import usable_cores
from memorytalker.options import RenderOptions
from memorytalker.pipeline import Talker
from memorytalker.places import assets_folder
from memorytalker.sound.decode import SAMPLE_RATE, AudioError, Waveform, load_waveform

EXAMPLES = assets_folder("speech")
#: Result on the page -> goal in seconds for ten seconds of speech on two cores, after loading.
GOALS = MappingProxyType({"memory": 2.0, "3D head": 4.0, "video": 4.5})
GOAL_SPEECH = 10.0  # seconds
#: Runs that count, and runs before them.
RUNS, WARM_UP = 5, 1


#: Stage -> what is inside its time. Each second is counted once, so that the stages add up to the total.
INSIDE = MappingProxyType(
    {
        "encode": "sound -> slot logits and style",
        "decode": "slot logits -> memory -> coordinates of the motion; what the heatmap shows is known then",
        "pack": "motion -> the curves that a browser plays",
        "render": "waiting for frames, which are drawn while earlier ones are written",
        "write": "handing frames to the video encoder, and its end",
        "total": "all of these, without load",
        "processor": "time that all cores together worked on it, the video encoder's included; not of the wall clock",
    }
)


@dataclass(frozen=True)
class Machine:
    """Where figures were measured: figures of two machines cannot be compared.

    Args:
        processor: its name.
        processors: cores that this process may use.
        busy: how many other threads wanted a core in the minute before, on average; None: the system does not tell.
        system: operating system and kind of processor.
        python: version of Python.
        torch: version of torch.
        device: that the network runs on.
    """

    processor: str
    processors: int
    busy: float | None
    system: str
    python: str
    torch: str
    device: str

    @classmethod
    def here(cls) -> Machine:
        """This machine, with the network on its processor."""
        import torch

        return cls(
            processor=_processor(),
            processors=usable_cores(),
            busy=round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
            system=f"{platform.system()} {platform.machine()}",
            python=platform.python_version(),
            torch=str(torch.__version__),
            device="cpu",
        )

    def line(self) -> str:
        """The machine in one line."""
        busy = "" if self.busy is None else f", {self.busy:g} threads busy before"
        machine = f"{self.processor}, {self.processors} processors{busy}"
        return f"{machine}, {self.system}, torch {self.torch} on {self.device}"


@dataclass(frozen=True)
class Timings:
    """Seconds of wall clock of one run, by the stages of `INSIDE`; `processor` are those of all cores together."""

    encode: float
    decode: float
    pack: float
    render: float
    write: float
    processor: float

    @property
    def total(self) -> float:
        """All stages."""
        return self.encode + self.decode + self.pack + self.render + self.write

    @property
    def waits(self) -> dict[str, float]:
        """Seconds from the sound to each result, in the order in which the page shows them."""
        memory = self.encode + self.decode
        return {"memory": memory, "3D head": memory + self.pack, "video": self.total}


@dataclass(frozen=True)
class Benchmark:
    """Several runs of the same speech on one machine.

    Args:
        machine: where.
        load: seconds for libraries, weights, head and the first frame, once.
        load_processor: the same in seconds of processor time.
        runs: the runs; the `warm_up` before them are not among them.
        warm_up: runs before the first that counts.
        seconds_of_speech: what is animated.
        frames: of the video.
        width: of the video in pixels.
        height: of the video in pixels.
    """

    machine: Machine
    load: float
    load_processor: float
    runs: tuple[Timings, ...]
    warm_up: int
    seconds_of_speech: float
    frames: int
    width: int
    height: int

    def seconds(self, stage: str) -> tuple[float, ...]:
        """A stage's seconds in every run."""
        return tuple(getattr(run, stage) for run in self.runs)

    def figures(self) -> dict[str, Any]:
        """Everything as values for JSON: per stage what is inside, the median, and every run."""
        stages = {stage: {"inside": inside, **spread(self.seconds(stage))} for stage, inside in INSIDE.items()}
        about = {key: value for key, value in asdict(self).items() if not key.startswith(("runs", "load"))}
        load = {"load": round(self.load, 3), "load_processor": round(self.load_processor, 3)}
        return {**about, **load, "stages": stages}

    def json(self) -> str:
        """The figures as indented JSON."""
        return json.dumps(self.figures(), indent=1)

    def table(self) -> str:
        """The figures as lines of text."""
        size = f"{self.frames} frames of {self.width} x {self.height}"
        runs = f"{len(self.runs)} runs after {self.warm_up} to warm up"
        lines = [self.machine.line(), f"{self.seconds_of_speech:.1f} s of speech, {size}; median of {runs} (range)"]
        lines.append(f"{'load':>8} {self.load:8.3f} s, once: libraries, weights, head and a first frame")
        lines.append(f"{'':>8} {self.load_processor:8.3f} s of them at work")
        for stage, inside in INSIDE.items():
            lines.append(f"{stage:>8} {shown(self.seconds(stage))}: {inside}")
        for name in GOALS:
            goal = f"; goal for two cores: {GOALS[name]:g} s" if self.seconds_of_speech == GOAL_SPEECH else ""
            lines.append(f"{name} after {shown([run.waits[name] for run in self.runs])}{goal}")
        return "\n".join(lines)


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """Median, smallest and largest of some seconds, and all of them, rounded to a tenth of a millisecond."""
    found = {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}
    return {**{name: round(value, 4) for name, value in found.items()}, "runs": [round(one, 4) for one in seconds]}


def shown(seconds: Sequence[float]) -> str:
    """The median of some seconds, and their range."""
    return f"{statistics.median(seconds):8.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"


def measure(
    seconds: float = 10.0,
    sound: Path | None = None,
    weights: str | None = None,
    device: str | None = None,
    options: RenderOptions | None = None,
    runs: int = RUNS,
) -> Benchmark:
    """Animate `seconds` of a sound several times, and time every stage.

    Args:
        seconds: of speech, 0.1 to 3600.
        sound: it is repeated as often as needed; None: the first example.
        weights: as `Talker.from_pretrained` takes them.
        device: likewise.
        options: of the video; None: the defaults.
        runs: how often, after one run that is not counted.

    Returns:
        The figures.

    Raises:
        AudioError: a length out of range, or a sound that cannot be read.
    """
    from memorytalker.rendering import render_frames

    options = RenderOptions() if options is None else options
    waveform = speech_of(seconds, sound)
    machine, began, worked = Machine.here(), time.perf_counter(), worked_seconds()
    talker = Talker.from_pretrained(weights, device)
    next(render_frames(talker.head, talker.head.template[None], options))  # loads the graphics library
    load, load_processor = time.perf_counter() - began, worked_seconds() - worked
    found = [_run(talker, waveform, options) for _ in range(WARM_UP + max(runs, 1))]
    return Benchmark(
        machine=dataclasses.replace(machine, device=used_device(str(talker.device))),
        load=load,
        load_processor=load_processor,
        runs=tuple(timings for timings, _ in found[WARM_UP:]),
        warm_up=WARM_UP,
        seconds_of_speech=waveform.seconds,
        frames=found[0][1],
        width=options.width,
        height=options.height,
    )


def _run(talker: Talker, waveform: Waveform, options: RenderOptions) -> tuple[Timings, int]:
    """Animate once; return the timings and the number of frames."""
    from memorytalker.page.playback import playback_json

    decode = _Stopwatch()
    hooks = [
        talker.model.register_forward_pre_hook(lambda *_: decode.start()),
        talker.model.register_forward_hook(lambda *_: decode.stop()),
    ]
    try:
        began, worked = time.perf_counter(), worked_seconds()
        animation = talker.animate(waveform)
        animated = time.perf_counter() - began
    finally:
        for hook in hooks:
            hook.remove()
    began = time.perf_counter()
    playback_json("", animation.curves, animation.waveform)
    packed = time.perf_counter() - began
    render, write, frames = _video(animation, options)
    found = Timings(
        encode=animated - decode.seconds,
        decode=decode.seconds,
        pack=packed,
        render=render,
        write=write,
        processor=worked_seconds() - worked,
    )
    return found, frames


def used_device(device: str) -> str:
    """The name of a torch device."""
    import torch

    return torch.cuda.get_device_name(torch.device(device)) if device.startswith("cuda") else device


def worked_seconds() -> float:
    """Seconds of processor time of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _processor() -> str:
    """The processor's name, where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


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

    samples = speech_of(seconds).samples
    network, shipped = live_network()
    head = load_head()
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


def _example() -> Path:
    clips = sorted(EXAMPLES.glob("*.wav"))
    if not clips:
        raise AudioError("There is no example clip; name a sound with --sound.")
    return clips[0]


def _check_seconds(seconds: float) -> None:
    if not 0.1 <= seconds <= 3600:
        raise AudioError(f"{seconds} s cannot be measured; choose 0.1 to 3600.")


def speech_of(seconds: float, sound: Path | None = None) -> Waveform:
    """Speech of that length: a sound, or the first example, repeated as often as needed.

    Raises AudioError for a length out of range, or a sound that cannot be read.
    """
    _check_seconds(seconds)
    return _of_length(load_waveform(_example() if sound is None else sound), seconds)


def _of_length(waveform: Waveform, seconds: float) -> Waveform:
    return Waveform(np.resize(waveform.samples, round(seconds * SAMPLE_RATE)), SAMPLE_RATE)
