"""No voice is lost on the way from channels and tracks of a file to one waveform, and remarks say what was decided."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from memorytalker.sound import ffmpeg as decoder
from memorytalker.sound.decode import SAMPLE_RATE, AudioError, is_silent, load_waveform
from memorytalker.sound.mixing import CANCELLED, OFFSET_SHARE, ChannelLevels

SPEECH = sorted((Path(__file__).resolve().parents[1] / "assets" / "speech").glob("*.wav"))
CANCEL = "The two channels cancel each other, so the {} one is used."
FILTER = "aresample=16000:ochl=mono:rematrix_maxval=1:async=1:first_pts=0:filter_size=64"


def ffmpeg(*arguments: str | Path) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Two seconds of a real voice, (S,) at 16 kHz."""
    return soundfile.read(SPEECH[-1], dtype="float32")[0][8000:40000]


def both_ways(channels: np.ndarray, folder: Path, rate: int = SAMPLE_RATE) -> list:
    """Channels (S, n) as waveforms, read from a file and given as an array."""
    soundfile.write(folder / "channels.wav", channels, rate, subtype="FLOAT")
    return [load_waveform(folder / "channels.wav"), load_waveform((channels, rate))]


@pytest.mark.parametrize("clip", SPEECH, ids=lambda path: path.stem)
@pytest.mark.parametrize("kind", ["mono", "equal", "left only", "unlike", "delayed", "noisy"])
def test_ordinary_channels_are_averaged_to_the_last_bit(tmp_path: Path, clip: Path, kind: str) -> None:
    voice = soundfile.read(clip, dtype="float32")[0]
    noise = np.random.default_rng(0).normal(size=(len(voice), 2)).astype(np.float32)
    channels = {
        "mono": voice[:, None],
        "equal": np.stack([voice, voice], 1),
        "left only": np.stack([voice, np.zeros_like(voice)], 1),
        "unlike": np.stack([voice, 0.6 * voice[::-1]], 1),
        "delayed": np.stack([voice, np.roll(voice, 12)], 1),
        "noisy": 0.5 * voice[:, None] + 0.05 * noise,
    }[kind]
    path = tmp_path / "ordinary.wav"
    soundfile.write(path, channels, SAMPLE_RATE, subtype="FLOAT")
    waveform = load_waveform(path)
    assert waveform.samples.tobytes() == ffmpeg("-i", path, "-af", FILTER, "-f", "f32le", "pipe:1")
    assert load_waveform((channels, SAMPLE_RATE)).samples.tobytes() == channels.mean(axis=1).tobytes()
    assert waveform.remarks == ()


