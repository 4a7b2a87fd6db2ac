"""What a training says while it runs: what it will take, where it resumes, and one line for each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Steps of this session after which the whole duration is estimated; the first are slow.
FIRST_STEPS = 20


def spent(seconds: float) -> str:
    """Say a duration in words, such as "1 h 05 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Pace:
    """Counts the steps of one session and says how it goes. It draws no random number and touches no tensor.

    Args:
        stage: what is trained.
        epochs: of the whole run.
        steps_per_epoch: of each.
        step: the first step of this session, counted from the beginning of the run.
        say: receives each line.
        clock: seconds, ever increasing.
    """

    def __init__(
        self,
        stage: str,
        epochs: int,
        steps_per_epoch: int,
        step: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage, self._epochs, self._per_epoch, self._say, self._clock = stage, epochs, steps_per_epoch, say, clock
        self._first, self._began = step, clock()
        self._warm, self._warmed = step + FIRST_STEPS // 4, self._began

    def begin(self, clips: int, validation: int, folder: str) -> None:
        """Say what the run will take, and where it resumes."""
        total = self._epochs * self._per_epoch
        self._say(
            f"{self._stage}: {self._epochs} epochs of {self._per_epoch:,} steps on {clips:,} clips, validated on "
            f"{validation:,}; {total:,} steps in all, of which {total - self._first:,} are left. It may be "
            f"interrupted: {folder} keeps what is done."
        )
        if self._first >= total:
            self._say(f"{self._stage}: all epochs are done; the best weights are taken.")
        elif self._first:
            epoch, within = divmod(self._first, self._per_epoch)
            self._say(f"{self._stage}: resumed at epoch {epoch + 1}, step {within + 1:,} of {self._per_epoch:,}.")

    def stepped(self, step: int) -> None:
        """Count a step; after the first ones, say how long the run will take at their pace."""
        if step == self._warm:
            self._warmed = self._clock()
        if step == self._first + FIRST_STEPS:
            each = (self._clock() - self._warmed) / (step - self._warm)
            left = each * (self._epochs * self._per_epoch - step)
            self._say(f"{self._stage}: {each:.2g} s a step, about {spent(left)} in all, without validation.")

    def epoch(self, number: int, step: int, loss: float, validation: float, best: bool) -> None:
        """Say how an epoch ended. `number` counts from 1; `best`: whether no earlier one validated better."""
        left = (self._clock() - self._began) / max(step - self._first, 1) * (self._epochs * self._per_epoch - step)
        self._say(
            f"{self._stage} {number}/{self._epochs}: loss {loss:.5g}, validation {validation:.5g}"
            f"{' (best)' if best else ''}, {f'{spent(left)} left' if number < self._epochs else 'done'}."
        )
