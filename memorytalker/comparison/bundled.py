"""The bundled clips with ground truth in assets/ground_truth; its README says where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from memorytalker.comparison.arrays import GroundTruthError
from memorytalker.comparison.ground_truth import CAPTURED, GIVEN, TRACKED, GroundTruth, read_ground_truth
from memorytalker.face.head import HeadMesh
from memorytalker.files import read_json
from memorytalker.places import assets_folder, remedy

FOLDER = assets_folder("ground_truth")
#: What each kind of ground truth is, in a sentence for the page.
KINDS = MappingProxyType(
    {
        TRACKED: "Tracked: facial landmarks of a real person in video at 25 frames a second, transferred to this head.",
        CAPTURED: "Captured: a real face's motion, solved from video with artists' tools; only the mouth moves.",
        GIVEN: "Your own recording, as you gave it.",
    }
)


@dataclass(frozen=True)
class BundledClip:
    """A clip in `FOLDER`.

    name: its identifier. words: its title on the page. kind: "tracked" or "captured". training: what the model was
    trained on of this speaker, in a sentence; never this clip. motion, sound: its file names.
    """

    name: str
    words: str
    kind: str
    training: str
    motion: str
    sound: str

    def read(self, head: HeadMesh) -> GroundTruth:
        """Read the clip onto `head`. Raises GroundTruthError if the head has no blendshapes."""
        return read_ground_truth(FOLDER / self.motion, FOLDER / self.sound, head, kind=self.kind, name=self.words)


def bundled_clips() -> tuple[BundledClip, ...]:
    """All bundled clips. Raises GroundTruthError where they are missing."""
    try:
        entries = read_json(FOLDER / "clips.json")
        clips = tuple(BundledClip(**entry) for entry in entries)
    except (OSError, ValueError, TypeError):
        raise GroundTruthError(f"The clips with ground truth are not here; {remedy('assets/ground_truth')}.") from None
    if not all(_is_clip(clip) for clip in clips):
        raise GroundTruthError(f"{FOLDER / 'clips.json'} is damaged; {remedy('assets/ground_truth')}.")
    return clips


def _is_clip(clip: BundledClip) -> bool:
    """Whether all fields are text, the kind is one of `KINDS`, and the files lie in the folder."""
    if not all(isinstance(value, str) for value in vars(clip).values()) or clip.kind not in (TRACKED, CAPTURED):
        return False
    return not any(
        "/" in name or "\\" in name or name in ("", "..") or "\0" in name for name in (clip.motion, clip.sound)
    )
