"""A small planted take for the tests of the export formats: known curves on the shipped head."""

from __future__ import annotations

import numpy as np

from memorytalker.exports.take import Provenance, Take
from memorytalker.face.head import load_head
from memorytalker.face.motion import FaceCurves
from memorytalker.sound.decode import Waveform


def planted_take(frames: int = 40, fps: float = 30.0, sound: bool = True) -> Take:
    """Every shape moves once, a frame apart, over a jaw that opens and closes; a sine as sound."""
    head = load_head()
    weights = np.zeros((frames, len(head.blendshape_names)), np.float32)
    for k in range(weights.shape[1]):
        weights[(k * 7) % frames, k] = 0.1 + 0.015 * k
    weights[:, head.blendshape_names.index("jawOpen")] = 0.25 - 0.25 * np.cos(np.arange(frames) / 3)
    curves = FaceCurves(weights, head.blendshape_names, fps)
    samples = (0.3 * np.sin(np.arange(round(frames / fps * 16000)) / 11)).astype(np.float32)
    return Take(
        curves=curves,
        frames=head.template + head.offsets(weights),
        fps=fps,
        head=head,
        waveform=Waveform(samples) if sound else None,
        provenance=Provenance("planted.wav", head.identity, "0" * 64, "own voice", 7, "MemoryTalker test"),
    )
