"""ffmpeg, kept in bounds: an open file or samples of any rate become 16 kHz sound; what ffmpeg says becomes facts.

It reads the opened file through its standard input and may open nothing else, so a playlist or a container that names
other files or addresses cannot reach them. Its output, its messages and its time are bounded.
"""

from __future__ import annotations

import contextlib
import re
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import imageio_ffmpeg
import numpy as np

from memorytalker.errors import InputError
from memorytalker.sound.mixing import BLOCK_SECONDS, ChannelLevels

T = TypeVar("T")
SAMPLE_RATE = 16000  # Hz
DECODE_TIMEOUT_SECONDS = 600.0
#: What ffmpeg says beyond this is not kept; the facts stand at the beginning.
LONGEST_LOG = 1 << 20
#: Bytes that ffmpeg may ask for at once; a broken header asks for gigabytes.
LARGEST_ALLOCATION = 1 << 28
MOST_CHANNELS = 64

#: Containers of recorded sound. Playlists, subtitles, text, pictures and tracker modules are left out on purpose:
#: ffmpeg would "play" some text files, and playlists name other files.
CONTAINERS = tuple(
    "wav w64 aiff au caf flac mp3 aac loas ogg matroska mov avi asf flv mpeg mpegts mpegvideo rm ac3 eac3 dts dtshd "
    "truehd mlp amr amrnb amrwb ape tta wv tak mpc mpc8 shn voc sox ircam avr pvf nistsphere iff dsf nut mxf gxf dv "
    "oma qcp xwma wtv ivf swf act bonk osq qoa".split()
)


