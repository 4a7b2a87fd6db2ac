"""A stub of the Talker: the same interface and the real head, but no network, and a tiny video at once."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import numpy as np

from memorytalker.animation import Animation, EncodedSound
from memorytalker.config import ConfigError
from memorytalker.exports.take import Provenance
from memorytalker.face.adjust import adjusted
from memorytalker.face.head import HeadMesh, load_head
from memorytalker.face.head_motion import motion_of_curves
from memorytalker.face.motion import FaceCurves
from memorytalker.options import AnimateOptions, CurveOptions
from memorytalker.phones import ENGLISH
from memorytalker.sound.decode import Waveform, load_waveform, write_wav
from memorytalker.styles.delivery import Delivery
from memorytalker.styles.recordings import AdaptError
from memorytalker.styles.style import AdaptationReport, KeptBackCurves, Style

IDENTITIES = {"woman": "ada", "old_man": "omar"}  # identity of the stub -> identity of the shipped head
CAMERAS = ("front", "three_quarter", "profile")
FPS = 30


@functools.cache
def stub_head() -> HeadMesh:
    """The shipped head with two identities, "woman" and "old_man"."""
    head = load_head()
    return replace(
        head,
        identities={name: head.identities[source] for name, source in IDENTITIES.items()},
        identity_colors={name: head.identity_colors[source] for name, source in IDENTITIES.items()},
        descriptions={"woman": "woman, about thirty"},
        identity="woman",
    )


def envelope(waveform: Waveform, frames: int) -> np.ndarray:
    """Loudness of each frame (T,), 0 to 1; the stub's mouth opens by it."""
    pieces = np.array_split(waveform.samples, frames)
    level = np.array([float(np.sqrt(np.mean(piece**2))) if piece.size else 0.0 for piece in pieces], np.float32)
    return np.clip(8 * level, 0, 1)


class StubAnimation(Animation):
    """What `StubTalker.animate` returns. In its video, identities differ in red and cameras in green."""

    def __init__(self, waveform: Waveform, head: HeadMesh, style_weights: np.ndarray, talker: StubTalker) -> None:
        frames = max(1, round(waveform.seconds * FPS))
        opened = FaceCurves(envelope(waveform, frames)[:, None], ("jawOpen",), FPS)
        logits = np.random.default_rng(zlib.crc32(waveform.samples.tobytes())).normal(
            size=(frames, len(ENGLISH.phones))
        )
        address = np.exp(4 * logits) / np.exp(4 * logits).sum(1, keepdims=True)
        super().__init__(
            motion_of_curves(head, opened), address.astype(np.float32), style_weights.astype(np.float32),
            ENGLISH.phones, waveform, Provenance("sound", head.identity, "", "own voice", None),
        )  # fmt: skip
        object.__setattr__(self, "_talker", talker)

    def adjusted(self, options: CurveOptions = CurveOptions(), **changes: Any) -> StubAnimation:
        """As the real one, but still a stub."""
        motion = adjusted(self.motion, options.changed(**changes))
        other = StubAnimation(self.waveform, self.head, self.style_weights, self._talker)
        object.__setattr__(other, "motion", motion)
        return other

    def save(
        self, path: str | Path, format: str | None = None, *, fps: Any = None, render: Any = None, progress: Any = None
    ) -> tuple[Path, ...]:
        """Write a tiny H.264 / AAC file, one flat colour, with the sound; or another format as the real one."""
        path = Path(path)
        if path.suffix != ".mp4":
            return super().save(path, format, fps=fps, progress=progress)
        sound = path.with_suffix(".wav")
        write_wav(sound, self.waveform)
        frames = len(self.vertices)
        for frame in range(frames):
            if progress:
                progress(frame, frames, "render")
            self._talker.work(frame, frames)
        if self._talker.fails == "drawing":
            raise RuntimeError("the renderer broke at /secret/place")
        red = 40 + 150 * list(IDENTITIES).index(self.head.identity)
        green = 90 + 50 * CAMERAS.index(getattr(render, "camera", "front"))
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", "64x64", "-r", "30", "-i", "-", "-i", str(sound), "-pix_fmt", "yuv420p", "-c:a", "aac"]
        command += ["-ar", "48000", "-movflags", "+faststart", str(path)]
        subprocess.run(command, input=bytes([red, green, 90]) * 64 * 64 * frames, check=True)
        sound.unlink()
        return (path,)


