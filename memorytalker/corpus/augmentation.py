"""Sound augmentation: noise, rooms, microphones, gain, codecs.

All of it keeps time: a sound at second t stays at second t, so that recorded motion still fits. Samples are (S,)
float32, 16 kHz, mono, [-1, 1], in and out, S unchanged.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, oaconvolve, resample_poly, sosfiltfilt

from memorytalker.corpus.clips import Clip, CorpusError
from memorytalker.sound.acoustics import speech_level
from memorytalker.sound.decode import SAMPLE_RATE, load_waveform

#: What `through_codec` knows, and how often each is drawn when a codec is.
CODECS = {"telephone": 0.4, "opus": 0.35, "mp3": 0.25}
#: Probabilities in `augmented`. At least one of noise and room is always applied, if there are any.
ROOM_PROBABILITY, NOISE_PROBABILITY, TILT_PROBABILITY, CODEC_PROBABILITY, HOT_PROBABILITY = 0.35, 0.8, 0.5, 0.25, 0.08
#: dB of the speech over the noise; dB per octave of a microphone; dB of gain; dB over full scale of a hot recording.
SNR_RANGE, TILT_RANGE, GAIN_RANGE, HOT_RANGE = (5.0, 25.0), (-3.0, 3.0), (-20.0, 3.0), (1.0, 8.0)
#: Gain of the echoes of a measured room: a mouth is nearer to the microphone than the loudspeaker was.
ECHO_RANGE = (0.2, 1.0)

#: Seconds after the direct sound from which on an impulse response is echo.
_DIRECT_SECONDS = 0.0025
_TELEPHONE_BAND, _TELEPHONE_RATE = (300.0, 3400.0), 8000
#: libsndfile's compression for about 12 kbit/s of Opus and 24 kbit/s of MP3.
_COMPRESSION = {"opus": 0.98, "mp3": 0.88}
#: Samples by which LAME (576) and an MP3 decoder (529) together lag, where the file has no room to say so.
_MP3_DELAY = 1105


def training_noises(root: str | Path) -> tuple[Path, ...]:
    """Sound files below `root`/noise/noise to train with: every second one by name. Empty if there are none."""
    return _files(root, "noise")[1::2]


def held_noises(root: str | Path) -> tuple[Path, ...]:
    """The other noises, which are never trained with."""
    return _files(root, "noise")[::2]


def training_rooms(root: str | Path) -> tuple[Path, ...]:
    """Impulse responses below `root`/noise/room to train with: every second one by name. Empty if there are none."""
    return _files(root, "room")[1::2]


def held_rooms(root: str | Path) -> tuple[Path, ...]:
    """The other rooms, which are never trained with."""
    return _files(root, "room")[::2]


def with_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float, random: np.random.Generator) -> np.ndarray:
    """Add noise to speech.

    The noise begins at a random place and is repeated if it is too short. Silence stays silent, since it has no level.

    Args:
        samples: (S,) speech.
        noise: (N,).
        snr_db: level of the loud frames of speech above the mean power of the noise, in dB.
        random: draws the place.

    Returns:
        (S,) in [-1, 1].
    """
    added = np.resize(np.roll(noise, -int(random.integers(len(noise)))), len(samples)).astype(np.float64)
    level = float(np.sqrt(np.mean(np.square(added))))
    if level > 0:
        samples = samples + added * (speech_level(samples) * 10 ** (-snr_db / 20) / level)
    return _within_scale(samples)


def with_room(samples: np.ndarray, impulse: np.ndarray) -> np.ndarray:
    """Add the reverberation of a room to speech. The level of the speech stays the same.

    The direct sound stays where it was in time, so the lips do not lag. The tail after the end is cut off.

    Args:
        samples: (S,) speech.
        impulse: (R,) impulse response of the room, 16 kHz; its peak is the direct sound.

    Returns:
        (S,) in [-1, 1].
    """
    peak = int(np.argmax(np.abs(impulse)))
    sign = 1.0 if impulse[peak] >= 0 else -1.0
    wet = oaconvolve(np.asarray(samples, np.float64), sign * np.asarray(impulse, np.float64))
    return _at_level(wet[peak : peak + len(samples)], speech_level(samples))


def with_tilt(samples: np.ndarray, db_per_octave: float) -> np.ndarray:
    """Simulate a brighter or duller microphone, without delay. The level of the speech stays the same.

    Args:
        samples: (S,) speech.
        db_per_octave: slope around 1 kHz; above 0 is brighter.

    Returns:
        (S,) in [-1, 1].
    """
    octaves = np.log2(np.clip(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE), 100.0, None) / 1000.0)
    tilted = np.fft.irfft(np.fft.rfft(samples) * 10 ** (db_per_octave * octaves / 20), len(samples))
    return _at_level(tilted, speech_level(samples))


def with_gain(samples: np.ndarray, db: float) -> np.ndarray:
    """Make speech louder by `db`. What exceeds full scale is clipped, as in a recorder."""
    return np.clip(samples * 10 ** (db / 20), -1.0, 1.0).astype(np.float32)


def through_codec(samples: np.ndarray, kind: str) -> np.ndarray:
    """Pass speech through a codec, and remove the codec's delay.

    Args:
        samples: (S,) speech.
        kind: "telephone" (300 to 3400 Hz, 8 kHz, mu-law), or "opus" or "mp3" at a low bit rate.

    Returns:
        (S,) in [-1, 1].

    Raises:
        ValueError: there is no such codec.
    """
    if kind not in CODECS:
        raise ValueError(f"There is no codec {kind!r}; choose from {', '.join(CODECS)}.")
    if kind == "telephone":
        return _telephone(samples)
    file = io.BytesIO()
    form = {"opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}[kind]
    rate = {"bitrate_mode": "CONSTANT"} if kind == "mp3" else {}
    soundfile.write(
        file, samples, SAMPLE_RATE, format=form[0], subtype=form[1], compression_level=_COMPRESSION[kind], **rate
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    if kind == "mp3" and len(decoded) > len(samples):  # the file did not say what the decoder should leave out
        decoded = decoded[_MP3_DELAY:]
    decoded = np.pad(decoded[: len(samples)], (0, max(0, len(samples) - len(decoded))))
    return np.clip(decoded, -1.0, 1.0)


def augmented(samples: np.ndarray, root: str | Path, seed: int, name: str) -> np.ndarray:
    """Augment speech at random, in the order of a recording chain; the same (seed, name) gives the same result.

    Each step has the probability stated above: a room of `training_rooms`, a noise of `training_noises` at 5 to 25 dB,
    a microphone's tilt, a gain (rarely into clipping), a codec.

    Args:
        samples: (S,) float32, 16 kHz.
        root: the source folder.
        seed: the number of the version.
        name: of the clip.

    Returns:
        Samples (S,).

    Raises:
        CorpusError: there are neither noises nor rooms.
    """
    noises, rooms = training_noises(root), training_rooms(root)
    if not noises and not rooms:
        raise CorpusError(f"{root} has no two sounds in noise/noise or noise/room; put some there to augment clips.")
    random = np.random.default_rng([seed, *name.encode()])
    drawn = random.random(5)
    noisy, roomy = bool(noises) and drawn[0] < NOISE_PROBABILITY, bool(rooms) and drawn[1] < ROOM_PROBABILITY
    if not noisy and not roomy:
        noisy, roomy = bool(noises), not noises
    samples = np.asarray(samples, np.float32)
    if roomy:
        impulse = _sound(rooms[int(random.integers(len(rooms)))])
        samples = with_room(samples, _nearer(impulse, random.uniform(*ECHO_RANGE)))
    if noisy:
        noise = _sound(noises[int(random.integers(len(noises)))])
        samples = with_noise(samples, noise, random.uniform(*SNR_RANGE), random)
    if drawn[2] < TILT_PROBABILITY:
        samples = with_tilt(samples, random.uniform(*TILT_RANGE))
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-3)
    hot = random.uniform(*HOT_RANGE) - 20 * np.log10(peak)
    samples = with_gain(samples, hot if drawn[3] < HOT_PROBABILITY else random.uniform(*GAIN_RANGE))
    if drawn[4] < CODEC_PROBABILITY:
        samples = through_codec(samples, str(random.choice(list(CODECS), p=list(CODECS.values()))))
    return samples


def clip_samples(root: Path | None, folder: Path, clip: Clip) -> np.ndarray:
    """Load the sound of a clip, augmented if the clip is an augmented version.

    Args:
        root: the source folder.
        folder: the corpus.
        clip: the clip.

    Returns:
        Samples (S,) at 16 kHz.

    Raises:
        CorpusError: `root` is needed and None.
    """
    if root is None and (clip.base == "root" or clip.augmentation):
        raise CorpusError(f"The clip {clip.name} needs the source folder of its corpus; give it with --root.")
    samples = load_waveform((folder if clip.base == "corpus" else Path(root or "")) / clip.sound).samples
    return augmented(samples, Path(root or ""), clip.augmentation, clip.name) if clip.augmentation else samples


def _telephone(samples: np.ndarray) -> np.ndarray:
    sections = butter(4, _TELEPHONE_BAND, "bandpass", fs=SAMPLE_RATE, output="sos")
    band = sosfiltfilt(sections, samples, padlen=min(200, len(samples) - 1))
    slow = np.clip(resample_poly(band, _TELEPHONE_RATE, SAMPLE_RATE), -1.0, 1.0)
    # G.711 in its continuous form: 255 steps, finer near zero.
    steps = np.round(np.sign(slow) * np.log1p(255 * np.abs(slow)) / np.log(256) * 127) / 127
    expanded = np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255
    wide = resample_poly(expanded, SAMPLE_RATE, _TELEPHONE_RATE)[: len(samples)]
    return np.clip(wide, -1.0, 1.0).astype(np.float32)


def _nearer(impulse: np.ndarray, echo: float) -> np.ndarray:
    """The impulse response with everything but the direct sound scaled by `echo`."""
    distance = np.abs(np.arange(len(impulse)) - int(np.argmax(np.abs(impulse))))
    return impulse * np.where(distance <= _DIRECT_SECONDS * SAMPLE_RATE, 1.0, echo)


def _at_level(samples: np.ndarray, level: float) -> np.ndarray:
    now = speech_level(samples)
    return _within_scale(samples * (level / now) if now > 0 else samples)


def _within_scale(samples: np.ndarray) -> np.ndarray:
    """Scale the whole sound down if it exceeds full scale, so that the noise stays as far below the speech."""
    return (samples / max(float(np.abs(samples).max(initial=0.0)), 1.0)).astype(np.float32)


def _files(root: str | Path, kind: str) -> tuple[Path, ...]:
    folder = Path(root) / "noise" / kind
    return tuple(sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith(".")))


@lru_cache(maxsize=64)  # a noise serves many clips, and decoding it takes longer than adding it
def _sound(path: Path) -> np.ndarray:
    samples = load_waveform(path).samples
    samples.setflags(write=False)
    return samples
