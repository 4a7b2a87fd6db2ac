"""Who is judged by which weights: everybody by weights that never saw them, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from memorytalker.corpus.capture import captured_clips
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.evaluation.evaluate import EvaluationError
from memorytalker.folds import fold_of, fold_talker
from memorytalker.pipeline import Talker
from memorytalker.progress import Progress
from memorytalker.scorecard.card import Scorecard
from memorytalker.scorecard.held_out_videos import TrackedVideo, tracked_videos
from memorytalker.scorecard.people import Person, compare_person
from memorytalker.scorecard.style_fit import FEWEST_CLIPS, StyleFit, StyleFitError, adapted_halves, fitted_halves
from memorytalker.scorecard.words import filmed_phones
from memorytalker.sound.decode import load_waveform
from memorytalker.styles.recordings import Recording

BY_FOLD, BY_HELD_OUT = "left out of a training", "never trained on"


@dataclass(frozen=True)
class LeftOutPerson:
    """A person to judge on.

    Attributes:
        source: all clips of the person, as if none were trained on.
        videos: the tracked clips.
        fold: folder of weights that never saw the person; None: the judged weights themselves never did.
        recordings: the same clips as face curves with their sound; empty for too few clips to learn a style from.
    """

    source: CaptureSource
    videos: tuple[TrackedVideo, ...]
    fold: Path | None
    recordings: tuple[Recording, ...] = ()


def left_out_people(
    root: Path, card: Scorecard, known: Sequence[CaptureSource], folds: Path, limit: int = 0, store: Path | None = None
) -> list[LeftOutPerson]:
    """List the scorecard's people for whom there are weights that never saw them; the others are left out.

    A fold is preferred. Without one, a person whom the recipe holds out or does not name is judged by the weights
    themselves.

    Args:
        root: the source folder.
        card: names the people.
        known: the recipe's sources.
        folds: folder with one folder for each fold.
        limit: about this many clips each, evenly chosen; 0 for all.
        store: folder where the phone times of what they say are kept; None: they are not needed.

    Returns:
        The people in the scorecard's order.

    Raises:
        CaptureError: if a person's folder is missing or damaged.
    """
    trained = {source.folder for source in known if source.train}
    own = {goals.folder: fold_of(folds, goals.folder) for goals in card.people.videos}
    own = {name: fold for name, fold in own.items() if fold is not None or name not in trained}
    phones = {} if store is None else filmed_phones(root, store, list(own))
    people = []
    for name, fold in own.items():
        source = CaptureSource(name, "landmarks", train=False)
        videos = tuple(tracked_videos(root, source, limit, phones))
        recordings = _recordings(root, source, videos) if len(videos) >= FEWEST_CLIPS else ()
        people.append(LeftOutPerson(source, videos, fold, recordings))
    return [person for person in people if person.videos]


def _recordings(root: Path, source: CaptureSource, videos: Sequence[TrackedVideo]) -> tuple[Recording, ...]:
    """The clips as face curves solved from their landmarks; empty if one of them cannot be solved."""
    names = [video.sound.stem for video in videos]
    curves = {clip.name: clip.curves for clip in captured_clips(root / "capture", [source], only=names)}
    if len(curves) < len(names):
        return ()
    return tuple(
        Recording(name, curves[name], load_waveform(video.sound)) for name, video in zip(names, videos, strict=True)
    )


def measure_people(
    talker: Talker, weights: Path, people: Sequence[LeftOutPerson], device: str | None = None,
    settings: StyleFit = StyleFit(), progress: Progress | None = None,
) -> Iterator[Person]:  # fmt: skip
    """Yield the figures of each person, by the fold or by the talker; with learned styles for enough clips.

    Args:
        talker: the judged weights.
        weights: their folder, whose speech encoder the folds share.
        people: as `left_out_people` lists them.
        device: where the network runs; None chooses.
        settings: of the style fits.
        progress: called with (done, total, stage).

    Yields:
        One person after the other.

    Raises:
        WeightsError: a fold that cannot be used.
        EvaluationError: a fold with another configuration than the judged weights, of which it is none.
    """
    for person in people:
        own = talker if person.fold is None else fold_talker(person.fold, weights, device)
        if own.config != talker.config:
            raise EvaluationError(
                f"{person.fold} is another network than {weights}; make it again with train folds, or name the folds "
                "of these weights with --left-out."
            )
        judged_by = BY_HELD_OUT if person.fold is None else BY_FOLD
        name, videos = person.source.folder, person.videos
        measured = compare_person(own, name, videos, judged_by, progress)
        with suppress(StyleFitError):  # too few or too short clips: there is no fit to tell of
            measured = replace(measured, fitted=fitted_halves(own, videos, settings, progress))
        if person.recordings:
            measured = replace(measured, adapted=adapted_halves(own, videos, person.recordings, progress))
        yield measured
