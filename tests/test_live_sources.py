"""Live sound: a microphone (played by a stand-in), a pipe, a file in real time, and the command from end to end."""

from __future__ import annotations

import io
import json
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_case import CONFIG, random_network
from pythonosc.osc_bundle import OscBundle

from memorytalker import CurveOptions, cli, load_head, load_waveform
from memorytalker.live import sources
from memorytalker.live.outputs import LiveError, LiveStopped
from memorytalker.live.speaking import live_frames_of, speak
from memorytalker.live_weights import save_live

NEUTRAL = np.ones(40, np.float32)


class Microphone(types.ModuleType):
    """What is used of the library sounddevice, with sound that is known."""

    class PortAudioError(Exception):
        pass

    def __init__(self, sound: np.ndarray, rate: int, refuses: str = "") -> None:
        super().__init__("sounddevice")
        self.sound, self.rate, self.refuses, self.closed = sound, rate, refuses, 0

    def query_devices(self, device=None, kind=None):
        found = {"name": "Built-in", "max_input_channels": 2, "default_samplerate": float(self.rate)}
        if device is None and kind is None:
            return [{"name": "Speakers", "max_input_channels": 0}, found]
        if device == "Other":
            raise ValueError("No input device matching 'Other'")
        return found

    def InputStream(self, rate, **about):  # noqa: N802 - the library's name
        if self.refuses:
            raise self.PortAudioError(self.refuses)
        assert (rate, about["channels"], about["dtype"]) == (self.rate, 1, "float32")
        outer, take, size = self, about["callback"], about["blocksize"]

        class Stream:
            def start(self) -> None:
                times = types.SimpleNamespace(currentTime=5.0 + size / rate + 0.01, inputBufferAdcTime=5.0)
                for first in range(0, len(outer.sound), size):
                    part = outer.sound[first : first + size, None]
                    take(part, len(part), times, None)

            def close(self) -> None:
                outer.closed += 1

        return Stream()


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch):
    """`microphone(sound, rate, refuses)` stands in for the library; it is unplugged after its sound."""

    def plug(sound: np.ndarray, rate: int, refuses: str = "") -> Microphone:
        found = Microphone(np.asarray(sound, np.float32), rate, refuses)
        monkeypatch.setitem(sys.modules, "sounddevice", found)
        monkeypatch.setattr(sources, "PATIENCE", 0.05)
        return found

    return plug


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_microphone_is_heard_at_its_own_rate_and_missed(microphone, rate: int) -> None:
    sound = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate // 2) / rate)
    plugged = microphone(sound, rate)
    source, heard = sources.microphone_source(), []
    with pytest.raises(LiveStopped, match="connect it"):
        for chunk in source.chunks:
            heard.append(chunk)
    assert source.rate == rate and plugged.closed == 1
    np.testing.assert_allclose(np.concatenate([one.samples for one in heard]), sound, atol=1e-6)
    assert heard[0].delay == pytest.approx(0.01, abs=1e-6) and abs(heard[0].arrived - time.time()) < 60

    frames = []
    with pytest.raises(LiveStopped):
        for frame in live_frames_of(sources.microphone_source(), random_network(), load_head(), NEUTRAL):
            frames.append(frame.number)
    assert frames == list(range(len(frames))) and 11 <= len(frames) <= 12  # of half a second, less the look-ahead


def test_a_microphone_that_outruns_the_network_keeps_the_latest(microphone, monkeypatch) -> None:
    monkeypatch.setattr(sources, "WAITING", 5)
    microphone(np.arange(3200) / 3200, 16000)
    chunks = sources.microphone_source().chunks
    assert next(chunks).samples[0] == pytest.approx(0.5), "the five latest of ten chunks"


