"""Settings of a corpus, read from the recipe of the weights and checked."""

from __future__ import annotations

from dataclasses import dataclass

from memorytalker.config import LARGEST_SEED, ConfigError, check_names, check_ranges, shown

#: How captured motion is stored: see `CaptureSource`.
CAPTURE_KINDS: tuple[str, ...] = ("landmarks", "curves")


@dataclass(frozen=True)
class CaptureSource:
    """A folder of captured motion below capture/ of a source folder. Raises ConfigError for an unknown kind.

    Attributes:
        folder: its name.
        kind: "landmarks" (tracked in video, with `manifest.jsonl` and `landmarks.npz`) or "curves" (one file of face
            curves per take).
        train: False: all of it is held out.
        held_out_last: number of clips at the end that are held out.
        held_out: names of further clips that are held out.
    """

    folder: str
    kind: str
    train: bool = True
    held_out_last: int = 0
    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the kind, the folder and the numbers."""
        check_ranges(self, held_out_last=(0, 1e9))
        check_names(self, "held_out")
        if not self.folder or self.folder.startswith(("/", "\\")) or ".." in self.folder.replace("\\", "/").split("/"):
            raise ConfigError(f"The capture source {shown(self.folder)} is no folder below capture/; name one there.")
        if self.kind not in CAPTURE_KINDS:
            raise ConfigError(
                f"The capture source {shown(self.folder)} is of kind {shown(self.kind)}; choose one of "
                f"{', '.join(CAPTURE_KINDS)}."
            )

    def holds_out(self, name: str, number: int, count: int) -> bool:
        """Return whether the clip of that name, `number` (from 0) of `count`, is held out of training."""
        return not self.train or number >= count - self.held_out_last or name in self.held_out


@dataclass(frozen=True)
class CorpusConfig:
    """Settings of a corpus, without defaults: the recipe of the weights gives them all."""

    seed: int  # of all random draws: voices, styles, augmentation, silence
    augmented_voices: int  # voice-augmented versions of each captured training clip ...
    voice_pitches: tuple[float, ...]  # ... with a median pitch in this range (Hz) ...
    voice_shifts: tuple[float, ...]  # ... and a pitch factor in this range
    augmented_share: float  # of synthesised training clips that get an augmented version; captured ones all do
    regressed_share: float  # of synthesised mouth motion from the curve regressor; the rest is from phone times
    synthetic_speaker_clips: int  # of each training speaker, spoken again by a synthetic speaker
    silent_clips: int  # of silence and noise with a still face
    jaw_gains: tuple[float, ...] = (1.0, 1.0)  # range from which a voice-augmented version draws how far it opens ...
    width_gains: tuple[float, ...] = (1.0, 1.0)  # ... and how much it rounds and spreads, against the recorded motion
    captured_gains: tuple[float, ...] = (1.0, 1.0)  # jaw and width of all captured training motion, enlarged because a
    # network that cannot foresee a movement shows a smaller one
    regressed_gains: tuple[float, ...] = (1.0, 1.0)  # jaw and width of the curve regressor, made as large as people's
    rule_gains: tuple[float, ...] = (1.0, 1.0)  # the same of motion from phone times, whose rules are one man's
    sources: tuple[CaptureSource, ...] = ()  # of captured motion; those that the source folder lacks are left out
    held_vowel_clips: int = 0  # of held and sung vowels, hums and held fricatives ...
    held_vowel_seconds: tuple[float, ...] = (0.5, 10.0)  # ... which are held for a time in this range

    def __post_init__(self) -> None:
        """Raise ConfigError for an empty range, or a share outside 0 to 1."""
        check_ranges(
            self, seed=(0, LARGEST_SEED), augmented_voices=(0, 1000), voice_pitches=(1, 10_000),
            voice_shifts=(0.01, 100), synthetic_speaker_clips=(0, 1e6), silent_clips=(0, 1e6),
            held_vowel_clips=(0, 1e6), held_vowel_seconds=(0.2, 60),
        )  # fmt: skip
        for name in ("captured_gains", "regressed_gains", "rule_gains"):
            if len(gains := getattr(self, name)) != 2 or min(gains) <= 0:
                raise ConfigError(f"CorpusConfig.{name} needs two positive numbers, jaw and width, not {list(gains)}.")
        for name in ("voice_pitches", "voice_shifts", "jaw_gains", "width_gains", "held_vowel_seconds"):
            if len(ends := getattr(self, name)) != 2 or not 0 < ends[0] <= ends[1]:
                raise ConfigError(f"CorpusConfig.{name} needs two positive numbers, smallest first, not {list(ends)}.")
        for name in ("augmented_share", "regressed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"CorpusConfig.{name} is {getattr(self, name)}; choose a share from 0 to 1.")
