"""Intervals: right about as often as they say, none where nothing varies, narrower for pairs, wider for speakers."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.evaluation.bootstrap import mean_interval, paired_difference


def test_interval_covers_a_known_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    intervals = [mean_interval(random.normal(5.0, 2.0, 40), draws=400, seed=i) for i in range(200)]
    covered = np.mean([interval.low <= 5.0 <= interval.high for interval in intervals])
    assert 0.89 <= covered <= 0.98
    # 2 x 1.96 standard errors of the mean of 40 values
    assert np.mean([i.high - i.low for i in intervals]) == pytest.approx(2 * 1.96 * 2 / np.sqrt(40), rel=0.08)


def test_no_variance_no_width() -> None:
    interval = mean_interval(np.full(20, 0.25), weights=np.arange(1, 21))
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.25, 0.25, 0.25))


def test_value_is_the_weighted_mean_of_the_clips_that_have_one() -> None:
    interval = mean_interval(np.array([1.0, np.nan, 4.0]), weights=np.array([10, 1000, 20]))
    assert interval.value == pytest.approx((10 + 80) / 30)
    assert interval.clips == 2
    assert interval.low >= 1.0 and interval.high <= 4.0
    assert interval.low < interval.value < interval.high


def test_same_seed_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values) != mean_interval(values, seed=1)


def test_speakers_that_differ_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    speakers = np.repeat(np.arange(8), 20)
    values = random.normal(size=8)[speakers] + 0.1 * random.normal(size=160)
    by_clip, by_speaker = mean_interval(values), mean_interval(values, groups=speakers)
    assert by_clip.value == pytest.approx(by_speaker.value)
    assert by_speaker.high - by_speaker.low > 2 * (by_clip.high - by_clip.low)


def test_one_unit_has_no_interval_and_none_no_value() -> None:
    alone = mean_interval(np.array([1.0, 3.0]), groups=np.array(["a", "a"]))
    assert alone.value == 2.0 and np.isnan([alone.low, alone.high]).all()
    nothing = mean_interval(np.array([np.nan]))
    assert nothing.clips == 0 and np.isnan(nothing.value)


def test_pairs_cancel_what_makes_clips_hard() -> None:
    random = np.random.default_rng(2)
    hardness = random.normal(10, 5, 60)
    first, second = hardness + random.normal(0, 0.1, 60), hardness + 1 + random.normal(0, 0.1, 60)
    difference = paired_difference(first, second)
    assert difference.value == pytest.approx(first.mean() - second.mean())
    assert difference.low < difference.value < difference.high < 0
    assert difference.high - difference.low < 0.1 < mean_interval(first).high - mean_interval(first).low


def test_a_model_against_itself_and_pairs_with_gaps() -> None:
    values = np.array([1.0, 2.0, 5.0])
    same = paired_difference(values, values)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert paired_difference(values, np.array([np.nan, 1.0, 1.0])).value == pytest.approx((1 + 4) / 2)


def test_lengths_must_match() -> None:
    with pytest.raises(ValueError, match="match"):
        mean_interval(np.zeros(3), weights=np.ones(2))
    with pytest.raises(ValueError, match="pairs"):
        paired_difference(np.zeros(3), np.zeros(2))
