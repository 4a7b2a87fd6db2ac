"""Serves the page with weights that never saw one person in film (grid_s26), as they never saw a visitor."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

import app  # noqa: E402
from memorytalker.folds import FOLDS_NAME, fold_talker  # noqa: E402
from memorytalker.places import weights_folder  # noqa: E402

if __name__ == "__main__":
    app.serve(fold_talker(weights_folder() / FOLDS_NAME / "grid_s26"))
