"""Held and sung sounds of voices that nobody trained on: does the mouth stay open while a vowel sounds?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memorytalker.corpus.held_motion import OPEN_VOWELS, REACHED
from memorytalker.corpus.held_sound import AFTER, ALONE, HeldPlan, HeldSound, Recording, held_sound
from memorytalker.phones import ENGLISH
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_voices import quiet_frames
from memorytalker.scorecard.mouth import mouth_of
from memorytalker.scorecard.synthesised_reference import ReferenceClip, subsample
from memorytalker.sound.decode import Waveform, load_waveform

#: Metres of lip opening from which a mouth is open, and below which it is closed.
OPEN, CLOSED = 0.005, 0.001
#: Sounds of every phone and every kind, each of another speaker as far as there are enough; seconds they are held.
EACH, SECONDS = 2, (1.0, 5.0)
#: How they are held: name -> tune and place.
KINDS = {
    "spoken, alone": ("spoken", ALONE), "sung, alone": ("note", ALONE),
    "spoken, after speech": ("spoken", AFTER), "sung, after speech": ("note", AFTER),
}  # fmt: skip
#: The phone of a hum.
HUM = "m"
#: Seconds before the end of a held sound in which the mouth may begin to close.
LEAVING = 0.05
#: Recorded phones that are tried until one is steady.
TRIES = 20


@dataclass(frozen=True, eq=False)
class HeldClip:
    """A held sound, of one speaker: its phone's label, its kind (of `KINDS`) and the sound."""

    label: str
    kind: str
    speaker: str
    sound: HeldSound


@dataclass(frozen=True, eq=False)
class HeldMouth:
    """What a model does while a phone is held, over the n frames in which it sounds.

    Attributes:
        clip: the sound.
        gap: (n,) lip opening in metres, from `REACHED` seconds after the beginning on.
        silent: (m,) whether silence is the strongest slot, in the loud frames among all in which it sounds.
    """

    clip: HeldClip
    gap: np.ndarray
    silent: np.ndarray


def held_clips(clips: Sequence[ReferenceClip], fps: float, limit: int = 0) -> list[HeldClip]:
    """Make held sounds from recordings: `EACH` for every vowel and the hum in every one of `KINDS`.

    Args:
        clips: the recordings, with their phones.
        fps: motion frames per second.
        limit: about this many sounds, evenly chosen; 0 for all.

    Returns:
        The sounds, the same in every run; fewer where the recordings have no steady phones.
    """
    wanted = [(label, kind, number) for label in (*ENGLISH.vowels, HUM) for kind in KINDS for number in range(EACH)]
    spoken, made, heard = _by_label(clips), [], Counter[tuple[str, str]]()
    for label, kind, number in subsample(wanted, limit):
        random = np.random.default_rng([*f"{label} {kind} {number}".encode()])
        tune, place = KINDS[kind]
        plan = HeldPlan(place, tune, float(random.uniform(*SECONDS)))
        # Who has held this phone least often comes first, and then who has held anything least often.
        turns = {speaker: (heard[label, speaker], heard["", speaker]) for speaker in {clip.speaker for clip in clips}}
        for clip, at in sorted(spoken.get(label, []), key=lambda one: turns[one[0].speaker])[:TRIES]:
            sound = held_sound(recording_of(clip), at, plan, fps, random)
            if sound is not None:
                heard.update([(label, clip.speaker), ("", clip.speaker)])
                made.append(HeldClip(label, kind, clip.speaker, sound))
                break
    return made


def recording_of(clip: ReferenceClip) -> Recording:
    """The sound of a clip with its phones."""
    phones = clip.phones
    timed = ((float(start), float(end), ENGLISH.phones[index])
             for start, end, index in zip(phones.start, phones.end, phones.index, strict=True))  # fmt: skip
    return Recording(load_waveform(clip.sound).samples, tuple(timed))


