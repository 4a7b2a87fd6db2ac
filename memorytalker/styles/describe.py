"""Words to a style: "hardly opens her mouth, very lively, a bit sad; from 4 s: shouting".

A lexicon over the documented dimensions (`lexicon.py`), with degree, negation and times inside a clip. There is no
network and nothing is guessed: what was understood is told piece by piece, and so are the words that were not. English
only. Text of which too little is understood changes nothing, and neither do words that contradict each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from memorytalker.options import MOODS
from memorytalker.styles.delivery import LATEST, MOST_DELIVERIES, Delivery, StyleError
from memorytalker.styles.lexicon import Lexicon, Pattern, load_lexicon
from memorytalker.styles.style import Style, Understood

#: Letters of a description.
LONGEST = 2000
#: Effects of a word below this are only by the way: they yield to what another word says of the same dimension.
BY_THE_WAY = 0.5
#: A pattern's words stand within so many words.
SPAN = 6
#: What an amount of 1 and of -1 does: factors of a gain, and offsets.
MORE, LESS = 1.8, 1 / 2.8
_OFFSETS = {"corners": ("corners", 0.35), "brow_height": ("brows", 0.4), "eyelids": ("blinks", 0.5)}
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_ONE = rf"(?:\d+(?:\.\d+)?|{'|'.join(_NUMBERS)})"
_UNIT = r"\s*(?:seconds|second|secs|sec|s|minutes|minute|min)\b"
_TIMES: tuple[tuple[str, str], ...] = (
    ("span", rf"\b(?:between|from)\s+({_ONE})(?:{_UNIT})?\s*(?:and|to|until|till|up to|-)\s*({_ONE}{_UNIT})"),
    ("until", rf"\b(?:for |during |in |over )?(?:the )?first\s+({_ONE}{_UNIT})"),
    ("until", rf"\b(?:until|till|up to|before|to)\s+({_ONE}{_UNIT})"),
    ("from", rf"\b(?:start(?:s|ing) )?(?:from|after|since|at|as of)\s+({_ONE}{_UNIT})(?:\s+(?:on|onwards?)\b)?"),
    ("then", r"\b(?:after that|after this|afterwards?|then|from then on|thereafter)\b"),
    ("unknown", r"\b(?:(?:at|towards?|near|by) the end|at the (?:beginning|start)|halfway|in the middle)\b"),
)  # fmt: skip
_SEPARATORS = frozenset("and but while yet although though or nor plus who with without also whereas".split())
_BODY = frozenset("mouth lip jaw eye lid brow head corner tooth".split())


@dataclass
class _Word:
    text: str  # as written
    root: str
    taken: bool = False


@dataclass(frozen=True)
class _Scope:
    begin: float = 0.0
    end: float = math.inf


@dataclass
class _Match:
    pattern: Pattern
    words: list[int]
    modifiers: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Move:
    """What one match moves: its words, the dimensions with their amounts, and the primary ones among them."""

    words: str
    amounts: dict[str, float]
    primary: frozenset[str]


def describe(text: str) -> Style:
    """Make a style of a description.

    Args:
        text: in English, at most `LONGEST` letters.

    Returns:
        The style. `understood` says what was understood, `unknown` names the words that were not, and `remarks` tells
        what was left out and why. A description that is not understood gives a style that changes nothing.

    Raises:
        StyleError: no text, one that is too long, or more changes over time than a style has.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise StyleError(f"A description is a text of at most {LONGEST} letters; shorten it.")
    lexicon = load_lexicon()
    found: dict[_Scope, list[_Move]] = {}
    unknown: list[str] = []
    remarks: list[str] = []
    known = 0
    for scope, chunk in _chunks(text, remarks):
        moves, strange, count = _read(chunk, lexicon)
        unknown += strange
        if len(strange) <= max(1, count):
            found.setdefault(scope, []).extend(moves)
            known += count
    unknown = list(dict.fromkeys(unknown))
    if len(unknown) > 2 * known or not any(found.values()):
        remarks.append("Too little of this was understood, so nothing is changed; only English is read here.")
        return Style(name=text[:100], source="Described in words.", unknown=tuple(unknown), remarks=tuple(remarks))
    settled = {scope: _settled(moves, lexicon, remarks) for scope, moves in found.items()}
    if unknown:
        remarks.append(f"Not understood: {', '.join(unknown[:20])}.")
    return Style(
        name=text[:100],
        deliveries=_deliveries(settled, lexicon),
        source="Described in words.",
        understood=tuple(
            Understood(move.words, dimension, round(amount, 3), scope.begin)
            for scope, moves in settled.items()
            for move in moves
            for dimension, amount in move.amounts.items()
        ),
        unknown=tuple(unknown),
        remarks=tuple(remarks),
    )


