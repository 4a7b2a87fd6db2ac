"""The tab About: what this is, what it cannot do, licences, and what becomes of a visitor's files."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from memorytalker.page.limits import KEEP_SECONDS, LIMITS_TEXT, LONGEST_SECONDS

#: The texts, in Markdown, with {names} where `about_text` puts what is in force.
TEXTS_FOLDER = Path(__file__).resolve().parent / "about"
#: In this order.
TEXTS = ("what", "synthetic", "limits", "use", "licences", "files", "programs")


def build_about() -> None:
    """Lay the tab out."""
    with gr.Column(elem_id="about"):
        gr.Markdown(about_text())


def about_text() -> str:
    """All that the tab says, in Markdown."""
    texts = [(TEXTS_FOLDER / f"{name}.md").read_text(encoding="utf-8").strip() for name in TEXTS]
    return "\n\n".join(texts).format(
        keep_minutes=KEEP_SECONDS // 60, limits=LIMITS_TEXT, longest_seconds=f"{LONGEST_SECONDS:.0f}"
    )
