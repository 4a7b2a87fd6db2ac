"""Where a user gets the paper's data: the one list that `doctor`, messages and docs/paper.md name."""

from __future__ import annotations

VOCASET = "voca.is.tue.mpg.de, after registration"
FLAME = "flame.is.tue.mpg.de, after registration"
FLAME_MESH = "github.com/TimoBolkart/voca, folder template"
BIWI = "those who have it: BIWI is no longer distributed"
BASELINE_LISTS = "lists that the public baselines carry"
BASELINE_MESH = "the templates of the public baselines"