class StubTalker:
    """`animate`, `style_of` and `slot_face` as the page uses them.

    `fails`: "", "network" or "drawing". `pause`: seconds per frame drawn. While `hold` is true the middle frame
    waits, while `hold_network` is true the network does; both can be stopped.
    """

    def __init__(self) -> None:
        self.head = stub_head()
        self.mean_style = np.full(len(ENGLISH.phones), 0.98, np.float32)
        self.config = SimpleNamespace(slots=ENGLISH.phones)
        self.fails, self.pause = "", 0.0
        self.hold: Callable[[], bool] = lambda: False
        self.hold_network: Callable[[], bool] = lambda: False
        self.calls: list[dict[str, Any]] = []
        self.frames: list[int] = []
        self.threads: set[int] = set()
        self.called: list[tuple[str, int]] = []  # what was called, and in which thread

    def note(self, name: str) -> None:
        """Record a call and its thread."""
        self.called.append((name, threading.get_ident()))

    def work(self, frame: int, frames: int) -> None:
        """The work of one frame."""
        self.threads.add(threading.get_ident())
        self.note("draw")
        self.frames.append(frame)
        time.sleep(self.pause)
        deadline = time.monotonic() + 120
        while frame == frames // 2 and self.hold() and time.monotonic() < deadline:
            time.sleep(0.02)

    def style_of(self, sound: Any) -> np.ndarray:
        """Style weights (n,): ones for None, otherwise random ones seeded by the sound."""
        self.note("style_of")
        if sound is None:
            return np.ones(len(ENGLISH.phones), np.float32)
        seed = zlib.crc32(load_waveform(sound).samples.tobytes())
        return np.random.default_rng(seed).permutation(np.linspace(0.7, 1.4, len(ENGLISH.phones))).astype(np.float32)

    def arousal_of(self, sound: Any) -> tuple[tuple[int, float], ...]:
        """Calm at first, excited later."""
        self.note("arousal_of")
        return ((0, -0.4), (45, 0.9))

    def slot_face(self, slot: int | str, style_weights: np.ndarray | None = None) -> np.ndarray:
        """Vertices (V, 3) in metres: the blendshape of the slot's number, scaled by the slot's weight."""
        self.note("slot_face")
        if isinstance(slot, str) and slot not in ENGLISH.phones:
            raise ConfigError(f"There is no memory slot {slot!r}.")
        index = ENGLISH.index(slot) if isinstance(slot, str) else slot
        weight = 1.0 if style_weights is None else float(style_weights[index])
        return self.head.template + np.float32(weight) * self.head.blendshapes[index]

    def adapt(self, takes: Any, name: str = "", progress: Any = None, longest_seconds: float = 600.0) -> Style:
        """A style that says which files there were; those of nobody are refused."""
        self.note("adapt")
        found = sorted(path.name for path in Path(takes).iterdir())
        if any(one.startswith("nobody") for one in found):
            raise AdaptError("The learned style is not better; give more or clearer recordings.")
        recorded, slots = 3 + 3 * np.sin(np.arange(120) / 4), len(ENGLISH.phones)
        return Style(
            name=f"{name}: {' '.join(found)}",
            deliveries=(Delivery(gains={"jaw": 1.6}, offsets={"jaw": 0.1}),),
            slot_weights=dict(zip(ENGLISH.phones, np.linspace(0.5, 1.5, slots).tolist(), strict=True)),
            report=AdaptationReport(20.0, 10.0, 3.0, 2.0, 0.7, 0.9, "gains"),
            kept_back=KeptBackCurves(30.0, recorded, recorded / 2, 0.9 * recorded, (60,)),
        )

    def animate(
        self,
        sound: Any,
        style: Any = ...,
        *,
        encoded: Any = None,
        options: AnimateOptions = AnimateOptions(),
        progress: Any = None,
        **changes: Any,
    ) -> StubAnimation:
        """Record the call and return at once."""
        self.note("animate")
        options, waveform = options.changed(**changes), load_waveform(sound)
        asked = {"seconds": waveform.seconds, "style": style, "encoded": encoded}
        self.calls.append(asked | dataclasses.asdict(options))
        self.threads.add(threading.get_ident())
        deadline = time.monotonic() + 120
        while True:
            if progress:
                progress(1, 2, "motion")
            if not self.hold_network() or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        if self.fails == "network":
            raise RuntimeError("the network broke at /secret/place")
        own = isinstance(style, type(...)) or type(style).__name__ == "StyleSource"
        if isinstance(style, Style) and style.slot_weights:
            heard = style.weights_for(ENGLISH.phones)
        elif isinstance(style, np.ndarray):
            heard = style
        else:
            heard = self.style_of(waveform if own or isinstance(style, Style) else style)
        weights = 1 + options.style_blend * (heard - 1)
        head = self.head if options.identity is None else self.head.with_identity(options.identity)
        animation = StubAnimation(waveform, head, weights, self)
        read = EncodedSound(str(zlib.crc32(waveform.samples.tobytes())))
        known = encoded is not None and encoded.digest == read.digest
        object.__setattr__(animation, "encoded", encoded if known else read)
        return animation
