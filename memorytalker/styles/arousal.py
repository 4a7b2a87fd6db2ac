"""How aroused a voice sounds, from calm to excited, and what follows from it: stronger moods and livelier brows.

A guess: ridge regression from the states of the frozen speech encoder, learned from a few actors who spoke one language
in seven feelings (`weights/arousal`, made by `tools/arousal.py`). It says how strongly somebody feels and not what, and
it is off unless asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load

from memorytalker.errors import InputError
from memorytalker.face.motion import eased
from memorytalker.face.shape_groups import GAIN_GROUPS
from memorytalker.files import parse_json, read_bounded
from memorytalker.models.states import states_in_windows
from memorytalker.models.talker import MemoryTalker
from memorytalker.places import remedy, weights_folder
from memorytalker.styles.delivery import LARGEST_GAIN, mood_columns
from memorytalker.windows import Window

#: The shipped estimate.
AROUSAL_FOLDER = weights_folder() / "arousal"
TENSORS, CONFIG = "model.safetensors", "config.json"
#: Moods and brows of the most excited voice are so much stronger, and of the calmest so much weaker.
REACH = 0.5
#: Seconds within which a new estimate takes over.
EASE_SECONDS = 1.0
#: A later window that is shorter than this, in seconds, tells too little.
SHORTEST_SECONDS = 1.5
#: Bytes of the configuration and of the tensors.
LARGEST_CONFIG, LARGEST_FILE = 100_000, 1_000_000


class ArousalError(InputError):
    """An estimate that cannot be used; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True, eq=False)
class ArousalEstimate:
    """The regression.

    Args:
        mean: (2 h,) of the features of the voices that it was learned from.
        spread: (2 h,) their standard deviations.
        weights: (2 h,) of the standardised features.
        level: what a mean voice has.
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    level: float

    def of(self, features: np.ndarray) -> float:
        """Return the arousal, -1 (calm) to 1 (excited), of features (2 h,) as `voice_features` returns them."""
        return float(np.clip(((features - self.mean) / self.spread) @ self.weights + self.level, -1.0, 1.0))


def voice_features(model: MemoryTalker, samples: np.ndarray) -> np.ndarray:
    """Return mean and spread over time (2 h,) of the speech encoder's h states of a sound (S,) at 16 kHz."""
    with torch.no_grad():
        states = states_in_windows(model.speech, torch.from_numpy(samples).to(model.device)[None]).float()
        return torch.cat([states.mean(0), states.std(0, correction=0)]).cpu().numpy().astype(np.float64)


def load_arousal(model: MemoryTalker, folder: str | Path | None = None) -> ArousalEstimate:
    """Load the estimate.

    Args:
        model: whose speech encoder gives the features.
        folder: with config.json and model.safetensors; None: the shipped one.

    Returns:
        The estimate.

    Raises:
        ArousalError: it is missing or damaged, or was learned from another speech encoder.
    """
    folder = AROUSAL_FOLDER if folder is None else Path(folder)
    speech = model.config.speech
    try:
        config = parse_json(read_bounded(folder / CONFIG, LARGEST_CONFIG).decode("utf-8"))
        data = read_bounded(folder / TENSORS, LARGEST_FILE)
        if hashlib.sha256(data).hexdigest() != config["sha256"]:
            raise ValueError("another file than the configuration describes")
        tensors = load(data)
        mean, spread, weights = (tensors[name].astype(np.float64) for name in ("mean", "spread", "weights"))
        estimate = ArousalEstimate(mean, spread, weights, float(config["level"]))
        form, size = config["speech"]["form"], config["speech"]["hidden_size"]
        usable = all(one.shape == (2 * size,) and np.isfinite(one).all() for one in tensors.values())
    except (OSError, KeyError, TypeError, ValueError, AttributeError, SafetensorError):
        raise ArousalError(f"The estimate of arousal in {folder} is damaged; {remedy('weights/arousal')}.") from None
    if not usable or (estimate.spread <= 0).any():
        raise ArousalError(f"The estimate of arousal in {folder} is damaged; {remedy('weights/arousal')}.")
    if (form, size) != (speech.form, speech.hidden_size):
        raise ArousalError("These weights encode speech otherwise than the estimate of arousal; leave it out.")
    return estimate


#: (first frame, arousal from -1, calm, to 1, excited) of each window.
Estimates = tuple[tuple[int, float], ...]


def arousal_curve(estimates: Estimates, first: int, frames: int, fps: float) -> np.ndarray:
    """Return the arousal (frames,) from -1 to 1 of the frames from `first` on."""
    time = first + np.arange(frames)
    values = np.full(frames, estimates[0][1])
    for (_, before), (begin, after) in zip(estimates, estimates[1:], strict=False):
        values += (after - before) * eased((time - begin) / (EASE_SECONDS * fps))
    return values


class VoiceArousal:
    """The arousal of one sound, window by window; what was estimated is never revised.

    Args:
        model: whose speech encoder hears the sound.
        estimate: of arousal.
        fps: frames per second.
        known: estimates of the whole sound, which are not made again; empty: none.
    """

    def __init__(self, model: MemoryTalker, estimate: ArousalEstimate, fps: float, known: Estimates = ()) -> None:
        self._model, self._estimate, self._fps = model, estimate, fps
        self._found, self._complete = list(known), bool(known)

    @property
    def estimates(self) -> Estimates:
        """Those of the windows so far."""
        return tuple(self._found)

    def follow(self, first: int, samples: np.ndarray) -> None:
        """Estimate the arousal of the window whose first frame is `first`, (S,) at 16 kHz."""
        if self._complete:
            return
        if not self._found or len(samples) >= SHORTEST_SECONDS * self._model.config.sample_rate:
            self._found.append((first, self._estimate.of(voice_features(self._model, samples))))

    def of_all(self, windows: Iterable[Window]) -> Estimates:
        """Follow all windows of a sound, and return their estimates."""
        for window in windows:
            self.follow(window.first, window.samples)
        return self.estimates

    def values(self, first: int, frames: int) -> np.ndarray:
        """Return the arousal (frames,) from -1 to 1 of the frames from `first` on."""
        return arousal_curve(self.estimates, first, frames, self._fps)


def with_arousal(values: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Make moods and brows stronger for an excited voice, weaker for a calm one.

    Args:
        values: (T, n) as `DeliveryTrack.values` returns them.
        arousal: (T,) from -1 to 1.

    Returns:
        (T, n) such values.
    """
    factor, values = 1.0 + REACH * arousal[:, None], values.copy()
    moods, brows = mood_columns(), [GAIN_GROUPS.index("brows")]
    values[:, moods] = np.clip(values[:, moods] * factor, 0.0, 1.0)
    values[:, brows] = np.clip(values[:, brows] * factor, 0.0, LARGEST_GAIN)
    return values
