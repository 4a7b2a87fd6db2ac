"""The tab About, from the Markdown files in about/."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from memorytalker.page.limits import KEEP_SECONDS, LIMITS_TEXT, LONGEST_SECONDS

#: Markdown files with {names} that `about_text` fills in.
TEXTS_FOLDER = Path(__file__).resolve().parent / "about"
#: Their order.
TEXTS = ("what", "synthetic", "limits", "use", "licences", "files", "programs")


def build_about() -> None:
    """Lay out the tab."""
    with gr.Column(elem_id="about"):
        gr.Markdown(about_text())


def about_text() -> str:
    """The text of the tab, in Markdown."""
    texts = [(TEXTS_FOLDER / f"{name}.md").read_text(encoding="utf-8").strip() for name in TEXTS]
    return "\n\n".join(texts).format(
        keep_minutes=KEEP_SECONDS // 60, limits=LIMITS_TEXT, longest_seconds=f"{LONGEST_SECONDS:.0f}"
    )