class AudioError(InputError):
    """Sound that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class Listing:
    """What ffmpeg lists of a file before it decodes. `mono`: for each sound track, whether it is surely mono.

    `others`: whether it lists anything but sound (pictures, subtitles, data). `seconds`: the sound that the container's
    header announces, where that is a statement and not an estimate, else None.
    """

    mono: tuple[bool, ...] = ()
    others: bool = False
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """A track or array as samples (S,) float32 at 16 kHz, `failed` if ffmpeg gave up, and what ffmpeg lists."""

    samples: np.ndarray
    failed: bool
    listing: Listing


class Decoder:
    """Decodes one source, all its tracks within one time limit; at most a second more than `longest_seconds` of each.

    `source` is a file opened without a buffer, or bytes that `given` (arguments for ffmpeg) describes. What is cut at
    that second is known to be too long, whatever the file expands to.
    """

    def __init__(self, source: IO[bytes] | bytes, longest_seconds: float, given: tuple[str, ...] = ()) -> None:
        self._source, self._longest = source, longest_seconds
        self._given = given or ("-format_whitelist", ",".join(CONTAINERS))
        self._deadline = time.monotonic() + DECODE_TIMEOUT_SECONDS

    def track(self, number: int = 0, channel: int | None = None) -> Decoded:
        """The average of the channels of a sound track, counted from 0, or one of its channels."""
        # rematrix_maxval=1 averages the channels; without it equal channels of float sound add up beyond full scale.
        wanted = "" if channel is None else f"pan=mono|c0=c{channel},"
        code, taken, log = self._run(number, wanted, ":ochl=mono:rematrix_maxval=1", ["-f", "f32le"], self._bytes)
        samples = np.frombuffer(taken, "<f4", len(taken) // 4).astype(np.float32, copy=False)
        return Decoded(samples, code != 0, read_listing(log))

    def levels(self, number: int, mixed: np.ndarray) -> ChannelLevels | None:
        """How loud the channels of a track are beside its average `mixed` (S,); None where they cannot be told apart.

        The channels are decoded a second time, and no more than a block of them is held.
        """

        def take(output: IO[bytes]) -> ChannelLevels | None:
            head = output.read(24)  # the AU format says at its start how many channels follow
            if len(head) < 24 or head[:4] != b".snd":
                return None
            start, channels = struct.unpack(">4xI12xI", head)
            if not 2 <= channels <= MOST_CHANNELS or not 24 <= start <= 4096:
                return None
            output.read(start - 24)
            levels, size = ChannelLevels(channels, SAMPLE_RATE), round(BLOCK_SECONDS * SAMPLE_RATE)
            for first in range(0, len(mixed), size):
                block = np.frombuffer(_whole(output.read(size * channels * 4), channels * 4), ">f4")
                heard = block.reshape(-1, channels)[: len(mixed) - first]
                levels.add(heard, mixed[first : first + len(heard)])
            return levels

        kind = ["-map_metadata", "-1", "-c:a", "pcm_f32be", "-f", "au"]
        return self._run(number, "", "", kind, take)[1]

    def _bytes(self, output: IO[bytes]) -> bytearray:
        taken = bytearray()
        while (block := output.read(1 << 20)) and len(taken) < 4 * SAMPLE_RATE * (self._longest + 2):
            taken += block
        return taken

    def _run(
        self, number: int, before: str, options: str, kind: list[str], take: Callable[[IO[bytes]], T]
    ) -> tuple[int, T, str]:
        """Exit status, what `take` makes of the output, and the beginning of what ffmpeg says."""
        protocol = "pipe" if isinstance(self._source, bytes) else "fd"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
        command += ["-max_alloc", str(LARGEST_ALLOCATION), "-threads", "1", "-protocol_whitelist", protocol]
        command += [*self._given, "-i", f"{protocol}:"]
        # async=1 fills gaps in the timestamps with silence; filter_size=64 doubles the default resampling filter.
        command += ["-map", f"0:a:{number}", "-vn", "-sn", "-dn", "-af"]
        command += [f"{before}aresample={SAMPLE_RATE}{options}:async=1:first_pts=0:filter_size=64"]
        command += ["-t", f"{self._longest + 1:.3f}", *kind, "pipe:1"]
        if not isinstance(self._source, bytes):
            self._source.seek(0)  # the decoder before shares its place in the file
        given = subprocess.PIPE if isinstance(self._source, bytes) else self._source
        log = bytearray()
        late = threading.Event()
        with subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            helpers = [threading.Thread(target=_keep_beginning, args=(process.stderr, log), daemon=True)]
            if isinstance(self._source, bytes):
                helpers.append(threading.Thread(target=_feed, args=(process.stdin, self._source), daemon=True))
            timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), lambda: (late.set(), process.kill()))
            try:
                for helper in (*helpers, timer):
                    helper.start()
                taken = take(process.stdout)
                # Whoever has enough leaves early; ffmpeg ends when nobody listens.
                process.stdout.close()
                code = process.wait()
            finally:
                timer.cancel()
                process.kill()
                for helper in helpers:
                    helper.join()
        if late.is_set():
            raise AudioError("The sound took too long to decode; convert it to WAV first.")
        return code, taken, log.decode("utf-8", "replace")


def read_listing(log: str) -> Listing:
    """The facts in what ffmpeg says. A fact that is not found is left open, and whoever asks takes the careful way.

    Lines of the file itself are indented by two blanks; titles and other words of strangers by more.
    """
    head = re.split(r"^(?:Stream mapping:|Output #0)", log, maxsplit=1, flags=re.M)[0]
    streams = re.findall(r"^  Stream #0:\d+.*?: (Audio|Video|Subtitle|Data|Attachment): (.*)$", head, re.M)
    mono = tuple(", mono," in f"{words}," for kind, words in streams if kind == "Audio")
    others = [words for kind, words in streams if kind != "Audio"]
    found = re.search(r"^  Duration: (\d+):(\d+):([\d.]+)(?:, start: (-?[\d.]+))?", head, re.M)
    seconds = None
    # In a video the length is that of the picture, among several tracks that of the longest; an attached cover is a
    # picture without a length.
    estimated = re.search(r"^\[.*Estimating duration", head, re.M)
    if found and not estimated and len(mono) == 1 and all("attached pic" in words for words in others):
        hours, minutes, rest, start = found.groups()
        seconds = 3600 * int(hours) + 60 * int(minutes) + float(rest) - max(float(start or 0), 0.0)
    return Listing(mono, bool(others), seconds)


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) - len(data) % size]


def _keep_beginning(stream: IO[bytes], kept: bytearray) -> None:
    while block := stream.read(1 << 16):
        kept += block[: max(0, LONGEST_LOG - len(kept))]


def _feed(stream: Any, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it has heard enough
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()
