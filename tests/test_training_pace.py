"""What a training says: what it will take, where it resumes, one line an epoch; and saying it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_models import FAMILIES, random_model
from toy_training import CONFIG, MOUTH, clips

from memorytalker.training.memorize import memorize
from memorytalker.training.pace import FIRST_STEPS, Pace, spent
from memorytalker.training.trainer import StageInputs


def test_durations_are_said_in_words() -> None:
    assert [spent(seconds) for seconds in (0.4, 59, 61, 3600, 3 * 3600 + 5 * 60)] == [
        "0 s", "59 s", "1 min 01 s", "1 h 00 min", "3 h 05 min",
    ]  # fmt: skip


def test_time_left_is_that_of_the_steps_left() -> None:
    now, lines = [100.0], []
    pace = Pace("memorize", 4, 50, 60, lines.append, lambda: now[0])
    pace.begin(200, 20, "runs/a")
    assert "4 epochs of 50 steps on 200 clips, validated on 20; 200 steps in all, of which 140 are left" in lines[0]
    assert lines[1] == "memorize: resumed at epoch 2, step 11 of 50."
    for step in range(61, 101):
        now[0] += 2.0
        pace.stepped(step)
    assert len(lines) == 3 and "2 s a step, about 4 min 00 s in all" in lines[2]  # 120 steps after the first twenty
    pace.epoch(2, 100, 0.25, 0.125, True)
    assert lines[3] == "memorize 2/4: loss 0.25, validation 0.125 (best), 3 min 20 s left."
    pace.epoch(4, 200, 0.25, 0.5, False)
    assert lines[4] == "memorize 4/4: loss 0.25, validation 0.5, done."
    Pace("memorize", 4, 50, 200, lines.append).begin(200, 20, "runs/a")
    assert "all epochs are done" in lines[-1]
    assert FIRST_STEPS == 20


def test_a_run_tells_its_epochs_and_ends_in_the_same_weights(tmp_path: Path) -> None:
    def run(folder: Path, say) -> dict:
        torch.set_num_threads(1)
        model = random_model(FAMILIES["open"], 0)
        memorize(model, StageInputs(clips(), clips()[:3], MOUTH, folder, say=say), CONFIG)
        return model.state_dict()

    lines: list[str] = []

    def interrupting(line: str) -> None:
        lines.append(line)
        if line.startswith(f"{CONFIG.stage} 1/"):
            raise KeyboardInterrupt

    whole = run(tmp_path / "whole", lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", interrupting)
    resumed = run(tmp_path / "broken", lines.append)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    assert sum(line.startswith(f"{CONFIG.stage}: resumed at epoch 2, step 1 of") for line in lines) == 1
    told = [line.split(":")[0] for line in lines if ", validation" in line and "/" in line.split(":")[0]]
    assert told == [f"{CONFIG.stage} {epoch + 1}/{CONFIG.epochs}" for epoch in range(CONFIG.epochs)]
