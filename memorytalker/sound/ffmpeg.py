"""ffmpeg in a sandbox: an open file, or samples at any rate, to 16 kHz sound, and the facts in ffmpeg's log.

ffmpeg reads the opened file through its standard input and may open nothing else, so that a playlist or a container
that names other files or addresses cannot reach them. Its output, its log and its time are bounded.
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

from memorytalker.errors import ExecutionError, InputError
from memorytalker.sound.mixing import BLOCK_SECONDS, ChannelLevels

T = TypeVar("T")
NO_DECODER = (
    "ffmpeg, which decodes sound, does not work on this machine; run 'memorytalker doctor', or "
    "'pip install --force-reinstall imageio-ffmpeg'."
)
SAMPLE_RATE = 16000  # Hz
#: Decoding may take `SHORTEST_TIMEOUT_SECONDS` and as long as the accepted sound lasts, but never more than the first.
DECODE_TIMEOUT_SECONDS, SHORTEST_TIMEOUT_SECONDS = 600.0, 30.0
#: Bytes of the log that are kept; the facts are at its beginning.
LONGEST_LOG = 1 << 20
#: Largest allocation of ffmpeg in bytes; a broken header asks for gigabytes.
LARGEST_ALLOCATION = 1 << 28
MOST_CHANNELS = 64

#: Accepted containers. Playlists, subtitles, text, images and tracker modules are left out on purpose: ffmpeg would
#: "play" some text files, and playlists name other files.
CONTAINERS = tuple(
    "wav w64 aiff au caf flac mp3 aac loas ogg matroska mov avi asf flv mpeg mpegts mpegvideo rm ac3 eac3 dts dtshd "
    "truehd mlp amr amrnb amrwb ape tta wv tak mpc mpc8 shn voc sox ircam avr pvf nistsphere iff dsf nut mxf gxf dv "
    "oma qcp xwma wtv ivf swf act bonk osq qoa".split()
)


class AudioError(InputError):
    """Sound that cannot be used; the message is one plain sentence that names the remedy."""


class DecoderError(ExecutionError):
    """This machine cannot decode sound; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class Listing:
    """What ffmpeg's log says about a file.

    Args:
        mono: for each sound track, whether it is certainly mono.
        others: whether there are other streams (video, subtitles, data).
        seconds: duration of the sound by the container's header; None if it is unknown or an estimate.
    """

    mono: tuple[bool, ...] = ()
    others: bool = False
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded sound track or array.

    Args:
        samples: (S,) float32 at 16 kHz.
        failed: whether ffmpeg ended with an error.
        listing: what the log says about the file.
    """

    samples: np.ndarray
    failed: bool
    listing: Listing


class Decoder:
    """Decodes one source, all its tracks within one time limit, one second more than `longest_seconds` of each.

    Sound that reaches that extra second is too long, whatever the file would expand to.

    Args:
        source: a file opened without a buffer, or bytes.
        longest_seconds: longest accepted sound.
        given: ffmpeg's input arguments for bytes.
    """

    def __init__(self, source: IO[bytes] | bytes, longest_seconds: float, given: tuple[str, ...] = ()) -> None:
        self._source, self._longest = source, longest_seconds
        self._given = given or ("-format_whitelist", ",".join(CONTAINERS))
        self._deadline = time.monotonic() + min(DECODE_TIMEOUT_SECONDS, SHORTEST_TIMEOUT_SECONDS + longest_seconds)

    def track(self, number: int = 0, channel: int | None = None) -> Decoded:
        """Decode a sound track.

        Args:
            number: of the track, from 0.
            channel: which channel, from 0; None: the average of all channels.

        Returns:
            The decoded track.

        Raises:
            AudioError: decoding took too long.
        """
        # rematrix_maxval=1 averages the channels; without it equal channels of float sound add up beyond full scale.
        wanted = "" if channel is None else f"pan=mono|c0=c{channel},"
        code, taken, log = self._run(number, wanted, ":ochl=mono:rematrix_maxval=1", ["-f", "f32le"], self._bytes)
        samples = np.frombuffer(taken, "<f4", len(taken) // 4).astype(np.float32, copy=False)
        return Decoded(samples, code != 0, read_listing(log))

    def levels(self, number: int, mixed: np.ndarray) -> ChannelLevels | None:
        """Measure the channels of a track and their average. Decodes the track again, one block in memory at a time.

        Args:
            number: of the track, from 0.
            mixed: (S,) the average of its channels.

        Returns:
            The levels; None if the number of channels is unknown.

        Raises:
            AudioError: decoding took too long.
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
                part = block.reshape(-1, channels)[: len(mixed) - first]
                levels.add(part, mixed[first : first + len(part)])
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
        """Run ffmpeg: its exit status, what `take` makes of its output, and the beginning of its log."""
        protocol = "pipe" if isinstance(self._source, bytes) else "fd"
        command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
        command += ["-max_alloc", str(LARGEST_ALLOCATION), "-threads", "1", "-protocol_whitelist", protocol]
        command += [*self._given, "-i", f"{protocol}:"]
        # async=1 fills gaps in the timestamps with silence; filter_size=64 doubles the default resampling filter.
        command += ["-map", f"0:a:{number}", "-vn", "-sn", "-dn", "-af"]
        command += [f"{before}aresample={SAMPLE_RATE}{options}:async=1:first_pts=0:filter_size=64"]
        command += ["-t", f"{self._longest + 1:.3f}", *kind, "pipe:1"]
        if not isinstance(self._source, bytes):
            self._source.seek(0)  # all runs share the file's position
        given = subprocess.PIPE if isinstance(self._source, bytes) else self._source
        log = bytearray()
        late = threading.Event()
        with _started(command, given) as process:
            assert process.stdout is not None
            helpers = [threading.Thread(target=_keep_beginning, args=(process.stderr, log), daemon=True)]
            if isinstance(self._source, bytes):
                helpers.append(threading.Thread(target=_feed, args=(process.stdin, self._source), daemon=True))

            def end() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), end)
            try:
                for helper in (*helpers, timer):
                    helper.start()
                taken = take(process.stdout)
                # `take` may stop early; ffmpeg ends when its output is closed.
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


