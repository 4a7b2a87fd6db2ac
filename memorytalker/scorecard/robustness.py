"""Noise and rooms: by how much the predicted lips lose the film when the same sound is heard under worse conditions."""

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

#: Decibels of the speech over the noise.
SIGNAL_TO_NOISE = 10.0
#: One in so many filmed clips is heard under every condition.
STEP = 3
#: Noises with this in their name are made of voices.
BABBLE = "babble"

#: Samples (S,) and a source of chance to samples (S,).
Condition = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def conditions(root: Path) -> dict[str, dict[str, Condition]]:
    """Kind -> name of the recording -> what it does to a sound. Only noises and rooms that training never uses.

    Raises EvaluationError when the source folder has no noise or no rooms.
    """
    noises = {path.stem: _noise(load_waveform(path).samples) for path in held_noises(root)}
    rooms = {path.stem: _room(load_waveform(path).samples) for path in held_rooms(root)}
    if not noises or not rooms:
        raise EvaluationError(f"{root} needs recordings in noise/noise and noise/room to measure robustness.")
    return {
        f"babble at {SIGNAL_TO_NOISE:g} dB": {name: do for name, do in noises.items() if BABBLE in name},
        f"household noise at {SIGNAL_TO_NOISE:g} dB": {name: do for name, do in noises.items() if BABBLE not in name},
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
    """Mean fall of the lip gap's correlation with film, for every kind and every recording of it."""
    chosen = list(clean[::STEP])
    kinds = {kind: recordings for kind, recordings in kinds.items() if recordings}
    total, done, figures = sum(map(len, kinds.values())), 0, []
    for kind, recordings in kinds.items():
        falls = {}
        for name, change in recordings.items():
            falls[name] = np.mean([fall(talker, one, change, name) for one in chosen])
            done += 1
            if progress:
                progress(done, total, "conditions")
        count = f"{len(chosen)} clips in each of {len(falls)}"
        title = "robustness: fall of the lip gap's correlation with film"
        figures.append(Figure(f"{title}, {kind}", float(np.mean(list(falls.values()))), count, card.fall))
        if len(falls) > 1:
            figures += [Figure(f"{title}, {kind}: {name}", float(value), f"{len(chosen)} clips")
                        for name, value in falls.items()]  # fmt: skip
    return figures


def fall(talker: Talker, clean: Compared, change: Condition, name: str) -> float:
    """By how much the correlation falls in one clip; chance is the same for the same clip and recording."""
    samples = load_waveform(clean.film.sound).samples
    random = np.random.default_rng([*name.encode(), *clean.film.sound.stem.encode()])
    heard = Waveform(np.clip(change(samples, random), -1.0, 1.0).astype(np.float32))
    return clean.correlation - compare_video(talker, clean.film, heard).correlation
