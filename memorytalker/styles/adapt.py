"""Learning a style from somebody: slot weights and a few gains, fitted on two thirds and checked on the rest.

What is fitted is small, as there is little to fit it on: how far jaw, spreading, rounding and the upper lip go, how far
open the mouth is held in between, and, if that explains kept-back motion better, the weight of each memory slot. A
style that does not lower the error on motion that it was not fitted to is refused, and so are recordings whose sound is
not the sound of their motion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from memorytalker.config import ConfigError, check_ranges
from memorytalker.face.head import HeadMesh
from memorytalker.face.motion import FaceCurves
from memorytalker.face.motion_space import MotionSpace
from memorytalker.models.talker import MemoryTalker
from memorytalker.progress import Progress
from memorytalker.styles.delivery import delivery_of
from memorytalker.styles.heard import GROUPS, MEASURES, STILL, Changes, Heard, MouthModel, hear
from memorytalker.styles.recordings import AdaptError, Recording, refusal
from memorytalker.styles.slot_fit import StyleFit, StyleFitError, fit_style
from memorytalker.styles.style import AdaptationReport, KeptBackCurves, Style
from memorytalker.windows import style_weights_of


@dataclass(frozen=True)
class AdaptSettings:
    """How a style is learned.

    Args:
        shortest_seconds: of recordings; less is refused.
        piece_seconds: recordings are cut into pieces of about this length; every third is kept back.
        least_gain: the smallest gain that is fitted.
        largest_gain: the largest.
        furthest_offset: of the jaw, to either side.
        pull: weight of the squared logarithm of each gain, against an error of 1 for a mouth that stays in the middle;
            and of the square of the jaw's offset over the furthest.
        amplitude: weight of the squared logarithm of the ratio of standard deviations of the opening, predicted over
            recorded, which least squares alone would make too small.
        other_amplitude: the same for the other measures, which a sound tells less of.
        simpler: slot weights are only used if they lower the error by this share.
        better: an error below this share of the error before is an improvement ...
        least_improvement: ... if it is also lower by so many metres.
        least_correlation: of the predicted with the recorded opening; below, the sound is not that of the motion.
        shifts: number of false alignments of sound and motion that the true one must beat.
        apart: by which motion must correlate better with its own sound than with that of other recordings.
        slots: how slot weights are fitted.
    """

    shortest_seconds: float = 9.0
    piece_seconds: float = 5.0
    least_gain: float = 0.25
    largest_gain: float = 3.5
    furthest_offset: float = 0.3
    pull: float = 0.002
    amplitude: float = 0.25
    other_amplitude: float = 6.0
    simpler: float = 0.03
    better: float = 0.97
    least_improvement: float = 5e-5
    least_correlation: float = 0.25
    shifts: int = 24
    apart: float = 0.1
    slots: StyleFit = StyleFit(steps=120, rate=0.08, shortest_seconds=1.0)

    def __post_init__(self) -> None:
        """Raise ConfigError for numbers that make no sense."""
        check_ranges(
            self, shortest_seconds=(1, 600), piece_seconds=(1, 12), least_gain=(0.01, 1), largest_gain=(1, 4),
            furthest_offset=(0.01, 1), pull=(0, 100), amplitude=(0, 100), other_amplitude=(0, 100), simpler=(0, 1),
            better=(0, 1), least_improvement=(0, 1), least_correlation=(-1, 1), shifts=(0, 1000), apart=(-1, 1),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A style that may be the person's. weights: (n,) of the slots. fitted: in words."""

    weights: np.ndarray
    changes: Changes
    fitted: str


def adapt_style(
    model: MemoryTalker,
    head: HeadMesh,
    space: MotionSpace,
    recordings: Sequence[Recording],
    name: str = "",
    settings: AdaptSettings = AdaptSettings(),
    progress: Progress | None = None,
) -> Style:
    """Learn the style of one person.

    Args:
        model: in evaluation mode; unchanged.
        head: the shipped head.
        space: in which the model predicts.
        recordings: of one person, ten seconds to a minute.
        name: of the style.
        settings: how it is learned.
        progress: called as progress(steps done, steps in total, "adapt").

    Returns:
        The style, whose report says the error before and after on recordings that were kept back.

    Raises:
        AdaptError: too little, sound that is not that of the motion, or a style that is not better; with the remarks
            on the recordings, which may say why.
    """
    remarks = tuple(remark for one in recordings for remark in one.remarks)
    try:
        learned = _learned(MouthModel(model, head, space), recordings, name, settings, progress)
    except AdaptError as error:
        raise refusal(str(error), remarks) from None
    return dataclasses.replace(learned, remarks=remarks)


