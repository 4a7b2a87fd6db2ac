"""The packets of live frames, read by others: OSC by python-osc, Live Link Face by a parser written from its layout."""

from __future__ import annotations

import json
import struct
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from live_case import live_frame
from pythonosc.osc_bundle import OscBundle

from memorytalker import InputError
from memorytalker.face.head import ARKIT_NAMES
from memorytalker.face.visemes import VISEMES, vrm_presets
from memorytalker.live.frame import SoundClock
from memorytalker.live.packets import LARGEST_PACKET, live_link_packet, osc_message, subject_name, vmc_packets

#: The order of the phone's packet, from its first shapes to its last.
LIVE_LINK_ORDER = """
    EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft EyeBlinkRight
    EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight JawForward JawLeft
    JawRight JawOpen MouthClose MouthFunnel MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight
    MouthFrownLeft MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower
    MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft MouthPressRight MouthLowerDownLeft
    MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft
    BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut
""".split()


def read_live_link(packet: bytes) -> dict:
    """Version 6 of the packet, byte by byte."""
    (version,) = struct.unpack_from("<I", packet, 0)
    device = packet[4:41].decode()
    (length,) = struct.unpack_from(">i", packet, 41)
    subject = packet[45 : 45 + length].decode()
    number, part, rate, denominator, count = struct.unpack_from(">ifiiB", packet, 45 + length)
    values = struct.unpack_from(f">{count}f", packet, 62 + length)
    assert len(packet) == 62 + length + 4 * count
    return {
        "version": version, "device": device, "subject": subject, "number": number, "part": part,
        "rate": (rate, denominator), "values": values,
    }  # fmt: skip


def test_unreal_finds_every_shape_in_its_place() -> None:
    frame, device = live_frame(), uuid.uuid4()
    packet = live_link_packet(frame, "Jürgen", device)
    assert 264 <= len(packet) <= 774, "the sizes that receivers take"
    found = read_live_link(packet)
    assert (found["version"], found["device"], found["subject"]) == (6, f"${device}", "Jürgen")
    assert len(found["values"]) == 61 and set(found["values"][52:]) == {0.0}
    for name, value in zip(LIVE_LINK_ORDER, found["values"][:52], strict=True):
        assert value == pytest.approx(frame.curves[name[0].lower() + name[1:]]), name


def test_the_time_of_day_is_that_of_the_sound() -> None:
    moment = datetime(2026, 3, 4, 13, 14, 15, 250_000, tzinfo=UTC)
    found = read_live_link(live_link_packet(live_frame(clock=moment.timestamp()), "a", uuid.uuid4()))
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    seconds = (found["number"] + found["part"]) / (found["rate"][0] / found["rate"][1])
    assert midnight + timedelta(seconds=seconds) == pytest.approx(moment, abs=timedelta(milliseconds=1))
    assert 0 <= found["part"] < 1


def test_vrm_programs_read_names_weights_and_the_end() -> None:
    frame = live_frame(eyeBlinkLeft=0.8, eyeBlinkRight=0.3)
    packets = vmc_packets(frame)
    assert len(packets) > 1 and max(map(len, packets)) <= LARGEST_PACKET
    bundles = [OscBundle(packet) for packet in packets]
    for bundle in bundles:
        assert bundle.timestamp == pytest.approx(frame.clock, abs=1e-3)
    messages = [message for bundle in bundles for message in bundle]
    assert messages[-1].address == "/VMC/Ext/Blend/Apply" and not messages[-1].params
    first = {message.address: message.params for message in messages[:3]}
    assert first["/VMC/Ext/OK"] == [1] and first["/VMC/Ext/T"][0] == pytest.approx(7 / 30)
    number, seconds, clock, latency = first["/MemoryTalker/Frame"]
    assert (number, latency) == (7, 0.125) and clock == frame.clock and seconds == 7 / 30
    values = dict(message.params for message in messages if message.address == "/VMC/Ext/Blend/Val")
    for name in ARKIT_NAMES:
        assert values[name] == pytest.approx(frame.curves[name])
    vowels = vrm_presets(np.array([list(frame.visemes.values())]))[0]
    for new, old, weight in zip(("aa", "ih", "ou", "ee", "oh"), "AIUEO", vowels, strict=True):
        assert values[new] == values[old] == pytest.approx(weight)
    assert values["blinkLeft"] == values["Blink_L"] == pytest.approx(0.8)
    assert values["blinkRight"] == pytest.approx(0.3)


@pytest.mark.parametrize("text", ["", "abc", "abcd", "abcdefg", "äöü"])
def test_osc_text_of_any_length_is_read(text: str) -> None:
    from pythonosc.osc_message import OscMessage

    message = OscMessage(osc_message("/a", text, 5, 0.5))
    assert message.params == [text, 5, 0.5]


def test_json_says_all_of_it() -> None:
    line = live_frame().json()
    assert "\n" not in line
    values = json.loads(line)
    assert list(values) == ["t", "frame", "clock", "latency", "curves", "visemes"]
    assert values["t"] == pytest.approx(7 / 30, abs=1e-4) and values["frame"] == 7
    assert values["clock"] == 1_700_000_000.25 and values["latency"] == 0.125
    assert list(values["curves"]) == list(ARKIT_NAMES) and list(values["visemes"]) == list(VISEMES)
    assert sum(values["visemes"].values()) == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("name", ["", "x" * 61, "two\nlines"])
def test_names_that_no_receiver_shows_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="--subject"):
        subject_name(name)


def test_the_clock_goes_by_the_earliest_arrivals() -> None:
    random, clock = np.random.default_rng(0), SoundClock()
    for k in range(1, 200):
        late = 0.03 * random.random() if k != 50 else 0.0
        clock = clock.heard(320, 1000.0 + 0.02 * k + late, 16000)
    assert clock.at(0.0) == pytest.approx(1000.0, abs=0.006)
    assert SoundClock().heard(320, 1000.0, 16000, delay=0.5).at(0.0) == pytest.approx(1000 - 0.02 - 0.5)


@pytest.mark.parametrize("rate", [0.9999, 1.0001])
def test_an_hour_of_a_sound_card_that_is_a_little_off_does_not_drift(rate: float) -> None:
    """A hundred parts in a million would be a third of a second after an hour."""
    clock = SoundClock()
    for k in range(1, 3601):
        clock = clock.heard(16000, 1000.0 + k / rate, 16000)
    assert clock.at(3600.0) == pytest.approx(1000.0 + 3600.0 / rate, abs=0.02)
