"""Figures as Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One line of a report: what was measured, its value, on how much, and the least it should be (None: no goal)."""

    name: str
    value: float
    count: str
    goal: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.value >= self.goal


def markdown(figures: list[Figure]) -> str:
    """A Markdown table, one row a figure."""
    words = {True: "yes", False: "no", None: ""}
    rows = ["| figure | value | goal | reached | measured on |", "|---|---|---|---|---|"]
    for figure in figures:
        goal = "" if figure.goal is None else f">= {figure.goal:g}"
        rows.append(f"| {figure.name} | {figure.value:.3f} | {goal} | {words[figure.reached]} | {figure.count} |")
    return "\n".join(rows)


def to_json(figures: list[Figure]) -> str:
    """The figures as indented JSON."""
    return json.dumps([asdict(figure) for figure in figures], indent=1) + "\n"
