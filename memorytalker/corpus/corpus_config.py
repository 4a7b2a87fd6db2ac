"""What a corpus is made of, as numbers and names: read from the recipe of the weights, refused where they cannot be."""

from __future__ import annotations

from dataclasses import dataclass

from memorytalker.config import LARGEST_SEED, ConfigError, check_names, check_ranges, shown

#: How captured motion is stored: see `CaptureSource`.
CAPTURE_KINDS: tuple[str, ...] = ("landmarks", "curves")


@dataclass(frozen=True)
class CaptureSource:
    """A folder of captured motion below capture/ of a source folder, and what of it is never trained on.

    kind: "landmarks" (points tracked in video, with `manifest.jsonl` and `landmarks.npz`) or "curves" (one file of face
    curves a take). Raises ConfigError for another kind.
    """

    folder: str
    kind: str
    train: bool = True  # False: nothing of it is trained on
    held_out_last: int = 0  # so many of its last clips are not
    held_out: tuple[str, ...] = ()  # nor are the clips of these names

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
        """Whether clip `number` (from 0) of `count`, of that name, is never trained on."""
        return not self.train or number >= count - self.held_out_last or name in self.held_out


@dataclass(frozen=True)
class CorpusConfig:
    """What a corpus is made of beside its source folder. There are no defaults: the recipe of the weights says it."""

    seed: int  # of whatever is drawn: voices, styles, augmentation, silence
    augmented_voices: int  # every captured training clip is heard in so many more voices ...
    voice_pitches: tuple[float, ...]  # ... of a median pitch between these two (Hz) ...
    voice_shifts: tuple[float, ...]  # ... as far as a voice may be shifted: smallest and largest factor
    augmented_share: float  # of synthesised training clips, heard once more as a worse recording; captured ones all are
    regressed_share: float  # of a synthesised mouth, from the sound by the listener; the rest is made of phone times
    synthetic_speaker_clips: int  # of each training speaker, said once more by a synthetic speaker
    silent_clips: int  # of silence and noise over a still face
    sources: tuple[CaptureSource, ...] = ()  # of captured motion; those that the source folder lacks are left out

    def __post_init__(self) -> None:
        """Raise ConfigError for a range that is none, or a share outside 0 to 1."""
        check_ranges(
            self, seed=(0, LARGEST_SEED), augmented_voices=(0, 1000), voice_pitches=(1, 10_000),
            voice_shifts=(0.01, 100), synthetic_speaker_clips=(0, 1e6), silent_clips=(0, 1e6),
        )  # fmt: skip
        for name in ("voice_pitches", "voice_shifts"):
            if len(ends := getattr(self, name)) != 2 or not 0 < ends[0] <= ends[1]:
                raise ConfigError(f"CorpusConfig.{name} needs two positive numbers, smallest first, not {list(ends)}.")
        for name in ("augmented_share", "regressed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"CorpusConfig.{name} is {getattr(self, name)}; choose a share from 0 to 1.")
