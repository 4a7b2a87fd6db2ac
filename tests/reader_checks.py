"""What every reader of files is held to: a result, or one sentence of ours; and files that are nearly good."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from memorytalker.errors import InputError

#: The same examples on every machine and in every run.
STEADY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
ABSURD_TEXTS = (
    "1e999", "-1e999", "NaN", "1e308", "9" * 400, "9" * 5000, "-1", "0", "", "true", "null", '"x"', "[]", "{}",
    "999999999999", "-0.0", "1.5", '"\\u0000"', "[" * 5000, "[[[1,2],[3]]]",
)  # fmt: skip
#: Values of JSON that a careless reader takes for a number.
ABSURD_VALUES = (
    float("nan"), float("inf"), -float("inf"), 1e308, 10**400, -(10**4000), -1, 0, 10**9, -1e-300, True, None, "", "5",
    "../x", "\0", "x" * 5000, [], [None], [[1], [2, 3]], {}, {"a": 1},
)  # fmt: skip


def refused_well(error: BaseException) -> None:
    """Fail unless the message is one plain sentence of bounded length."""
    message = str(error)
    assert message.endswith((".", "?")) and "\n" not in message and len(message) < 1000, message[:2000]
    assert not re.search(r"Traceback|\w+Error\b|<class|object at 0x", message), message


def outcome(read: Callable[[], Any]) -> Any:
    """What is read, or None for one sentence of ours; anything else fails the test."""
    try:
        return read()
    except InputError as error:
        refused_well(error)
        return None


def cut_or_changed(good: bytes, seed: int) -> Iterator[bytes]:
    """100 files near to a good one: 40 cut, 60 with another byte; both ends more often, where headers stand."""
    random = np.random.default_rng(seed)
    begin = min(len(good), 400)
    yield from (good[:end] for end in (*range(10), *range(len(good) - 10, len(good)), *random.integers(0, begin, 20)))
    for number in range(60):
        places = (random.integers(0, begin), random.integers(len(good) - begin, len(good)), random.integers(len(good)))
        place = int(places[number % 3])
        yield good[:place] + bytes([int(random.integers(256))]) + good[place + 1 :]


def other_values(good: bytes, seed: int) -> Iterator[bytes]:
    """100 texts in which one value of a good JSON text is another, or one name or bracket is gone."""
    random = np.random.default_rng(seed)
    values = [found.span() for found in re.finditer(rb'-?\d+(\.\d+)?|"[^"]*"|true|false|null', good)]
    for number in range(100):
        start, end = values[int(random.integers(len(values)))]
        yield good[:start] + ABSURD_TEXTS[number % len(ABSURD_TEXTS)].encode() + good[end:]


def json_of(words: str) -> st.SearchStrategy[dict]:
    """Objects whose names and texts are the `words` that a reader knows, around values of any kind."""
    names = st.sampled_from(words.split())
    values = st.recursive(
        st.one_of(st.sampled_from(ABSURD_VALUES), st.integers(-3, 40), st.floats(), names),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
        max_leaves=12,
    )
    return st.dictionaries(names, values, max_size=6)


ANY_BYTES = st.binary(max_size=150) | st.text(max_size=80).map(lambda text: text.encode(errors="replace"))