# times


def _chunks(text: str, remarks: list[str]) -> Iterable[tuple[_Scope, str]]:
    """Cut a text where commas and times stand, and say for which seconds of the clip each piece holds."""
    marks: list[tuple[str, tuple[float, ...], str]] = []

    def noted(kind: str) -> object:
        def note(found: re.Match[str]) -> str:
            marks.append((kind, tuple(_seconds(group) for group in found.groups()), found.group(0).strip()))
            return f" \N{SECTION SIGN}{len(marks) - 1} "

        return note

    plain = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("\N{SECTION SIGN}", " ")
    for kind, pattern in _TIMES:
        plain = re.sub(pattern, noted(kind), plain)  # type: ignore[call-overload]
    for sentence in re.split(r"[;!?\n]|\.(?!\d)", plain):
        scope = last = _Scope()
        for chunk in _parts(sentence):
            places = list(re.finditer("\N{SECTION SIGN}(\\d+)", chunk))
            if not places:
                yield scope, chunk
                continue
            kind, times, words = marks[int(places[0].group(1))]
            before, after = chunk[: places[0].start()], chunk[places[-1].end() :]
            if kind == "unknown":
                remarks.append(f"'{words}' is not known here, so what goes with it is left out; say it in seconds.")
                yield scope, before if re.search(r"\w", after) else ""
                continue
            last = _scope(kind, times, last)
            if re.search(r"\w", before) and not re.search(r"\w", after):
                yield last, before  # "shouting from 4 s on" is about itself alone
            else:
                yield scope, before
                scope = last
                yield scope, after


def _parts(sentence: str) -> Iterable[str]:
    """Pieces of a sentence between commas, and around "and" where more than one time is in a piece."""
    for part in re.split(r",|:", sentence):
        several = part.count("\N{SECTION SIGN}") > 1
        yield from re.split(r"\b(?:and|but)\b", part) if several else [part]


def _scope(kind: str, times: tuple[float, ...], last: _Scope) -> _Scope:
    if kind == "span":
        return _Scope(min(times), max(times))
    if kind == "until":
        return _Scope(0.0, times[0])
    if kind == "from":
        return _Scope(times[0])
    return _Scope(last.end) if math.isfinite(last.end) else last  # then


def _seconds(words: str) -> float:
    number = re.match(_ONE, words)
    assert number is not None
    name = number.group(0)
    value = float(_NUMBERS.index(name)) if name in _NUMBERS else float(name[:12])
    return min(value * (60.0 if re.search(r"\bmin|min", words[number.end() :]) else 1.0), LATEST)


# words


def _read(chunk: str, lexicon: Lexicon) -> tuple[list[_Move], list[str], int]:
    """What a piece of text moves, the words in it that mean nothing here, and how many mean something."""
    moves: list[_Move] = []
    unknown: list[str] = []
    known, denied, body = 0, None, list[str]()
    for clause in _clauses(_words(chunk, lexicon), lexicon):
        if denied is not None and clause[0].root in ("or", "nor"):
            clause.insert(1, _Word("", denied))
        denied = next((word.root for word in clause if word.root in lexicon.negators), None)
        if not any(word.root in _BODY for word in clause):
            clause += [_Word("", root) for root in body]  # "eyes wide open and half closed"
        else:
            body = [word.root for word in clause if word.root in _BODY]
        matches = _matches(clause, lexicon)
        _attach(clause, matches, lexicon)
        moves += [_move(clause, match, lexicon) for match in matches]
        for match in matches:
            for index in (*match.words, *match.modifiers):
                clause[index].taken = True
        known += sum(word.taken and word.text != "" for word in clause)
        modifying = (*lexicon.degrees, *lexicon.negators)
        unknown += [
            word.text
            for word in clause
            if not word.taken and word.text and word.root not in lexicon.filler and word.root not in modifying
        ]
    return moves, unknown, known


def _words(chunk: str, lexicon: Lexicon) -> list[_Word]:
    words = []
    for text in re.findall(r"[^\W_]+(?:['-][^\W_]+)*", chunk):
        root = lexicon.root(text)
        if root == text and "-" in text and text not in lexicon.words:
            root = " ".join(lexicon.root(part) for part in text.split("-"))
        parts = root.split()
        words += [_Word(text if number == 0 else "", part) for number, part in enumerate(parts)]
    place = 0
    while place < len(words):  # modifiers of several words become one
        for phrase in lexicon.phrases:
            piece = words[place : place + len(phrase)]
            if tuple(word.text for word in piece) == phrase:
                words[place : place + len(phrase)] = [_Word(" ".join(phrase), " ".join(phrase))]
                break
        place += 1
    return words


