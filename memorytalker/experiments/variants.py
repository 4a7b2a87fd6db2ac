"""The compared variants, as data: what each shows, and how it differs from the plan's model and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

#: The stages of training, in the order in which they may follow one another.
STYLE_REGRESSION = "style_regression"  # stage 2 in closed form, where a plan has it
STAGES = ("memorize", "stylize", STYLE_REGRESSION, "together")
#: The style a variant is evaluated with: from the clip's own sound, neutral, or by label of a training speaker.
STYLES = ("own", "none", "labels")
#: The variants that every other one is compared with.
BASELINES = ("stage-1", "stages-1-2")
GROUPS = MappingProxyType(
    {
        "parts": "The parts of the model",
        "losses": "The losses",
        "slots": "The number of memory slots, without names",
        "speakers": "The number of training speakers",
    }
)

Edits = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Variant:
    """One model to train and evaluate.

    edits: changes to the plan's configurations, by "model" or by stage; nested objects are merged.
    """

    name: str
    shows: str  # one sentence
    group: str  # one of GROUPS
    stages: tuple[str, ...]  # in order; empty: nothing is trained and the face does not move
    edits: Edits = field(default_factory=dict)
    style: str = "own"  # one of STYLES
    speakers: int = 0  # how many training speakers, with a fixed number of clips in all; 0: all speakers and clips
    limited: bool = False  # the fixed number of clips even with all speakers

    def __post_init__(self) -> None:
        """Raise ValueError for a stage, group or style that does not exist, which is a bug of the table."""
        unknown = (set(self.stages) | set(self.edits)) - {*STAGES, "model"}
        if unknown or self.group not in GROUPS or self.style not in STYLES:
            raise ValueError(f"The variant {self.name!r} names a stage, group or style that does not exist.")


BOTH = ("memorize", "stylize")


def losses(**weights: float) -> Edits:
    """Return edits that set the same loss weights in every stage."""
    return {stage: {"losses": dict(weights)} for stage in STAGES}


PARTS = (
    Variant("neutral-face", "A face that never moves: the lowest baseline.", "parts", (), style="none"),
    Variant(
        "no-memory", "The paper's baseline: the decoder reads the text alone.", "parts", ("memorize",),
        {"model": {"use_memory": False}}, style="none",
    ),
    Variant("stage-1", "The memory, read in the neutral style.", "parts", ("memorize",), style="none"),
    Variant("stages-1-2", "The whole model: the memory weighted by the style of the clip's own voice.", "parts", BOTH),
    Variant(
        "one-hot", "Style by speaker label instead of by sound; every label is tried for an unseen speaker.", "parts",
        BOTH, {"stylize": {"losses": {"style": 0.0}}}, style="labels",
    ),
    Variant("end-to-end", "All parts and the style encoder trained at once, in one stage.", "parts", ("together",)),
)  # fmt: skip
LOSSES = (
    Variant("without-memory-loss", "Without L_mem (Eq. 3).", "losses", BOTH, losses(memory=0.0)),
    Variant("without-align-loss", "Without L_align (Eq. 7).", "losses", BOTH, losses(align=0.0)),
    Variant("without-style-loss", "Without L_style (Eq. 13).", "losses", BOTH, losses(style=0.0)),
    Variant(
        "without-lip-loss", "Without L_lip (Eq. 14), in either stage.", "losses", BOTH,
        losses(lip=0.0, lips_in_stage_one=0.0),
    ),
    Variant(
        "without-slot-names", "The same slots without supervision of which phone each is for.", "losses", BOTH,
        losses(slots=0.0),
    ),
    Variant(
        "without-shown-style",
        "Stage 1 never decodes in the style estimated from the recorded motion, as in the paper.",
        "losses", BOTH, losses(style_consistency=0.0),
    ),
    Variant(
        "voice-in-content",
        "The content keeps the speaker's voice: encoder states are not normalised, as in the paper.",
        "losses", BOTH, {"model": {"speech": {"normalise": 0.0}}},
    ),
    Variant(
        "paper-losses",
        "The paper's losses and content alone: no slot names, lip opening, lip-to-teeth distance or estimated style.",
        "losses", BOTH,
        {"model": {"speech": {"normalise": 0.0}},
         **losses(slots=0.0, opening=0.0, lip_to_teeth=0.0, lips_in_stage_one=0.0, style_consistency=0.0)},
    ),
)  # fmt: skip


def slot_variant(count: int) -> Variant:
    """Return the variant with `count` unnamed slots."""
    model = {"slots": [f"slot {i}" for i in range(count)]}
    return Variant(f"slots-{count}", f"{count} slots without names.", "slots", BOTH,
                   {"model": model, **losses(slots=0.0)})  # fmt: skip


def speaker_variant(count: int) -> Variant:
    """Return the variant with `count` training speakers (0: all), with the same number of clips in total."""
    name = f"speakers-{count or 'all'}"
    return Variant(name, f"{count or 'All'} training speakers.", "speakers", BOTH, speakers=count, limited=True)


def all_variants(slot_counts: tuple[int, ...], speaker_counts: tuple[int, ...]) -> tuple[Variant, ...]:
    """Return the whole table of variants; a speaker count of 0 means all."""
    counted = [slot_variant(count) for count in slot_counts] + [speaker_variant(count) for count in speaker_counts]
    return (*PARTS, *LOSSES, *counted)
