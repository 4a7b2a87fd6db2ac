"""Sound of every accepted kind is recovered; every refused kind is refused in one plain sentence."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from memorytalker.sound.decode import SAMPLE_RATE, AudioError, Waveform, load_waveform, write_wav

TONE_HZ, TONE_SECONDS, LEVEL = 440.0, 1.5, 0.5


def tone(rate: int, seconds: float = TONE_SECONDS) -> np.ndarray:
    """A 440 Hz tone that starts in silence: half a second of nothing, then the tone."""
    time = np.arange(int(rate * seconds)) / rate
    return (LEVEL * np.sin(2 * np.pi * TONE_HZ * time) * (time >= 0.5)).astype(np.float32)


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-nostdin", *map(str, arguments)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tone as 48 kHz WAV, for conversion to other formats."""
    folder = tmp_path_factory.mktemp("sounds")
    soundfile.write(folder / "tone.wav", tone(48000), 48000)
    return folder


def check_tone(waveform: Waveform, duration_tolerance: float, onset_tolerance: float) -> None:
    samples = waveform.samples
    assert samples.dtype == np.float32 and np.isfinite(samples).all() and np.abs(samples).max() <= 1
    assert waveform.sample_rate == SAMPLE_RATE
    assert waveform.seconds == pytest.approx(TONE_SECONDS, abs=duration_tolerance)
    onset = np.flatnonzero(np.abs(samples) > LEVEL / 2)[0] / SAMPLE_RATE
    assert onset == pytest.approx(0.5, abs=onset_tolerance)
    voiced = samples[int(0.65 * SAMPLE_RATE) : int(1.35 * SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(voiced * np.hanning(voiced.size), 8 * voiced.size))
    assert np.argmax(spectrum) / (8 * voiced.size) * SAMPLE_RATE == pytest.approx(TONE_HZ, abs=1)
    assert np.sqrt(2 * np.mean(voiced**2)) == pytest.approx(LEVEL, rel=0.05)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [(8000, 1, "PCM_16"), (48000, 2, "PCM_16"), (44100, 1, "PCM_24"), (16000, 1, "FLOAT"), (22050, 6, "FLOAT")],
)
def test_wav_of_every_kind(tmp_path: Path, rate: int, channels: int, subtype: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone(rate)[:, None], channels, axis=1), rate, subtype=subtype)
    if channels < 6:  # in 5.1 sound the channels do not weigh the same
        check_tone(load_waveform(path), 1e-3, 5e-3)
    else:
        assert load_waveform(path).seconds == pytest.approx(TONE_SECONDS, abs=1e-3)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".flac", ()),
        (".mp3", ()),
        (".m4a", ()),
        (".ogg", ("-c:a", "libvorbis")),
        (".opus", ("-c:a", "libopus")),
        (".webm", ("-c:a", "libopus")),
        (".aac", ()),
        (".aiff", ()),
    ],
)
def test_compressed_formats(sounds: Path, suffix: str, codec: tuple[str, ...]) -> None:
    path = sounds / f"tone{suffix}"
    ffmpeg("-i", sounds / "tone.wav", *codec, path)
    # A bare AAC stream cannot state its encoder delay; everything else lands within 10 ms.
    tolerance = 0.06 if suffix == ".aac" else 0.01
    check_tone(load_waveform(path), tolerance, tolerance)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".avi"])
def test_video_with_sound(sounds: Path, suffix: str) -> None:
    path = sounds / f"video{suffix}"
    # The video stream is longer than the sound: that is not a cut-off sound.
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=3", "-i", sounds / "tone.wav", path)
    check_tone(load_waveform(path), 0.06, 0.06)


def test_late_sound_track_keeps_its_time(sounds: Path) -> None:
    path = sounds / "late.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=3", "-itsoffset", "0.7", "-i", sounds / "tone.wav", path)
    samples = load_waveform(path).samples
    assert np.flatnonzero(np.abs(samples) > LEVEL / 2)[0] / SAMPLE_RATE == pytest.approx(1.2, abs=0.03)


def test_cover_image_is_not_a_video(sounds: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64", "-frames:v", "1", sounds / "cover.png")
    path = sounds / "cover.mp3"
    ffmpeg("-i", sounds / "tone.wav", "-i", sounds / "cover.png", "-map", "0", "-map", "1", "-c:v", "copy", path)
    check_tone(load_waveform(path), 0.01, 0.01)
    path.write_bytes(path.read_bytes()[:-8000])
    with pytest.raises(AudioError, match="cut off"):
        load_waveform(path)


def test_wrong_suffix_is_no_obstacle(sounds: Path) -> None:
    path = sounds / "really_flac.wav"
    soundfile.write(path, tone(16000), 16000, format="FLAC")
    check_tone(load_waveform(path), 1e-3, 5e-3)


def test_pure_silence_is_accepted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000), 8000)
    waveform = load_waveform(tmp_path / "silence.wav")
    assert waveform.seconds == 1 and not waveform.samples.any()


def test_above_the_speech_band_nothing_folds_back(tmp_path: Path) -> None:
    time = np.arange(48000) / 48000
    soundfile.write(tmp_path / "high.wav", 0.5 * np.sin(2 * np.pi * 11000 * time), 48000)
    assert np.abs(load_waveform(tmp_path / "high.wav").samples[1600:-1600]).max() < 1e-3


def test_hot_float_recording_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hot.wav", 6 * tone(16000), 16000, subtype="FLOAT")
    samples = load_waveform(tmp_path / "hot.wav").samples
    assert np.abs(samples).max() == pytest.approx(1)
    np.testing.assert_allclose(samples, 2 * tone(16000), atol=1e-3)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "int32", "uint8"])
