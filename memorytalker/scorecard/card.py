"""The scorecard file: which tracked videos a model is measured on, and the goal of each figure.

`scorecard.json` is that of the shipped weights. A figure whose goal is left out is printed without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from memorytalker.config import ConfigError, read, shown
from memorytalker.corpus.corpus_config import CaptureSource
from memorytalker.scorecard.goals import Goal

SHIPPED = Path(__file__).with_name("scorecard.json")


@dataclass(frozen=True)
class VideoGoals:
    """A folder of video-tracked faces and its goals.

    gap, width: median correlation of lip opening and lip width with the video. amplitude: ratio of the lip opening's
    95th percentile to the video's.
    """

    folder: str
    gap: Goal | None = None
    width: Goal | None = None
    amplitude: Goal | None = None


@dataclass(frozen=True)
class PersonGoals:
    """A folder with the video of one person, and the person's goals.

    gap, width: mean correlation of lip opening and lip width with the video. fitted_error: percent of the neutral
    style's error in a style fitted to half of the clips, on the other half; fitted_width: amplitude ratio in it.
    """

    folder: str
    gap: Goal | None = None
    width: Goal | None = None
    fitted_error: Goal | None = None
    fitted_width: Goal | None = None


@dataclass(frozen=True)
class PeopleGoals:
    """People in video whom the weights that judge them never saw, and the goals of their figures.

    gap, width: correlations; gap_amplitude, width_amplitude: ratios to the video; gap_error: eye distances; all are
    averages over persons. word_width, word_gap: contrasts between words as a share of those in video. own_voice,
    own_voice_worst: change of the gap's error from the neutral style to that of the own voice in percent, on average
    and of the worst person.
    """

    videos: tuple[PersonGoals, ...] = ()
    gap: Goal | None = None
    width: Goal | None = None
    gap_amplitude: Goal | None = None
    width_amplitude: Goal | None = None
    gap_error: Goal | None = None
    word_width: Goal | None = None
    word_gap: Goal | None = None
    own_voice: Goal | None = None
    own_voice_worst: Goal | None = None


@dataclass(frozen=True)
class Scorecard:
    """The folders and goals of the table that `evaluate` prints; docs/metrics.md defines the figures.

    people: measured leave-one-person-out. robust: the folder of `videos` whose clips are also measured in noise and
    reverberation; None for none.
    """

    videos: tuple[VideoGoals, ...] = ()
    people: PeopleGoals = PeopleGoals()
    robust: str | None = None
    video_lag_ms: Goal | None = None
    video_jitter: Goal | None = None
    lips_closed: Goal | None = None  # on p b m
    lip_to_teeth: Goal | None = None  # on f v
    closed_when_quiet: Goal | None = None
    teeth_seen: Goal | None = None  # and the lower lip at them, on f v
    rounding: Goal | None = None  # lip width of uw against iy, as a share of that in video
    protrusion_mm: Goal | None = None  # of the lips on uw against iy
    tongue_seen: Goal | None = None  # between the teeth, on th dh
    lag_ms: Goal | None = None  # behind phone times
    jaw: Goal | None = None  # of captured takes
    error_lowered: Goal | None = None  # percent, by the style of unseen speakers ...
    error_lowered_low_end: Goal | None = None  # ... and the lower end of its interval
    mean_opening: Goal | None = None
    same_speaker: Goal | None = None
    fall: Goal | None = None  # of the correlation with video in noise and rooms
    imitation_acceleration: Goal | None = None
    imitation_movement: Goal | None = None
    imitation_steady: Goal | None = None
    held_open: Goal | None = None  # share of frames of every open vowel that is held
    held_on_silence: Goal | None = None  # share of loud voiced frames
    crop_correlation: Goal | None = None
    crop_distance_mm: Goal | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError if `robust` is not one of the named video folders."""
        folders = [video.folder for video in self.videos]
        if self.robust is not None and self.robust not in folders:
            raise ConfigError(
                f"The scorecard names {shown(self.robust)} for noise and does not list it among its videos; it lists "
                f"{', '.join(folders) or 'none'}."
            )

    def sources(self, known: Sequence[CaptureSource]) -> list[CaptureSource]:
        """Return the recipe's source of every video, in order. Raises ConfigError for a folder that `known` lacks."""
        by_folder = {source.folder: source for source in known if source.kind == "landmarks"}
        for video in self.videos:
            if video.folder not in by_folder:
                raise ConfigError(
                    f"The scorecard names the video folder {shown(video.folder)} and the recipe does not; add it to "
                    "corpus.sources of a recipe and give that with --recipe."
                )
        return [by_folder[video.folder] for video in self.videos]


def read_scorecard(path: Path | None = None) -> Scorecard:
    """Read a scorecard from JSON; None reads the shipped one. Raises ConfigError, naming the valid keys."""
    return read(Scorecard, SHIPPED if path is None else path)
