"""Make `weights/arousal`, and judge it: how aroused a voice sounds, learned from actors who spoke in seven feelings.

    python -m tools.arousal ../shared/emotion/emodb [--output weights/arousal]

The clips are those of the Berlin Database of Emotional Speech (Burkhardt et al. 2005), named `SSTTTEv`: speaker, text,
the German letter of the feeling, version. Anger, joy and fear count as 1, neutral as 0, sadness and boredom as -1;
disgust is left out. Printed is the rank correlation (Spearman) of the estimate with that order, each speaker judged by
what was learned from the others. It takes half a minute on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.stats import spearmanr

from memorytalker.models.talker import MemoryTalker
from memorytalker.sound.decode import load_waveform
from memorytalker.styles.arousal import AROUSAL_FOLDER, CONFIG, TENSORS, ArousalEstimate, voice_features
from memorytalker.weights import load_weights

#: German letter of a feeling -> its arousal.
LEVELS = {"W": 1.0, "F": 1.0, "A": 1.0, "N": 0.0, "T": -1.0, "L": -1.0}
#: Weight of the ridge, for each feature.
RIDGE = 0.3
ORIGIN = "Berlin Database of Emotional Speech, F. Burkhardt et al., Interspeech 2005; CC0 1.0 by audEERING's data card"


def main() -> None:
    """Learn, judge, write, and print the figures."""
    parser = argparse.ArgumentParser(description="Learn how aroused a voice sounds.")
    parser.add_argument("clips", type=Path, help="the folder with the clips")
    parser.add_argument("--output", type=Path, default=AROUSAL_FOLDER, help="the folder to write")
    arguments = parser.parse_args()
    model = load_weights().eval()
    features, levels, speakers = read_voices(arguments.clips, model)
    judged = leave_speakers_out(features, levels, speakers)
    for speaker in np.unique(speakers):
        own = speakers == speaker
        print(f"speaker {speaker}: {own.sum():3d} clips, Spearman {spearmanr(judged[own], levels[own])[0]:.2f}")
    together = float(spearmanr(judged, levels)[0])
    print(f"all: {len(levels)} clips, Spearman {together:.3f}")
    for level in (1.0, 0.0, -1.0):
        print(f"mean estimate of clips at {level:+.0f}: {judged[levels == level].mean():+.2f}")
    notes = {
        "speech": {"form": model.config.speech.form, "hidden_size": model.config.speech.hidden_size},
        "origin": ORIGIN,
        "clips": len(levels),
        "speakers": np.unique(speakers).tolist(),
        "ridge": RIDGE,
        "spearman_leave_one_speaker_out": round(together, 3),
    }
    write_estimate(learn(features, levels), notes, arguments.output)


def read_voices(folder: Path, model: MemoryTalker) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 2 h), levels (n,) and speakers (n,) of the clips in a folder."""
    paths = [path for path in sorted(folder.glob("*.opus")) if path.stem[5] in LEVELS]
    features = np.stack([voice_features(model, load_waveform(path).samples) for path in paths])
    return features, np.array([LEVELS[path.stem[5]] for path in paths]), np.array([path.stem[:2] for path in paths])


def learn(features: np.ndarray, levels: np.ndarray) -> ArousalEstimate:
    """Ridge regression in its dual form: there are more features than clips."""
    mean, spread = features.mean(0), features.std(0) + 1e-6
    rows = (features - mean) / spread
    kernel = rows @ rows.T + RIDGE * rows.shape[1] * np.eye(len(rows))
    weights = rows.T @ np.linalg.solve(kernel, levels - levels.mean())
    return ArousalEstimate(mean, spread, weights, float(levels.mean()))


def leave_speakers_out(features: np.ndarray, levels: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """(n,) the estimate of each clip, learned from the other speakers."""
    judged = np.zeros(len(levels))
    for speaker in np.unique(speakers):
        own = speakers == speaker
        estimate = learn(features[~own], levels[~own])
        judged[own] = [estimate.of(one) for one in features[own]]
    return judged


def write_estimate(estimate: ArousalEstimate, notes: dict, folder: Path) -> None:
    """Write an estimate with notes on its origin."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: getattr(estimate, name).astype(np.float32) for name in ("mean", "spread", "weights")}
    save_file(tensors, folder / TENSORS)
    digest = hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
    notes = notes | {"level": round(estimate.level, 6), "sha256": digest}
    (folder / CONFIG).write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
