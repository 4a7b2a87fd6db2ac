"""Bootstrap intervals of a mean over clips, and of the difference of two models on the same clips. numpy only.

Percentile bootstrap (Efron and Tibshirani 1993, doi 10.1201/9780429246593): units are drawn with replacement as often
as there are units, and the interval holds the middle `level` of the means of all draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over `clips` clips and its confidence interval.

    low and high are nan if there was only one unit to draw from; value is nan too if there were no clips.
    """

    value: float
    low: float
    high: float
    clips: int


def mean_interval(
    values: np.ndarray,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Compute the weighted mean of one value per clip, with its bootstrap interval.

    Drawing speakers instead of clips gives wider intervals, and the right ones for a question about unseen speakers.
    With few units the interval is too narrow.

    Args:
        values: (N,) one value per clip; clips with nan are left out.
        weights: (N,) such as frames per clip; None weighs all alike.
        groups: (N,) such as speakers: whole groups are drawn; None draws clips.
        draws: number of bootstrap draws.
        level: share of the draws that lies in the interval.
        seed: seed of the draws.

    Returns:
        The mean and its interval, in the unit of `values`.

    Raises:
        ValueError: if the lengths differ.
    """
    values = np.asarray(values, np.float64)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if not len(values) == len(weights) == len(groups):
        raise ValueError(f"{len(values)} values, {len(weights)} weights and {len(groups)} groups do not match.")
    present = np.isfinite(values)
    values, weights, groups = values[present], weights[present], groups[present]
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    unit = np.unique(groups, return_inverse=True)[1]
    sums, masses = np.bincount(unit, weights * values), np.bincount(unit, weights)
    value = float(sums.sum() / masses.sum())
    if len(sums) < 2:
        return Interval(value, float("nan"), float("nan"), len(values))
    counts = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
    means = (counts @ sums) / (counts @ masses)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), len(values))


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Compute the mean of first - second over the same clips, with its interval.

    The pairing cancels what makes a clip hard for both models, so the interval is narrower than those of the two means.

    Args:
        first: (N,) one value per clip; clips with nan in either are left out.
        second: (N,) values of the same clips in the same order.
        weights: see `mean_interval`.
        groups: see `mean_interval`.
        draws: see `mean_interval`.
        level: see `mean_interval`.
        seed: see `mean_interval`.

    Returns:
        The mean difference and its interval, in the unit of the values.

    Raises:
        ValueError: if the lengths differ.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are not pairs.")
    return mean_interval(first - second, weights, groups, draws, level, seed)