def _by_label(clips: Sequence[ReferenceClip]) -> dict[str, list[tuple[ReferenceClip, int]]]:
    """Label -> (clip, number of the phone): every speaker's longest phone first, then every speaker's second."""
    found: dict[str, dict[str, list[tuple[float, str, int, ReferenceClip]]]] = {}
    for clip in clips:
        for number, (start, end, index) in enumerate(
            zip(clip.phones.start, clip.phones.end, clip.phones.index, strict=True)
        ):
            own = found.setdefault(ENGLISH.phones[index], {}).setdefault(clip.speaker, [])
            own.append((float(start - end), clip.sound.name, number, clip))
    ordered = {}
    for label, speakers in found.items():
        ranked = [(rank, speaker, clip, number) for speaker, own in sorted(speakers.items())
                  for rank, (_, _, number, clip) in enumerate(sorted(own, key=lambda one: one[:3]))]  # fmt: skip
        ordered[label] = [(clip, number) for _, _, clip, number in sorted(ranked, key=lambda one: one[:2])]
    return ordered


def held_mouth(talker: Talker, clip: HeldClip) -> HeldMouth:
    """Animate a held sound, in the style of its own voice, and keep what matters."""
    samples = clip.sound.samples
    animation = talker.animate(Waveform(samples))
    gap = mouth_of(talker.head, animation.motion, animation.fps).gap
    slots = np.asarray(animation.slot_labels)[animation.memory_address.argmax(axis=1)]
    times = (np.arange(len(gap)) + 0.5) / animation.fps
    start, end, _ = clip.sound.holds[0]
    loud = ~quiet_frames(samples, len(gap), animation.fps) & (times >= start) & (times < end)
    lasting = (times >= start + REACHED) & (times < end - LEAVING)
    return HeldMouth(clip, gap[lasting], slots[loud] == ENGLISH.silence)


def held_figures(
    talker: Talker, clips: Sequence[HeldClip], card: Scorecard, progress: Progress | None = None
) -> list[Figure]:
    """Measure a model on held sounds; see `figures_of_held`."""
    mouths = []
    for done, clip in enumerate(clips, start=1):
        mouths.append(held_mouth(talker, clip))
        if progress:
            progress(done, len(clips), "held sounds")
    return figures_of_held(mouths, card)


def figures_of_held(mouths: Sequence[HeldMouth], card: Scorecard) -> list[Figure]:
    """Compute all figures of held sounds.

    Args:
        mouths: what the model does in each sound.
        card: the goals.

    Returns:
        The share of frames with an open mouth: the least of the open vowels, with a goal, then each of them and each
        kind; the share of loud voiced frames on the slot of silence, with a goal; the share of closed frames of hums.
    """
    title = f"held vowels: lips more than {1000 * OPEN:g} mm apart"
    vowels = [mouth for mouth in mouths if mouth.clip.label in OPEN_VOWELS]
    by_label = {label: [mouth for mouth in vowels if mouth.clip.label == label] for label in OPEN_VOWELS}
    by_label = {label: own for label, own in by_label.items() if own}
    shares = {label: _share([mouth.gap > OPEN for mouth in own]) for label, own in by_label.items()}
    figures = [
        Figure(f"{title}, least of the open vowels", min(shares.values(), default=float("nan")), _count(vowels),
               card.held_open)
    ]  # fmt: skip
    figures += [Figure(f"{title}: {label}", share, _count(by_label[label])) for label, share in shares.items()]
    for kind in KINDS:
        own = [mouth for mouth in vowels if mouth.clip.kind == kind]
        figures.append(Figure(f"{title}: {kind}", _share([mouth.gap > OPEN for mouth in own]), _count(own)))
    hums = [mouth for mouth in mouths if mouth.clip.label == HUM]
    loud = sum(len(mouth.silent) for mouth in mouths)
    return [
        *figures,
        Figure("held sounds: loud voiced frames on the slot of silence", _share([mouth.silent for mouth in mouths]),
               f"{loud} frames, {len(mouths)} sounds", card.held_on_silence),
        Figure(f"held {HUM}: lips less than {1000 * CLOSED:g} mm apart", _share([mouth.gap < CLOSED for mouth in hums]),
               _count(hums)),
    ]  # fmt: skip


def _share(hits: Sequence[np.ndarray]) -> float:
    """The share of True in all arrays together; nan without any."""
    frames = np.concatenate([np.zeros(0, bool), *hits])
    return float(frames.mean()) if len(frames) else float("nan")


def _count(mouths: Sequence[HeldMouth]) -> str:
    speakers = len({mouth.clip.speaker for mouth in mouths})
    return f"{sum(len(mouth.gap) for mouth in mouths)} frames, {len(mouths)} sounds, {speakers} speakers"