def _learned(
    mouth: MouthModel,
    recordings: Sequence[Recording],
    name: str,
    settings: AdaptSettings,
    progress: Progress | None,
) -> Style:
    """The style of the person in the recordings, without their remarks; AdaptError as of `adapt_style`."""
    model = mouth.model
    seconds = sum(one.seconds for one in recordings)
    if seconds < settings.shortest_seconds:
        raise AdaptError(f"There are {seconds:.1f} s of recordings; a style needs {settings.shortest_seconds:g} s.")
    heard = hear(mouth, recordings, settings.piece_seconds)
    bases = [np.ones(model.config.slot_count, np.float32)]
    with suppress(ConfigError):  # a model that knows its speakers by label has no style of a voice
        samples = np.concatenate([one.waveform.samples for one in recordings])
        bases.append(style_weights_of(model, samples).cpu().numpy())
    _check_sound(mouth, heard, bases[-1], settings)
    kept = heard.pieces % 3 == 2
    inner = ~kept & (heard.pieces % 2 == 0)
    kinds = _candidates(mouth, heard, inner, bases, settings, progress)
    rest = ~kept & ~inner
    scores = [_loss(mouth, heard, mouth.curves(heard, one.weights), one.changes, rest, settings) for one in kinds]
    best = int(np.argmin(scores[:-1]))
    if scores[-1] < (1 - settings.simpler) * scores[best]:
        best = len(kinds) - 1
    final = _candidates(mouth, heard, ~kept, bases, settings, progress, best)[0]
    return _checked(mouth, heard, kept, bases, final, name, settings)


def _check_sound(mouth: MouthModel, heard: Heard, weights: np.ndarray, settings: AdaptSettings) -> None:
    """Raise AdaptError unless the motion follows its own sound better than sound of other moments."""
    predicted = mouth.measures(mouth.curves(heard, weights), Changes())[:, 0]
    recorded, fps = heard.recorded[:, 0], mouth.model.config.fps
    true = _correlation(predicted, recorded)
    away = np.linspace(fps, len(recorded) - fps, settings.shifts).astype(int)
    false = max((_correlation(np.roll(predicted, step), recorded) for step in away), default=-1.0)
    own, other = _with_sounds(predicted, recorded, heard.takes)
    if true < settings.least_correlation or true <= false or own < other + settings.apart:
        raise AdaptError(
            f"The mouth does not follow this sound (correlation {true:.2f}); give each recording the sound of its own "
            "take, beginning together."
        )


def _with_sounds(predicted: np.ndarray, recorded: np.ndarray, takes: np.ndarray) -> tuple[float, float]:
    """Mean correlation of each take's motion with its own sound, and with those of the others; 1 and 0 for one take.

    Sentences of one form are alike, so that a sound in another's place may still seem to fit.
    """
    count = int(takes.max()) + 1
    if count < 2:
        return 1.0, 0.0
    table = np.zeros((count, count))
    for motion in range(count):
        for sound in range(count):
            both = recorded[takes == motion], predicted[takes == sound]
            frames = min(map(len, both))
            table[motion, sound] = _correlation(both[0][:frames], both[1][:frames])
    own = np.trace(table) / count
    return float(own), float((table.sum() - np.trace(table)) / (count * (count - 1)))


def _candidates(
    mouth: MouthModel,
    heard: Heard,
    which: np.ndarray,
    bases: Sequence[np.ndarray],
    settings: AdaptSettings,
    progress: Progress | None,
    only: int | None = None,
) -> list[_Candidate]:
    """Styles fitted to the frames `which` (N,): gains over each base, and last slot weights with gains.

    `only` is the number of the one that is wanted.
    """
    kinds: list[tuple[np.ndarray | None, str]] = [(base, "gains") for base in bases]
    kinds.append((None, "slot weights and gains"))
    chosen = kinds if only is None else [kinds[only]]
    result = []
    for base, fitted in chosen:
        told = _part_of_two(progress, 0 if only is None else 1)
        weights = _slot_weights(mouth, heard, which, settings, told) if base is None else base
        result.append(_Candidate(weights, _changes(mouth, heard, which, weights, settings), fitted))
    return result


def _part_of_two(progress: Progress | None, part: int) -> Progress | None:
    """Progress of the fit for the choice (part 0) or of the final one (part 1) as that of both."""
    if progress is None:
        return None
    return lambda done, total, stage: progress(part * total + done, 2 * total, "adapt")


