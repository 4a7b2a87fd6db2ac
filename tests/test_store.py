"""A store of JSON lines keeps what was made, through a break in the middle of a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from memorytalker.corpus.store import stored_lines
from memorytalker.files import append_lines


def test_what_was_made_before_a_break_is_there_afterwards(tmp_path: Path) -> None:
    store = tmp_path / "phones.jsonl"

    def made():
        yield {"sound": "a"}
        yield {"sound": "b"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(append_lines(store, made()))
    assert stored_lines(store) == [{"sound": "a"}, {"sound": "b"}]


def test_a_line_is_on_disk_before_the_next_is_made(tmp_path: Path) -> None:
    store, seen = tmp_path / "phones.jsonl", []

    def made():
        for sound in "ab":
            seen.append(len(stored_lines(store)))
            yield {"sound": sound}

    assert list(append_lines(store, made())) == [{"sound": "a"}, {"sound": "b"}]
    assert seen == [0, 1]


def test_a_line_broken_off_is_cut_and_the_store_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "phones.jsonl"
    store.write_text('{"sound": "a"}\n{"sound": "ü', encoding="utf-8")
    store.write_bytes(store.read_bytes()[:-1])  # in the middle of a letter
    before = store.read_bytes()
    assert stored_lines(store) == [{"sound": "a"}] and store.read_bytes() == before, "who reads changes nothing"
    list(append_lines(store, [{"sound": "b"}]))
    assert stored_lines(store) == [{"sound": "a"}, {"sound": "b"}]


def test_no_file_is_an_empty_store(tmp_path: Path) -> None:
    assert stored_lines(tmp_path / "phones.jsonl") == []