def test_microphones_that_cannot_be_used_are_told(microphone, monkeypatch) -> None:
    microphone(np.zeros(10), 16000, "Error opening InputStream: Device unavailable [PaErrorCode -9985]")
    with pytest.raises(LiveError, match=r"\(Error opening InputStream: Device unavailable\); connect or allow one"):
        sources.microphone_source()
    with pytest.raises(LiveError, match="No input device matching"):
        sources.microphone_source("Other")
    assert sources.microphone_names() == ["1: Built-in"]

    class Missing:
        def find_spec(self, name: str, *about: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(LiveError, match="libportaudio2"):
        sources.microphone_names()


def test_raw_samples_come_whole_out_of_a_pipe_that_cuts_them_in_two() -> None:
    wanted = np.array([0, 1, -1, 32767, -32768, 1234], "<i2")
    data = wanted.tobytes()

    class Pipe(io.RawIOBase):
        pieces = [data[:3], data[3:4], data[4:], b""]

        def read1(self, size: int) -> bytes:
            return self.pieces.pop(0)

    heard = np.concatenate([one.samples for one in sources.pipe_source(Pipe(), 8000).chunks])
    np.testing.assert_allclose(heard * 32768, wanted)
    assert heard.dtype == np.float32 and np.abs(heard).max() <= 1


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_sound_is_played_at_the_speed_of_speech(voice, kind: str) -> None:
    whole = (voice(0.3) * 32768).astype("<i2")
    waveform = load_waveform((whole, 16000))
    pipe = sources.pipe_source(io.BytesIO(whole.tobytes()), 16000, paced=True)
    begun = time.monotonic()
    heard = list((sources.file_source(waveform) if kind == "file" else pipe).chunks)
    assert time.monotonic() - begun >= 0.3 - 2 * sources.CHUNK, "no chunk comes before it would have been heard"
    np.testing.assert_allclose(np.concatenate([one.samples for one in heard]), waveform.samples, atol=1e-6)


def test_frames_carry_clock_latency_and_corrections(voice) -> None:
    waveform, network = load_waveform((voice(0.6), 16000)), random_network()
    options = CurveOptions(gains={"jawOpen": 0.0}, offsets={"mouthSmileLeft": 0.25})
    frames = list(live_frames_of(sources.file_source(waveform, paced=False), network, load_head(), NEUTRAL, options))
    plain = list(live_frames_of(sources.file_source(waveform, paced=False), network, load_head(), NEUTRAL))
    assert [frame.number for frame in frames] == list(range(18))
    clocks = np.array([frame.clock for frame in frames])
    assert abs(clocks[0] - time.time()) < 60 and all(frame.latency < 60 for frame in frames)
    for one, other in zip(frames, plain, strict=True):
        assert one.curves["jawOpen"] == 0 < other.curves["jawOpen"]
        assert one.curves["mouthSmileLeft"] == pytest.approx(other.curves["mouthSmileLeft"] + 0.25, abs=1e-6)
        assert sum(one.visemes.values()) == pytest.approx(1, abs=1e-6) and min(one.visemes.values()) >= 0


def test_a_receiver_that_broke_ends_the_run() -> None:
    class Broken:
        broken, sent, closed = False, 0, False

        def send(self, frame) -> None:
            self.sent, self.broken = self.sent + 1, self.sent >= 2

        def close(self) -> None:
            self.closed = True

    from live_case import live_frame

    output = Broken()
    done = speak((live_frame(number) for number in range(10)), [output])
    assert (done.frames, output.closed) == (3, True) and done.latencies.tolist() == [0.125] * 3


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_live(random_network(), tmp_path / "live")
    return tmp_path / "live"


def test_the_command_follows_a_file_and_sends_it(weights: Path, tmp_path: Path, voice, capfd) -> None:
    import socket

    sound = tmp_path / "clip.wav"
    soundfile.write(sound, voice(0.4), 16000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as vrm:
        vrm.bind(("127.0.0.1", 0))
        vrm.settimeout(5)
        target = f"127.0.0.1:{vrm.getsockname()[1]}"
        code = cli.main(["live", str(sound), "--live-weights", str(weights), "--vmc", target, "--lines"])
        assert OscBundle(vrm.recv(2000)).num_contents > 3
    out, err = capfd.readouterr()
    assert code == cli.DONE
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["frame"] for line in lines] == list(range(12))
    assert f"{round(1000 * CONFIG.grid.lookahead)} ms of look-ahead" in err and "12 frames" in err
    # a file comes in real time: nothing is said before it could be known
    assert all(line["latency"] >= CONFIG.grid.lookahead - 0.021 for line in lines[:8])


def test_the_command_takes_a_named_style(weights: Path, tmp_path: Path, voice, capfd) -> None:
    sound = tmp_path / "clip.wav"
    soundfile.write(sound, voice(0.3), 16000)
    said = {}
    for style in ("neutral", "friendly"):
        assert cli.main(["live", str(sound), "--live-weights", str(weights), "--style", style]) == cli.DONE
        said[style] = [json.loads(line)["curves"] for line in capfd.readouterr().out.splitlines()]
    assert len(said["friendly"]) == 9 and all(frame["cheekSquintLeft"] > 0.1 for frame in said["friendly"])
    assert all(
        one["cheekSquintLeft"] < other["cheekSquintLeft"]
        for one, other in zip(said["neutral"], said["friendly"], strict=True)
    )


def test_the_command_refuses_in_one_sentence(weights: Path, tmp_path: Path, capsys, microphone) -> None:
    def refused(*words: str) -> str:
        assert cli.main(["live", *words]) == cli.BAD_INPUT
        (line,) = capsys.readouterr().err.splitlines()
        return line

    live = ("--live-weights", str(weights))
    assert "train live" in refused("x.wav", "--live-weights", str(tmp_path / "none"))
    assert "There is no port" in refused("x.wav", *live, "--websocket", "0")
    assert "no style" in refused("x.wav", *live, "--style", str(tmp_path / "none.json"))
    for unknown_yet in ((), ("-",)):  # a microphone, a pipe
        assert "before it speaks" in refused(*unknown_yet, *live, "--style", "own", "--vmc", "127.0.0.1")
    assert "is called 'own' now" in refused("x.wav", *live, "--style", "self")
    assert "none.wav" in refused(str(tmp_path / "none.wav"), *live, "--style", "own")  # that of this very file
    assert "none.wav" in refused(str(tmp_path / "none.wav"), *live, "--vmc", "127.0.0.1")
    microphone(np.zeros(10), 16000, "Device unavailable")
    assert "Device unavailable" in refused(*live, "--vmc", "127.0.0.1")