@pytest.mark.parametrize(
    ("change", "used"),
    [
        (lambda v, rate: (v, -v), "left"),
        (lambda v, rate: (0.5 * v, -0.7 * v), "right"),
        (lambda v, rate: (v, -0.9 * v), "left"),
        (lambda v, rate: (v, -np.roll(v, 2)), "left"),
        (lambda v, rate: (v + 0.2, -v + 0.2), "left"),
        (lambda v, rate: (v, np.concatenate([-v[: len(v) // 2], v[len(v) // 2 :]])), "left"),
        (lambda v, rate: (v + 0.3 * hum(len(v), rate), -v + 0.3 * hum(len(v), rate)), "left"),
        (lambda v, rate: (v + hiss(len(v)), -v + hiss(len(v))), "left"),
    ],
    ids=["opposite", "right louder", "nearly", "late", "offset", "half the time", "hum stays", "hiss stays"],
)
@pytest.mark.parametrize("rate", [16000, 48000])
def test_channels_that_cancel_are_not_averaged(tmp_path: Path, speech, change, used: str, rate: int) -> None:
    voice = np.interp(np.arange(0, len(speech), SAMPLE_RATE / rate), np.arange(len(speech)), speech)
    pair = np.stack(change(voice.astype(np.float32), rate), 1).astype(np.float32)
    for waveform in both_ways(pair, tmp_path, rate):
        assert waveform.remarks[0] == CANCEL.format(used)
        kept = load_waveform((pair[:, ("left", "right").index(used)], rate)).samples
        np.testing.assert_allclose(waveform.samples, kept, atol=1e-4)


def hum(size: int, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * 50 * np.arange(size) / rate)


def hiss(size: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(0).normal(size=size)


def test_cancelling_channels_of_many_are_seen(tmp_path: Path, speech) -> None:
    six = np.zeros((len(speech), 6), np.float32)
    six[:, 0], six[:, 1] = 0.6 * speech, -0.8 * speech
    for waveform in both_ways(six, tmp_path):
        assert waveform.remarks == ("The 6 channels cancel each other, so channel 2 is used.",)
        np.testing.assert_allclose(waveform.samples, six[:, 1], atol=1e-6)
    six[:, 1] = 0  # a voice on one channel of six is faint in the average, and not lost
    for waveform in both_ways(six, tmp_path):
        assert waveform.remarks == () and np.abs(waveform.samples).max() > 0.02


def test_the_rule_holds_as_documented(tmp_path: Path, speech) -> None:
    # right = -g left brings (1 - g)^2 / (1 + g^2) of the power of unlike channels: CANCELLED lies at g = 0.5.
    assert CANCELLED == pytest.approx((1 - 0.5) ** 2 / (1 + 0.5**2))
    for gain, lost in ((0.45, False), (0.55, True)):
        for waveform in both_ways(np.stack([speech, -np.float32(gain) * speech], 1), tmp_path):
            assert bool(waveform.remarks) == lost


def test_a_voice_that_is_lost_now_and_then_is_lost(speech) -> None:
    for cancelled, used in ((0, None), (1, None), (3, 0), (20, 0)):
        levels = ChannelLevels(2, SAMPLE_RATE)
        for block in range(20):
            pair = np.stack([speech, -speech if block < cancelled else speech], 1)
            levels.add(pair, pair.mean(axis=1))
        assert levels.replacement == used, f"{cancelled} of 20 seconds"


def test_compressed_channels_that_cancel(tmp_path: Path, speech) -> None:
    soundfile.write(tmp_path / "pair.wav", np.stack([speech, -speech], 1), SAMPLE_RATE)
    for kind in ("mp3", "m4a", "ogg", "flac"):
        ffmpeg("-i", tmp_path / "pair.wav", tmp_path / f"pair.{kind}")
        waveform = load_waveform(tmp_path / f"pair.{kind}")
        assert waveform.remarks == (CANCEL.format("left"),)
        assert np.corrcoef(waveform.samples[: len(speech)], speech)[0, 1] > 0.98


def test_channels_are_not_held_in_memory(tmp_path: Path, speech, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second decoding of a sound with many channels hands over a second at a time."""
    sizes = []
    add = decoder.ChannelLevels.add
    monkeypatch.setattr(
        decoder.ChannelLevels, "add", lambda self, block, mixed: sizes.append(block.shape) or add(self, block, mixed)
    )
    soundfile.write(tmp_path / "long.wav", np.tile(speech[:, None], (10, 4)), SAMPLE_RATE)
    load_waveform(tmp_path / "long.wav")
    assert len(sizes) == 20 and set(sizes) == {(SAMPLE_RATE, 4)}


# tracks


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory, speech) -> Path:
    """A folder with the voice, its opposite-phase pair, digital silence and dither as WAV files."""
    folder = tmp_path_factory.mktemp("tracks")
    rng = np.random.default_rng(0)
    soundfile.write(folder / "voice.wav", speech, SAMPLE_RATE)
    soundfile.write(folder / "pair.wav", np.stack([speech, -speech], 1), SAMPLE_RATE)
    soundfile.write(folder / "silent.wav", np.zeros((len(speech), 2)), SAMPLE_RATE)
    soundfile.write(folder / "dither.wav", rng.integers(-1, 2, len(speech)) / 32768, SAMPLE_RATE)
    return folder


def video(folder: Path, path: Path, *names: str, codec: str = "aac") -> Path:
    """A video with sound tracks made of the named WAV files."""
    given = [part for name in names for part in ("-i", folder / f"{name}.wav")]
    chosen = [part for number in range(len(names) + 1) for part in ("-map", str(number))]
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=2:r=5", *given, *chosen, "-c:a", codec, path)
    return path


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "aac"), ("mkv", "libopus"), ("webm", "libvorbis"), ("mov", "pcm_s16le")]
)
def test_a_silent_first_track_is_passed_over(tracks: Path, tmp_path: Path, speech, suffix: str, codec: str) -> None:
    path = video(tracks, tmp_path / f"screen.{suffix}", "silent", "voice", codec=codec)
    waveform = load_waveform(path)
    assert waveform.remarks == (f"The first sound track of screen.{suffix} is silent; the second is used.",)
    assert np.corrcoef(waveform.samples[: len(speech)], speech)[0, 1] > 0.98


def test_tracks_are_taken_in_their_order(tracks: Path, tmp_path: Path) -> None:
    plain = load_waveform(video(tracks, tmp_path / "plain.mkv", "voice", "dither", codec="flac"))
    assert plain.remarks == () and not is_silent(plain)
    third = load_waveform(video(tracks, tmp_path / "third.mkv", "silent", "dither", "pair", codec="flac"))
    assert third.remarks == (
        "The first 2 sound tracks of third.mkv are silent; the third is used.",
        CANCEL.format("left"),
    )
    first = load_waveform(video(tracks, tmp_path / "first.mkv", "pair", "voice", codec="flac"))
    assert first.remarks == (CANCEL.format("left"),), "channels that cancel are not a silent track"
    np.testing.assert_array_equal(third.samples, first.samples)
    silent = load_waveform(video(tracks, tmp_path / "silent.mkv", "silent", "silent", codec="flac"))
    assert silent.remarks == () and is_silent(silent)


def test_no_more_than_eight_tracks_are_tried(tracks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tracks, tmp_path / "many.mkv", *["silent"] * 9, "voice", codec="flac")
    tried, track = [], decoder.Decoder.track
    monkeypatch.setattr(
        decoder.Decoder, "track", lambda self, number=0, *rest: tried.append(number) or track(self, number, *rest)
    )
    waveform = load_waveform(path)
    assert is_silent(waveform) and tried == list(range(8))
    assert waveform.remarks == ("Only the first 8 sound tracks of many.mkv were tried; export the one with the voice.",)


def test_a_shorter_track_beside_a_longer_one_is_not_cut_off(tracks: Path, tmp_path: Path, speech) -> None:
    soundfile.write(tmp_path / "short.wav", speech[:16000], SAMPLE_RATE)
    given = ("-i", tmp_path / "short.wav", "-i", tracks / "voice.wav", "-map", "0", "-map", "1")
    ffmpeg(*given, "-c:a", "flac", tmp_path / "two.mka")
    assert load_waveform(tmp_path / "two.mka").seconds == 1


# offset


@pytest.mark.parametrize("offset", [0.3, -0.02, 5e-3])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_a_constant_offset_is_taken_away(tmp_path: Path, speech, offset: float, rate: int) -> None:
    voice = np.repeat(speech, rate // SAMPLE_RATE) * (0.5 if abs(offset) > 0.1 else 1)
    voice -= voice.mean()
    for waveform in both_ways((voice + np.float32(offset))[:, None], tmp_path, rate):
        share = abs(offset) / voice.std()
        assert bool(waveform.remarks) == (share > OFFSET_SHARE)
        if waveform.remarks:
            assert "offset" in waveform.remarks[0] and abs(waveform.samples.mean()) < 1e-5
            plain = load_waveform((voice, rate)).samples
            np.testing.assert_allclose(waveform.samples[400:-400], plain[400:-400], atol=1e-3)


def test_an_offset_does_not_make_a_sound_too_loud(speech) -> None:
    waveform = load_waveform((np.clip(speech / np.abs(speech).max() * 0.4, -1, 1) + 0.9, SAMPLE_RATE))
    assert np.abs(waveform.samples).max() <= 1 and abs(waveform.samples.mean()) < 1e-5
    lonely = np.zeros(16000, np.float32)
    lonely[8000:] = -1.0
    lonely[9000] = 1.0
    assert np.abs(load_waveform((lonely, SAMPLE_RATE)).samples).max() == 1


def test_nothing_but_an_offset_is_silence() -> None:
    waveform = load_waveform((np.full(16000, 0.25, np.float32), SAMPLE_RATE))
    assert is_silent(waveform) and not waveform.samples.any()


@pytest.mark.parametrize("clip", SPEECH, ids=lambda path: path.stem)
def test_ordinary_speech_has_no_offset_worth_the_name(clip: Path) -> None:
    samples = soundfile.read(clip, dtype="float32")[0]
    assert abs(samples.mean()) / samples.std() < OFFSET_SHARE / 10


# silence


def test_silence_is_what_nobody_can_hear(speech) -> None:
    rng = np.random.default_rng(0)
    for quiet in (np.zeros(16000), rng.integers(-1, 2, 16000) / 32768):
        assert is_silent(load_waveform((quiet, SAMPLE_RATE)))
    faint = speech / np.abs(speech).max() * 0.0009  # the network encodes it as well as if it were loud
    assert not is_silent(load_waveform((faint, SAMPLE_RATE)))


# words


def test_a_length_that_is_just_too_short_does_not_contradict_itself() -> None:
    with pytest.raises(AudioError, match=r"only 0\.099 s of sound; give at least 0\.1 s"):
        load_waveform((np.ones(1599, np.float32), SAMPLE_RATE))


@pytest.mark.parametrize("kind", ["fifo", "zero"])
def test_what_is_no_ordinary_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pipe.wav" if kind == "fifo" else Path("/dev/zero")
    if kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(AudioError, match="is not an ordinary file; choose a recording"):
        load_waveform(path)


def test_names_stay_plain_in_remarks(tracks: Path, tmp_path: Path) -> None:
    path = video(tracks, tmp_path / "<b>`x`\u202e.mkv", "silent", "voice", codec="flac")
    (remark,) = load_waveform(path).remarks
    assert remark == "The first sound track of _b__x__.mkv is silent; the second is used."


def test_what_ffmpeg_says_is_kept_short(tmp_path: Path, speech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "LONGEST_LOG", 40)  # nothing that is listed is within reach
    soundfile.write(tmp_path / "pair.wav", np.stack([speech, -speech], 1), SAMPLE_RATE)
    assert load_waveform(tmp_path / "pair.wav").remarks == (CANCEL.format("left"),), "the careful way is taken"
    kept = bytearray()
    decoder._keep_beginning(io.BytesIO(bytes(range(256)) * 1000), kept)
    assert bytes(kept) == bytes(range(40))


def test_a_decoder_that_hangs_is_stopped(tmp_path: Path, speech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "DECODE_TIMEOUT_SECONDS", 0.0)
    soundfile.write(tmp_path / "voice.wav", speech, SAMPLE_RATE)
    with pytest.raises(AudioError, match="took too long to decode"):
        load_waveform(tmp_path / "voice.wav")
    with pytest.raises(AudioError, match="took too long to decode"):
        load_waveform((np.tile(speech, 100), 44100))


def test_an_array_that_is_too_long_is_refused_before_it_is_copied() -> None:
    endless = np.broadcast_to(np.float32(0.1), (1 << 40,))
    with pytest.raises(AudioError, match="too long"):
        load_waveform((endless, SAMPLE_RATE))