def test_arrays(rate: int, kind: str) -> None:
    samples = tone(rate)
    if kind.startswith("float"):
        array = samples.astype(kind)
    else:
        limits = np.iinfo(kind)
        array = (samples * (limits.max // 2 if kind == "uint8" else limits.max)).astype(np.float64)
        array = np.round(array + (128 if kind == "uint8" else 0)).astype(kind)
    check_tone(load_waveform((array, rate)), 1e-3, 5e-3)


def test_channels_in_either_order_are_averaged() -> None:
    pair = np.stack([tone(16000), np.zeros_like(tone(16000))])
    for array in (pair, pair.T):
        np.testing.assert_allclose(load_waveform((array, 16000)).samples, tone(16000) / 2, atol=1e-6)


def test_array_is_not_shared_with_the_caller() -> None:
    array = tone(16000)
    waveform = load_waveform((array, 16000))
    array[:] = 0
    assert waveform.samples.any()


def test_written_wav_reads_back(tmp_path: Path) -> None:
    original = load_waveform((tone(16000), 16000))
    write_wav(tmp_path / "out.wav", original)
    assert np.abs(load_waveform(tmp_path / "out.wav").samples - original.samples).max() <= 1 / 32767
    assert [path.name for path in tmp_path.iterdir()] == ["out.wav"]
    assert load_waveform(original).samples.tolist() == original.samples.tolist()


def make_bad(kind: str, folder: Path) -> Path:
    """A file that must be refused, and the word its message must contain."""
    path = folder / f"{kind}.wav"
    good = folder / "good.wav"
    soundfile.write(good, tone(16000), 16000)
    broken = tone(16000)
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is a transcript and not a recording.\n" * 200)
    elif kind == "header_cut":
        path.write_bytes(good.read_bytes()[:30])
    elif kind == "header_only":
        path.write_bytes(good.read_bytes()[:44])
    elif kind == "data_cut":
        path.write_bytes(good.read_bytes()[:20000])
    elif kind == "flac_cut":
        soundfile.write(good, tone(16000), 16000, format="FLAC")
        path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    elif kind == "short":
        soundfile.write(path, tone(16000)[:800], 16000)
    elif kind in ("nan", "inf", "huge"):
        broken[9000] = {"nan": np.nan, "inf": np.inf, "huge": 1e9}[kind]
        soundfile.write(path, broken, 16000, subtype="FLOAT")
    elif kind == "image":
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64", "-frames:v", "1", folder / "image.png")
        (folder / "image.png").rename(path)
    elif kind == "mute_video":
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:d=1", folder / "mute.mp4")
        (folder / "mute.mp4").rename(path)
    elif kind == "playlist":
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\ngood.wav\n#EXT-X-ENDLIST\n")
    elif kind == "list":
        path.write_text("ffconcat version 1.0\nfile good.wav\n")
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "no file missing.wav"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "not a sound file"),
        ("header_cut", "not a sound file"),
        ("header_only", "holds no sound"),
        ("data_cut", "cut off"),
        ("flac_cut", "cut off"),
        ("short", "only 0.05 s"),
        ("nan", "NaN or infinite"),
        ("inf", "NaN or infinite"),
        ("huge", "between -1 and 1"),
        ("image", "not a sound file"),
        ("mute_video", "no sound track"),
        ("playlist", "not a sound file"),
        ("list", "not a sound file"),
    ],
)
def test_refused_files(tmp_path: Path, kind: str, words: str) -> None:
    path = make_bad(kind, tmp_path)
    with pytest.raises(AudioError, match=words) as caught:
        load_waveform(path)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and ";" in message  # one sentence, remedy after the semicolon
    assert str(tmp_path) not in message and "0x" not in message  # no machine paths, no noise of the decoder


def test_a_size_left_open_by_a_streaming_program_is_not_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "stream.wav"
    soundfile.write(path, tone(16000), 16000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert load_waveform(path).seconds == pytest.approx(TONE_SECONDS, abs=1e-3)


def test_too_long_is_refused_and_not_shortened(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(16000 * 5), 16000)
    with pytest.raises(AudioError, match="at most 2 seconds"):
        load_waveform(tmp_path / "long.wav", longest_seconds=2)
    with pytest.raises(AudioError, match="at most 2 seconds"):
        load_waveform((np.zeros(44100 * 5), 44100), longest_seconds=2)


def test_the_name_in_a_message_carries_no_markup(tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        load_waveform(tmp_path / "<img onerror=alert(1)>.wav")
    assert "<" not in str(caught.value) and ">" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        (np.array([np.nan] * 16000), 16000),
        (np.array([np.inf] * 44100), 44100),
        (np.zeros(800), 16000),
        (np.zeros(0), 8000),
        (16000, np.zeros(16000)),  # the wrong order
        (np.zeros(16000), 0),
        (np.zeros((4, 4, 4)), 16000),
        (np.array(["a"] * 16000), 16000),
        (np.zeros(16000, complex), 16000),
        12,
        "a\0b",
    ],
    ids=str,
)
def test_refused_values(source: object) -> None:
    with pytest.raises(AudioError):
        load_waveform(source)


def test_waveform_keeps_its_promise() -> None:
    for samples in (np.zeros(10), np.zeros((2, 5), np.float32), np.full(9, 1.5, np.float32), np.full(9, np.nan, "f4")):
        with pytest.raises(AudioError):
            Waveform(samples)
