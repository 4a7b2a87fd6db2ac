"""Measure what long sounds and many sounds cost: time per minute, largest memory, what a second worker saves, and what
short sounds save that are encoded together.

python -m tools.long_sound [--minutes 10 30 60] [--video 10] [--clips 120] [--short 24]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from memorytalker.pipeline import Talker
from memorytalker.places import assets_folder
from memorytalker.sound.decode import Waveform, load_waveform, write_wav

#: A second worker should bring the time of a batch down to this share of one worker's.
SHARE = 0.65
#: The time per minute of sound may differ by this share between lengths; and the largest memory in bytes.
SPREAD, MEMORY = 0.15, 2e9
#: How often short clips are animated in either way.
SHORT_RUNS = 5


def main() -> None:
    """Measure and print; exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure what long sounds and many sounds cost.")
    parser.add_argument(
        "--minutes", type=float, nargs="*", default=[10, 30, 60], help="lengths of speech that become CSV and GLB"
    )
    parser.add_argument("--video", type=float, default=10, help="minutes of speech that become an MP4; 0: none")
    parser.add_argument("--clips", type=int, default=120, help="clips of the batch; 0: no batch")
    parser.add_argument("--short", type=int, default=24, help="clips of 2 to 6 s, encoded together or not; 0: none")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = [_lengths(chosen.minutes, Path(folder)), _video(chosen.video, Path(folder))]
        met.append(_batch(chosen.clips, Path(folder)))
        _short(chosen.short, Path(folder))
    sys.exit(0 if all(met) else 1)


def speech(seconds: float, seed: int = 0) -> Waveform:
    """Speech of any length: the example clips in random order, at random levels, with pauses."""
    random = np.random.default_rng(seed)
    clips = [load_waveform(path).samples for path in sorted(assets_folder("speech").glob("*.wav"))]
    wanted, parts, length = round(16000 * seconds), [], 0
    while length < wanted:
        clip = clips[random.integers(len(clips))] * np.float32(random.uniform(0.5, 1.0))
        parts += [clip, np.zeros(round(16000 * random.uniform(0.2, 1.5)), np.float32)]
        length += len(parts[-2]) + len(parts[-1])
    return Waveform(np.concatenate(parts)[:wanted])


def _run(*arguments: object) -> tuple[float, float]:
    """Run a command of the program in a process of its own: seconds, and the largest memory in bytes."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "memorytalker", *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"memorytalker {' '.join(map(str, arguments))} failed.")
    return time.perf_counter() - began, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _report(what: str, minutes: float, seconds: float, memory: float) -> None:
    print(
        f"{what}: {seconds:.0f} s, {seconds / minutes:.2f} s a minute of sound, at most {memory / 1e9:.2f} GB",
        flush=True,
    )


def _lengths(lengths: list[float], folder: Path) -> bool:
    """Speech of several lengths to CSV and GLB; what a start costs is measured by two seconds of speech."""
    if not lengths:
        return True
    rates, most = [], 0.0
    write_wav(folder / "short.wav", speech(2.0))
    # The first start reads the libraries from disk; the others find them in memory, as the runs after them do.
    starts = [
        _run("animate", folder / "short.wav", "-o", folder / "short.csv", "-o", folder / "short.glb")[0]
        for _ in range(3)
    ]
    start = min(starts[1:])
    for minutes in lengths:
        write_wav(folder / "long.wav", speech(60 * minutes))
        seconds, memory = _run("animate", folder / "long.wav", "-o", folder / "long.csv", "-o", folder / "long.glb")
        _report(f"{minutes:g} min to CSV and GLB", minutes, seconds, memory)
        rates.append((seconds - start) / minutes)
        most = max(most, memory)
    print(f"start: {start:.1f} s; time per minute without it: {', '.join(f'{rate:.2f} s' for rate in rates)}")
    return max(rates) <= (1 + SPREAD) * min(rates) and most < MEMORY


def _video(minutes: float, folder: Path) -> bool:
    if not minutes:
        return True
    write_wav(folder / "long.wav", speech(60 * minutes))
    seconds, memory = _run("animate", folder / "long.wav", "-o", folder / "long.mp4")
    _report(f"{minutes:g} min to MP4", minutes, seconds, memory)
    return memory < MEMORY


def _batch(clips: int, folder: Path) -> bool:
    """A batch with one worker and with two."""
    if not clips:
        return True
    (folder / "clips").mkdir()
    for number in range(clips):
        write_wav(folder / "clips" / f"{number:03}.wav", speech(20.0, number))
    times = []
    for jobs in (1, 2):
        out = folder / f"out{jobs}"
        seconds, _ = _run("batch", folder / "clips", out, "--format", "livelink", "--format", "gltf", "--jobs", jobs)
        times.append(seconds)
    print(f"{clips} clips of 20 s: {times[0]:.0f} s with one worker, {times[1]:.0f} s with two", flush=True)
    return times[1] <= SHARE * times[0]


def _short(count: int, folder: Path) -> None:
    """Short clips to CSV in this process by `animate` and by `animate_many`, alternately: the least time of each."""
    if not count:
        return
    (folder / "short").mkdir()
    seconds = np.random.default_rng(0).uniform(2.0, 6.0, count)
    for number, length in enumerate(seconds):
        write_wav(folder / "short" / f"{number:03}.wav", speech(length, number))
    sounds, talker = sorted((folder / "short").glob("*.wav")), Talker.from_pretrained()
    times: list[list[float]] = [[], []]
    for _ in range(1 + SHORT_RUNS):  # the first warms up
        for way in (0, 1):
            began = time.perf_counter()
            for animation in talker.animate_many(sounds) if way else map(talker.animate, sounds):
                animation.save(folder / "short.csv")
            times[way].append(time.perf_counter() - began)
    alone, together = (min(each[1:]) for each in times)
    print(
        f"{count} clips of 2 to 6 s to CSV, without the start: {alone:.2f} s one by one, {together:.2f} s together, "
        f"{100 * (1 - together / alone):.0f} % less",
        flush=True,
    )


if __name__ == "__main__":
    main()
