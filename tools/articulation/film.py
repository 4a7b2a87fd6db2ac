"""How people's lips differ from phone to phone: `python -m tools.articulation.film SOURCE`.

Prints the mean lip width and lip opening of every phone, and of the vowels of some words, on the people tracked in
video: in eye distances, relative to each person's own mean over speech, averaged over people. The phone times come
from forced alignment and are kept in WORK. It takes a few minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memorytalker.articulation.coarticulation import TimedPhones, frame_phones
from memorytalker.corpus.build import align_all
from memorytalker.corpus.capture import video_openings
from memorytalker.corpus.landmark_files import read_landmark_clips
from memorytalker.phones import ENGLISH
from memorytalker.scorecard.synthesised_reference import subsample
from memorytalker.scorecard.visible import phone_means
from memorytalker.scorecard.words import ROUNDED, SPREAD, vowel_words

#: Folders of people tracked in video.
PEOPLE = ("grid_s1", "grid_s4", "grid_s26", "grid_s2", "grid_s23", "grid_s30")


@dataclass(frozen=True)
class FilmedClip:
    """One clip of a person: phones, and lip width and opening (T,) in eye distances at fps."""

    person: str
    phones: TimedPhones
    width: np.ndarray
    gap: np.ndarray
    fps: float


def main() -> None:
    clips = [clip for own in people_clips(__doc__).values() for clip in own]
    phones, words = by_phone(clips), by_word(clips)
    print(table("phone", phones))
    print(table("word", words))
    print("width, uw - iy:", spread_text(contrasts(phones["width"], "uw", "iy")))
    print(f"width, {' '.join(ROUNDED)} - {' '.join(SPREAD)}:", spread_text(word_contrasts(words["width"])))
    print("opening, uw - iy:", spread_text(contrasts(phones["gap"], "uw", "iy")))
    print("opening, iy - eh:", spread_text(contrasts(phones["gap"], "iy", "eh")))


def people_clips(about: str | None) -> dict[str, list[FilmedClip]]:
    """The clips of each person that the command line asks for; `about` is the description of the program."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("source", type=Path, help="the source folder, with capture/")
    parser.add_argument("--work", type=Path, default=Path("runs/film"), help="where phone times are kept")
    parser.add_argument("--clips", type=int, default=150, help="about so many clips of a person (default: %(default)s)")
    options = parser.parse_args()
    return {person: filmed_clips(options.source, options.work, person, options.clips) for person in PEOPLE}


def filmed_clips(source: Path, work: Path, person: str, limit: int) -> list[FilmedClip]:
    """About `limit` clips of a person whose sentence could be aligned."""
    folder = source / "capture" / person
    listed = subsample([clip for clip in read_landmark_clips(folder) if clip.text], limit)
    rows = [{"sound": f"capture/{person}/{clip.sound.name}", "text": clip.text} for clip in listed]
    work.mkdir(parents=True, exist_ok=True)
    times, measured = align_all(source, work, rows, workers=1), video_openings(source / "capture", (person,))
    clips = []
    for clip, row in zip(listed, rows, strict=True):
        said = times[row["sound"]]
        if said is not None and clip.name in measured:
            fps, gap, width, _ = measured[clip.name]
            clips.append(FilmedClip(person, TimedPhones.of(said), width, gap, fps))
    return clips


def by_phone(clips: Sequence[FilmedClip]) -> dict[str, dict[str, dict[str, tuple[float, int]]]]:
    """Measure ("width", "gap") -> person -> phone -> (mean relative to the person's mean over speech, count)."""
    return _grouped(clips, lambda clip: [ENGLISH.phones[index] for index in clip.phones.index])


def by_word(clips: Sequence[FilmedClip]) -> dict[str, dict[str, dict[str, tuple[float, int]]]]:
    """The same for the vowels of `WORDS`."""
    return _grouped(clips, lambda clip: vowel_words(clip.phones))


def _grouped(clips: Sequence[FilmedClip], name_of) -> dict[str, dict[str, dict[str, tuple[float, int]]]]:  # noqa: ANN001
    result: dict[str, dict[str, dict[str, tuple[float, int]]]] = {"width": {}, "gap": {}}
    for measure, people in result.items():
        for person in dict.fromkeys(clip.person for clip in clips):
            own = [clip for clip in clips if clip.person == person]
            mean = np.concatenate([speaking(clip, getattr(clip, measure)) for clip in own]).mean()
            values: dict[str, list[float]] = {}
            for clip in own:
                found = phone_means(getattr(clip, measure) - mean, clip.phones, clip.fps)
                for name, value in zip(name_of(clip), found, strict=True):
                    values.setdefault(name, []).append(float(value))
            people[person] = {name: (float(np.mean(each)), len(each)) for name, each in values.items() if name}
    return result


def speaking(clip: FilmedClip, curve: np.ndarray) -> np.ndarray:
    """The values of a curve (T,) in the frames that are not silent."""
    return curve[frame_phones(clip.phones, len(curve), clip.fps) != ENGLISH.silence_index]


def contrasts(people: Mapping[str, Mapping[str, tuple[float, int]]], one: str, other: str) -> dict[str, float]:
    """By person: the mean of one phone less that of the other, where both were said."""
    return {person: own[one][0] - own[other][0] for person, own in people.items() if one in own and other in own}


def word_contrasts(people: Mapping[str, Mapping[str, tuple[float, int]]]) -> dict[str, float]:
    """By person: the mean of the words of uw less that of the words of iy, where both were said."""
    result = {}
    for person, own in people.items():
        sides = [[own[word] for word in words if word in own] for words in (ROUNDED, SPREAD)]
        if all(sides):
            one, other = (sum(m * n for m, n in side) / sum(n for _, n in side) for side in sides)
            result[person] = one - other
    return result


def spread_text(values: Mapping[str, float]) -> str:
    """Mean and standard deviation over people, and each person's."""
    each = ", ".join(f"{person} {value:+.4f}" for person, value in values.items())
    return f"{np.mean(list(values.values())):+.4f} +- {np.std(list(values.values())):.4f} ({each})"


def table(kind: str, values: Mapping[str, Mapping[str, Mapping[str, tuple[float, int]]]]) -> str:
    """Mean over people of each phone or word, with the standard deviation over people and the counts."""
    widths, gaps = values["width"], values["gap"]
    names = sorted({name for own in widths.values() for name in own})
    lines = [
        f"| {kind} | width | over people | opening | over people | people | said |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in names:
        width, gap = ([own[name][0] for own in people.values() if name in own] for people in (widths, gaps))
        said = sum(own[name][1] for own in widths.values() if name in own)
        lines.append(
            f"| {name} | {np.mean(width):+.4f} | {np.std(width):.4f} | {np.mean(gap):+.4f} | {np.std(gap):.4f} | "
            f"{len(width)} | {said} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
