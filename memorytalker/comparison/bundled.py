"""The clips with known motion that are shipped in assets/ground_truth; its README says where each comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType

from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.ground_truth import CAPTURED, FILMED, GIVEN, GroundTruth, read_ground_truth
from memorytalker.face.head import HeadMesh
from memorytalker.places import assets_folder, remedy

FOLDER = assets_folder("ground_truth")
#: What each kind of truth is, in a sentence for people.
KINDS = MappingProxyType(
    {
        FILMED: "Filmed: points on a real face, tracked in a film of 25 pictures a second, laid on this head.",
        CAPTURED: "Captured: a real face's motion, solved from video with artists' tools; the mouth alone moves.",
        GIVEN: "Your own recording, as you gave it.",
    }
)


@dataclass(frozen=True)
class BundledClip:
    """A clip in `FOLDER`: name, words for people, kind ("filmed" or "captured"), its two files.

    training: what training saw of its speaker, in a sentence; never this clip.
    """

    name: str
    words: str
    kind: str
    training: str
    motion: str
    sound: str

    def read(self, head: HeadMesh) -> GroundTruth:
        """The clip on `head`. Raises TruthError if the head has no blendshapes."""
        return read_ground_truth(FOLDER / self.motion, FOLDER / self.sound, head, kind=self.kind, name=self.words)


def bundled_clips() -> tuple[BundledClip, ...]:
    """All shipped clips. Raises TruthError where they are missing."""
    try:
        entries = json.loads((FOLDER / "clips.json").read_text(encoding="utf-8"))
        return tuple(BundledClip(**entry) for entry in entries)
    except (OSError, ValueError, TypeError):
        raise GroundTruthError(f"The clips with known motion are not here; {remedy('assets/ground_truth')}.") from None
