"""Damaged sound files of every accepted kind end in a waveform or in one plain sentence, soon and in little memory."""

from __future__ import annotations

import random
import re
import resource
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from memorytalker.sound import ffmpeg
from memorytalker.sound.decode import AudioError, load_waveform

#: Kind -> arguments that make ffmpeg write it.
KINDS = {
    "wav": (), "flac": (), "mp3": (), "m4a": ("-c:a", "aac"), "opus": ("-c:a", "libopus"),
    "webm": ("-c:a", "libopus"), "mp4": ("-c:a", "aac"),
}  # fmt: skip
VIDEO = ("-f", "lavfi", "-i", "testsrc=s=32x32:d=0.3:r=10")
MUTATIONS = 100  # `make soak` has thousands
MOST_MUTATIONS = 300  # where a checksum of each page lets hardly any damage pass
MOST_KILOBYTES = 1 << 20
PATIENCE = 5.0  # seconds


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """0.3 s of a tone in noise, as a file of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    time = np.arange(4800) / 16000
    noise = np.random.default_rng(0).normal(size=4800)
    soundfile.write(folder / "clip.wav", 0.3 * np.sin(2 * np.pi * 200 * time) + 0.02 * noise, 16000)
    found = {}
    for kind, codec in KINDS.items():
        path, video = folder / f"made.{kind}", VIDEO if kind in ("webm", "mp4") else ()
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *video]
        subprocess.run([*command, "-i", folder / "clip.wav", *codec, path], check=True)
        found[kind] = path.read_bytes()
    return found


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A smallest change: a bit or a byte, a few bytes more or fewer, an end too early; often in the header."""
    at = rng.randrange(min(len(data), 128) if rng.random() < 0.5 else len(data))
    size = rng.choice((1, 1, 2, 4, 8))
    return rng.choice(
        (
            data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            data[:at] + bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))]) + data[at + 1 :],
            data[:at] + rng.choice((b"\0", b"\xff")) * size + data[at + size :],
            data[:at] + rng.randbytes(size) + data[at:],
            data[:at] + data[at + size :],
            data[:at],
        )
    )


def outcome(path: Path) -> str:
    """What becomes of a file: "" for a waveform that keeps its promise, else the sentence of its refusal."""
    try:
        waveform = load_waveform(path, longest_seconds=60)
    except AudioError as error:
        return str(error)
    samples = waveform.samples
    assert samples.dtype == np.float32 and samples.ndim == 1 and np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1 and 0.1 <= waveform.seconds <= 60
    return ""


def check(clips: dict[str, bytes], kind: str, count: int, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """`count` mutations of a kind, two at a time."""
    patch.setattr(ffmpeg, "DECODE_TIMEOUT_SECONDS", PATIENCE)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    rng = random.Random(kind)
    damaged = [mutated(clips[kind], rng) for _ in range(count)]

    def one(number: int) -> str:
        path = folder / f"{number}.{kind}"
        path.write_bytes(damaged[number])
        message = outcome(path)
        path.unlink()
        return message

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(one, range(count)))
    for number, message in enumerate(outcomes):
        if message:
            assert re.fullmatch(rf"{number}\.{kind} [^\n;]+; [^\n;]+\.|{number}\.{kind} [^\n;]+\.", message), message
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, MOST_KILOBYTES)
    assert outcomes.count("") > 0  # small damage is survived


@pytest.mark.parametrize("kind", KINDS)
def test_the_undamaged_clip_is_decoded(clips: dict[str, bytes], kind: str, tmp_path: Path) -> None:
    (tmp_path / f"clip.{kind}").write_bytes(clips[kind])
    assert outcome(tmp_path / f"clip.{kind}") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_small_damage(clips: dict[str, bytes], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(clips, kind, MOST_MUTATIONS if kind == "opus" else MUTATIONS, tmp_path, monkeypatch)


def test_a_listing_is_not_taken_from_metadata() -> None:
    log = (
        "Input #0, matroska,webm, from 'fd:':\n  Metadata:\n    title           : x\n                    : y\n"
        "    Duration: 09:00:00.0: z\n    Stream #0:7: Video: h264 : z\n"
        "  Duration: 00:00:01.50, start: 0.000000, bitrate: 140 kb/s\n"
        "  Stream #0:0(deu): Audio: vorbis, 44100 Hz, stereo, fltp (default)\n    Metadata:\n"
        "      title           : Stream #0:3: Audio: pcm, mono, flt\nStream mapping:\n"
        "  Stream #0:9: Audio: x, mono, y\n"
    )
    assert ffmpeg.read_listing(log) == ffmpeg.Listing((False,), False, 1.5)
    assert ffmpeg.read_listing("nothing that is known") == ffmpeg.Listing()


def test_a_wav_of_a_million_chunks_is_not_walked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker.sound import decode

    unpacked = []
    unpack: Callable = decode.struct.unpack
    monkeypatch.setattr(decode.struct, "unpack", lambda *given: unpacked.append(1) or unpack(*given))
    (tmp_path / "chunks.wav").write_bytes(b"RIFF\xff\xff\xff\x0fWAVE" + b"junk\0\0\0\0" * 100_000)
    assert outcome(tmp_path / "chunks.wav").startswith("chunks.wav is not a sound file")
    assert len(unpacked) < 2000