def _slot_weights(
    mouth: MouthModel, heard: Heard, which: np.ndarray, settings: AdaptSettings, progress: Progress | None
) -> np.ndarray:
    """Slot weights with which the network moves the mouth most like the recorded one, (n,) float32."""
    assert mouth.space.from_weights is not None
    rows = np.linalg.lstsq(mouth.space.from_weights, mouth.rows, rcond=None)[0]  # from coordinates to measures
    plain = np.ones(mouth.model.config.slot_count, np.float32)
    neutral = mouth.measures(mouth.curves(heard, plain), Changes())
    level = heard.recorded.mean(axis=0) - neutral.mean(axis=0)
    level[0] = 0.0  # the opening is counted from closed lips; of the rest a recording does not tell the rest face
    targets = ((heard.recorded - level) @ np.linalg.pinv(rows)).astype(np.float32)
    try:
        return fit_style(
            mouth.model,
            heard.logits,
            [torch.from_numpy(one) for one in heard.in_stretches(targets)],
            torch.from_numpy(rows).float(),
            settings.slots,
            progress,
            heard.in_stretches(which),
        )
    except StyleFitError as error:
        raise AdaptError(str(error)) from None


def _changes(
    mouth: MouthModel, heard: Heard, which: np.ndarray, weights: np.ndarray, settings: AdaptSettings
) -> Changes:
    """The gains and the jaw's offset with which motion in a style is most like the recorded one."""
    curves = mouth.curves(heard, weights)

    def changes_of(values: np.ndarray) -> Changes:
        return Changes(tuple(np.exp(values[:-1]).tolist()), float(settings.furthest_offset * values[-1]))

    def loss(values: np.ndarray) -> float:
        pulled = settings.pull * float(values @ values)
        return _loss(mouth, heard, curves, changes_of(values), which, settings) + pulled

    from scipy.optimize import minimize

    limits = [tuple(np.log((settings.least_gain, settings.largest_gain)))] * len(GROUPS) + [(-1.0, 1.0)]
    options = {"maxiter": 60, "eps": 1e-3, "ftol": 1e-7}
    best = minimize(loss, np.zeros(len(limits)), method="L-BFGS-B", bounds=limits, options=options)
    return changes_of(best.x)


def _loss(
    mouth: MouthModel, heard: Heard, curves: FaceCurves, changes: Changes, which: np.ndarray, settings: AdaptSettings
) -> float:
    """How unlike two mouths are: mean squared error over the recorded variance, and unlike amplitudes.

    All but the opening are compared around their means, as recordings do not tell a rest face.
    """
    found, true = mouth.measures(curves, changes, which), heard.recorded[which]
    difference, spread = found - true, true.std(axis=0)
    difference[:, 1:] -= difference[:, 1:].mean(axis=0)
    moving = spread > STILL
    errors = (difference**2).mean(axis=0)[moving] / spread[moving] ** 2
    ratios = np.log(np.maximum(found.std(axis=0)[moving], STILL) / spread[moving])
    counts = np.array([settings.amplitude, *[settings.other_amplitude] * (len(MEASURES) - 1)])[moving]
    return float(errors.mean() + (counts * ratios**2).mean())


def _checked(
    mouth: MouthModel,
    heard: Heard,
    kept: np.ndarray,
    bases: Sequence[np.ndarray],
    final: _Candidate,
    name: str,
    settings: AdaptSettings,
) -> Style:
    """The style with its report; AdaptError unless it is better than each base on the frames that were kept back."""
    true, fps = heard.recorded[kept], mouth.model.config.fps
    plain = [mouth.measures(mouth.curves(heard, base), Changes(), kept) for base in bases]
    better = min(plain, key=lambda found: _error(found, true))
    before = _error(better, true)
    predicted = mouth.measures(mouth.curves(heard, final.weights), final.changes, kept)
    after = _error(predicted, true)
    if not after < min(settings.better * before, before - settings.least_improvement):
        raise AdaptError(
            f"The learned style is not better: on recordings that were kept back the lip opening is off by "
            f"{1000 * after:.2f} mm, and by {1000 * before:.2f} mm without it; give more or clearer recordings."
        )
    report = AdaptationReport(
        seconds=(len(kept) - len(true)) / fps,
        checked_seconds=len(true) / fps,
        error_before=1000 * before,
        error_after=1000 * after,
        correlation=_correlation(predicted[:, 0], true[:, 0]),
        amplitude=float(predicted[:, 1].std() / max(true[:, 1].std(), STILL)),
        fitted=final.fitted,
    )
    return Style(
        name=name,
        deliveries=(delivery_of(final.changes.delivery.values),),
        slot_weights=dict(zip(mouth.model.config.slots, final.weights.tolist(), strict=True)),
        source="Learned from recordings of somebody.",
        report=report,
        kept_back=KeptBackCurves(
            fps=fps,
            recorded=1000 * true[:, 0],
            before=1000 * better[:, 0],
            after=1000 * predicted[:, 0],
            joins=tuple((np.flatnonzero(np.diff(heard.pieces[kept])) + 1).tolist()),
        ),
    )


def _error(found: np.ndarray, true: np.ndarray) -> float:
    """Root mean squared error of the lip opening in metres."""
    return float(np.sqrt(((found[:, 0] - true[:, 0]) ** 2).mean()))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation; 0 if either is constant."""
    if first.std() < 1e-9 or second.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
