"""Robustness: the drop of the correlation with tracked video when noise or reverberation is added to the sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from memorytalker.corpus.augmentation import held_noises, held_rooms, with_noise, with_room
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.goals import Figure
from memorytalker.scorecard.held_out_videos import Compared, compare_video
from memorytalker.sound.decode import Waveform, load_waveform

#: Signal-to-noise ratio in decibels.
SIGNAL_TO_NOISE = 10.0
#: Every STEP-th tracked clip is measured under every condition.
STEP = 3
#: Noises with this in their name are babble.
BABBLE = "babble"

#: From samples (S,) at 16 kHz and a random generator to samples (S,).
Condition = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def conditions(root: Path) -> dict[str, dict[str, Condition]]:
    """Load the noises and room impulse responses that are held out of training.

    Args:
        root: the source folder.

    Returns:
        Kind -> name of the recording -> function that adds it to a sound.

    Raises:
        EvaluationError: if the source folder has no noises or no rooms.
    """
    noises = {path.stem: _noise(load_waveform(path).samples) for path in held_noises(root)}
    rooms = {path.stem: _room(load_waveform(path).samples) for path in held_rooms(root)}
    if not noises or not rooms:
        raise EvaluationError(f"{root} needs recordings in noise/noise and noise/room to measure robustness.")
    return {
        f"babble at {SIGNAL_TO_NOISE:g} dB": {name: noise for name, noise in noises.items() if BABBLE in name},
        f"household noise at {SIGNAL_TO_NOISE:g} dB": {
            name: noise for name, noise in noises.items() if BABBLE not in name
        },
        "rooms": rooms,
    }


def _noise(noise: np.ndarray) -> Condition:
    return lambda samples, random: with_noise(samples, noise, SIGNAL_TO_NOISE, random)


def _room(impulse: np.ndarray) -> Condition:
    return lambda samples, random: with_room(samples, impulse)


def condition_figures(
    talker: Talker,
    clean: Sequence[Compared],
    kinds: Mapping[str, Mapping[str, Condition]],
    card: Scorecard,
    progress: Progress | None = None,
) -> list[Figure]:
    """Mean drop of the lip opening's correlation with video, for every kind of condition and every recording of it."""
    chosen = list(clean[::STEP])
    kinds = {kind: recordings for kind, recordings in kinds.items() if recordings}
    total, done = sum(map(len, kinds.values())), 0
    figures: list[Figure] = []
    for kind, recordings in kinds.items():
        drops = {}
        for name, condition in recordings.items():
            drops[name] = np.mean([drop(talker, one, condition, name) for one in chosen])
            done += 1
            if progress:
                progress(done, total, "conditions")
        count = f"{len(chosen)} clips in each of {len(drops)}"
        title = "robustness: drop of the lip opening's correlation with video"
        figures.append(Figure(f"{title}, {kind}", float(np.mean(list(drops.values()))), count, card.fall))
        if len(drops) > 1:
            figures += [Figure(f"{title}, {kind}: {name}", float(value), f"{len(chosen)} clips")
                        for name, value in drops.items()]  # fmt: skip
    return figures


def drop(talker: Talker, clean: Compared, condition: Condition, name: str) -> float:
    """Drop of the correlation in one clip; seeded by the names of clip and recording."""
    samples = load_waveform(clean.video.sound).samples
    random = np.random.default_rng([*name.encode(), *clean.video.sound.stem.encode()])
    degraded = Waveform(np.clip(condition(samples, random), -1.0, 1.0).astype(np.float32))
    return clean.correlation - compare_video(talker, clean.video, degraded).correlation
