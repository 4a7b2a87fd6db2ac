"""The phone set: every phone has one place, and whoever reads a slot's name finds it there."""

from __future__ import annotations

import numpy as np
import pytest

from memorytalker.articulation.coarticulation import TimedPhones, frame_phones
from memorytalker.config import ModelConfig
from memorytalker.phones import CHARACTERS, ENGLISH


def test_every_phone_is_in_one_group_that_says_what_a_mouth_does() -> None:
    assert sorted(phone for group in ENGLISH.groups for phone in group.phones) == sorted(ENGLISH.phones)
    assert len(set(ENGLISH.phones)) == len(ENGLISH.phones) == 40
    assert set(ENGLISH.movements) == {group.name for group in ENGLISH.groups} and all(ENGLISH.movements.values())


def test_what_is_named_is_a_phone() -> None:
    named = {ENGLISH.silence, ENGLISH.breath, *ENGLISH.bilabials, *ENGLISH.labiodentals, *ENGLISH.sibilants}
    assert named | set(ENGLISH.vowels) <= set(ENGLISH.phones)
    assert not set(ENGLISH.vowels) & named, "no consonant and no silence is a vowel"
    with pytest.raises(ValueError):
        ENGLISH.index("no phone")


def test_numbers_and_labels_belong_together() -> None:
    assert [ENGLISH.phones[number] for number in ENGLISH.indices(["m", "aa", "sil"])] == ["m", "aa", "sil"]
    assert ENGLISH.phones[ENGLISH.silence_index] == "sil"


def test_slots_are_gathered_by_group_wherever_they_lie() -> None:
    labels = ["aa", "m", "sil", "b"]
    assert ENGLISH.grouped(labels) == [("silence", [2]), ("lips closed", [3, 1]), ("open", [0])]
    assert ENGLISH.grouped(CHARACTERS) == [("", list(range(len(CHARACTERS))))]
    assert ModelConfig().slots == ENGLISH.phones


def test_outside_of_speech_there_is_silence() -> None:
    spoken = TimedPhones.of([(0.2, 0.4, "aa")])
    found = frame_phones(spoken, 30, 30.0)
    assert set(found[np.r_[0:6, 12:30]]) == {ENGLISH.silence_index} and set(found[6:12]) == {ENGLISH.index("aa")}
