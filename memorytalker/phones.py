"""Phone sets: the speech sounds that memory slots are named after.

A phone set says which phone is silence, which phones close the lips, and how phones are grouped for display. Another
language is another `PhoneSet`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PhoneGroup:
    """Phones that look alike on a face.

    Args:
        name: shown to readers, such as "lips closed".
        movement: what the mouth does, as the verb of a sentence: "closes the lips for".
        phones: the labels.
    """

    name: str
    movement: str
    phones: tuple[str, ...]


@dataclass(frozen=True)
class PhoneSet:
    """The phones of a language, including silence.

    Args:
        name: the language.
        phones: every label, in the order of the model's slots.
        silence: the label of silence.
        breath: the label of silent frames in which the mouth is open.
        bilabials: phones that close both lips.
        labiodentals: phones that bring the lower lip to the upper teeth.
        sibilants: phones with the teeth close together.
        vowels: voiced phones with an open mouth.
        wide: phones that are seen by how wide the mouth is: rounded or spread.
        groups: all phones by what a viewer sees, in the order of display.
        examples: pairs of a phone and a word that has it.
    """

    name: str
    phones: tuple[str, ...]
    silence: str
    breath: str
    bilabials: tuple[str, ...]
    labiodentals: tuple[str, ...]
    sibilants: tuple[str, ...]
    vowels: tuple[str, ...]
    wide: tuple[str, ...]
    groups: tuple[PhoneGroup, ...]
    examples: tuple[tuple[str, str], ...] = ()

    def index(self, phone: str) -> int:
        """Return the number of a phone. Raises ValueError for an unknown label."""
        return self.phones.index(phone)

    def indices(self, phones: Iterable[str]) -> list[int]:
        """Return the numbers of several phones, in their order."""
        return [self.index(phone) for phone in phones]

    @property
    def silence_index(self) -> int:
        """Number of silence."""
        return self.index(self.silence)

    @property
    def movements(self) -> dict[str, str]:
        """Group name -> what the mouth does."""
        return {group.name: group.movement for group in self.groups}

    @property
    def sample_words(self) -> dict[str, str]:
        """Phone -> a word that has it."""
        return dict(self.examples)

    def described(self, label: str) -> str:
        """A slot label in words: "ao, as in thought"; "silence"; a label that is no phone as it is."""
        word = self.sample_words.get(label)
        return "silence" if label == self.silence else f"{label}, as in {word}" if word else label

    def grouped(self, labels: Sequence[str]) -> list[tuple[str, list[int]]]:
        """Group memory slots for display.

        Args:
            labels: n slot labels, in the order of the slots.

        Returns:
            (group name, slot numbers) for every group that has a slot; one nameless group if a label is no phone.
        """
        if set(labels) - set(self.phones):
            return [("", list(range(len(labels))))]
        position = {label: index for index, label in enumerate(labels)}
        groups = [(g.name, [position[phone] for phone in g.phones if phone in position]) for g in self.groups]
        return [(name, slots) for name, slots in groups if slots]


#: The ARPABET phones of the CMU pronouncing dictionary: the slot labels of the open model.
ENGLISH = PhoneSet(
    name="English",
    phones=tuple(
        "sil aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
        "".split()
    ),
    silence="sil",
    breath="hh",
    bilabials=("b", "m", "p"),
    labiodentals=("f", "v"),
    sibilants=("s", "z", "sh", "zh", "ch", "jh"),
    vowels=("aa", "ae", "ah", "ao", "aw", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"),
    wide=tuple("w r er uw uh ow oy sh zh ch jh y iy ih ey".split()),
    groups=(
        PhoneGroup("silence", "stays closed in", ("sil",)),
        PhoneGroup("lips closed", "closes the lips for", ("p", "b", "m")),
        PhoneGroup("lip on teeth", "lays the lip to the teeth for", ("f", "v")),
        PhoneGroup("tongue out", "shows the tongue for", ("th", "dh")),
        PhoneGroup("tongue tip", "lifts the tongue tip for", ("t", "d", "n", "l", "s", "z")),
        PhoneGroup("lips forward", "pushes the lips forward for", ("sh", "zh", "ch", "jh")),
        PhoneGroup("tongue back", "lifts the back of the tongue for", ("k", "g", "ng", "hh")),
        PhoneGroup("rounded", "rounds", ("w", "r", "er", "uw", "uh", "ow", "oy", "ao")),
        PhoneGroup("spread", "spreads", ("y", "iy", "ih", "ey", "eh")),
        PhoneGroup("open", "opens", ("aa", "ae", "ah", "aw", "ay")),
    ),
    examples=tuple(
        zip(
            "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
            "".split(),
            "father trap strut thought mouth price bee cheese day this dress nurse face fee go he kit fleece joy key "
            "lay me no sing goat choice pea red see she tea think foot goose van way yes zoo vision".split(),
            strict=True,
        )
    ),
)
#: The 32 CTC characters of HuBERT: the slot labels of the paper's configurations.
CHARACTERS: tuple[str, ...] = tuple(
    "<pad> <s> </s> <unk> | E T A O N I H S R D L U M W C F G Y P B V K ' X J Q Z".split()
)
