"""Live for long: an hour of sound without drift or growth, and twenty listeners of whom one stalls.

python -m tools.live.hour [--minutes 60] [--listeners 20] [--listen 10]

The hour is followed as fast as the machine can; memory is read every minute of it. The listeners are served at the
speed of speech. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from memorytalker.benchmark import LIVE_CHUNK, live_network
from memorytalker.face.head import load_head
from memorytalker.face.visemes import VISEMES
from memorytalker.live.frame import LiveFrame, SoundClock
from memorytalker.live.websocket import WebSocketOutput
from memorytalker.live_motion import live_pieces
from memorytalker.sound.decode import SAMPLE_RATE
from memorytalker.sound.resampling import resampled, resampler_start
from memorytalker.styles.live_delivery import live_style
from memorytalker.styles.style import Style
from tools.long_sound import speech

#: Seconds that frames may have drifted from their sound, and bytes that memory may have grown, after the first minutes.
DRIFT, GROWTH = 0.02, 16e6
#: Minutes after which memory is compared: by then everything has been loaded.
SETTLED = 2
#: A sound card that is this much faster than the computer's clock, as real ones are; and its rate in Hz.
SKEW, RATE = 50e-6, 44_100


def main() -> None:
    """Measure and print; exit with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="of live sound (default: %(default)s)")
    parser.add_argument("--listeners", type=int, default=20, help="of the WebSocket (default: %(default)s)")
    parser.add_argument("--listen", type=float, default=10, help="minutes that they listen (default: %(default)s)")
    chosen = parser.parse_args()
    met = follow(chosen.minutes) if chosen.minutes else True
    met &= listen(chosen.listeners, chosen.listen) if chosen.listen else True
    sys.exit(0 if met else 1)


def follow(minutes: float) -> bool:
    """Follow so much sound, and print drift and growth; return whether both are within their goals."""
    network, shipped = live_network()
    head = load_head()
    weights, delivery = live_style(Style.preset("friendly"), head, network.config.slots)
    clock, state, began = SoundClock(), resampler_start(RATE), time.perf_counter()
    memory: list[float] = []
    size = round(LIVE_CHUNK * RATE)
    piece_of_sound = speech(20.0).samples
    sound = np.interp(np.arange(20 * RATE) / RATE, np.arange(len(piece_of_sound)) / SAMPLE_RATE, piece_of_sound)

    def chunks() -> Iterator[np.ndarray]:
        nonlocal clock, state
        for k in range(round(60 * minutes / LIVE_CHUNK)):
            first = k * size % (len(sound) - size)
            arrived = (k + 1) * LIVE_CHUNK * (1 - SKEW)  # when the sound card has it, by the computer's clock
            clock = clock.heard(size, arrived, RATE)
            state, samples = resampled(state, sound[first : first + size].astype(np.float32), RATE)
            yield samples

    frames, drift = 0, 0.0
    for piece in live_pieces(network, head, chunks(), weights, delivery):
        assert piece.first_frame == frames, "frames are missing"
        frames += len(piece.motion)
        heard = frames / piece.fps * (1 - SKEW)  # when its sound was heard in truth
        drift = max(drift, abs(clock.at(frames / piece.fps) - heard))
        if frames // (60 * 30) > len(memory):
            memory.append(_memory())
    # The frames of all sound are there, to the one that its last sound belongs to.
    lost = abs(frames / 30 - 60 * minutes)
    grown = memory[-1] - memory[min(SETTLED, len(memory)) - 1] if memory else 0.0
    spent = time.perf_counter() - began
    print(f"{minutes:g} min of live sound{'' if shipped else ', random weights'}, {spent:.0f} s, {frames} frames")
    print(f"  drift {1000 * drift:.1f} ms, {1000 * lost:.1f} ms at the end; goal {1000 * DRIFT:.0f} ms")
    print(f"  memory grew by {grown / 1e6:.1f} MB since minute {SETTLED}; goal {GROWTH / 1e6:.0f} MB")
    return max(drift, lost) < DRIFT and grown < GROWTH


def listen(listeners: int, minutes: float) -> bool:
    """Serve frames at the speed of speech to listeners of whom one stalls for half of it; whether nobody lost any."""
    frames = round(60 * minutes * 30)
    output = WebSocketOutput(("127.0.0.1", 0))
    before = _memory()
    heard = asyncio.run(_listeners(output, listeners, frames))
    grown = _memory() - before
    output.close()
    whole = sum(one == list(range(frames)) for one in heard)
    print(f"{listeners} WebSocket listeners for {minutes:g} min, one of them stalled for half of it")
    print(f"  {whole} heard all {frames} frames in order; memory grew by {grown / 1e6:.1f} MB")
    return whole == listeners


async def _listeners(output: WebSocketOutput, listeners: int, frames: int) -> list[list[int]]:
    from websockets.asyncio.client import connect

    url, resume = f"ws://127.0.0.1:{output.port}", asyncio.Event()

    async def one(stalled: bool) -> list[int]:
        async with connect(url, compression=None, max_queue=1, ping_interval=None) as connection:
            if stalled:
                await resume.wait()
            return [json.loads(await connection.recv())["frame"] for _ in range(frames)]

    tasks = [asyncio.create_task(one(number == 0)) for number in range(listeners)]
    while output.listeners < listeners:
        await asyncio.sleep(0.05)
    weights, shares = {"jawOpen": 0.5}, dict.fromkeys(VISEMES, 1 / len(VISEMES))
    began = time.monotonic()
    for number in range(frames):
        output.send(LiveFrame(number, 30.0, weights, shares, time.time(), 0.13))
        if number == frames // 2:
            resume.set()
        await asyncio.sleep(max(0.0, began + (number + 1) / 30 - time.monotonic()))
    return await asyncio.wait_for(asyncio.gather(*tasks), 60)


def _memory() -> float:
    """Bytes of this process's memory; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0.0
    return float(pages) * 4096


if __name__ == "__main__":
    main()
