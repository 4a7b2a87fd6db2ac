"""The tab About says what the documents say: the page reads texts of its own, and here they are held together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("gradio")
from memorytalker.page import about, limits  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def section(name: str, heading: str) -> str:
    """The text under a heading of one of the documents, without its links within the repository."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{name} has no section {heading!r}"
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", found[1]).strip()


@pytest.mark.parametrize(
    ("name", "document", "heading"),
    [
        ("limits", "MODEL_CARD.md", "What it cannot do"),
        ("use", "MODEL_CARD.md", "Intended use"),
        ("licences", "README.md", "Licences"),
    ],
)
def test_the_page_says_word_for_word_what_the_documents_say(name: str, document: str, heading: str) -> None:
    text = (about.TEXTS_FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert section(document, heading) in text, f"page/about/{name}.md: copy {heading!r} of {document} again"


def test_every_text_is_shown_and_says_what_is_in_force() -> None:
    text = about.about_text()
    assert {path.name for path in about.TEXTS_FOLDER.iterdir()} == {f"{name}.md" for name in about.TEXTS}
    assert text.count("\n## ") + 1 == len(about.TEXTS) and text.startswith("## What this is")
    assert not re.search(r"[{}]", text)
    assert limits.LIMITS_TEXT in text and f"at most {limits.LONGEST_SECONDS:.0f} seconds" in text
    assert f"within about {limits.KEEP_SECONDS // 60} minutes" in text
    assert "](" not in re.sub(r"\]\(https?:", "", text), "a link into the repository leads nowhere from the page"
