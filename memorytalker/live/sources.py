"""Where live sound comes from: a microphone, raw samples through a pipe, or a file at the speed of speech."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from memorytalker.live.outputs import LiveError, LiveStopped
from memorytalker.sound.decode import SAMPLE_RATE, Waveform

#: Seconds of a chunk of a file, and of a microphone.
CHUNK = 0.02
#: Chunks of the microphone that may wait, eight seconds; then the oldest are lost.
WAITING = 400
#: Seconds without any sound from the microphone, after which it has been unplugged.
PATIENCE = 3.0
#: Bytes that are read from a pipe at once.
LARGEST_READ = 65_536


@dataclass(frozen=True, eq=False)
class Heard:
    """A chunk of sound.

    Args:
        samples: (s,) float32 in [-1, 1], mono.
        arrived: seconds since 1970 at which it arrived.
        delay: seconds that it was on its way before, as far as the sound card says.
    """

    samples: np.ndarray
    arrived: float
    delay: float = 0.0


@dataclass(frozen=True, eq=False)
class Source:
    """A stream of sound.

    Args:
        rate: in Hz.
        chunks: as they arrive; what they raise ends the stream.
    """

    rate: int
    chunks: Iterator[Heard]


def file_source(waveform: Waveform, paced: bool = True) -> Source:
    """A sound as if it were spoken now.

    Args:
        waveform: the sound.
        paced: whether each chunk comes when it would have been heard; otherwise all come at once.

    Returns:
        The source.
    """
    return Source(waveform.sample_rate, _paced(iter([waveform.samples]), waveform.sample_rate, paced))


def pipe_source(file: BinaryIO, rate: int = SAMPLE_RATE, paced: bool = False) -> Source:
    """Raw samples, 16 bits little-endian and mono, as they come; the stream ends with the pipe.

    Args:
        file: such as standard input.
        rate: of the samples in Hz.
        paced: whether sound that comes faster than it is spoken is held back to the speed of speech.

    Returns:
        The source.
    """

    def samples() -> Iterator[np.ndarray]:
        left = b""
        read = getattr(file, "read1", file.read)
        while data := read(LARGEST_READ):
            data = left + data
            even = len(data) - len(data) % 2
            left = data[even:]
            if even:
                yield np.frombuffer(data[:even], "<i2").astype(np.float32) / 32768.0

    return Source(rate, _paced(samples(), rate, paced))


def _paced(pieces: Iterator[np.ndarray], rate: int, paced: bool) -> Iterator[Heard]:
    """Cut sound into chunks, each of which comes when it would have been heard at the earliest, or at once."""
    size, due = round(CHUNK * rate), time.monotonic()
    for piece in pieces:
        for first in range(0, len(piece), size):
            samples = piece[first : first + size]
            if paced:
                due = max(due, time.monotonic() - CHUNK) + len(samples) / rate
                time.sleep(max(0.0, due - time.monotonic()))
            yield Heard(samples, time.time())


def microphone_names() -> list[str]:
    """The names of the microphones, each with its number. Raises LiveError where sound cards cannot be reached."""
    devices = _sounddevice().query_devices()
    return [f"{k}: {one['name']}" for k, one in enumerate(devices) if one["max_input_channels"] > 0]


def microphone_source(device: str | None = None) -> Source:
    """The microphone, at its own rate.

    Args:
        device: its number, or a part of its name; None: the system's.

    Returns:
        The source, which is already listening.

    Raises:
        LiveError: there is no such microphone, or it may not be used.
        ModuleNotFoundError: the extra "live" is not installed.
    """
    library = _sounddevice()
    chosen = int(device) if device is not None and device.isdigit() else device
    waiting: queue.Queue[Heard] = queue.Queue(WAITING)

    def take(data: Any, count: int, times: Any, status: Any) -> None:
        delay = max(0.0, times.currentTime - times.inputBufferAdcTime - count / rate)
        heard = Heard(np.array(data[:, 0], np.float32), time.time(), delay if delay < 1.0 else 0.0)
        if waiting.full():  # the network is far behind: what is old is of no use to anybody
            waiting.get_nowait()
        waiting.put_nowait(heard)

    try:
        rate = round(library.query_devices(chosen, "input")["default_samplerate"])
        stream = library.InputStream(
            rate, blocksize=round(CHUNK * rate), device=chosen, channels=1, dtype="float32", latency="low",
            callback=take,
        )  # fmt: skip
        stream.start()
    except (library.PortAudioError, ValueError) as error:
        reason = str(error).split("[")[0].strip().rstrip(".")
        raise LiveError(
            f"The microphone cannot be used ({reason}); connect or allow one, or name another: --list-microphones."
        ) from None

    def chunks() -> Iterator[Heard]:
        try:
            while True:
                try:
                    yield waiting.get(timeout=PATIENCE)
                except queue.Empty:
                    raise LiveStopped("The microphone gives no sound any more; connect it and start again.") from None
        finally:
            stream.close()

    return Source(rate, chunks())


def _sounddevice() -> Any:
    try:
        import sounddevice
    except OSError:
        raise LiveError(
            "The PortAudio library is missing, through which microphones are heard; install libportaudio2."
        ) from None
    return sounddevice
