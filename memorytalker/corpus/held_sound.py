"""A recorded vowel, nasal or fricative that is held: alone, after speech, or within a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.corpus.steady_voice import SteadyVoice, steady_voice
from memorytalker.corpus.sustained_sound import Colour, looped_noise, sustained
from memorytalker.corpus.tune import draw_tune
from memorytalker.phones import ENGLISH
from memorytalker.sound.acoustics import RATE, brightness, effort, speech_level
from memorytalker.sound.decode import SAMPLE_RATE

#: Places of a held sound.
ALONE, AFTER, WITHIN = "alone", "after speech", "within a sentence"
PLACES = (ALONE, AFTER, WITHIN)
#: The part of a phone that is held, from and to a share of its duration; of a diphthong its nucleus.
MIDDLE, NUCLEUS = (0.3, 0.72), (0.2, 0.5)
DIPHTHONGS = ("aw", "ay", "ey", "ow", "oy")
FRICATIVES = ("s", "sh")
#: Shortest phone that is held, seconds.
SHORTEST_PHONE = 0.1
#: dB below the level of speech at which a phone is too quiet to be one; brightness (dB, see `acoustics.brightness`)
#: above which a sound can be a fricative, and below which it can be a hum.
QUIETEST, BRIGHT, DARK = 22.0, 0.0, -10.0
#: Seconds of speech before and after a held sound, at most, of the cross-fade between recording and held sound, and
#: within which pitch and loudness go from those of the recording to those of the tune.
SPEECH_AROUND, JOIN, SETTLE = 4.0, 0.015, 0.12
#: Seconds over which a piece of a sentence fades in and out.
EDGE = 0.005
#: Seconds of attack and release of a sound, of the pause before and after it: shortest and longest.
ATTACK, RELEASE, PAUSE = (0.02, 0.12), (0.04, 0.14), (0.25, 0.9)
#: dBFS (r.m.s.) of a sound that is held alone; of the room where the recording has no pause to take it from.
LEVELS, ROOM_LEVEL = (-34.0, -12.0), -72.0
#: dB per octave by which a sound is brighter for ten decibels of effort.
TILT = 2.5

#: Start and end in seconds, and the label, of a phone.
Timed = tuple[float, float, str]


@dataclass(frozen=True)
class HeldPlan:
    """What is drawn of one held sound.

    Attributes:
        place: one of `PLACES`.
        tune: one of `tune.KINDS`.
        seconds: for which it is held.
        effort: loudness in tens of dB against the speaker's usual, from -1 to 1.
        breath_db: see `Colour`.
        way: see `sustained`.
    """

    place: str
    tune: str
    seconds: float
    effort: float = 0.0
    breath_db: float = -25.0
    way: str = "any"


@dataclass(frozen=True, eq=False)
class HeldSound:
    """A sound that holds phones.

    Attributes:
        samples: (S,) float32 in [-1, 1], 16 kHz.
        phones: all phones, without gaps.
        holds: those that are held.
        effort: (T,) as in `coarticulation.articulate`, at the motion rate.
    """

    samples: np.ndarray
    phones: tuple[Timed, ...]
    holds: tuple[Timed, ...]
    effort: np.ndarray


@dataclass(frozen=True, eq=False)
class Recording:
    """samples: (S,) speech, 16 kHz. phones: its phones with times, in order."""

    samples: np.ndarray
    phones: tuple[Timed, ...]

    def piece(self, start: float, end: float) -> np.ndarray:
        """The samples between two times in seconds."""
        return self.samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]


def held_sound(
    recording: Recording, number: int, plan: HeldPlan, fps: float, random: np.random.Generator
) -> HeldSound | None:
    """Hold a phone of a recording.

    Args:
        recording: the speech.
        number: of the phone.
        plan: how it is held.
        fps: motion frames per second.
        random: draws everything that the plan leaves open.

    Returns:
        The sound; None if this phone is not steady enough to be held.

    Raises:
        ValueError: there is no such place or tune.
    """
    if plan.place not in PLACES:
        raise ValueError(f"There is no place {plan.place!r} for a held sound; choose from {', '.join(PLACES)}.")
    body = _body(recording, recording.phones[number], plan, random)
    if body is None:
        return None
    if plan.place == ALONE:
        return _alone(recording, number, plan, body, fps, random)
    return _joined(recording, number, plan, body, fps, random)


@dataclass(frozen=True, eq=False)
class _Body:
    """A held sound by itself.

    samples: (S,) at the level of the recorded phone, changed by its gain. gain: (S,) dB. begin, end: seconds in the
    recording between which it replaces it. period: samples.
    """

    samples: np.ndarray
    gain: np.ndarray
    begin: float
    end: float
    period: int


def _body(recording: Recording, phone: Timed, plan: HeldPlan, random: np.random.Generator) -> _Body | None:
    start, end, label = phone
    if end - start < SHORTEST_PHONE:
        return None
    low, high = NUCLEUS if label in DIPHTHONGS else MIDDLE
    begin, finish = start + low * (end - start), start + high * (end - start)
    own = recording.piece(begin, finish).astype(np.float64)
    level = float(np.sqrt(np.mean(np.square(own - own.mean()))))
    if not _plausible(own, label, speech_level(recording.samples)):
        return None
    size, period = round(plan.seconds * SAMPLE_RATE), 0
    if label in FRICATIVES:
        gain = draw_tune("note", plan.seconds, 150.0, random).gain
        sound = looped_noise(own, size, random)
        sound /= max(float(np.sqrt(np.mean(np.square(sound)))), 1e-12)
    else:
        voice = steady_voice(recording.samples, begin, finish)
        if voice is None:
            return None
        gain, sound = _sung(voice, plan, random)
        period = round(SAMPLE_RATE / voice.pitch)
    weight = _settling(size, plan.place)
    gain = weight * (gain + 10 * plan.effort)
    return _Body(level * 10 ** (gain / 20) * sound, gain, begin, finish, period)


def _plausible(sound: np.ndarray, label: str, speech: float) -> bool:
    """Whether a sound can be the phone that the aligner says: loud enough, a hum dark and a fricative bright."""
    if np.sqrt(np.mean(np.square(sound - sound.mean()))) < 10 ** (-QUIETEST / 20) * speech:
        return False
    if label in FRICATIVES:
        return brightness(sound) > BRIGHT
    return label not in ENGLISH.bilabials or brightness(sound) < DARK


def _sung(voice: SteadyVoice, plan: HeldPlan, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    tune = draw_tune(plan.tune, plan.seconds, voice.pitch, random)
    weight = _settling(len(tune.pitch), plan.place)
    pitch = voice.pitch ** (1 - weight) * tune.pitch**weight
    colour = Colour(
        plan.breath_db, TILT * plan.effort, random.uniform(0.002, 0.008), random.uniform(0.01, 0.04),
        random.uniform(0.004, 0.02),
    )  # fmt: skip
    return tune.gain, sustained(voice, pitch, colour, random, plan.way)


def _settling(size: int, place: str) -> np.ndarray:
    """(size,) 0 where a held sound joins the recording, 1 where it follows its own tune."""
    weight = np.ones(size)
    ramp = np.clip(np.arange(size) / (SETTLE * SAMPLE_RATE), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    if place != ALONE:
        weight *= ramp
    return weight * ramp[::-1] if place == WITHIN else weight


def _alone(
    recording: Recording, number: int, plan: HeldPlan, body: _Body, fps: float, random: np.random.Generator
) -> HeldSound:
    before, after = (round(random.uniform(*PAUSE) * SAMPLE_RATE) for _ in range(2))
    loud = float(np.sqrt(np.mean(np.square(body.samples))))
    level = 10 ** (random.uniform(*LEVELS) / 20)
    edged = body.samples * _edges(len(body.samples), random.uniform(*ATTACK), random.uniform(*RELEASE))
    samples = np.pad(edged, (before, after)) * (level / max(loud, 1e-12))
    samples = samples + _room(recording, len(samples), random) * min(level / max(loud, 1e-12), 1.0)
    start, end = before / SAMPLE_RATE, (before + len(edged)) / SAMPLE_RATE
    label, seconds = recording.phones[number][2], len(samples) / SAMPLE_RATE
    phones = ((0.0, start, ENGLISH.silence), (start, end, label), (end, seconds, ENGLISH.silence))
    gain = np.pad(body.gain, (before, after), mode="edge")
    return _finished(samples, phones, (phones[1],), _at_frames(gain, fps) / 10)


def _joined(
    recording: Recording, number: int, plan: HeldPlan, body: _Body, fps: float, random: np.random.Generator
) -> HeldSound:
    first, last = _first_phone(recording.phones, number), _last_phone(recording.phones, number)
    begin, fade = recording.phones[first][0], round(JOIN * SAMPLE_RATE)
    before = recording.piece(begin, body.begin + JOIN).astype(np.float64)
    held = body.samples[_best_shift(body.samples, before[-fade:], body.period) :]
    if plan.place == AFTER:
        held = held * _edges(len(held), 0.0, random.uniform(*RELEASE))
        rest = np.zeros(fade + round(random.uniform(*PAUSE) * SAMPLE_RATE))
    else:
        rest = recording.piece(body.end, recording.phones[last][1]).astype(np.float64)
        rest = rest[_best_shift(rest, held[-fade:], body.period) :]
    samples = _cross_faded(_cross_faded(before, held, fade), rest, fade)
    hold = (len(before) - fade, len(before) - fade + len(held))
    samples = samples + _room(recording, len(samples), random) * _without_recording(len(samples), hold, plan.place)
    samples *= _edges(len(samples), EDGE, EDGE)  # what is cut out of a sentence begins and ends at a zero
    phones = _held_phones(recording.phones, first, number, last, hold, len(samples), plan.place)
    effort_there = _effort(recording, len(samples), hold, begin, body, plan.place, fps)
    return _finished(samples, phones, (phones[number - first],), effort_there)


def _first_phone(phones: Sequence[Timed], number: int) -> int:
    """The phone with which the speech before begins: the earliest pause within reach, or the earliest phone."""
    reach = [at for at in range(number) if phones[number][0] - phones[at][0] <= SPEECH_AROUND]
    pauses = [at for at in reach if phones[at][2] == ENGLISH.silence]
    return (pauses or reach or [number])[0]


def _last_phone(phones: Sequence[Timed], number: int) -> int:
    """The phone with which the speech after ends: the last pause within reach, or the last phone."""
    reach = [at for at in range(number + 1, len(phones)) if phones[at][1] - phones[number][1] <= SPEECH_AROUND]
    pauses = [at for at in reach if phones[at][2] == ENGLISH.silence]
    return (pauses or reach or [number])[-1]


def _best_shift(samples: np.ndarray, other: np.ndarray, period: int) -> int:
    """By how many samples, less than a period, `samples` is best cut to be in step with `other`."""
    shifts = [at for at in range(max(period, 1)) if at + len(other) <= len(samples)]
    return max(shifts, key=lambda at: float(samples[at : at + len(other)] @ other), default=0)


def _cross_faded(first: np.ndarray, second: np.ndarray, fade: int) -> np.ndarray:
    fade = min(fade, len(first), len(second))
    up = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(fade, 1))
    overlap = first[len(first) - fade :] * (1 - up) + second[:fade] * up
    return np.concatenate([first[: len(first) - fade], overlap, second[fade:]])


def _without_recording(size: int, hold: tuple[int, int], place: str) -> np.ndarray:
    """(size,) 1 where a joined sound is not the recording, so that its room is missing; 0 where it is; eased."""
    at, ease = np.arange(size), JOIN * SAMPLE_RATE
    weight = np.clip((at - hold[0]) / ease, 0, 1)
    return weight * np.clip((hold[1] - at) / ease, 0, 1) if place == WITHIN else weight


def _held_phones(
    phones: Sequence[Timed], first: int, number: int, last: int, hold: tuple[int, int], size: int, place: str
) -> tuple[Timed, ...]:
    """Phones of a joined sound of `size` samples, cut from `first` to `last`, of which `number` is held."""
    begin, seconds = phones[first][0], size / SAMPLE_RATE
    start, end, label = phones[number]
    ahead = [(a - begin, b - begin, name) for a, b, name in phones[first:number]]
    if place == AFTER:
        stops = hold[1] / SAMPLE_RATE
        return (*ahead, (start - begin, stops, label), (stops, seconds, ENGLISH.silence))
    later = seconds - phones[last][1]  # what follows is that much later than in the recording
    behind = [(a + later, b + later, name) for a, b, name in phones[number + 1 : last + 1]]
    return (*ahead, (start - begin, end + later, label), *behind)


def _effort(
    recording: Recording, size: int, hold: tuple[int, int], begin: float, body: _Body, place: str, fps: float
) -> np.ndarray:
    """(T,) effort: that of the recording, measured on all of it, and where it is held that of the join and its gain."""
    count = max(round(len(recording.samples) / SAMPLE_RATE * RATE), 1)
    contour = effort(recording.samples, count, RATE)
    start, end = (at / SAMPLE_RATE for at in hold)
    times = (np.arange(max(1, round(size / SAMPLE_RATE * fps))) + 0.5) / fps
    middles = (np.arange(count) + 0.5) / RATE
    there = np.where(times < start, begin + times, body.end + times - end)
    own = np.interp(there, middles, contour)
    gain = np.interp(times - start, np.arange(len(body.gain)) / SAMPLE_RATE, body.gain) / 10
    held = np.interp(body.begin, middles, contour) + gain
    return np.where((times >= start) & ((times < end) | (place == AFTER)), held, own)


def _room(recording: Recording, size: int, random: np.random.Generator) -> np.ndarray:
    """(size,) the quiet of the recording's pauses, sounding on; faint noise if it has none."""
    pauses = [recording.piece(start + 0.05, end - 0.05) for start, end, label in recording.phones
              if label == ENGLISH.silence and end - start >= 0.16]  # fmt: skip
    pauses = [pause for pause in pauses if len(pause)]
    faint = 10 ** (ROOM_LEVEL / 20) * random.standard_normal(size)
    if not pauses:
        return faint
    quietest = min(pauses, key=lambda pause: float(np.mean(np.square(pause))))
    return looped_noise(quietest, size, random, seconds=0.05)


def _edges(size: int, attack: float, release: float) -> np.ndarray:
    """(size,) gain that rises over `attack` seconds and falls over `release` seconds."""
    at = np.arange(size) / SAMPLE_RATE
    rise = np.clip(at / attack, 0, 1) if attack > 0 else np.ones(size)
    fall = np.clip((size / SAMPLE_RATE - at) / release, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))


def _at_frames(values: np.ndarray, fps: float) -> np.ndarray:
    """Values (S,) at the middles of motion frames (T,)."""
    frames = max(1, round(len(values) / SAMPLE_RATE * fps))
    at = ((np.arange(frames) + 0.5) / fps * SAMPLE_RATE).astype(int)
    return values[np.minimum(at, len(values) - 1)]


def _finished(
    samples: np.ndarray, phones: tuple[Timed, ...], holds: tuple[Timed, ...], effort: np.ndarray
) -> HeldSound:
    samples = samples * min(1.0, 0.95 / max(float(np.abs(samples).max()), 1e-12))
    return HeldSound(samples.astype(np.float32), phones, holds, np.clip(effort, -1.5, 1.5))
