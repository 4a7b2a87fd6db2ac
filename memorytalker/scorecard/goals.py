"""Figures with their goals, as Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from memorytalker.config import ConfigError


@dataclass(frozen=True)
class Goal:
    """The range a figure should lie in, from `least` to `most` inclusive; None leaves an end open."""

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for ends that are not finite, or of which the least is above the most."""
        ends = [end for end in (self.least, self.most) if end is not None]
        if not all(map(math.isfinite, ends)) or sorted(ends) != ends:
            raise ConfigError(f"A goal goes from its least to its most, not from {self.least} to {self.most}.")

    def reached(self, value: float) -> bool:
        """Return whether `value` lies in the range; nan (not measurable) never does."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        return f">= {self.least:g}" if self.most is None else f"<= {self.most:g}"


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    name: what was measured. value: nan if it could not be. count: how much data. goal: None for a baseline. interval:
    the ends of the value's 95 % confidence interval, or None.
    """

    name: str
    value: float
    count: str
    goal: Goal | None = None
    interval: tuple[float, float] | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else bool(self.goal.reached(self.value))


def markdown(figures: Sequence[Figure]) -> str:
    """Format figures as a Markdown table, with the number of reached goals below."""
    words = {True: "yes", False: "no", None: ""}
    rows = ["| figure | value | goal | reached | measured on |", "|---|---|---|---|---|"]
    for figure in figures:
        goal = "" if figure.goal is None else str(figure.goal)
        rows.append(f"| {figure.name} | {_value(figure)} | {goal} | {words[figure.reached]} | {figure.count} |")
    with_goal = [bool(figure.reached) for figure in figures if figure.goal is not None]
    return "\n".join([*rows, "", f"Reached: {sum(with_goal)} of {len(with_goal)} goals."])


def _value(figure: Figure) -> str:
    if not math.isfinite(figure.value):
        return "–"
    text = f"{figure.value:.3f}"
    if figure.interval is not None and all(map(math.isfinite, figure.interval)):
        text += f" [{figure.interval[0]:.3f}, {figure.interval[1]:.3f}]"
    return text


def to_json(figures: Sequence[Figure]) -> str:
    """Format figures as indented JSON, each with whether its goal is reached; nan becomes null."""
    rows = []
    for figure in figures:
        row = asdict(figure) | {"reached": figure.reached, "value": _number(figure.value)}
        if figure.interval is not None:
            row["interval"] = [_number(end) for end in figure.interval]
        rows.append(row)
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