def _clauses(words: list[_Word], lexicon: Lexicon) -> list[list[_Word]]:
    clauses: list[list[_Word]] = [[]]
    for word in words:
        if word.root in _SEPARATORS and clauses[-1]:
            clauses.append([])
        clauses[-1].append(word)
    return [clause for clause in clauses if clause]


def _matches(clause: Sequence[_Word], lexicon: Lexicon) -> list[_Match]:
    """The patterns in a clause, those of more words first; each word is used once."""
    free = set(range(len(clause)))
    matches: list[_Match] = []
    modified = any(word.root in words for word in clause for words in _modifiers(lexicon))
    for stage in (True, False):  # patterns of several words, then single ones: things before words
        ordered = [pattern for pattern in lexicon.patterns if (len(pattern.groups) > 1) is stage]
        if not stage:
            ordered.sort(key=lambda one: not one.thing)
        for pattern in ordered:
            if not stage and pattern.thing and not modified:
                continue
            for place in _places(clause, pattern, free):
                if len(place) == 1 and not pattern.thing and _counts_a_thing(clause, place[0], matches, lexicon):
                    continue
                if len(place) == 1 and pattern.thing and not _quantified(clause, place[0], free, lexicon):
                    continue
                matches.append(_Match(pattern, place))
                free -= set(place)
    return sorted(matches, key=lambda match: min(match.words))


def _places(clause: Sequence[_Word], pattern: Pattern, free: set[int]) -> list[list[int]]:
    """Where a pattern stands among the free words: at most once, or for single words wherever they are."""
    if len(pattern.groups) == 1:
        alone = [index for index in sorted(free) if clause[index].root in pattern.groups[0]]
        return [[index] for index in alone if clause[index].text or clause[index].root not in _BODY]
    chosen: list[int] = []
    for group in pattern.groups:
        index = next((i for i in sorted(free) if clause[i].root in group and i not in chosen), None)
        if index is None:
            return []
        chosen.append(index)
    near = max(chosen) - min(chosen) < SPAN
    return [sorted(chosen)] if near and any(clause[index].text for index in chosen) else []


def _modifiers(lexicon: Lexicon) -> tuple[Iterable[str], ...]:
    return lexicon.degrees, lexicon.negators, lexicon.quantities


def _quantified(clause: Sequence[_Word], index: int, free: set[int], lexicon: Lexicon) -> bool:
    """Whether a modifier other than the word itself is in the clause."""
    return any(
        place != index and clause[place].root in words
        for place in range(len(clause)) if place in free for words in _modifiers(lexicon)
    )  # fmt: skip


def _counts_a_thing(clause: Sequence[_Word], index: int, matches: Sequence[_Match], lexicon: Lexicon) -> bool:
    """Whether a word is the quantity of a thing in its clause, as in "lively head movements"."""
    return clause[index].root in lexicon.quantities and any(match.pattern.thing for match in matches)


def _attach(clause: Sequence[_Word], matches: Sequence[_Match], lexicon: Lexicon) -> None:
    """Give each modifier to what it belongs to: to what follows it, or, for some, to what it follows."""
    used = {index for match in matches for index in match.words}
    for index, word in enumerate(clause):
        if index in used or not any(word.root in words for words in _modifiers(lexicon)) or not matches:
            continue
        inside = [match for match in matches if min(match.words) < index < max(match.words)]
        before = [match for match in matches if max(match.words) < index]
        after = [match for match in matches if min(match.words) > index]
        follows = before and word.root in lexicon.after and all(
            other.root in lexicon.filler or any(other.root in words for words in _modifiers(lexicon))
            for other in clause[max(before[-1].words) + 1 : index]
        )  # fmt: skip
        owner = inside[0] if inside else before[-1] if follows or not after else after[0]
        owner.modifiers.append(index)


