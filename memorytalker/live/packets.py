"""The packets of two protocols over UDP: Live Link Face for Unreal Engine, and VMC (OSC) for VRM programs.

Layouts: Live Link Face version 6, as PyLiveLinkFace reads it; Open Sound Control 1.0; VMC protocol 3.1, whose
messages `/VMC/Ext/Blend/Val` and `/VMC/Ext/Blend/Apply` move expressions. Neither protocol has a field for latency:
Live Link Face carries the clock as its time of day, VMC as the time tag of each bundle, and a message of our own,
`/MemoryTalker/Frame`, carries number, time, clock and latency.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from memorytalker.errors import InputError
from memorytalker.exports.livelink import ANGLES, SHAPES
from memorytalker.face.visemes import VISEMES, VRM_PRESETS, vrm_presets
from memorytalker.live.frame import LiveFrame

LIVE_LINK_VERSION = 6
LIVE_LINK_PORT, VMC_PORT = 11111, 39540
#: Letters of a subject's name at the most.
LONGEST_SUBJECT = 60
#: Bytes of a UDP packet at the most, so that no network splits it.
LARGEST_PACKET = 1400
#: Seconds from 1900, where OSC's time begins, to 1970.
_OSC_EPOCH = 2_208_988_800
#: The vowels of VRM, in the order of `vrm_presets`.
VOWELS: Mapping[str, tuple[str, ...]] = MappingProxyType({"VRM 1.0": VRM_PRESETS, "VRM 0.x": tuple("AIUEO")})
#: The order of the packet differs from that of the phone's files in these places.
_SWAPPED = (("jawRight", "jawLeft"), ("mouthRight", "mouthLeft"))


def live_link_shapes() -> tuple[str, ...]:
    """The 52 shapes in the order of the packet: that of the CSV, but left before right for jaw and mouth."""
    order = list(SHAPES)
    for right, left in _SWAPPED:
        k, m = order.index(right), order.index(left)
        order[k], order[m] = left, right
    return tuple(order)


def subject_name(name: str) -> str:
    """Check the name under which Unreal lists the face. Raises InputError for one that is empty or too long."""
    if not 0 < len(name) <= LONGEST_SUBJECT or not name.isprintable():
        raise InputError(f"A subject's name has 1 to {LONGEST_SUBJECT} letters; give another --subject.")
    return name


def live_link_packet(frame: LiveFrame, subject: str, device: uuid.UUID) -> bytes:
    """Return the packet of Live Link Face for one frame.

    Args:
        frame: its clock becomes the time of day (UTC), as a number of frames since midnight with a part.
        subject: name under which the receiver lists the face.
        device: identifies the sender; the same for all packets of a run.

    Returns:
        The packet: version (little-endian), device, subject, frame time (number, part, rate), 61 values (big-endian).
    """
    name = subject.encode("utf-8")
    whole = round(frame.fps)
    number, part = divmod((frame.clock % 86400.0) * whole, 1.0)
    values = [frame.curves.get(shape, 0.0) for shape in live_link_shapes()] + [0.0] * len(ANGLES)
    return b"".join(
        [
            struct.pack("<I", LIVE_LINK_VERSION),
            f"${device}".encode("ascii"),
            struct.pack(">i", len(name)),
            name,
            struct.pack(">ifii", int(number), part, whole, 1),
            struct.pack(">B", len(values)),
            struct.pack(f">{len(values)}f", *values),
        ]
    )


def vmc_packets(frame: LiveFrame) -> list[bytes]:
    """Return the OSC bundles of VMC for one frame.

    Avatars with the 52 shapes of ARKit ("perfect sync") find them by name; others find the five vowels and blinks under
    their names of VRM 1.0 and VRM 0.x. What an avatar lacks it ignores.

    Args:
        frame: its clock becomes the time tag of each bundle.

    Returns:
        Bundles of at most `LARGEST_PACKET` bytes; the last applies what all of them set.
    """
    messages = [
        osc_message("/VMC/Ext/OK", 1),
        osc_message("/VMC/Ext/T", float(frame.seconds)),
        osc_message("/MemoryTalker/Frame", frame.number, _Double(frame.seconds), _Double(frame.clock), frame.latency),
    ]
    for name, weight in vmc_values(frame).items():
        messages.append(osc_message("/VMC/Ext/Blend/Val", name, float(weight)))
    messages.append(osc_message("/VMC/Ext/Blend/Apply"))
    bundles, size = [], LARGEST_PACKET
    head = b"#bundle\0" + _time_tag(frame.clock)
    for message in messages:
        if size + 4 + len(message) > LARGEST_PACKET:
            bundles.append(bytearray(head))
            size = len(head)
        bundles[-1] += struct.pack(">i", len(message)) + message
        size += 4 + len(message)
    return [bytes(bundle) for bundle in bundles]


def vmc_values(frame: LiveFrame) -> Mapping[str, float]:
    """The expressions of VMC: ARKit's names, vowels and blinks of VRM 1.0 and 0.x."""
    (vowels,) = vrm_presets(np.array([[frame.visemes.get(name, 0.0) for name in VISEMES]])).tolist()
    left, right = (frame.curves.get(f"eyeBlink{side}", 0.0) for side in ("Left", "Right"))
    blinks = {"blinkLeft": left, "blinkRight": right, "Blink_L": left, "Blink_R": right}
    named = {name: dict(zip(names, vowels, strict=True)) for name, names in VOWELS.items()}
    return {**frame.curves, **named["VRM 1.0"], **named["VRM 0.x"], **blinks}


class _Double(float):
    """A number that OSC sends with 64 bits."""


def osc_message(address: str, *values: float | int | str) -> bytes:
    """Return an OSC message: whole numbers as int32, numbers as float32, text as a padded string."""
    tags, data = ",", b""
    for value in values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _osc_text(value)
        elif isinstance(value, _Double):
            tags, data = tags + "d", data + struct.pack(">d", value)
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack(">i", value)
        else:
            tags, data = tags + "f", data + struct.pack(">f", value)
    return _osc_text(address) + _osc_text(tags) + data


def _osc_text(text: str) -> bytes:
    """Text with at least one zero behind it, as long as a multiple of four."""
    data = text.encode("utf-8")
    return data + b"\0" * (4 - len(data) % 4)


def _time_tag(clock: float) -> bytes:
    whole, part = divmod(clock + _OSC_EPOCH, 1.0)
    return struct.pack(">II", int(whole) % 2**32, min(int(part * 2**32), 2**32 - 1))
