"""The words that a style can be described in: what they move, and what makes them stronger, weaker or the opposite.

`lexicon.json` beside this file holds them. A pattern is a set of words that stand near each other in any order, such as
"open|part mouth|lip"; `words` mean something by themselves, `things` only with how much of them there is.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from memorytalker.face.shape_groups import GAIN_GROUPS
from memorytalker.options import MOODS

#: What a description can move: gains of groups, three offsets, turns of the head, and moods.
DIMENSIONS: tuple[str, ...] = (
    *(group for group in GAIN_GROUPS if group not in ("corners", "head")),
    "corners", "brow_height", "eyelids", "head_motion", *MOODS,
)  # fmt: skip
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er", "est", "ness", "y")


@dataclass(frozen=True)
class Pattern:
    """Words that belong together and what they move: dimension -> amount, -1 to 1 (a little more if exaggerated)."""

    groups: tuple[frozenset[str], ...]
    moves: Mapping[str, float]
    thing: bool


@dataclass(frozen=True)
class Lexicon:
    """All words.

    Args:
        patterns: those of more words first.
        degrees: word -> factor.
        negators: word -> factor, below 0.
        quantities: word -> how much of a thing, below 0: less than usual.
        after: modifiers that follow what they belong to.
        filler: words without a meaning here.
        roots: word -> the word or words that it stands for.
        opposites: pairs of moods that no face shows at once.
    """

    patterns: tuple[Pattern, ...]
    degrees: Mapping[str, float]
    negators: Mapping[str, float]
    quantities: Mapping[str, float]
    after: frozenset[str]
    filler: frozenset[str]
    roots: Mapping[str, str]
    opposites: tuple[tuple[str, str], ...]

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Every single word that means something."""
        meant = {word for pattern in self.patterns for group in pattern.groups for word in group}
        return frozenset(meant | set(self.degrees) | set(self.negators) | set(self.quantities))

    @functools.cached_property
    def phrases(self) -> tuple[tuple[str, ...], ...]:
        """Modifiers of several words, the longest first."""
        several = {word for words in (self.degrees, self.negators, self.quantities) for word in words if " " in word}
        return tuple(sorted((tuple(phrase.split()) for phrase in several), key=len, reverse=True))

    def root(self, word: str) -> str:
        """Return what a word stands for: itself, its stem, or several words with spaces between."""
        if word in self.roots:
            return self.roots[word]
        if word in self.words or word in self.filler:
            return word
        for ending in _ENDINGS:
            stem = word.removesuffix(ending)
            if stem == word or len(stem) < 3:
                continue
            for candidate in (stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem, stem + "y"):
                if candidate in self.roots:
                    return self.roots[candidate]
                if candidate in self.words:
                    return candidate
        return word


@functools.cache
def load_lexicon() -> Lexicon:
    """Read the lexicon, once."""
    text = resources.files("memorytalker.styles").joinpath("lexicon.json").read_text(encoding="utf-8")
    values = json.loads(text)
    patterns = [
        Pattern(tuple(frozenset(group.split("|")) for group in words.split()), moves, kind == "things")
        for kind in ("words", "things")
        for words, moves in values[kind].items()
    ]
    return Lexicon(
        patterns=tuple(sorted(patterns, key=lambda one: -len(one.groups))),
        degrees=values["degrees"],
        negators=values["negators"],
        quantities=values["quantities"],
        after=frozenset(values["after"]),
        filler=frozenset(values["filler"].split()),
        roots=values["roots"],
        opposites=tuple((first, second) for first, second in values["opposites"]),
    )
