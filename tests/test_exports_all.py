"""Every export format: it tells how far it is, to the end, and leaves nothing when it is cancelled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from take_case import planted_take

from memorytalker.exports.registry import FORMATS
from memorytalker.exports.take import ExportFormat, Take
from memorytalker.options import RenderOptions


class Cancelled(Exception):
    pass


@pytest.fixture(scope="module")
def take() -> Take:
    return dataclasses.replace(planted_take(34), render=RenderOptions(width=64, height=64))


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_progress_is_told_to_the_end_and_cancelling_leaves_nothing(
    take: Take, form: ExportFormat, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    path = tmp_path / f"talk{form.suffix}"
    files = form.write(dataclasses.replace(take, progress=lambda *call: told.append((call[2], *call[:2]))), path)
    assert path in files and all(file.stat().st_size for file in files)
    for stage in dict.fromkeys(stage for stage, _, _ in told):
        done = [number for name, number, _ in told if name == stage]
        assert done == sorted(done) and {total for name, _, total in told if name == stage} == {done[-1]}
    assert told

    def cancel(done: int, total: int, stage: str) -> None:
        if (stage, done, total) == told[max(0, len(told) - 2)]:
            raise Cancelled

    away = tmp_path / "away"
    away.mkdir()
    with pytest.raises(Cancelled):
        form.write(dataclasses.replace(take, progress=cancel), away / path.name)
    assert not list(away.iterdir())


def test_only_formats_whose_programs_read_the_name_ask_for_one() -> None:
    names = {each.name: each.file_name("my_voice.wav") for each in FORMATS}
    assert names.pop("livelink") == "memorytalker_1_my-voice.csv"
    assert names == {each.name: f"talk{each.suffix}" for each in FORMATS if each.name in names}
