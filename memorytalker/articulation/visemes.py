"""What the mouth does for each phone: a table of targets and dominances, kept in `visemes.json` beside this file.

`tools/articulation/fit.py` fits the table to video-tracked motion; the file names the data.
Symbols of Cohen and Massaro (1993, doi 10.1007/978-4-431-66911-1_13), in full words here:

| symbol | name | meaning |
|---|---|---|
| T_sp | `target` | weight of each mouth shape that phone p aims for |
| alpha_sp | `strength` | weight of the target against those of other phones |
| 1 / theta_sp, forward and backward | `before`, `after` | seconds over which its influence rises and falls e-fold |

Two are ours: `shift`, seconds by which the mouth lags behind the sound (negative: leads it), and `reduction`,
the power of a phone's duration with which its strength grows: short phones are reduced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np

from memorytalker.config import ConfigError
from memorytalker.phones import ENGLISH

#: The groups of mouth shapes that blend with their own dominances: how far open, how wide, how round.
GROUPS = ("jaw", "lips", "rounding")
#: Weights, strengths and seconds of a mouth are smaller than this.
LARGEST_VALUE = 1000.0
#: What a phone has for each group of shapes.
_DOMINANCE = ("strength", "before", "after", "shift", "reduction")


@dataclass(frozen=True)
class VisemeTable:
    """Targets and dominances of every phone of `phones.ENGLISH` (P) over `shapes` (S), in groups (G = 3).

    `target` (P, S) blendshape weights at ordinary effort; `effort` (P, S) what ten decibels of loudness add;
    `strength` and `reduction` (P, G) for a phone of a tenth of a second; `before`, `after`, `shift` (P, G) seconds;
    `group` (S,) the group of each shape.
    """

    shapes: tuple[str, ...]
    group: np.ndarray
    target: np.ndarray
    effort: np.ndarray
    strength: np.ndarray
    before: np.ndarray
    after: np.ndarray
    shift: np.ndarray
    reduction: np.ndarray

    def __post_init__(self) -> None:
        phones, shapes = len(ENGLISH.phones), len(self.shapes)
        expected = {
            "group": (shapes,),
            "target": (phones, shapes),
            "effort": (phones, shapes),
            **{name: (phones, len(GROUPS)) for name in _DOMINANCE},
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ConfigError(f"viseme table: {name} needs shape {shape}, not {getattr(self, name).shape}.")
            if not (np.abs(getattr(self, name)) <= LARGEST_VALUE).all():  # nan neither
                raise ConfigError(f"viseme table: {name} needs numbers up to {LARGEST_VALUE:g}.")
        if not (self.before > 0).all() or not (self.after > 0).all() or not (self.strength > 0).all():
            raise ConfigError("viseme table: strengths and widths must be above zero.")

    def to_json(self) -> dict:
        """Plain values, phone by phone, rounded to four places."""
        phones = {
            phone: {
                "target": _named(self.shapes, self.target[index]),
                "effort": _named(self.shapes, self.effort[index]),
                **{key: getattr(self, key)[index].round(4).tolist() for key in _DOMINANCE},
            }
            for index, phone in enumerate(ENGLISH.phones)
        }
        return {"groups": dict(zip(self.shapes, (GROUPS[g] for g in self.group), strict=True)), "phones": phones}

    @classmethod
    def from_json(cls, values: dict) -> VisemeTable:
        """The inverse of `to_json`. Raises ConfigError when a phone is missing, or anything is not as it writes it."""
        try:
            return cls._from_json(values)
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError):
            raise ConfigError(
                "viseme table: it is not as tools/articulation/fit.py writes it; make it again."
            ) from None

    @classmethod
    def _from_json(cls, values: dict) -> VisemeTable:
        shapes = tuple(values["groups"])
        missing = [phone for phone in ENGLISH.phones if phone not in values["phones"]]
        if missing:
            raise ConfigError(f"viseme table: no entry for {', '.join(missing)}.")
        rows = [values["phones"][phone] for phone in ENGLISH.phones]
        return cls(
            shapes=shapes,
            group=np.array([GROUPS.index(values["groups"][shape]) for shape in shapes]),
            target=_numbers([[row["target"].get(shape, 0.0) for shape in shapes] for row in rows]),
            effort=_numbers([[row["effort"].get(shape, 0.0) for shape in shapes] for row in rows]),
            **{key: _numbers([row[key] for row in rows]) for key in _DOMINANCE},
        )


def load_visemes() -> VisemeTable:
    """The fitted table that ships with the package."""
    return VisemeTable.from_json(json.loads(resources.files(__package__).joinpath("visemes.json").read_text("utf-8")))


def _numbers(rows: list) -> np.ndarray:
    """Rows of numbers as an array; text that looks like numbers is none."""
    found = np.array(rows)
    if found.dtype.kind not in "fiu":
        raise TypeError("no numbers")
    return found


def _named(shapes: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {shape: round(float(value), 4) for shape, value in zip(shapes, values, strict=True) if abs(value) >= 5e-5}
