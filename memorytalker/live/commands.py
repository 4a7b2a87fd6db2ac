"""The command `live`: its flags and its function."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memorytalker.options import CurveOptions
from memorytalker.styles import commands as styles

if TYPE_CHECKING:
    from memorytalker.face.head import HeadMesh
    from memorytalker.live.outputs import Output
    from memorytalker.live.sources import Source
    from memorytalker.styles.live_delivery import LiveDelivery

PIPE = "-"
NEUTRAL = "neutral"


def add_live(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `live`."""
    parser.add_argument(
        "sound", nargs="?", metavar="SOUND", help="a file that is played at the speed of speech, or - for raw samples "
        "(16 bits, mono) on standard input (default: the microphone)",
    )  # fmt: skip
    parser.add_argument("--microphone", metavar="NAME", help="number or name of the microphone (default: the system's)")
    parser.add_argument("--list-microphones", action="store_true", help="print the microphones and stop")
    parser.add_argument(
        "--rate", type=int, default=16000, metavar="HZ", help="of raw samples on standard input (default: %(default)s)"
    )
    parser.add_argument(
        "--pace", action="store_true", help="hold raw samples that come faster than they are spoken to that speed"
    )
    parser.add_argument(
        "--style", default=NEUTRAL, metavar="STYLE", help=f"{styles.NAMED}; of a microphone or a pipe 'own' is not "
        "known yet (default: %(default)s)",
    )  # fmt: skip
    where = parser.add_argument_group("receivers", "any of these together; without one, lines on standard output")
    where.add_argument("--live-link", metavar="HOST", help="Unreal Engine (Live Link Face), HOST or HOST:PORT")
    where.add_argument("--subject", default="MemoryTalker", metavar="NAME", help="of Live Link (default: %(default)s)")
    where.add_argument("--vmc", metavar="HOST", help="VRM programs (VMC over OSC), HOST or HOST:PORT")
    where.add_argument("--websocket", metavar="PORT", help="serve JSON at PORT or HOST:PORT")
    where.add_argument(
        "--allow-origin", action="append", default=[], metavar="URL", help="page that may listen to the WebSocket "
        "beside those of this machine; may be given several times, * is all",
    )  # fmt: skip
    where.add_argument("--lines", action="store_true", help="JSON, one line a frame, on standard output")
    parser.add_argument("--live-weights", metavar="PATH", help="folder of a live network (default: the shipped one)")


def run_live(chosen: argparse.Namespace, curves: CurveOptions, device: str | None) -> None:
    """Follow a voice until it ends or is stopped; say on standard error where frames go and how late they were."""
    from memorytalker.live import sources

    if chosen.list_microphones:
        print("\n".join(sources.microphone_names()) or "There is no microphone.")
        return
    from memorytalker.face.head import load_head
    from memorytalker.live.speaking import live_frames_of, speak
    from memorytalker.live_weights import load_live

    network = load_live(chosen.live_weights)
    head = load_head()
    style, delivery = _style(chosen, device, head, network.config.slots)
    outputs = _outputs(chosen)
    try:
        source = _source(chosen)
    except BaseException:
        for output in outputs:
            output.close()
        raise
    ahead = round(1000 * network.config.grid.lookahead)
    print(f"memorytalker: following {_told(chosen)} with {ahead} ms of look-ahead; Ctrl-C stops.", file=sys.stderr)
    done = speak(live_frames_of(source, network, head, style, curves, delivery), outputs)
    if done.frames:
        middle = sorted(done.latencies)[len(done.latencies) // 2]
        print(f"memorytalker: {done.frames} frames; half of them within {1000 * middle:.0f} ms.", file=sys.stderr)


def _style(
    chosen: argparse.Namespace, device: str | None, head: HeadMesh, slots: tuple[str, ...]
) -> tuple[Any, LiveDelivery | None]:
    """Style weights (n,), and what is changed after the network; the open model is loaded only for those of a sound."""
    from memorytalker.live.outputs import LiveError
    from memorytalker.styles.delivery import StyleError
    from memorytalker.styles.live_delivery import live_style
    from memorytalker.styles.style import Style

    if chosen.style == styles.OWN and chosen.sound in (None, PIPE):
        raise StyleError("The style of a live voice is not known before it speaks; give a sound of it as --style.")
    style = styles.named(chosen.sound if chosen.style == styles.OWN else chosen.style)
    if style is None:
        style = Style()
    if isinstance(style, Style):
        return live_style(style, head, slots)
    from memorytalker.pipeline import Talker

    weights = Talker.from_pretrained(chosen.weights, device).style_of(style)
    if len(weights) != len(slots):
        raise LiveError("These weights have other memory slots than the live network; use those of one version.")
    return weights, None


def _outputs(chosen: argparse.Namespace) -> list[Output]:
    from memorytalker.live.outputs import LineOutput, live_link_output, parse_address, vmc_output
    from memorytalker.live.packets import LIVE_LINK_PORT, VMC_PORT
    from memorytalker.live.websocket import WEBSOCKET_PORT, WebSocketOutput

    outputs: list[Output] = []
    if chosen.live_link:
        outputs.append(live_link_output(parse_address(chosen.live_link, LIVE_LINK_PORT), chosen.subject))
    if chosen.vmc:
        outputs.append(vmc_output(parse_address(chosen.vmc, VMC_PORT)))
    if chosen.websocket:
        address = parse_address(chosen.websocket, WEBSOCKET_PORT)
        outputs.append(WebSocketOutput(address, tuple(chosen.allow_origin)))
    if chosen.lines or not outputs:
        # A duplicate, because a thread that waits in a full pipe would hold the lock of Python's own until the end.
        outputs.append(LineOutput(open(os.dup(sys.stdout.fileno()), "wb", buffering=0)))
    return outputs


def _source(chosen: argparse.Namespace) -> Source:
    from memorytalker.live import sources
    from memorytalker.sound.decode import load_waveform

    if chosen.sound == PIPE:
        return sources.pipe_source(sys.stdin.buffer, chosen.rate, chosen.pace)
    if chosen.sound is not None:
        return sources.file_source(load_waveform(Path(chosen.sound)))
    return sources.microphone_source(chosen.microphone)


def _told(chosen: argparse.Namespace) -> str:
    return "standard input" if chosen.sound == PIPE else chosen.sound or "the microphone"