def ffmpeg_path() -> str:
    """Return the path of ffmpeg. Raises DecoderError where there is none."""
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except (OSError, RuntimeError):
        raise DecoderError(NO_DECODER) from None


def _started(command: list[str], given: Any) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        raise DecoderError(NO_DECODER) from None


def check_decoder() -> None:
    """Decode a tenth of a second that is known to be sound. Raises DecoderError if this machine cannot.

    Where a file cannot be decoded, this tells a damaged file from an ffmpeg that does not work.
    """
    known = bytes(4 * SAMPLE_RATE // 10)
    decoded = Decoder(known, 1.0, ("-f", "f32le", "-ar", str(SAMPLE_RATE), "-ac", "1")).track()
    if decoded.failed or decoded.samples.size != SAMPLE_RATE // 10:
        raise DecoderError(NO_DECODER)


def read_listing(log: str) -> Listing:
    """Parse ffmpeg's log. A fact that is not found gets the cautious value.

    Lines about the file are indented by two blanks; metadata, which may say anything, by more.

    Args:
        log: the beginning of the log, at level "info".

    Returns:
        The facts.
    """
    head = re.split(r"^(?:Stream mapping:|Output #0)", log, maxsplit=1, flags=re.M)[0]
    streams = re.findall(r"^  Stream #0:\d+.*?: (Audio|Video|Subtitle|Data|Attachment): (.*)$", head, re.M)
    mono = tuple(", mono," in f"{words}," for kind, words in streams if kind == "Audio")
    others = [words for kind, words in streams if kind != "Audio"]
    found = re.search(r"^  Duration: (\d+):(\d+):([\d.]+)(?:, start: (-?[\d.]+))?", head, re.M)
    seconds = None
    # With a video stream the duration is that of the video, and with several tracks that of the longest. An attached
    # cover is a video stream without a duration.
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
    with contextlib.suppress(OSError):  # ffmpeg has closed its input
        stream.write(data)
    with contextlib.suppress(OSError):
        stream.close()