def _move(clause: Sequence[_Word], match: _Match, lexicon: Lexicon) -> _Move:
    """What a pattern with its modifiers moves."""
    roots = [clause[index].root for index in match.modifiers]
    quantity = next((lexicon.quantities[root] for root in roots if root in lexicon.quantities), None)
    negator = next((lexicon.negators[root] for root in roots if root in lexicon.negators), None)
    degree = math.prod(lexicon.degrees[root] for root in roots if root in lexicon.degrees and root != "at all")
    degree = min(degree, 1.7)
    if quantity is None:
        factor = 0.75 if match.pattern.thing else 1.0
    else:
        factor = quantity if match.pattern.thing or quantity < 0 else min(max(quantity, 1.0), 1.3)
    if negator is None:
        factor *= degree
    else:
        factor *= negator * (0.5 if degree > 1 and "at all" not in roots else 1.0)
    indices = (*match.words, *match.modifiers)
    amounts = {dimension: max(-1.0, min(1.0, amount * factor)) for dimension, amount in match.pattern.moves.items()}
    return _Move(
        " ".join(word.text for word in clause[min(indices) : max(indices) + 1] if word.text),
        amounts,
        frozenset(name for name, amount in match.pattern.moves.items() if abs(amount) >= BY_THE_WAY),
    )


# what holds


def _settled(moves: Sequence[_Move], lexicon: Lexicon, remarks: list[str]) -> list[_Move]:
    """Leave out words that contradict each other, and effects by the way that something else speaks against."""
    dropped: set[int] = set()
    for first, one in enumerate(moves):
        for second in range(first + 1, len(moves)):
            clash = _clash(one, moves[second], lexicon)
            if clash:
                dropped |= {first, second}
                remarks.append(
                    f"'{one.words}' and '{moves[second].words}' contradict each other ({clash}); neither is used."
                )
    kept = [move for number, move in enumerate(moves) if number not in dropped]
    result = []
    for move in kept:
        amounts = {
            dimension: amount
            for dimension, amount in move.amounts.items()
            if dimension in move.primary
            or not any(other is not move and other.amounts.get(dimension, 0.0) * amount < 0 for other in kept)
        }
        result.append(_Move(move.words, amounts, move.primary))
    return result


def _clash(one: _Move, other: _Move, lexicon: Lexicon) -> str:
    """The dimension or moods in which two words contradict each other; "" if they do not."""
    for dimension in one.primary & other.primary:
        if one.amounts[dimension] * other.amounts[dimension] < 0:
            return dimension.replace("_", " ")
    for pair in lexicon.opposites:
        for first, second in (pair, pair[::-1]):
            if first in one.primary and second in other.primary:
                if min(one.amounts[first], other.amounts[second]) > 0:
                    return f"{first} and {second}"
    return ""


def _deliveries(settled: dict[_Scope, list[_Move]], lexicon: Lexicon) -> tuple[Delivery, ...]:
    """The deliveries from moment to moment. What holds for some seconds replaces what holds for the whole clip."""
    scopes = sorted(settled, key=lambda scope: (math.isfinite(scope.end), scope.begin))
    starts = sorted({0.0, *(s.begin for s in scopes), *(s.end for s in scopes if math.isfinite(s.end))})
    if len(starts) > MOST_DELIVERIES:
        raise StyleError(f"A description changes at most {MOST_DELIVERIES - 1} times within a clip; leave some out.")
    deliveries = []
    for start in starts:
        state: dict[str, float] = {}
        for scope in scopes:
            if not scope.begin <= start < scope.end:
                continue
            amounts = _together(settled[scope])
            if any(amounts.get(mood, 0.0) > 0 for mood in MOODS):
                state = {name: amount for name, amount in state.items() if name not in MOODS}
            state |= amounts
        deliveries.append(_delivery(start, state))
    return tuple(deliveries)


def _together(moves: Sequence[_Move]) -> dict[str, float]:
    """All amounts of some moves: of several in one direction the largest, and a third of the others."""
    result: dict[str, float] = {}
    for dimension in {name for move in moves for name in move.amounts}:
        amounts = sorted((move.amounts[dimension] for move in moves if dimension in move.amounts), key=abs)
        result[dimension] = max(-1.0, min(1.0, amounts[-1] + sum(amounts[:-1]) / 3))
    return result


def _delivery(start: float, state: dict[str, float]) -> Delivery:
    gains = {
        name: (MORE**amount if amount > 0 else LESS**-amount)
        for name, amount in state.items()
        if name not in MOODS and name not in _OFFSETS and name != "head_motion"
    }
    offsets = {_OFFSETS[name][0]: _OFFSETS[name][1] * amount for name, amount in state.items() if name in _OFFSETS}
    moods = {name: min(max(amount, 0.0), 1.0) for name, amount in state.items() if name in MOODS}
    return Delivery(start, gains, offsets, moods, min(max(state.get("head_motion", 0.0), 0.0), 1.0))
